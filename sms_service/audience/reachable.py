"""People with whether a text can reach them, as lists of people show it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, Text, select, type_coerce

from sms_service.audience.covering import EVERY_TEXT, TextKind
from sms_service.audience.models import Suppression
from sms_service.audience.skipping import find_reason, join_reasons
from sms_service.directory.models import Person, Unit
from sms_service.directory.people import find_people
from sms_service.vocabulary import MessageReason

REACHABLE, SUSPECT = "reachable", "suspect"
# What a list can be narrowed to: those whom texts reach, those whose phone seems dead, and each reason against it.
REACHES = (
    REACHABLE,
    MessageReason.no_phone,
    MessageReason.bad_number,
    MessageReason.lost_contact,
    MessageReason.opted_out,
    MessageReason.wrong_person,
    MessageReason.complaint,
    MessageReason.manual,
    MessageReason.blacklisted,
    SUSPECT,
)


def find_reached(
    paths: Sequence[str], *, reach: str | None = None, of_kind: TextKind = EVERY_TEXT, **filters: Any
) -> Select[*tuple[Any, ...]]:
    """`directory.people.find_people` as rows (Person, unit, reason): the unit's name, and why the person would be
    skipped (None: a text of their own unit, `of_kind`, would go). `reach` is one of REACHES.
    """
    reason = find_reason(type_coerce(Unit.path, Text), of_kind)  # within itself: nobody is out of scope in a list
    statement: Select[*tuple[Any, ...]] = join_reasons(
        find_people(paths, suspect=True if reach == SUSPECT else None, **filters)
    ).add_columns(Unit.name.label("unit"), reason.label("reason"))
    if reach is None or reach == SUSPECT:
        return statement
    if reach == REACHABLE:
        return statement.where(reason.is_(None))
    # What the reason implies, said again: only by this is a rare one found by its index.
    match reach:
        case MessageReason.lost_contact:
            statement = statement.where(Person.lost_contact)
        case MessageReason.no_phone | MessageReason.bad_number:
            statement = statement.where(Person.phone.is_(None))
        case _:
            phones = select(Suppression.phone).where(Suppression.lifted_at.is_(None), Suppression.reason == reach)
            statement = statement.where(Person.phone.in_(phones))
    return statement.where(reason == reach)
