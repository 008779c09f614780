"""The breaker of accounts, errors that pause one at once, and links that are down."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from sqlalchemy import text

from sms_service import clock
from sms_service.accounts.actors import SYSTEM
from sms_service.controls import account_breaker, account_state, link_state
from sms_service.controls.models import PausedBy
from sms_service.db.engine import Database
from sms_service.dispatch import dispatcher
from sms_service.dispatch.retry import MAX_ATTEMPTS
from sms_service.gateways.base import ErrorClass, NotTaken, Outcome, Text, unwritten
from sms_service.said import say, to_json
from tests.dispatch.city import (
    ScriptedAdapter,
    account,
    drain,
    make_city,
    refused,
    statuses,
    unknown,
)


def test_an_account_whose_texts_end_unknown_is_paused_and_tried_again_later(database: Database) -> None:
    city = make_city(database, 60)
    city.adapter.capabilities = ScriptedAdapter.small(20)
    both, own = threading.Barrier(2), threading.local()

    def answer(text: Text) -> Outcome:
        """No group ends before the other has passed the gate, too."""
        if not hasattr(own, "began"):
            own.began = True
            both.wait(30)
        return unknown(text)

    city.adapter.answer = answer
    drain(database, city.gateways)
    assert statuses(database, city.run_id) == {"pending": 20, "unknown": 40}  # two groups were under way
    paused = account(database)
    assert (paused.state, paused.paused_by, paused.trips) == ("paused", PausedBy.breaker, 1)
    assert paused.reason_message is not None
    bad = paused.reason_message["values"]["bad"]
    assert bad in (20, 40)  # whether the second group had ended when the breaker looked
    said = say("{bad} of its last {texts} texts were unknown or refused", bad=bad, texts=bad)
    assert to_json(paused.said_reason) == to_json(said) == paused.reason_message
    assert paused.reopens_at is not None
    with database.transaction() as connection:
        assert account_breaker.reopen_rested_accounts(connection) == []
        connection.execute(text("UPDATE gateway_accounts SET reopens_at = sms_now()"))
        assert account_breaker.reopen_rested_accounts(connection) == ["main"]
    city.adapter.answer = ScriptedAdapter().answer
    drain(database, city.gateways)
    assert statuses(database, city.run_id) == {"accepted": 20, "unknown": 40}


def test_refusals_that_lie_with_the_recipient_do_not_pause_the_account(database: Database) -> None:
    city = make_city(database, 60)
    city.adapter.answer = refused(ErrorClass.bad_number)
    drain(database, city.gateways)
    assert statuses(database, city.run_id) == {"refused": 60}
    assert account(database).state == "open"


@pytest.mark.parametrize("error", [ErrorClass.credentials, ErrorClass.balance, ErrorClass.signature])
def test_an_account_that_cannot_be_used_is_paused_at_once_until_a_person_opens_it(
    database: Database, error: ErrorClass
) -> None:
    city = make_city(database, 50)
    city.adapter.capabilities = ScriptedAdapter.small(1)
    city.adapter.answer = refused(error)
    drain(database, city.gateways)
    paused = account(database)
    assert (paused.state, paused.reopens_at) == ("paused", None)
    assert error in (paused.reason or "")
    found = statuses(database, city.run_id)
    assert found["refused"] <= 2  # two groups of one were under way
    assert found.keys() <= {"refused", "pending", "claimed"}  # one that a claim looks at just then keeps its lease


def test_tallies_are_forgotten_when_nothing_counts_them_any_more(database: Database) -> None:
    drain(database, make_city(database, 3).gateways)
    with database.transaction() as connection:
        kept = connection.execute(text("SELECT count(*) FROM tallies")).scalar_one()
        assert kept > 0
        assert account_breaker.forget_old_tallies(connection) == 0
        connection.execute(text("SELECT set_config('sms.clock_offset', '9 days', true)"))
        assert account_breaker.forget_old_tallies(connection) == kept
        assert account_breaker.forget_old_tallies(connection) == 0


def test_an_account_on_trial_gets_a_few_texts_until_one_goes_well(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatcher, "OFFERS_S", 0.0)  # the run would be over before it looks again
    city = make_city(database, 100)
    city.adapter.answer = unknown
    with database.transaction() as connection:
        connection.execute(text("UPDATE gateway_accounts SET trips = 1"))
    drain(database, city.gateways)
    assert statuses(database, city.run_id) == {"unknown": 5, "pending": 95}
    assert (account(database).state, account(database).trips) == ("paused", 2)
    with database.transaction() as connection:
        connection.execute(text("UPDATE gateway_accounts SET reopens_at = sms_now()"))
        account_breaker.reopen_rested_accounts(connection)
    sizes: list[int] = []
    answer = ScriptedAdapter().answer

    def submit(group: object) -> list[Outcome]:
        texts = group.texts  # type: ignore[attr-defined]
        sizes.append(len(texts))
        return [answer(handed) for handed in texts]

    city.adapter.submit = submit  # type: ignore[assignment]
    drain(database, city.gateways)
    assert statuses(database, city.run_id) == {"unknown": 5, "accepted": 95}
    assert sizes[0] == 5
    assert max(sizes) > 5


def test_a_gateway_that_takes_its_workers_down_is_counted(database: Database) -> None:
    """Nobody writes an outcome down; the sweep finds the rows, and the breaker hears of it."""
    city = make_city(database, 30)
    city.adapter.answer = unknown
    with database.transaction() as connection:
        connection.execute(
            text(
                "WITH gone AS (UPDATE messages SET status = 'submitting', attempts = 1, lease_until = sms_now(),"
                " claim_token = gen_random_uuid(), account_id = (SELECT id FROM gateway_accounts) RETURNING *)"
                " INSERT INTO attempts"
                " (month, message_id, run_id, number, account_id, claim_token, status, parts, started_at)"
                " SELECT month, id, run_id, 1, account_id, claim_token, 'submitting', 1, sms_now() FROM gone"
            )
        )
    clock.tick(database, None, city.gateways)
    assert statuses(database, city.run_id) == {"unknown": 30}
    assert account(database).state == "paused"


@pytest.mark.parametrize("says", ["of the group", "of each text"])
def test_a_link_that_is_down_costs_its_texts_no_try_and_its_account_no_trust(database: Database, says: str) -> None:
    """It pauses its account by itself when it stays down, and ends that pause when it is up again."""
    city = make_city(database, 60)
    city.adapter.capabilities = replace(ScriptedAdapter.small(20), link=True)

    def down(handed: Text) -> Outcome:
        if says == "of the group":
            raise NotTaken("the link is down")
        return unwritten(handed.reference, "the link is down")

    city.adapter.answer = down
    for _ in range(MAX_ATTEMPTS + 1):
        drain(database, city.gateways)
        with database.transaction() as connection:
            connection.execute(text("UPDATE messages SET not_before = sms_now()"))
    assert statuses(database, city.run_id) == {"pending": 60}
    assert account(database).state == "open"
    with database.transaction() as connection:
        assert connection.execute(text("SELECT count(*) FROM tallies")).scalar_one() == 0


@pytest.mark.parametrize(("quiet_s", "state"), [(10.0, "paused"), (90.0, "paused"), (40.0, "open")])
def test_a_pause_earned_by_a_flapping_link_ends_when_its_session_holds(
    database: Database, quiet_s: float, state: str
) -> None:
    """The last texts ended unknown a minute ago. A session that is too young does not count, and one that is older than
    that has earned the pause itself.
    """
    city = make_city(database, 20)
    city.adapter.answer = unknown
    drain(database, city.gateways)
    with database.transaction() as connection:
        connection.execute(text("SELECT set_config('sms.clock_offset', '60 seconds', true)"))
        connection.execute(text("UPDATE gateway_accounts SET trips = 6, reopens_at = sms_now() + interval '8 minutes'"))
        link_state.open_link(connection, account(database).id, quiet_s)
    assert (account(database).state, account(database).trips) == (state, 6)


def test_a_link_that_is_up_ends_no_pause_by_a_person(database: Database) -> None:
    make_city(database, 1)
    with database.transaction() as connection:
        connection.execute(text("UPDATE gateway_accounts SET state = 'paused', reason = '余额不足', reopens_at = NULL"))
        link_state.open_link(connection, account(database).id, 1000.0)
    assert account(database).state == "paused"


def test_who_paused_an_account_is_known_whatever_the_reason_says(database: Database) -> None:
    """A person may write what a link would: that pause is not the link's."""
    make_city(database, 1)
    with database.session() as session:
        account_state.pause_gateway_account(session, SYSTEM, "main", "the link is down: 线路检修")
    paused = account(database)
    assert paused.paused_by == PausedBy.person
    with database.transaction() as connection:
        link_state.pause_link(connection, paused.id, "no answer")
        link_state.open_link(connection, paused.id, 1000.0)
    assert (account(database).state, account(database).reason) == ("paused", "the link is down: 线路检修")
    with database.session() as session:
        account_state.reopen_gateway_account(session, SYSTEM, "main", "好了")
    assert account(database).paused_by is None
    with database.transaction() as connection:
        link_state.pause_link(connection, paused.id, "no answer")
    assert (account(database).paused_by, account(database).reason) == (PausedBy.link, "the link is down: no answer")
    assert account(database).said_reason.values == {"why": "no answer"}
    with database.transaction() as connection:
        link_state.open_link(connection, paused.id, 0.0)
    assert (account(database).state, account(database).paused_by, account(database).reason) == ("open", None, None)
    with database.transaction() as connection:
        account_breaker.pause_account(connection, paused.id, say("refused: {error}", error="credentials"))
    assert account(database).paused_by == PausedBy.breaker
    assert account(database).said_reason.values == {"error": "credentials"}
    with database.session() as session:
        account_state.pause_gateway_account(session, SYSTEM, "main", "换密钥")
    assert (account(database).reason, account(database).reason_message) == ("换密钥", None)
    assert account(database).said_reason is None


def test_a_message_left_by_an_earlier_pause_is_not_shown(database: Database) -> None:
    """A process of an older release writes the sentence alone."""
    make_city(database, 1)
    with database.transaction() as connection:
        account_breaker.pause_account(connection, account(database).id, say("refused: {error}", error="credentials"))
        connection.execute(text("UPDATE gateway_accounts SET reason = 'the link is down: x', paused_by = 'link'"))
    said = account(database).said_reason
    assert (said.message, said.values) == ("the link is down: x", {})
