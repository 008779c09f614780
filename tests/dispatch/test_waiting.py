"""Why a run waits, as it is said: true if and only if the dispatcher and the gate let nothing leave."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from redis import Redis
from rq import Queue, Worker
from sqlalchemy import func, select, text

from sms_service import wake
from sms_service.accounts.actors import SYSTEM
from sms_service.campaigns import control
from sms_service.controls.account_state import pause_gateway_account
from sms_service.controls.link_state import pause_link
from sms_service.controls.quiet_days import NamedDay, set_quiet_days
from sms_service.controls.stops import stop_gateway_account, stop_unit
from sms_service.db.engine import Database
from sms_service.db.leadership import LeadershipRow
from sms_service.dispatch import freeze
from sms_service.dispatch.breaker import check_canaries
from sms_service.dispatch.pace import Pace, connect_pace
from sms_service.dispatch.waiting import explain_wait
from sms_service.dispatch.waits import UNDER_WAY, Wait, WaitReason
from sms_service.errors import Forbidden
from sms_service.gateways.base import ErrorClass, Outcome, OutcomeKind
from sms_service.ledger.models import Run
from sms_service.ledger.states import RunStatus
from sms_service.said import say
from tests.dispatch.city import City, ScriptedAdapter, ScriptedGateways, account, drain, make_city, make_run, run_of
from tests.factories import make_actor, make_person, make_unit

Explain = Callable[..., list[Wait]]


@pytest.fixture
def worker(redis_client: Redis) -> Iterator[Worker]:
    """A worker that is alive."""
    worker = Worker([Queue(wake.QUEUE, connection=redis_client)], connection=redis_client)
    worker.register_birth()
    yield worker
    worker.register_death()


@pytest.fixture
def explain(database: Database, redis_client: Redis, worker: Worker) -> Explain:
    """What is said of a city's run."""

    def of(city: City, run_id: int | None = None, redis: Redis | None = redis_client) -> list[Wait]:
        pace = Pace(redis, city.gateways.rates()) if redis is not None else None
        with database.session() as session:
            return explain_wait(session, SYSTEM, run_id or city.run_id, city.gateways, pace, redis)

    return of


def reasons(waits: Sequence[Wait]) -> list[str]:
    return [wait.reason.value for wait in waits]


def check_true(database: Database, city: City, waits: Sequence[Wait], adapter: ScriptedAdapter | None = None) -> None:
    """Texts leave exactly if what was said says that they do."""
    adapter = adapter or city.adapter
    before = len(adapter.handed)
    drain(database, city.gateways)
    leaves = len(adapter.handed) > before
    assert leaves == (bool(waits) and all(wait.reason in UNDER_WAY for wait in waits)), waits


def closed_now(database: Database) -> dict[str, int]:
    """A window that is closed at this moment."""
    with database.session() as session:
        minute = session.scalar(text("SELECT extract(hour FROM sms_now() AT TIME ZONE 'Asia/Shanghai') * 60"))
    return {"window_opens": 0, "window_closes": 1} if minute else {"window_opens": 1438, "window_closes": 1439}


def one(database: Database, statement: str) -> Any:
    with database.session() as session:
        return session.scalar(text(statement))


def test_a_run_that_may_leave_says_how_fast_and_one_that_has_left_says_nothing(
    database: Database, explain: Explain
) -> None:
    city = make_city(database)
    found = explain(city)
    assert [wait.said for wait in found] == [
        "100000 parts a second",
    ]
    check_true(database, city, found)
    assert explain(city) == []
    assert run_of(database, city.run_id).status == RunStatus.running


def test_a_run_before_its_time_and_in_the_freeze(database: Database, explain: Explain) -> None:
    city = make_city(database, freeze_now=False)
    planned = explain(city)
    assert reasons(planned) == ["planned", "nobody"]  # no clock leads in a test
    assert planned[0].until == run_of(database, city.run_id).due_at
    with database.session() as session:
        now = session.scalars(select(func.clock_timestamp())).one()
        session.add(LeadershipRow(name="clock", holder="test", epoch=1, since=now, until=now + timedelta(hours=1)))
    assert reasons(explain(city)) == ["planned"]
    freeze.begin_due_runs(database)
    assert reasons(explain(city)) == ["freezing"]
    check_true(database, city, planned)


