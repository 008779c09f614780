"""The rows behind every number."""

from __future__ import annotations

from sqlalchemy import Select, select

from sms_service.directory.models import Person, Unit
from sms_service.ledger.models import Message, Run
from sms_service.reports.counts import Filter


def find_messages(rows: Filter) -> Select[Message, str, str]:
    """The ledger rows that `counts` counts for the same filter, each with its person's and unit's present names."""
    return (
        select(Message, Person.name.label("person"), Unit.name.label("unit"))
        .join(Run, (Run.id == Message.run_id) & (Run.month == Message.month))
        .outerjoin(Person, Person.id == Message.person_id)
        .outerjoin(Unit, Unit.id == Message.unit_id)
        .where(*rows.conditions())
    )
