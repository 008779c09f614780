"""Which recipients of an audience get no text, and why: the preview counts them, and freeze writes the reason.

A new reason needs a member of MessageReason and one line in `find_reason`; a table that it asks is joined in PEOPLE
and in `join_reasons`. What can come true between freeze and hand-over is asked again by the gate (`ledger/gate.sql`).
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, Text, and_, case, cast, func, literal, not_, or_, select

from sms_service.audience.covering import EVERY_TEXT, TextKind
from sms_service.audience.models import Suppression
from sms_service.directory.models import Person, Unit
from sms_service.vocabulary import MessageReason

# The entry for every text; a phone has at most one that is active, so nobody appears twice.
_EVERYWHERE = Suppression.__table__.alias("everywhere")
_NARROWS = ("unit_id", "class", "signature")
_IS_ABOUT_ALL = and_(
    _EVERYWHERE.c.phone == Person.phone,
    *(_EVERYWHERE.c[name].is_(None) for name in _NARROWS),
    _EVERYWHERE.c.lifted_at.is_(None),
)
# Phones with an entry for some texts. There are few, and PostgreSQL hashes them once a statement: joining the entries
# that hold for a run would name a recipient once for each.
_SOME = Suppression.__table__.alias("of_some")
_PHONES_OF_SOME = select(_SOME.c.phone).where(
    or_(*(_SOME.c[name].is_not(None) for name in _NARROWS)), _SOME.c.lifted_at.is_(None)
)

# People, joined with what `find_reason` asks.
PEOPLE: FromClause = Person.__table__.outerjoin(_EVERYWHERE, _IS_ABOUT_ALL)


def join_reasons(statement: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    """Join what `find_reason` asks to a statement that already has people and units, such as an audience's. (Joining
    PEOPLE would join people to themselves.)
    """
    return statement.outerjoin(_EVERYWHERE, _IS_ABOUT_ALL)


def find_reason(unit_path: str | ColumnElement[str], kind: TextKind = EVERY_TEXT) -> ColumnElement[str | None]:
    """SQL for the first reason that applies to a recipient, over PEOPLE and the recipient's unit. NULL means that the
    recipient is not skipped. `unit_path`: the subtree that the run is for; its unit sends the text, which is of this
    `kind`.

    If several recipients who are not skipped share a phone, one is sent and the others become `duplicate_phone`.
    """
    return case(
        (not_(Unit.path.op("^@", is_comparison=True)(unit_path)), _said(MessageReason.out_of_scope)),
        (Person.lost_contact, _said(MessageReason.lost_contact)),
        (and_(Person.phone.is_(None), Person.phone_problem.is_not(None)), _said(MessageReason.bad_number)),
        (Person.phone.is_(None), _said(MessageReason.no_phone)),
        (_EVERYWHERE.c.reason.is_not(None), _EVERYWHERE.c.reason),
        (
            Person.phone.in_(_PHONES_OF_SOME),
            func.find_suppression(Person.phone, unit_path, *(cast(one, Text) for one in kind), type_=Text),
        ),
    )


def _said(reason: MessageReason) -> ColumnElement[str]:
    return literal(reason.value, Text)
