"""Which text a reply answers, and who answered."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import text

from sms_service.db.engine import Database
from sms_service.dispatch import freeze
from sms_service.gateways.base import Reply
from sms_service.replies import matching
from sms_service.replies.storing import store_replies
from tests.clocks import ahead_by
from tests.dispatch.city import City, ScriptedAdapter, ScriptedGateways, drain, make_city, make_run, messages
from tests.factories import fictional_phone, make_person, make_unit

PHONE = fictional_phone(5)


def another_run(database: Database, city: City) -> int:
    """Another campaign to the same people, handed over."""
    with database.session() as session:
        run_id = make_run(session, city.unit).id
    freeze.begin_due_runs(database)
    freeze.freeze_run(database, run_id)
    drain(database, city.gateways)
    return run_id


def answered(database: Database, account: str = "main", at: str = "1 second", phone: str = PHONE) -> Any:
    """The row of a reply that comes in so long after now, matched."""
    with ahead_by(database.url, at) as ahead:
        assert store_replies(ahead, account, [Reply(phone, at + account, "{}")]) == 1
        assert matching.match_waiting(ahead) is False
    with database.transaction() as connection:
        return connection.execute(text("SELECT * FROM replies ORDER BY id DESC LIMIT 1")).one()


def test_it_answers_the_last_text_handed_over_and_is_its_recipients(database: Database) -> None:
    city = make_city(database, 2, more=[{"phone": PHONE}])
    drain(database, city.gateways)
    run_id = another_run(database, city)
    [message] = [row for row in messages(database, run_id) if row.phone == PHONE]
    row = answered(database)
    assert (row.month, row.message_id, row.person_id) == (message.month, message.id, message.person_id)
    assert (row.unit_path, row.meaning, row.rule) == (city.unit.path, "free_text", "no_question")


def test_of_several_who_share_a_phone_it_is_the_one_who_got_the_text(database: Database) -> None:
    city = make_city(database, 0, more=[{"phone": PHONE}, {"phone": PHONE}])
    drain(database, city.gateways)
    with database.transaction() as connection:  # the second got it
        connection.execute(text("UPDATE messages SET person_id = -person_id"))
        connection.execute(text("UPDATE messages SET person_id = 2 WHERE status <> 'skipped'"))
    assert answered(database).person_id == 2


def test_a_text_of_the_same_account_is_preferred(database: Database) -> None:
    gateways = ScriptedGateways({"main": ScriptedAdapter(), "other": ScriptedAdapter()})
    city = make_city(database, 0, gateways=gateways, more=[{"phone": PHONE}])
    drain(database, gateways)
    second = another_run(database, city)
    with database.transaction() as connection:
        move = (
            "UPDATE attempts SET account_id = (SELECT id FROM gateway_accounts WHERE name = 'other') WHERE run_id = :r"
        )
        connection.execute(text(move), {"r": second})
    assert answered(database).message_id == messages(database, city.run_id)[0].id
    assert answered(database, "other").message_id == messages(database, second)[0].id


@pytest.mark.parametrize(("at", "matches"), [("13 days", True), ("15 days", False)])
def test_after_two_weeks_a_text_is_not_answered_any_more(database: Database, at: str, matches: bool) -> None:
    city = make_city(database, 0, more=[{"phone": PHONE}])
    drain(database, city.gateways)
    row = answered(database, at=at)
    assert (row.message_id is not None) == matches
    assert (row.person_id, row.unit_path) == (1, city.unit.path), "whoever has the phone said it all the same"


def test_what_was_surely_not_taken_cannot_be_answered(database: Database) -> None:
    city = make_city(database, 0, more=[{"phone": PHONE}])
    drain(database, city.gateways)
    with database.transaction() as connection:
        connection.execute(text("UPDATE attempts SET status = 'refused'"))
    assert answered(database).message_id is None


def test_who_has_another_phone_or_unit_by_now_still_answers(database: Database) -> None:
    city = make_city(database, 0, more=[{"phone": PHONE}])
    drain(database, city.gateways)
    with database.session() as session:
        make_person(session, make_unit(session), phone=PHONE)  # of another city, whose runs never had the phone
    with database.transaction() as connection:
        connection.execute(text("UPDATE people SET phone = '+8613900009999' WHERE id = 1"))
    row = answered(database)
    assert (row.message_id, row.person_id, row.unit_path) == (1, 1, city.unit.path)


def test_a_run_of_a_unit_above_is_found(database: Database) -> None:
    city = make_city(database, 0)
    with database.session() as session:
        branch = make_unit(session, parent=make_unit(session, parent=city.unit), window_opens=0, window_closes=1440)
        make_person(session, branch, phone=PHONE)
    run_id = another_run(database, city)
    row = answered(database)
    assert (row.message_id, row.unit_path) == (messages(database, run_id)[0].id, branch.path)


def test_a_stranger_matches_nobody_and_is_not_looked_for_again(database: Database) -> None:
    city = make_city(database, 1)
    drain(database, city.gateways)
    row = answered(database, phone=fictional_phone(90_000_077))
    assert (row.message_id, row.person_id, row.unit_path) == (None, None, None)
    assert row.matched_at is not None


def test_two_workers_share_what_waits_and_stop_in_time(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    city = make_city(database, 30)
    drain(database, city.gateways)
    monkeypatch.setattr(matching, "BATCH", 4)
    phones = [row.phone for row in messages(database, city.run_id) if row.phone]
    store_replies(database, "main", [Reply(phone, "好", "{}") for phone in phones])
    assert matching.match_waiting(database, job_s=0) is True
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _: matching.match_waiting(database), range(3)))
    with database.transaction() as connection:
        rows = connection.execute(
            text(
                "SELECT r.phone = m.phone AS same FROM replies r"
                " JOIN messages m ON m.month = r.month AND m.id = r.message_id"
            )
        ).all()
    assert [row.same for row in rows] == [True] * 30


@pytest.mark.parametrize(("offer", "stops"), [("拒收请回复N", True), ("参加回Y，不参加回N 拒收请回复R", False)])
def test_n_is_a_stop_only_where_the_text_that_it_answers_offered_it(
    database: Database, offer: str, stops: bool
) -> None:
    city = make_city(database, 0, more=[{"phone": PHONE}])
    drain(database, city.gateways)
    with database.transaction() as connection:
        connection.execute(text("UPDATE messages SET text = text || :offer"), {"offer": offer})
    with ahead_by(database.url, "1 second") as ahead:
        store_replies(ahead, "main", [Reply(PHONE, "N", "{}"), Reply(fictional_phone(90_000_006), "N", "{}")])
        with database.transaction() as connection:
            suppressions = text("SELECT phone, reason, source FROM suppressions")
            assert connection.execute(suppressions).all() == [], "nothing before it is known what it answers"
        matching.match_waiting(ahead)
    with database.transaction() as connection:
        found = [tuple(row) for row in connection.execute(suppressions)]
        meanings = list(connection.execute(text("SELECT meaning FROM replies ORDER BY id")).scalars())
        acts = connection.execute(text("SELECT count(*) FROM trail WHERE act = 'suppression.add'")).scalar()
    assert found == ([(PHONE, "opted_out", "reply")] if stops else [])
    assert meanings == ["stop" if stops else "free_text", "free_text"]
    assert acts == len(found)