def test_a_paused_run_and_a_held_one_say_why(database: Database, explain: Explain) -> None:
    city = make_city(database)
    with database.session() as session:
        control.pause_run(session, SYSTEM, city.run_id, "先核对，13912345678")
    found = explain(city)
    assert [(wait.reason, wait.said) for wait in found] == [("paused", "a person paused it: 先核对，139****5678")]
    check_true(database, city, found)
    with database.transaction() as connection:
        connection.execute(text("UPDATE runs SET status = 'held', held_for = 'breaker', reason = 'bad'"))
    assert reasons(explain(city)) == ["held"]
    with database.transaction() as connection:
        connection.execute(text("UPDATE runs SET held_for = 'cluster'"))
    assert reasons(explain(city)) == ["cluster"]


def test_another_cluster(database: Database, explain: Explain) -> None:
    city = make_city(database)
    with database.transaction() as connection:
        connection.execute(text("UPDATE cluster SET timeline = timeline + 1"))
    try:
        found = explain(city)
        assert reasons(found) == ["cluster"]
        check_true(database, city, found)
    finally:
        with database.transaction() as connection:
            connection.execute(text("UPDATE cluster SET timeline = timeline - 1"))


def test_a_closed_window_says_when_it_opens(database: Database, explain: Explain) -> None:
    city = make_city(database, **closed_now(database))
    found = explain(city)
    assert reasons(found) == ["window"]
    assert found[0].until == one(database, "SELECT next_opening(timezone, window_opens) FROM units")
    opens = one(database, "SELECT next_opening(timezone, window_opens) AT TIME ZONE timezone FROM units")
    assert found[0].said == say("the sending window opens at {at}", at=f"{opens:%Y-%m-%d %H:%M}")
    check_true(database, city, found)


@pytest.mark.parametrize("why", ["window", "stop"])
def test_what_holds_the_recipients_units_only(database: Database, explain: Explain, why: str) -> None:
    city = make_city(database, 0, freeze_now=False)
    window = closed_now(database) if why == "window" else {"window_opens": 0, "window_closes": 1440}
    with database.session() as session:
        branch = make_unit(session, parent=city.unit, **window)
        make_person(session, branch)
        if why == "stop":
            stop_unit(session, SYSTEM, branch.id, "错字")
    for run_id in freeze.begin_due_runs(database):
        freeze.freeze_run(database, run_id)
    found = explain(city)
    assert reasons(found) == [why]
    check_true(database, city, found)
    assert reasons(explain(city)) == [why]  # the gate has put the row off; the reason is the same
    with database.session() as session:
        make_person(session, city.unit)
        second = make_run(session, city.unit).id
    for run_id in freeze.begin_due_runs(database):
        freeze.freeze_run(database, run_id)
    assert reasons(explain(city, second)) == ["pace"]  # one of its people may be texted now
    check_true(database, city, explain(city, second))


@pytest.mark.parametrize("above", [False, True])
def test_a_stop_of_the_unit_or_above(database: Database, explain: Explain, above: bool) -> None:
    city = make_city(database, 0, freeze_now=False)
    with database.session() as session:
        branch = make_unit(session, parent=city.unit, window_opens=0, window_closes=1440)
        make_person(session, branch)
        run_id = make_run(session, branch).id
        stop_unit(session, SYSTEM, city.unit.id if above else branch.id, "错字")
    for due in freeze.begin_due_runs(database):
        freeze.freeze_run(database, due)
    found = explain(city, run_id)
    stopped = city.unit.name if above else branch.name
    assert [(wait.reason, wait.said) for wait in found] == [("stop", f"a stop of {stopped} stands: 错字")]
    check_true(database, city, found)


