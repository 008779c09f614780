"""Runs of tests that ask something."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select, update

from sms_service.db.engine import Database
from sms_service.ledger.models import Run
from sms_service.ledger.runs import OPEN_QUESTIONS

RSVP: dict[str, Any] = {"kind": "rsvp", "hours": 72}


def ask(database: Database, run_id: int, asks: dict[str, Any] | None = None) -> int:
    """Let a launched run have asked that, whether they come by default; returns the question's id."""
    with database.session() as session:
        session.execute(update(Run).where(Run.id == run_id).values(asks=asks or RSVP))
        OPEN_QUESTIONS(session.connection(), run_ids=[run_id])
        return session.scalars(select(Run.question_id).where(Run.id == run_id)).one() or 0
