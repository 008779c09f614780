"""What stops sending that goes wrong: the canary of a large run, and the breaker of accounts and runs."""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

import pytest
from sqlalchemy import func, select, text

from sms_service.db.engine import Database
from sms_service.dispatch import breaker, clock, dispatcher, freeze
from sms_service.dispatch.models import GatewayAccount, Stop
from sms_service.gateways.base import ErrorClass, Outcome, OutcomeKind, Text
from sms_service.ledger import handover
from sms_service.ledger.handover import Claim
from sms_service.ledger.models import Message, Run
from tests.dispatch.city import ScriptedAdapter, ScriptedGateways, drain, make_city, make_dispatcher, make_run, statuses
from tests.factories import make_person, make_unit


def refused(error: ErrorClass) -> Callable[[Text], Outcome]:
    return lambda handed: Outcome(handed.reference, OutcomeKind.refused, error=error)


def unknown(handed: Text) -> Outcome:
    return Outcome(handed.reference, OutcomeKind.unknown)


def run_of(database: Database, run_id: int) -> Run:
    with database.session() as session:
        return session.get_one(Run, run_id)


def account(database: Database, name: str = "main") -> GatewayAccount:
    with database.session() as session:
        return session.scalars(select(GatewayAccount).where(GatewayAccount.name == name)).one()


def judge(database: Database) -> None:
    with database.transaction() as connection:
        breaker.judge_canaries(connection)


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
    freeze.begin_due(database)
    freeze.freeze(database, city.run_id)
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
            assert statuses(database, run_id)["submitting"] == 5
        return Outcome(text.reference, OutcomeKind.accepted, provider_id=text.reference)

    adapter.answer = answer
    drain(database, ScriptedGateways({"main": adapter}))
    assert statuses(database, run_id) == {"accepted": 20}
    assert run_of(database, run_id).canary is None


def test_a_run_of_a_thousand_has_no_canary_and_one_more_has(database: Database) -> None:
    city = make_city(database, 1000, freeze_now=False)
    with database.session() as session:
        second = make_run(session, city.unit).id
    freeze.begin_due(database)
    freeze.freeze(database, city.run_id)
    assert run_of(database, city.run_id).canary is None
    with database.session() as session:
        make_person(session, city.unit)
    freeze.freeze(database, second)
    assert len(run_of(database, second).canary or ()) == 50


@pytest.mark.parametrize(("bad", "held"), [(0, False), (1, True), (5, True)])
def test_a_canary_that_goes_wrong_holds_its_run(database: Database, small_canary: None, bad: int, held: bool) -> None:
    adapter = ScriptedAdapter()
    run_id = spread_city(database, adapter)
    adapter.answer = lambda text: (
        refused(ErrorClass.content)(text)
        if len(adapter.handed) == 5 and text in adapter.handed[:bad]
        else Outcome(text.reference, OutcomeKind.accepted, provider_id=text.reference)
    )
    drain(database, ScriptedGateways({"main": adapter}))
    run = run_of(database, run_id)
    assert (run.status, run.held_for) == (("held", "canary") if held else ("running", None))
    assert len(adapter.handed) == (5 if held else 20)
    if held:
        assert run.reason == f"{bad} of its first 5 texts were refused, unknown or undelivered"


def test_a_canary_waits_for_its_receipts_if_the_campaign_asks_and_not_for_ever(
    database: Database, small_canary: None
) -> None:
    adapter = ScriptedAdapter()
    city = make_city(database, 12, adapter=adapter, freeze_now=False)
    with database.session() as session:
        session.get_one(Run, city.run_id).canary_receipts = True
    freeze.begin_due(database)
    freeze.freeze(database, city.run_id)
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


def test_an_account_whose_texts_end_unknown_is_paused_and_tried_again_later(database: Database) -> None:
    city = make_city(database, 60)
    city.adapter.capabilities = ScriptedAdapter.small(20)
    city.adapter.answer = unknown
    drain(database, city.gateways)
    assert statuses(database, city.run_id) == {"pending": 20, "unknown": 40}  # two groups were under way
    paused = account(database)
    assert (paused.state, paused.trips) == ("paused", 1)
    assert paused.reopens_at is not None
    with database.transaction() as connection:
        assert breaker.reopen(connection) == []
        connection.execute(text("UPDATE gateway_accounts SET reopens_at = sms_now()"))
        assert breaker.reopen(connection) == ["main"]
    city.adapter.answer = ScriptedAdapter().answer
    drain(database, city.gateways)
    assert statuses(database, city.run_id) == {"accepted": 20, "unknown": 40}


def test_refusals_that_lie_with_the_recipient_do_not_pause_the_account(database: Database) -> None:
    city = make_city(database, 60)
    city.adapter.answer = refused(ErrorClass.bad_number)
    drain(database, city.gateways)
    assert statuses(database, city.run_id) == {"refused": 60}
    assert account(database).state == "open"


def test_a_run_most_of_whose_texts_are_refused_is_held(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breaker, "RUN_LEAST", 40)
    city = make_city(database, 200)
    city.adapter.capabilities = ScriptedAdapter.small(20)
    city.adapter.answer = refused(ErrorClass.bad_number)
    drain(database, city.gateways)
    run = run_of(database, city.run_id)
    assert (run.status, run.held_for) == ("held", "breaker")
    assert statuses(database, city.run_id)["pending"] >= 100


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
    assert statuses(database, city.run_id)["pending"] >= 48  # two groups of one were under way