def pause_by_person(database: Database) -> None:
    with database.session() as session:
        pause_gateway_account(session, SYSTEM, "main", "对账")


def stop_account(database: Database) -> None:
    with database.session() as session:
        stop_gateway_account(session, SYSTEM, "main", "密钥外泄")


def pause_by_breaker(database: Database, reopens: str = "sms_now() + interval '1 minute'") -> None:
    with database.transaction() as connection:
        connection.execute(
            text(
                "UPDATE gateway_accounts SET state = 'paused', paused_by = 'breaker', reason = 'too many',"
                f" reopens_at = {reopens}"
            )
        )


def link_down(database: Database) -> None:
    gateway_account_id = account(database).id
    with database.transaction() as connection:
        pause_link(connection, gateway_account_id, "timeout")


@pytest.mark.parametrize(
    ("act", "reason", "said"),
    [
        (pause_by_person, "account_paused", "a person paused the gateway account main: 对账"),
        (stop_account, "account_stopped", "a stop of the gateway account main stands: 密钥外泄"),
        (pause_by_breaker, "account_breaker", None),
        (
            lambda database: pause_by_breaker(database, "NULL"),
            "account_breaker",
            "gateway account main is paused until a person opens it: too many",
        ),
        (link_down, "link", "gateway account main: the link is down: timeout"),
    ],
)
def test_an_account_that_takes_nothing(
    database: Database, explain: Explain, act: Callable[[Database], None], reason: str, said: str | None
) -> None:
    city = make_city(database)
    act(database)
    found = explain(city)
    assert reasons(found) == [reason]
    if said is None:
        assert found[0].until == account(database).reopens_at
    else:
        assert found[0].said == said
    check_true(database, city, found)


def test_another_open_account_takes_what_one_does_not(database: Database, explain: Explain) -> None:
    second = ScriptedAdapter()
    city = make_city(database, gateways=ScriptedGateways({"main": ScriptedAdapter(), "second": second}))
    with database.session() as session:
        pause_gateway_account(session, SYSTEM, "main", "对账")
    found = explain(city)
    assert reasons(found) == ["pace"]
    check_true(database, city, found, second)


def test_no_account_of_the_file(database: Database, explain: Explain) -> None:
    city = make_city(database)
    city.gateways.config.accounts.pop("main")  # type: ignore[attr-defined]
    found = explain(city)
    assert [wait.said for wait in found] == ["gateways.toml has no account main"]
    check_true(database, city, found)


def test_the_demonstration_goes_to_no_real_phone(database: Database, explain: Explain) -> None:
    real = ScriptedAdapter(simulated=False)
    city = make_city(database, adapter=real, gateways=ScriptedGateways({"real": real}))
    with database.session() as session:
        session.get_one(Run, city.run_id).demonstration = True
    found = explain(city)
    assert [wait.said for wait in found] == [
        "gateway account real reaches real phones, and takes nothing of the demonstration"
    ]
    check_true(database, city, found)


