"""The canary of a large run: its first texts, and what follows from them."""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

import pytest
from sqlalchemy import func, select, text

from sms_service.controls.models import Stop
from sms_service.db.engine import Database
from sms_service.dispatch import breaker, freeze
from sms_service.gateways.base import ErrorClass, Outcome, OutcomeKind, Text
from sms_service.ledger import protocol
from sms_service.ledger.models import Message, Run
from sms_service.ledger.protocol import Claim
from sms_service.said import from_json
from tests.dispatch.city import (
    ScriptedAdapter,
    ScriptedGateways,
    drain,
    make_city,
    make_dispatcher,
    make_run,
    refused,
    run_of,
    statuses,
)
from tests.factories import make_person, make_unit


def judge(database: Database) -> None:
    with database.transaction() as connection:
        breaker.check_canaries(connection)


@pytest.fixture
def small_canary(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(freeze, "CANARY_ABOVE", 10)
    monkeypatch.setattr(freeze, "CANARY_TEXTS", 5)


def spread_city(database: Database, adapter: ScriptedAdapter, units: int = 4, each: int = 5) -> int:
    """A run over several units; the id of the run."""
    city = make_city(database, 0, adapter=adapter, freeze_now=False)
    with database.session() as session:
        for _ in range(units):
            place = make_unit(session, parent=city.unit, window_opens=0, window_closes=1440)
            for _ in range(each):
                make_person(session, place)
    freeze.begin_due_runs(database)
    freeze.freeze_run(database, city.run_id)
    return city.run_id


def test_the_first_texts_of_a_large_run_go_to_as_many_units_as_there_are(
    database: Database, small_canary: None
) -> None:
    adapter = ScriptedAdapter()
    run_id = spread_city(database, adapter)
    canary = run_of(database, run_id).canary
    assert canary is not None
    assert len(canary) == len(set(canary)) == 5
    with database.session() as session:
        units = session.scalars(select(func.count(Message.unit_id.distinct())).where(Message.id.in_(canary))).one()
        assert units == 4
    handed: list[str] = []

    def answer(text: Text) -> Outcome:
        handed.append(text.reference)
        if len(handed) == 5:  # until then nothing but the canary has left
            assert statuses(database, run_id)["pending"] == 15
        return Outcome(text.reference, OutcomeKind.accepted, provider_id=text.reference)

    adapter.answer = answer
    drain(database, ScriptedGateways({"main": adapter}))
    assert statuses(database, run_id) == {"accepted": 20}
    assert run_of(database, run_id).canary is None


def test_a_run_of_a_thousand_has_no_canary_and_one_more_has(database: Database) -> None:
    city = make_city(database, 1000, freeze_now=False)
    with database.session() as session:
        second = make_run(session, city.unit).id
    freeze.begin_due_runs(database)
    freeze.freeze_run(database, city.run_id)
    assert run_of(database, city.run_id).canary is None
    with database.session() as session:
        make_person(session, city.unit)
    freeze.freeze_run(database, second)
    assert len(run_of(database, second).canary or ()) == 50


@pytest.mark.parametrize(("bad", "held"), [(0, False), (1, True), (5, True)])
def test_a_canary_that_goes_wrong_holds_its_run(database: Database, small_canary: None, bad: int, held: bool) -> None:
    adapter = ScriptedAdapter()
    run_id = spread_city(database, adapter)
    adapter.answer = lambda text: (
        refused(ErrorClass.content)(text)
        if text in adapter.handed[:bad]  # in however many groups the canary goes
        else Outcome(text.reference, OutcomeKind.accepted, provider_id=text.reference)
    )
    drain(database, ScriptedGateways({"main": adapter}))
    run = run_of(database, run_id)
    assert (run.status, run.held_for) == (("held", "canary") if held else ("running", None))
    assert len(adapter.handed) == (5 if held else 20)
    if held:
        assert run.reason == f"{bad} of its first 5 texts were refused, unknown or undelivered"
        assert run.reason_message["values"] == {"bad": bad, "texts": 5}
        assert from_json(**run.reason_message) == run.reason


def test_a_canary_waits_for_its_receipts_if_the_campaign_asks_and_not_for_ever(
    database: Database, small_canary: None
) -> None:
    adapter = ScriptedAdapter()
    city = make_city(database, 12, adapter=adapter, freeze_now=False)
    with database.session() as session:
        session.get_one(Run, city.run_id).canary_receipts = True
    freeze.begin_due_runs(database)
    freeze.freeze_run(database, city.run_id)
    drain(database, city.gateways)
    assert statuses(database, city.run_id) == {"accepted": 5, "pending": 7}
    judge(database)
    assert run_of(database, city.run_id).canary is not None
    with database.transaction() as connection:
        connection.execute(text("UPDATE messages SET changed_at = changed_at - interval '10 minutes'"))
    judge(database)
    assert run_of(database, city.run_id).canary is None
    drain(database, city.gateways)
    assert statuses(database, city.run_id) == {"accepted": 12}


def test_a_canary_keeps_to_the_routes_order(database: Database, small_canary: None) -> None:
    adapters = {"first": ScriptedAdapter(), "second": ScriptedAdapter()}
    city = make_city(database, 20, gateways=ScriptedGateways(adapters))
    with database.transaction() as connection:
        canary = connection.execute(text("SELECT canary FROM runs")).scalar_one()
        offers = make_dispatcher(database, city.gateways).offers()
        assert [offer.account for offer in offers] == ["first"]  # nothing went before, so the second is not asked
        second = Claim(city.run_id, city.month, 2, str(uuid4()), fresh=False, accounts=(1,), ids=tuple(canary))
        assert protocol.claim_rows(connection, second, 5, 60) == []
    drain(database, city.gateways)
    assert (len(adapters["first"].handed), len(adapters["second"].handed)) == (20, 0)


@pytest.mark.parametrize("obstacle", ["a stop", "a closed window"])
def test_a_branch_that_may_not_be_texted_now_does_not_hold_the_citys_canary(
    database: Database, small_canary: None, obstacle: str
) -> None:
    city = make_city(database, 20, freeze_now=False)
    with database.session() as session:
        closed = {} if obstacle == "a stop" else {"window_closes": 1}
        branch = make_unit(session, parent=city.unit, **{"window_opens": 0, "window_closes": 1440, **closed})
        for _ in range(3):
            make_person(session, branch)
        if obstacle == "a stop":
            session.add(Stop(unit_id=branch.id, why="报修", stopped_at=session.scalars(select(func.sms_now())).one()))
    freeze.begin_due_runs(database)
    freeze.freeze_run(database, city.run_id)
    with database.session() as session:  # the canary is of the branch, as far as it goes
        units = select(Message.id).where(Message.run_id == city.run_id)
        ids = [*session.scalars(units.where(Message.unit_id == branch.id)), *session.scalars(units.limit(2))]
        session.get_one(Run, city.run_id).canary = ids
    drain(database, city.gateways)
    judge(database)
    assert sorted(run_of(database, city.run_id).canary or []) != sorted(ids)
    drain(database, city.gateways)  # those that were put in their place, and then, for the canary is over, the rest
    judge(database)
    drain(database, city.gateways)
    assert run_of(database, city.run_id).canary is None
    assert statuses(database, city.run_id) == {"accepted": 20, "pending": 3}


def test_a_canary_of_texts_that_were_left_out_proves_nothing(database: Database, small_canary: None) -> None:
    city = make_city(database, 20)
    canary = run_of(database, city.run_id).canary
    with database.session() as session:
        session.execute(
            text("INSERT INTO suppressions (phone, source) SELECT phone, 'api' FROM messages WHERE id = ANY (:ids)"),
            {"ids": canary},
        )
    city.adapter.answer = refused(ErrorClass.bad_number)
    drain(database, city.gateways)
    judge(database)
    drain(database, city.gateways)
    judge(database)
    assert run_of(database, city.run_id).held_for == "canary"
    assert statuses(database, city.run_id) == {"skipped": 5, "refused": 5, "pending": 10}


@pytest.mark.parametrize("capped", [8, 20])
def test_a_canary_does_not_end_because_most_have_had_their_texts_today(
    database: Database, small_canary: None, capped: int
) -> None:
    """What the gate would only skip is no first text; if nothing is left but such rows, they are skipped at once."""
    adapter = ScriptedAdapter()
    run_id = spread_city(database, adapter)
    with database.transaction() as connection:
        connection.execute(text("INSERT INTO caps VALUES ('notice', 1)"))
        connection.execute(
            text(
                "INSERT INTO cap_uses SELECT phone, 'notice', (sms_now() AT TIME ZONE 'Asia/Shanghai')::date, 1"
                " FROM messages ORDER BY id LIMIT :n"
            ),
            {"n": capped},
        )
    drain(database, ScriptedGateways({"main": adapter}))
    expected = {"skipped": capped, "accepted": 20 - capped}
    assert statuses(database, run_id) == {status: number for status, number in expected.items() if number}


def throttled(handed: Text) -> Outcome:
    """An answer: too fast, later."""
    return Outcome(handed.reference, OutcomeKind.throttled)


@pytest.mark.parametrize("put_off", [throttled, refused(ErrorClass.later)])
def test_a_text_that_goes_again_does_not_hold_the_canary(
    database: Database, small_canary: None, put_off: Callable[[Text], Outcome]
) -> None:
    adapter = ScriptedAdapter()
    run_id = spread_city(database, adapter)
    accept = adapter.answer
    canary = run_of(database, run_id).canary or []
    with database.session() as session:
        first = session.scalars(select(Message).where(Message.id == canary[0])).one()
    adapter.answer = lambda text: (put_off if text.phone == first.phone else accept)(text)
    drain(database, ScriptedGateways({"main": adapter}))
    # Another took its place, and it waits for its second try with nobody waiting for it.
    assert statuses(database, run_id) == {"accepted": 19, "pending": 1}
    assert run_of(database, run_id).canary is None


@pytest.mark.parametrize(
    ("waits", "over"),
    [
        ("not_before = sms_now() + interval '2 seconds'", True),  # throttled
        ("changed_at = sms_now() - interval '61 seconds'", True),  # due, and no account takes it
        ("changed_at = sms_now()", False),  # half of a group that goes again at once
    ],
)
def test_without_another_in_its_place_the_others_outcomes_decide(
    database: Database, small_canary: None, waits: str, over: bool
) -> None:
    city = make_city(database, 20)
    ids = run_of(database, city.run_id).canary or []
    with database.transaction() as connection:
        others = "UPDATE messages SET not_before = sms_now() + interval '1 day' WHERE id <> ALL (:ids)"
        connection.execute(text(others), {"ids": ids})
        gone = "UPDATE messages SET status = 'delivered', attempts = 1 WHERE id = ANY (:ids)"
        connection.execute(text(gone), {"ids": ids[1:]})
        connection.execute(text(f"UPDATE messages SET attempts = 1, {waits} WHERE id = :id"), {"id": ids[0]})
    judge(database)
    run = run_of(database, city.run_id)
    assert (run.status, run.canary) == ("running", None if over else ids)


def test_a_canary_that_the_gateway_only_puts_off_is_held_after_its_deadline(
    database: Database, small_canary: None
) -> None:
    city = make_city(database, 20)
    city.adapter.answer = throttled
    drain(database, city.gateways)
    assert len(city.adapter.handed) == 20  # each once, at most five at a time
    run = run_of(database, city.run_id)
    assert (run.status, len(run.canary or ())) == ("running", 5)
    with database.transaction() as connection:
        connection.execute(text("UPDATE runs SET canary_since = canary_since - interval '29 minutes'"))
    judge(database)
    assert run_of(database, city.run_id).status == "running"
    with database.transaction() as connection:
        connection.execute(text("UPDATE runs SET canary_since = canary_since - interval '1 minute'"))
    judge(database)
    run = run_of(database, city.run_id)
    assert (run.status, run.held_for) == ("held", "canary")
    assert run.reason == (
        "30 minutes after its first text was handed over, the gateway had taken and refused none for good:"
        " it puts all of them off"
    )
    assert from_json(**run.reason_message) == run.reason


@pytest.mark.parametrize(("bad", "held"), [(0, None), (1, "canary")])
def test_a_deadline_ends_a_canary_by_the_outcomes_that_are_there(
    database: Database, small_canary: None, bad: int, held: str | None
) -> None:
    """Also of one whose receipts never stop coming late: what waits then is not waited for."""
    city = make_city(database, 20)
    ids = run_of(database, city.run_id).canary or []
    with database.transaction() as connection:
        connection.execute(
            text("UPDATE messages SET status = 'refused', attempts = 1 WHERE id = ANY (:ids)"), {"ids": ids[:bad]}
        )
        connection.execute(
            text("UPDATE messages SET status = 'delivered', attempts = 1 WHERE id = ANY (:ids)"), {"ids": ids[bad:2]}
        )
    judge(database)  # three are due and have not gone yet
    assert run_of(database, city.run_id).canary == ids
    with database.transaction() as connection:
        connection.execute(text("UPDATE runs SET canary_since = canary_since - interval '30 minutes'"))
    judge(database)
    run = run_of(database, city.run_id)
    assert (run.held_for, run.canary) == (held, ids if held else None)


def test_a_canary_does_not_shrink_to_the_few_that_can_take_places(database: Database, small_canary: None) -> None:
    """Four are put off and one other may leave: that one alone must not decide for everybody."""
    city = make_city(database, 20)
    ids = run_of(database, city.run_id).canary or []
    with database.transaction() as connection:
        later = "UPDATE messages SET not_before = sms_now() + interval '1 day'"
        connection.execute(
            text(f"{later} WHERE id <> ALL (:ids) AND id < (SELECT max(id) FROM messages)"), {"ids": ids}
        )
        connection.execute(text(f"{later}, attempts = 1 WHERE id = ANY (:ids)"), {"ids": ids[1:]})
        connection.execute(
            text("UPDATE messages SET status = 'skipped', reason = 'capped' WHERE id = :id"), {"id": ids[0]}
        )
    judge(database)
    canary = run_of(database, city.run_id).canary or []
    with database.session() as session:
        free = session.scalars(select(func.max(Message.id))).one()
    assert sorted(canary) == sorted([free, *ids[1:]])  # what was skipped for good is out
    with database.transaction() as connection:
        connection.execute(text("UPDATE messages SET status = 'delivered', attempts = 1 WHERE id = :id"), {"id": free})
    judge(database)
    run = run_of(database, city.run_id)
    assert (run.status, len(run.canary or ())) == ("running", 5)  # one of five is too few for a verdict
