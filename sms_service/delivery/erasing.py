"""A person is erased: what was noted about not reaching them goes with them."""

from __future__ import annotations

from sqlalchemy import Connection, delete

from sms_service.delivery.models import LostCheck, MissedText


def erase_checks(connection: Connection, person_id: int) -> None:
    """Delete the person's missed texts and the questions that branches were asked about them."""
    connection.execute(delete(MissedText).where(MissedText.person_id == person_id))
    connection.execute(delete(LostCheck).where(LostCheck.person_id == person_id))