@pytest.mark.parametrize(
    ("error", "goes_elsewhere"),
    [(ErrorClass.balance, True), (ErrorClass.carrier, True), (ErrorClass.later, True), (ErrorClass.content, False)],
)
def test_what_an_account_surely_did_not_take_goes_to_the_next_of_the_route(
    database: Database, error: ErrorClass, goes_elsewhere: bool
) -> None:
    first, second = ScriptedAdapter(), ScriptedAdapter()
    gateways = ScriptedGateways({"first": first, "second": second})
    city = make_city(database, 5, gateways=gateways)
    first.answer = refused(error)
    drain(database, gateways)
    assert len(first.handed) == 5
    with database.transaction() as connection:
        connection.execute(text("UPDATE messages SET not_before = sms_now()"))
    drain(database, gateways)
    assert statuses(database, city.run_id) == ({"accepted": 5} if goes_elsewhere else {"refused": 5})
    assert len(second.handed) == (5 if goes_elsewhere else 0)
    assert len(first.handed) == 5


def test_what_is_unknown_never_goes_to_another_account(database: Database) -> None:
    first, second = ScriptedAdapter(), ScriptedAdapter()
    gateways = ScriptedGateways({"first": first, "second": second})
    city = make_city(database, 30, gateways=gateways)
    first.answer = unknown
    drain(database, gateways)
    assert account(database, "first").state == "paused"
    drain(database, gateways)
    assert statuses(database, city.run_id) == {"unknown": 30}
    assert second.handed == []


def test_a_paused_accounts_run_goes_on_through_the_next(database: Database) -> None:
    first, second = ScriptedAdapter(), ScriptedAdapter()
    gateways = ScriptedGateways({"first": first, "second": second})
    city = make_city(database, 5, gateways=gateways)
    with database.transaction() as connection:
        connection.execute(text("UPDATE gateway_accounts SET state = 'paused' WHERE name = 'first'"))
    drain(database, gateways)
    assert statuses(database, city.run_id) == {"accepted": 5}
    assert first.handed == []


def test_a_group_refused_whole_is_halved_until_the_bad_one_stands_alone(database: Database) -> None:
    city = make_city(database, 21)
    with database.session() as session:
        bad = session.scalars(select(Message.phone).order_by(Message.id).offset(13).limit(1)).one()
    calls: list[int] = []

    def submit(group: object) -> list[Outcome]:
        texts = group.texts  # type: ignore[attr-defined]
        calls.append(len(texts))
        if any(handed.phone == bad for handed in texts):
            return [
                Outcome(
                    handed.reference, OutcomeKind.refused, error=ErrorClass.request, whole_group=True, raw_code="400"
                )
                for handed in texts
            ]
        city.adapter.handed += texts
        return [Outcome(t.reference, OutcomeKind.accepted, provider_id=t.reference) for t in texts]

    city.adapter.submit = submit  # type: ignore[assignment]
    hand = make_dispatcher(database, city.gateways)
    assert hand.hand_over_group(hand.offers()[0], 100).claimed == 21
    assert statuses(database, city.run_id) == {"accepted": 20, "refused": 1}
    assert len({handed.phone for handed in city.adapter.handed}) == len(city.adapter.handed) == 20
    assert calls[:3] == [21, 10, 11]
    assert max(calls[3:]) < 10


def test_a_canary_keeps_to_the_routes_order(database: Database, small_canary: None) -> None:
    adapters = {"first": ScriptedAdapter(), "second": ScriptedAdapter()}
    city = make_city(database, 20, gateways=ScriptedGateways(adapters))
    with database.transaction() as connection:
        canary = connection.execute(text("SELECT canary FROM runs")).scalar_one()
        offers = make_dispatcher(database, city.gateways).offers()
        assert [offer.account for offer in offers] == ["first"]  # nothing went before, so the second is not asked
        second = Claim(city.run_id, city.month, 2, str(uuid4()), fresh=False, accounts=(1,), ids=tuple(canary))
        assert handover.claim(connection, second, 5, 60) == []
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
    freeze.begin_due(database)
    freeze.freeze(database, city.run_id)
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


def test_tallies_are_forgotten_when_nothing_counts_them_any_more(database: Database) -> None:
    drain(database, make_city(database, 3).gateways)
    with database.transaction() as connection:
        kept = connection.execute(text("SELECT count(*) FROM tallies")).scalar_one()
        assert kept > 0
        assert breaker.forget_old(connection) == 0
        connection.execute(text("SELECT set_config('sms.clock_offset', '9 days', true)"))
        assert breaker.forget_old(connection) == kept
        assert breaker.forget_old(connection) == 0


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
        breaker.reopen(connection)
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


def test_halving_uses_up_nobodys_tries(database: Database) -> None:
    city = make_city(database, 16)

    def submit(group: object) -> list[Outcome]:
        texts = group.texts  # type: ignore[attr-defined]
        whole = len(texts) > 1
        error = ErrorClass.request if whole else ErrorClass.later
        return [Outcome(t.reference, OutcomeKind.refused, error=error, whole_group=whole) for t in texts]

    city.adapter.submit = submit  # type: ignore[assignment]
    hand = make_dispatcher(database, city.gateways)
    hand.hand_over_group(hand.offers()[0], 16)
    assert statuses(database, city.run_id) == {"pending": 16}
    with database.transaction() as connection:
        waits = connection.execute(
            text("SELECT max(extract(epoch FROM not_before - sms_now())) FROM messages")
        ).scalar()
    assert waits is not None
    assert waits < 10  # as after a first try


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
