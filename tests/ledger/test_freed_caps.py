"""Outcomes of several runs come at once when unknown texts are looked up; each gives back its own place of a cap."""

from __future__ import annotations

from sqlalchemy import text

from sms_service.db.engine import Database
from sms_service.dispatch import freeze
from sms_service.gateways.base import ErrorClass, Outcome, OutcomeKind
from sms_service.ledger import protocol
from sms_service.ledger.protocol import Recorded
from tests.dispatch.city import drain, make_city, make_run


def test_two_texts_to_one_phone_that_did_not_leave_give_back_two_places(database: Database) -> None:
    city = make_city(database, 1, freeze_now=False)
    with database.session() as session:
        second = make_run(session, city.unit).id
        session.execute(text("INSERT INTO caps VALUES ('notice', 5)"))
    freeze.begin_due_runs(database)
    for run_id in (city.run_id, second):
        freeze.freeze_run(database, run_id)
    city.adapter.answer = lambda handed: Outcome(handed.reference, OutcomeKind.unknown)
    drain(database, city.gateways)
    with database.transaction() as connection:
        assert connection.execute(text("SELECT used FROM cap_uses")).scalars().all() == [2]
        attempts = connection.execute(text("SELECT id FROM attempts")).scalars().all()
        error = ErrorClass.not_taken.value
        found = [Recorded(attempt_id, OutcomeKind.refused, error=error) for attempt_id in attempts]
        protocol.record_outcomes(connection, city.month, found)
    with database.transaction() as connection:
        assert connection.execute(text("SELECT used FROM cap_uses")).scalars().all() == [0]
        assert connection.execute(text("SELECT cap_day FROM messages")).scalars().all() == [None, None]
