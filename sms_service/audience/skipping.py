"""Which recipients of an audience get no text, and why: the preview counts them, and freeze writes the reason.

A new reason needs a member of MessageReason and one line in `find_reason`; a table that it asks is joined in PEOPLE
and in `join_reasons`.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, Text, and_, case, literal, not_

from sms_service.audience.models import Suppression
from sms_service.directory.models import Person, Unit
from sms_service.vocabulary import MessageReason

# People, joined with what `find_reason` asks. A phone has at most one suppression, so nobody appears twice.
PEOPLE: FromClause = Person.__table__.outerjoin(Suppression.__table__, Suppression.phone == Person.phone)


def join_reasons(statement: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    """Join what `find_reason` asks to a statement that already has people and units, such as an audience's. (Joining
    PEOPLE would join people to themselves.)
    """
    return statement.outerjoin(Suppression.__table__, Suppression.phone == Person.phone)


def find_reason(unit_path: str | ColumnElement[str]) -> ColumnElement[str | None]:
    """SQL for the first reason that applies to a recipient, over PEOPLE and the recipient's unit. NULL means that the
    recipient is not skipped. `unit_path`: the subtree that the run is for.

    If several recipients who are not skipped share a phone, one is sent and the others become `duplicate_phone`.
    """
    return case(
        (not_(Unit.path.op("^@", is_comparison=True)(unit_path)), _said(MessageReason.out_of_scope)),
        (Person.lost_contact, _said(MessageReason.lost_contact)),
        (and_(Person.phone.is_(None), Person.phone_problem.is_not(None)), _said(MessageReason.bad_number)),
        (Person.phone.is_(None), _said(MessageReason.no_phone)),
        else_=Suppression.reason,
    )


def _said(reason: MessageReason) -> ColumnElement[str]:
    return literal(reason.value, Text)
