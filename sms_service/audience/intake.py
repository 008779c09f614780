"""Imports as the doors call them: the directory's import, with the opt-outs that the file carries honoured at once."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor, unit_path
from sms_service.audience import suppression
from sms_service.audit import trail
from sms_service.directory import people_import
from sms_service.directory.models import Import

OPTED_OUT_TAG = "不接收短信"


@dataclass(frozen=True, slots=True)
class Intake:
    """The recorded import, and how many phones it suppressed that were not suppressed before."""

    record: Import
    suppressed: int


def import_people(session: Session, actor: Actor, data: bytes, file_name: str, *, unit_id: int | None = None) -> Intake:
    """`directory.people_import.import_people`, and in the same transaction the phones of people tagged 不接收短信 are
    suppressed. Taking the tag away later lifts nothing: that is a person's decision (`suppression.lift`).

    Raises what the directory's import raises.
    """
    imported = people_import.import_people(session, actor, data, file_name, unit_id=unit_id)
    phones = {
        person.phone for person in imported.people if person.phone is not None and OPTED_OUT_TAG in (person.tags or ())
    }
    suppressed = suppression.suppress(session, phones, "opted_out", "import", actor.account_id)
    if suppressed:
        record = imported.record
        path = unit_path(session, record.unit_id) if record.unit_id is not None else "/"
        trail.record(session, actor.account_id, "suppression.import", "import", record.id, path, suppressed=suppressed)
    return Intake(imported.record, suppressed)
