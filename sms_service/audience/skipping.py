"""Who of an audience gets no text, and why: the preview counts by it, and freeze writes it into the rows.

A new reason is a member of MessageReason and one line of `find_reason`; what else has to be asked for it is joined in
PEOPLE and in `join_reasons`.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, Text, and_, case, literal, not_

from sms_service.audience.models import Suppression
from sms_service.directory.models import Person, Unit
from sms_service.vocabulary import MessageReason

# People with what `find_reason` asks of them. A phone is suppressed once or not at all, so nobody is here twice.
PEOPLE: FromClause = Person.__table__.outerjoin(Suppression.__table__, Suppression.phone == Person.phone)


def join_reasons(statement: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    """A statement over people and units, such as an audience's, with what `find_reason` asks: nobody is joined to
    themselves, as by PEOPLE.
    """
    return statement.outerjoin(Suppression.__table__, Suppression.phone == Person.phone)


def find_reason(unit_path: str | ColumnElement[str]) -> ColumnElement[str | None]:
    """SQL for why a recipient is skipped, the first that applies, over PEOPLE and the recipient's unit; NULL: they are
    not. `unit_path`: the subtree that the run is for.

    Of several recipients with one phone who are not skipped, one is sent; the others are `duplicate_phone`.
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