def test_a_canary_waits_for_its_receipts(database: Database, explain: Explain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(freeze, "CANARY_ABOVE", 10)
    monkeypatch.setattr(freeze, "CANARY_TEXTS", 5)
    city = make_city(database, 12, freeze_now=False)
    with database.session() as session:
        session.get_one(Run, city.run_id).canary_receipts = True
    freeze.begin_due_runs(database)
    freeze.freeze_run(database, city.run_id)
    assert reasons(explain(city)) == ["pace"]  # the first texts leave
    check_true(database, city, explain(city))
    with database.transaction() as connection:
        check_canaries(connection)
    found = explain(city)
    assert reasons(found) == ["canary"]
    assert found[0].said.values["texts"] == 5
    since = run_of(database, city.run_id).canary_since
    assert since is not None
    assert found[0].until == since + timedelta(minutes=30)
    check_true(database, city, found)


@pytest.mark.parametrize(
    ("kind", "error", "reason"),
    [
        (OutcomeKind.throttled, ErrorClass.rate, "throttled"),
        (OutcomeKind.refused, ErrorClass.later, "put_off"),
    ],
)
def test_what_the_gateway_puts_off(
    database: Database, explain: Explain, kind: OutcomeKind, error: ErrorClass, reason: str
) -> None:
    city = make_city(database)
    city.adapter.answer = lambda text: Outcome(text.reference, kind, error=error, retry_after_s=600)
    drain(database, city.gateways)
    found = explain(city)
    assert reasons(found) == [reason]
    assert found[0].until == one(database, "SELECT min(not_before) FROM messages")
    check_true(database, city, found)


def test_without_redis_and_without_a_worker(
    database: Database, explain: Explain, redis_client: Redis, worker: Worker
) -> None:
    city = make_city(database)
    with connect_pace("redis://127.0.0.1:1/0") as away:
        assert reasons(explain(city, redis=away)) == ["redis"]
    worker.register_death()
    assert reasons(explain(city)) == ["nobody"]
    assert reasons(explain(city, redis=None)) == ["nobody"]


def test_a_link_that_no_process_holds(database: Database, explain: Explain, worker: Worker) -> None:
    adapter = ScriptedAdapter()
    adapter.capabilities = ScriptedAdapter.small(100)
    object.__setattr__(adapter.capabilities, "link", True)
    city = make_city(database, adapter=adapter)
    found = explain(city)
    assert reasons(found) == ["nobody"]
    with database.session() as session:
        now = session.scalars(select(func.clock_timestamp())).one()
        session.add(LeadershipRow(name="link main", holder="test", epoch=1, since=now, until=now + timedelta(hours=1)))
    worker.register_death()  # no worker hands over on a link
    assert reasons(explain(city)) == ["pace"]


def test_who_goes_before_and_beside_and_a_gateway_that_throttles(
    database: Database, explain: Explain, redis_client: Redis
) -> None:
    city = make_city(database)
    with database.session() as session:
        session.add_all([make_run(session, city.unit, lane=lane) for lane in ("small", "small", "bulk", "bulk")])
        last = make_run(session, city.unit, lane="bulk").id
        bulk = session.scalars(select(Run.id).order_by(Run.id)).all()
    for run_id in freeze.begin_due_runs(database):
        freeze.freeze_run(database, run_id)
    with database.transaction() as connection:  # freeze puts runs to few people into the lane of small ones
        connection.execute(text("UPDATE runs SET lane = 'bulk' WHERE id = ANY (:ids)"), {"ids": [*bulk[:1], *bulk[3:]]})
    found = explain(city, last)
    assert {name: found[0].said.values[name] for name in ("before", "beside")} == {"before": 2, "beside": 3}
    Pace(redis_client, city.gateways.rates()).throttled("main")
    slowed = explain(city, last)
    assert reasons(slowed) == ["slowed"]
    assert slowed[0].said.values["most"] == 100_000
    check_true(database, city, slowed)


def test_only_who_may_read_the_unit_is_told(database: Database, redis_client: Redis) -> None:
    city = make_city(database)
    with database.session() as session:
        stranger = make_actor(session, make_unit(session))
        with pytest.raises(Forbidden):
            explain_wait(session, stranger, city.run_id, city.gateways, None, redis_client)


def test_a_quiet_day_is_named_with_the_time_when_texts_go_on(database: Database, explain: Explain) -> None:
    city = make_city(database, 2, window_opens=0, window_closes=1440)
    with database.session() as session:
        today = session.scalar(text("SELECT (sms_now() AT TIME ZONE 'Asia/Shanghai')::date"))
        set_quiet_days(session, SYSTEM, city.unit.id, [NamedDay(today, "清明节")], ["notice"])
    (wait,) = explain(city)
    assert wait.reason == WaitReason.quiet_day
    assert wait.said.startswith("today is a quiet day: 清明节; it goes on at ")
    assert wait.until is not None
    assert wait.until.astimezone(ZoneInfo("Asia/Shanghai")).date() == today + timedelta(days=1)
    check_true(database, city, [wait])
