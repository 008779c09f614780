"""Repeated requests: one key is worked on once, whoever comes at the same moment, and answered alike."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from factories import make_account, make_unit
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from sms_service import clock
from sms_service.accounts import stored_responses
from sms_service.accounts.models import StoredResponse
from sms_service.errors import Conflict, Invalid
from tests.dispatch.city import ScriptedGateways
from tests.waiting import wait_until_blocked

ONE, TWO = b"1" * 32, b"2" * 32


@pytest.fixture
def account_id(session):
    account = make_account(session, make_unit(session))
    session.commit()
    return account.id


def keep(session, account_id, key="k", body=b'{"id": 1}'):
    stored_responses.keep_response(session, account_id, key, 201, {"Content-Type": "application/json"}, body)


def age(session, hours):
    for stored in session.scalars(select(StoredResponse)):
        stored.created_at = datetime.now(UTC) - timedelta(hours=hours)
    session.commit()


def in_thread(work):
    """Runs `work()` in a thread; returns the thread and the list that will hold its result or its exception."""
    result = []

    def run():
        try:
            result.append(work())
        except Exception as error:  # noqa: BLE001 - handed to the test
            result.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, result


def test_a_key_is_ours_once_and_then_answers(session, account_id):
    assert stored_responses.reserve_response(session, account_id, "k", ONE) is None
    keep(session, account_id)
    session.commit()
    stored = stored_responses.reserve_response(session, account_id, "k", ONE)
    assert (stored.status, stored.body) == (201, b'{"id": 1}')
    with pytest.raises(Invalid, match="another request"):
        stored_responses.reserve_response(session, account_id, "k", TWO)


def test_keys_belong_to_accounts(session, account_id):
    other = make_account(session, make_unit(session)).id
    assert stored_responses.reserve_response(session, account_id, "k", ONE) is None
    assert stored_responses.reserve_response(session, other, "k", TWO) is None


def test_a_failed_request_leaves_its_key_free(session, account_id):
    assert stored_responses.reserve_response(session, account_id, "k", ONE) is None
    session.rollback()
    assert stored_responses.reserve_response(session, account_id, "k", TWO) is None


def test_an_answer_is_honoured_for_24_hours_and_then_forgotten(session, account_id):
    stored_responses.reserve_response(session, account_id, "k", ONE)
    keep(session, account_id)
    session.commit()
    age(session, 23.9)
    assert stored_responses.reserve_response(session, account_id, "k", ONE) is not None
    assert stored_responses.forget_old_responses(session) == 0
    age(session, 24.1)
    assert stored_responses.reserve_response(session, account_id, "k", TWO) is None
    session.rollback()
    assert stored_responses.forget_old_responses(session) == 1


def test_the_clock_forgets_them(database, session, account_id):
    stored_responses.reserve_response(session, account_id, "k", ONE)
    keep(session, account_id)
    session.commit()
    age(session, 24.1)
    clock.tick(database, None, ScriptedGateways({}))
    assert session.scalars(select(StoredResponse)).all() == []


def test_the_second_waits_for_the_first_and_answers_the_same(database, session, account_id):
    assert stored_responses.reserve_response(session, account_id, "k", ONE) is None

    def second():
        with Session(database.engine) as own:
            return stored_responses.reserve_response(own, account_id, "k", ONE).body

    thread, result = in_thread(second)
    wait_until_blocked(database)
    assert result == []
    keep(session, account_id)
    session.commit()
    thread.join(30)
    assert result == [b'{"id": 1}']


def test_the_second_does_the_work_when_the_first_fails(database, session, account_id):
    assert stored_responses.reserve_response(session, account_id, "k", ONE) is None

    def second():
        with Session(database.engine) as own:
            return stored_responses.reserve_response(own, account_id, "k", ONE)

    thread, result = in_thread(second)
    wait_until_blocked(database)
    session.rollback()
    thread.join(30)
    assert result == [None]


def test_the_second_does_not_wait_for_ever(database, session, account_id, monkeypatch):
    monkeypatch.setattr(stored_responses, "LONGEST_WAIT_S", 1)
    assert stored_responses.reserve_response(session, account_id, "k", ONE) is None
    with Session(database.engine) as own, pytest.raises(Conflict, match="still being worked on"):
        stored_responses.reserve_response(own, account_id, "k", ONE)


def test_the_wait_for_other_locks_is_as_before(session, account_id):
    stored_responses.reserve_response(session, account_id, "k", ONE)
    assert session.scalar(text("SHOW lock_timeout")) == "0"
