"""Caps: so many texts of a class for one phone on one local day, once per message, given back if it did not go."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from sms_service.accounts.actors import SYSTEM
from sms_service.controls.unit_caps import list_unit_caps, set_unit_caps
from sms_service.db.engine import Database
from sms_service.dispatch import freeze
from sms_service.dispatch.points import Point
from sms_service.errors import Forbidden, Invalid
from sms_service.gateways.base import ErrorClass, Outcome, OutcomeKind
from sms_service.ledger import resolving
from tests.dispatch.city import (
    ALL_DAY,
    City,
    ScriptedAdapter,
    drain,
    make_city,
    make_dispatcher,
    make_run,
    messages,
    refused,
    statuses,
    unknown,
)
from tests.factories import make_account, make_actor, make_person, make_unit


def capped_city(database: Database, people: int = 2, per_day: int = 1, runs: int = 2) -> tuple[City, list[int]]:
    """A city with several frozen runs of one class that is capped."""
    city = make_city(database, people, freeze_now=False)
    with database.session() as session:
        ids = [city.run_id, *(make_run(session, city.unit).id for _ in range(runs - 1))]
        session.execute(text("INSERT INTO caps VALUES ('notice', :n)"), {"n": per_day})
    freeze.begin_due_runs(database)
    for run_id in ids:
        freeze.freeze_run(database, run_id)
    return city, ids


def used(database: Database) -> list[int]:
    with database.transaction() as connection:
        return list(connection.execute(text("SELECT used FROM cap_uses ORDER BY phone")).scalars())


def due_again(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute(text("UPDATE messages SET not_before = sms_now() WHERE status = 'pending'"))


def test_the_second_text_of_a_day_is_skipped_with_its_reason(database: Database) -> None:
    city, runs = capped_city(database)
    drain(database, city.gateways)
    found = [statuses(database, run_id) for run_id in runs]
    assert sorted(found, key=str) == [{"accepted": 2}, {"skipped": 2}]
    reasons = {row.reason for run_id in runs for row in messages(database, run_id) if row.status == "skipped"}
    assert reasons == {"capped"}
    assert used(database) == [1, 1]


def test_a_class_without_a_cap_is_not_counted(database: Database) -> None:
    city = make_city(database, 2)
    drain(database, city.gateways)
    assert used(database) == []


@pytest.mark.parametrize(
    ("kind", "error", "left"),
    [
        (OutcomeKind.refused, ErrorClass.bad_number, []),
        (OutcomeKind.throttled, None, []),
        (OutcomeKind.unknown, None, [1]),
        (OutcomeKind.accepted, None, [1]),
    ],
)
def test_a_place_is_given_back_if_the_text_surely_did_not_leave(
    database: Database, kind: OutcomeKind, error: ErrorClass | None, left: list[int]
) -> None:
    city, _ = capped_city(database, people=1, runs=1)
    city.adapter.answer = lambda handed: Outcome(handed.reference, kind, provider_id="p", error=error)
    drain(database, city.gateways)
    assert [number for number in used(database) if number] == left


@pytest.mark.parametrize("first", ["unknown", "settled"])
def test_a_place_is_kept_if_any_attempt_may_have_arrived(database: Database, first: str) -> None:
    """An unknown text that a person sends again, and that is refused then. A person's word that the first one was not
    taken is as good as the gateway's.
    """
    city, (run_id,) = capped_city(database, people=1, runs=1)
    city.adapter.answer = unknown
    drain(database, city.gateways)
    (row,) = messages(database, run_id)
    with database.session() as session:
        officer = make_account(session, city.unit)
        if first == "settled":
            assert resolving.settle_row(session.connection(), city.month, row.id, "refused", officer.id)
            again = resolving.retry_rows(session.connection(), run_id, [ErrorClass.unclassified])
        else:
            again = resolving.send_rows_again(session.connection(), run_id, None)
        assert again.ids == [row.id]
    city.adapter.answer = refused(ErrorClass.bad_number)
    drain(database, city.gateways)
    assert statuses(database, run_id) == {"refused": 1}
    assert used(database) == [1 if first == "unknown" else 0]


@pytest.mark.parametrize("change", ["account", "run", "account's stop", "city's stop"])
def test_what_could_not_leave_anyway_is_not_capped(database: Database, change: str) -> None:
    """Paused or stopped while its rows are claimed, and the phones have had their text of today; tomorrow is free."""
    city, (first, second) = capped_city(database)
    offers = {offer.run_id: offer for offer in make_dispatcher(database, city.gateways).offers()}
    make_dispatcher(database, city.gateways).hand_over_group(offers[first], 100)
    stop = "INSERT INTO stops (unit_id, gateway_account_id, why, stopped_at) SELECT"
    forbidding = {
        "account": "UPDATE gateway_accounts SET state = 'paused', reason = '余额不足'",
        "run": "UPDATE runs SET status = 'paused'",
        "account's stop": f"{stop} NULL, id, '有误', sms_now() FROM gateway_accounts",
        "city's stop": f"{stop} id, NULL, '有误', sms_now() FROM units",
    }

    def at(point: Point) -> None:
        if point is Point.rendered:
            with database.transaction() as connection:
                connection.execute(text(forbidding[change]))

    make_dispatcher(database, city.gateways, at=at).hand_over_group(offers[second], 100)
    assert statuses(database, second) == {"pending": 2}


def test_a_text_that_is_tried_again_and_again_takes_one_place(database: Database) -> None:
    city, (run_id,) = capped_city(database, people=1, runs=1)
    city.adapter.answer = lambda handed: Outcome(handed.reference, OutcomeKind.throttled)
    for _ in range(3):
        drain(database, city.gateways)
        due_again(database)
    city.adapter.answer = ScriptedAdapter().answer
    drain(database, city.gateways)
    assert statuses(database, run_id) == {"accepted": 1}
    assert used(database) == [1]


def test_a_group_that_is_withdrawn_gives_its_places_back(database: Database) -> None:
    city, (run_id,) = capped_city(database, runs=1)
    times = iter([0.0, 11.0])
    hand = make_dispatcher(database, city.gateways, clock=lambda: next(times))
    hand.hand_over_group(hand.offers()[0], 100)
    assert statuses(database, run_id) == {"pending": 2}
    assert used(database) == [0, 0]
    drain(database, city.gateways)
    assert statuses(database, run_id) == {"accepted": 2}


def test_runs_to_the_same_phones_reserve_without_deadlock_and_exactly(database: Database) -> None:
    """Real workers, real sessions: many runs of the same people at once, in groups that overlap."""
    city, runs = capped_city(database, people=60, per_day=2, runs=6)
    city.adapter.capabilities = ScriptedAdapter.small(17)
    threads = [threading.Thread(target=drain, args=(database, city.gateways)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    together = [row for run_id in runs for row in messages(database, run_id)]
    assert sum(row.status == "accepted" for row in together) == 120
    assert sum(row.status == "skipped" and row.reason == "capped" for row in together) == 240
    assert used(database) == [2] * 60


def test_people_of_a_unit_with_a_cap_of_its_own_get_fewer_texts(database: Database) -> None:
    """The city's cap is two; the branch's own is one."""
    city, _ = capped_city(database, people=1, per_day=2, runs=1)
    with database.session() as session:
        branch = make_unit(session, level="branch", parent=city.unit, **ALL_DAY)
        make_person(session, branch)
        set_unit_caps(session, SYSTEM, branch.id, {"notice": 1}, "少打扰")
        runs = [make_run(session, city.unit).id for _ in range(2)]
    freeze.begin_due_runs(database)
    for run_id in runs:
        freeze.freeze_run(database, run_id)
    with database.transaction() as connection:
        connection.execute(text("UPDATE runs SET status = 'cancelled' WHERE id <> ALL (:runs)"), {"runs": runs})
    drain(database, city.gateways)
    together = [row for run_id in runs for row in messages(database, run_id)]
    assert sorted((row.unit_id == branch.id, row.status, row.reason) for row in together) == [
        (False, "accepted", None),
        (False, "accepted", None),
        (True, "accepted", None),
        (True, "skipped", "capped"),
    ]


def test_a_class_without_a_cap_of_the_city_is_counted_where_a_unit_has_one(database: Database) -> None:
    city = make_city(database, 1, freeze_now=False)
    with database.session() as session:
        branch = make_unit(session, level="branch", parent=city.unit, **ALL_DAY)
        make_person(session, branch)
        set_unit_caps(session, SYSTEM, branch.id, {"notice": 3}, "少打扰")
    freeze.begin_due_runs(database)
    freeze.freeze_run(database, city.run_id)
    drain(database, city.gateways)
    assert used(database) == [1]


def test_the_smallest_cap_above_counts_and_a_cap_is_taken_away(session: Session) -> None:
    top = make_unit(session)
    street = make_unit(session, parent=top)
    branch = make_unit(session, level="branch", parent=street)
    session.execute(text("INSERT INTO caps VALUES ('notice', 9)"))
    assert set_unit_caps(session, SYSTEM, top.id, {"notice": 5, "survey": 4}, "少打扰") == ["notice", "survey"]
    set_unit_caps(session, SYSTEM, street.id, {"notice": 2}, "少打扰")
    set_unit_caps(session, SYSTEM, branch.id, {"notice": 7}, "少打扰")
    found = {one.class_: one for one in list_unit_caps(session, SYSTEM, branch.id)}
    assert found["notice"] == ("notice", 7, 2)
    assert found["survey"].own is None
    assert set_unit_caps(session, SYSTEM, street.id, {"notice": None}, "放开") == ["notice"]
    assert set_unit_caps(session, SYSTEM, street.id, {"notice": None}, "放开") == []
    found = {one.class_: one for one in list_unit_caps(session, SYSTEM, branch.id)}
    assert found["notice"] == ("notice", 7, 5)


def test_a_cap_of_a_unit_needs_the_directory_and_a_class_and_a_number(session: Session) -> None:
    unit = make_unit(session)
    with pytest.raises(Forbidden):
        set_unit_caps(session, make_actor(session, unit), unit.id, {"notice": 1}, "少打扰")
    for caps, why in (({"advert": 1}, "x"), ({"notice": 0}, "x"), ({"notice": 101}, "x"), ({"notice": 1}, " ")):
        with pytest.raises(Invalid):
            set_unit_caps(session, SYSTEM, unit.id, caps, why)
