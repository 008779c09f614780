"""Quotas: reserved by launch and freeze, replaced by what was sent, exceeded only by the word of somebody above."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Connection, event, func, select, text, update
from sqlalchemy.orm import Session

from sms_service import clock
from sms_service.accounts.actors import SYSTEM, Actor
from sms_service.audit.models import TrailEntry
from sms_service.campaigns import approval, control, outlook, quota_setting, quotas, services
from sms_service.campaigns.launch import launch_campaign
from sms_service.campaigns.quotas import QuotaStanding
from sms_service.campaigns.resending import retry_run
from sms_service.controls.accounts import synchronise_gateways
from sms_service.controls.models import GatewayAccount
from sms_service.controls.quota_models import QuotaUse
from sms_service.db.engine import Database
from sms_service.directory.models import Unit
from sms_service.dispatch import freeze
from sms_service.errors import Forbidden, Invalid, NotFound
from sms_service.gateways.base import ErrorClass
from sms_service.ledger import sweeps
from sms_service.ledger.models import Run
from sms_service.ledger.quota_holds import reserve_frozen
from sms_service.ledger.quota_models import QuotaReservation
from sms_service.ledger.quotas import Amounts, QuotaKind, ReservedRun, reserve_amounts, settle_ended
from sms_service.ledger.states import HeldFor
from sms_service.reports.tasks import TaskKind, list_tasks
from tests.dispatch.city import (
    ALL_DAY,
    City,
    ScriptedAdapter,
    ScriptedGateways,
    drain,
    make_city,
    make_run,
    refused,
    run_of,
    statuses,
)
from tests.factories import make_actor, make_person, make_segment, make_template, make_unit
from tests.ledger.races import waiting, while_open

PRICE = 5.0


def limit(database: Database, unit_id: int, **limits: int | None) -> None:
    """A quota for every month."""
    with database.session() as session:
        quota_setting.set_quota(session, SYSTEM, unit_id, None, limits, "年度安排")


def standing(database: Database, unit_id: int) -> QuotaStanding:
    """The unit's own quota in this month."""
    with database.session() as session:
        unit = session.get_one(Unit, unit_id)
        row = session.execute(
            quotas.find_quotas([unit.path], quotas.find_month(session, unit)).where(Unit.id == unit_id)
        ).one()
        return quotas.read_standing(row)


def reservation(database: Database, run_id: int) -> QuotaReservation:
    with database.session() as session:
        return session.get_one(QuotaReservation, run_id)


def set_price(database: Database) -> None:
    with database.session() as session:
        session.execute(update(GatewayAccount).values(price_fen=PRICE))


def sweep(database: Database) -> None:
    """What the clock does about runs that are over."""
    with database.transaction() as connection:
        sweeps.cancel_slice(connection)
        sweeps.finish_runs(connection)
    settle_ended(database)


def freeze_another(database: Database, city: City, people: int = 0) -> int:
    """Another run of the city's unit, frozen now, after so many people have joined."""
    with database.session() as session:
        for _ in range(people):
            make_person(session, city.unit)
        run_id = make_run(session, city.unit).id
    freeze.begin_due_runs(database)
    freeze.freeze_run(database, run_id)
    return run_id


def ready(session: Session, unit: Unit, people: int, body: str = "请按时参加学习。") -> int:
    """An approved campaign of the unit to so many new people."""
    for _ in range(people):
        make_person(session, unit)
    campaign = services.create_campaign(
        session,
        SYSTEM,
        unit_id=unit.id,
        name="学习",
        template_version_id=make_template(session, unit, body, variables=("name",) if "name" in body else ()).id,
        segment_id=make_segment(session, unit, {"everyone": True}).id,
        signature="城东街道",
    )
    services.submit_campaign(session, SYSTEM, campaign.id)
    approval.decide_approval(session, SYSTEM, campaign.id, approve=True)
    return campaign.id


@pytest.fixture
def tree(session: Session) -> Mapping[str, Unit]:
    """A city with a district, a street and two branches, and the gateways."""
    synchronise_gateways(session, ScriptedGateways({"main": ScriptedAdapter()}))
    city = make_unit(session, name="云州市", **ALL_DAY)
    district = make_unit(session, name="城东区", parent=city, **ALL_DAY)
    street = make_unit(session, name="长河街道", parent=district, **ALL_DAY)
    branches = {f"branch{n}": make_unit(session, name=f"第{n}支部", parent=street, **ALL_DAY) for n in (1, 2)}
    return {"city": city, "district": district, "street": street, **branches}


# --- reserving ------------------------------------------------------------------------------------------------------


def test_a_launch_reserves_people_parts_and_money_of_every_quota_above(
    database: Database, session: Session, tree: Mapping[str, Unit]
) -> None:
    for unit in (tree["street"], tree["city"]):
        quota_setting.set_quota(session, SYSTEM, unit.id, None, {"people": 10, "parts": 30, "fen": 500}, "试")
    session.execute(update(GatewayAccount).values(price_fen=PRICE))
    run, _ = launch_campaign(session, SYSTEM, ready(session, tree["branch1"], 3, "{{ name }}，" + "请" * 70))
    assert run.status == "planned"
    session.commit()
    for unit in (tree["street"], tree["city"]):
        found = standing(database, unit.id)
        assert (found.planned, found.used) == (Amounts(3, 6, 30), Amounts())
        assert [found.left(kind) for kind in QuotaKind] == [7, 24, 470]
    assert [one.unit for one in _line(database, tree["branch1"])] == ["云州市", "长河街道"]


def _line(database: Database, unit: Unit) -> list[QuotaStanding]:
    with database.session() as session:
        return quotas.list_line_quotas(session, unit.path, quotas.find_month(session, unit))


def test_where_there_is_no_quota_a_launch_reserves_nothing_and_the_freeze_writes_it_down(database: Database) -> None:
    city = make_city(database, 3)
    assert reservation(database, city.run_id).people == 3
    with database.session() as session:
        assert session.scalar(select(func.count()).select_from(QuotaUse)) == 0
    limit(database, city.unit.id, people=5)  # what was reserved before counts
    assert standing(database, city.unit.id).planned.people == 3
    run_id = freeze_another(database, city)
    assert run_of(database, run_id).held_for == "quota"


def test_the_freeze_replaces_the_estimate_and_the_end_replaces_that_by_what_was_sent(
    database: Database, session: Session, tree: Mapping[str, Unit]
) -> None:
    branch = tree["branch1"]
    quota_setting.set_quota(session, SYSTEM, tree["street"].id, None, {"people": 10}, "试")
    run, _ = launch_campaign(session, SYSTEM, ready(session, branch, 3))
    make_person(session, branch)
    make_person(session, branch, phone=None)
    session.commit()
    set_price(database)
    assert standing(database, tree["street"].id).planned == Amounts(3, 3, 0)
    freeze.begin_due_runs(database)
    freeze.freeze_run(database, run.id)
    assert standing(database, tree["street"].id).planned == Amounts(4, 4, 20)

    adapter = ScriptedAdapter()
    with database.session() as session:
        last = session.execute(text("SELECT max(phone) FROM messages")).scalar_one()
    accept = adapter.answer
    adapter.answer = lambda handed: (
        refused(ErrorClass.bad_number)(handed) if handed.phone == last else accept(handed)  # one is not taken
    )
    drain(database, ScriptedGateways({"main": adapter}))
    sweep(database)
    found = standing(database, tree["street"].id)
    assert (found.planned, found.used) == (Amounts(), Amounts(3, 3, 15))
    assert statuses(database, run.id) == {"accepted": 3, "refused": 1, "skipped": 1}
    assert reservation(database, run.id).state == "used"


def test_what_is_asked_of_the_database_does_not_grow_with_the_runs(database: Database) -> None:
    with database.session() as session:
        synchronise_gateways(session, ScriptedGateways({"main": ScriptedAdapter()}))
        city = make_unit(session, **ALL_DAY)
        quota_setting.set_quota(session, SYSTEM, city.id, None, {"people": 100}, "试")
        branches = [make_unit(session, parent=city, **ALL_DAY) for _ in range(6)]
        for branch in branches:
            make_person(session, branch)
    asked: list[int] = []
    for some in (branches[:1], branches[1:]):
        with database.session() as session:
            runs = [make_run(session, branch) for branch in some]
        freeze.begin_due_runs(database)
        for run in runs:
            freeze.freeze_run(database, run.id)
        statements: list[str] = []

        def note(_connection: Any, _cursor: Any, statement: str, *_: Any, into: list[str] = statements) -> None:
            into.append(statement)

        with database.session() as session:
            frozen = session.scalars(select(Run).where(Run.id.in_([run.id for run in runs]))).all()
            event.listen(database.engine, "before_cursor_execute", note)
            try:
                reserve_frozen(session, frozen)
            finally:
                event.remove(database.engine, "before_cursor_execute", note)
        asked.append(len(statements))
    assert asked[0] == asked[1]
    assert standing(database, city.id).planned.people == 6


def test_a_cancelled_run_is_looked_at_again_until_nothing_of_it_is_awaited(database: Database) -> None:
    city = make_city(database, 2)
    limit(database, city.unit.id, people=5)
    drain(database, city.gateways)
    with database.session() as session:
        control.cancel_run(session, SYSTEM, city.run_id, "不发了")
    sweep(database)
    assert standing(database, city.unit.id).used.people == 2
    assert reservation(database, city.run_id).look_at is not None
    with database.session() as session:
        session.execute(text("UPDATE messages SET status = 'delivered'"))
        session.execute(text("UPDATE quota_reservations SET look_at = 'epoch'"))
    sweep(database)
    found = reservation(database, city.run_id)
    assert (found.look_at, found.delivered) == (None, 2)


def test_a_cancelled_run_gives_back_what_was_not_sent(database: Database) -> None:
    city = make_city(database, 4)
    limit(database, city.unit.id, people=4)
    with database.session() as session:
        control.cancel_run(session, SYSTEM, city.run_id, "不发了")
    sweep(database)
    assert standing(database, city.unit.id).left(QuotaKind.people) == 4
    assert run_of(database, freeze_another(database, city)).status == "running"


def test_tests_answers_and_notices_take_nothing(database: Database) -> None:
    city = make_city(database, 2, freeze_now=False)
    limit(database, city.unit.id, people=0)
    with database.session() as session:
        session.execute(update(Run).values(kind="test"))
    freeze.begin_due_runs(database)
    freeze.freeze_run(database, city.run_id)
    assert run_of(database, city.run_id).status == "running"
    assert standing(database, city.unit.id).planned == Amounts()


def test_a_run_counts_in_the_month_of_its_time_where_its_unit_is(database: Database, session: Session) -> None:
    synchronise_gateways(session, ScriptedGateways({"main": ScriptedAdapter()}))
    unit = make_unit(session, **ALL_DAY)
    next_month = session.execute(
        text("SELECT date_trunc('month', sms_now() AT TIME ZONE 'Asia/Shanghai' + interval '1 month')")
    ).scalar_one()
    at = session.execute(
        text("SELECT :first AT TIME ZONE 'Asia/Shanghai' + interval '1 hour'"), {"first": next_month}
    ).scalar_one()
    quota_setting.set_quota(session, SYSTEM, unit.id, next_month.date(), {"people": 1}, "试")
    run, _ = launch_campaign(session, SYSTEM, ready(session, unit, 2), at)
    assert (run.status, run.held_for, run.due_at) == ("held", "quota", at)
    assert quotas.list_line_quotas(session, unit.path, quotas.find_month(session, unit)) == []


# --- the last thousand ----------------------------------------------------------------------------------------------


def test_of_two_launches_at_the_last_places_one_passes_and_the_other_is_held(
    database: Database, session: Session, tree: Mapping[str, Unit]
) -> None:
    """Two real sessions; the second waits for the first at the quota of the district, far above both."""
    quota_setting.set_quota(session, SYSTEM, tree["district"].id, None, {"people": 5}, "试")
    first, second = (ready(session, tree[name], 3) for name in ("branch1", "branch2"))
    session.commit()

    def launch(connection: Connection) -> tuple[str, str | None]:
        run, _ = launch_campaign(Session(connection), SYSTEM, second)
        return run.status, run.reason

    with ThreadPoolExecutor(1) as pool:
        with while_open(database, lambda connection: launch_campaign(Session(connection), SYSTEM, first)):
            late = waiting(database, launch, pool)
        status, reason = late.result(30)
    assert status == "held"
    assert reason == (
        f"the quota of 城东区 has 2 people left in {_month(database, tree['district'])}, this run needs 3 people;"
        " 云州市 can release it"
    )
    assert standing(database, tree["district"].id).planned.people == 3


def _month(database: Database, unit: Unit) -> str:
    with database.session() as session:
        return f"{quotas.find_month(session, unit):%Y-%m}"


def test_two_freezes_at_the_last_places(database: Database) -> None:
    city = make_city(database, 3, freeze_now=False)
    with database.session() as session:
        other = make_run(session, city.unit).id
    limit(database, city.unit.id, people=5)
    freeze.begin_due_runs(database)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda run_id: freeze.freeze_run(database, run_id), (city.run_id, other)))
    assert sorted(run_of(database, run_id).status for run_id in (city.run_id, other)) == ["held", "running"]
    assert standing(database, city.unit.id).planned.people == 3


def test_a_run_that_does_not_fit_does_not_keep_a_smaller_one_out(database: Database) -> None:
    with database.session() as session:
        synchronise_gateways(session, ScriptedGateways({"main": ScriptedAdapter()}))
        city = make_unit(session, **ALL_DAY)
        large, small = (make_unit(session, parent=city, **ALL_DAY) for _ in range(2))
        for unit, people in ((large, 4), (small, 2)):
            for _ in range(people):
                make_person(session, unit)
        ids = [make_run(session, unit).id for unit in (large, small)]
        quota_setting.set_quota(session, SYSTEM, city.id, None, {"people": 3}, "试")
    freeze.begin_due_runs(database)
    freeze.freeze_next(database, ["bulk", "small"], 10)  # type: ignore[list-item]
    assert [run_of(database, run_id).status for run_id in ids] == ["held", "running"]


# --- releasing ------------------------------------------------------------------------------------------------------


def release(database: Database, actor: Actor, run_id: int) -> Run:
    with database.session() as session:
        return control.resume_run(session, actor, run_id, "上级同意")


def test_only_who_sends_for_the_unit_above_releases_it_and_it_is_an_overdraft(
    database: Database, session: Session, tree: Mapping[str, Unit]
) -> None:
    branch, street, district = tree["branch1"], tree["street"], tree["district"]
    quota_setting.set_quota(session, SYSTEM, street.id, None, {"people": 2}, "试")
    run, _ = launch_campaign(session, SYSTEM, ready(session, branch, 3))
    below = [make_actor(session, unit) for unit in (branch, street)]
    above = make_actor(session, district)
    session.commit()
    for actor in below:
        with pytest.raises(Forbidden, match=r"the quota of 长河街道 has 2 people left .* needs 3 people; 城东区"):
            release(database, actor, run.id)
    assert standing(database, street.id).planned == Amounts()
    released = release(database, above, run.id)
    assert (released.status, released.reason) == ("planned", None)
    found = standing(database, street.id)
    assert (found.planned.people, found.left(QuotaKind.people), found.over(QuotaKind.people)) == (3, 0, 1)
    with database.session() as session:
        entry = session.scalars(select(TrailEntry).order_by(TrailEntry.id.desc()).limit(1)).one()
        assert (entry.act, entry.account_id) == ("run.planned", above.account_id)
        assert entry.details["overdraft"][0].startswith("the quota of 长河街道")
        for _ in range(2):
            make_person(session, branch)
    freeze.begin_due_runs(database)
    freeze.freeze_run(database, run.id)  # a released run is not asked about again, though it has grown
    assert run_of(database, run.id).status == "running"
    assert standing(database, street.id).over(QuotaKind.people) == 3
    assert reservation(database, run.id).released == [street.id]


def test_a_top_units_quota_is_released_by_its_own_people(
    database: Database, session: Session, tree: Mapping[str, Unit]
) -> None:
    quota_setting.set_quota(session, SYSTEM, tree["city"].id, None, {"parts": 1}, "试")
    run, _ = launch_campaign(session, SYSTEM, ready(session, tree["district"], 2))
    district, city = (make_actor(session, tree[name]) for name in ("district", "city"))
    session.commit()
    assert str(run.reason).endswith("its administrator can release it")
    with pytest.raises(Forbidden, match=r"1 part left .* this run needs 2 parts"):
        release(database, district, run.id)
    assert release(database, city, run.id).status == "planned"


def test_what_fits_by_now_asks_nobody_above(database: Database) -> None:
    city = make_city(database, 2)
    limit(database, city.unit.id, people=3)
    run_id = freeze_another(database, city)
    assert run_of(database, run_id).held_for == "quota"
    limit(database, city.unit.id, people=4)
    with database.session() as session:
        actor = make_actor(session, city.unit)
    assert release(database, actor, run_id).status == "running"
    assert standing(database, city.unit.id).over(QuotaKind.people) == 0


def test_a_run_held_for_something_else_still_needs_the_quota_that_it_lacks(database: Database) -> None:
    with database.session() as session:
        parent = make_unit(session)
        synchronise_gateways(session, ScriptedGateways({"main": ScriptedAdapter()}))
        unit = make_unit(session, parent=parent, **ALL_DAY)
        for _ in range(2):
            make_person(session, unit)
        run_id = make_run(session, unit).id
        actor = make_actor(session, unit)
        quota_setting.set_quota(session, SYSTEM, unit.id, None, {"people": 1}, "试")
    freeze.begin_due_runs(database)
    freeze.freeze_run(database, run_id)
    with database.session() as session:
        session.execute(update(Run).values(held_for="breaker"))
    with pytest.raises(Forbidden, match="1 person left"):
        release(database, actor, run_id)


def test_a_retry_takes_more_of_the_quota_and_keeps_what_was_sent(database: Database) -> None:
    adapter = ScriptedAdapter()
    adapter.answer = refused(ErrorClass.balance)
    city = make_city(database, 3, adapter=adapter)
    limit(database, city.unit.id, people=2)
    with database.session() as session:
        session.execute(update(GatewayAccount).values(price_fen=PRICE))
    drain(database, city.gateways)
    sweep(database)
    assert standing(database, city.unit.id).used == Amounts()
    with database.session() as session:
        run, gone = retry_run(session, SYSTEM, city.run_id, "已充值")
        assert (run.status, run.held_for, len(gone.ids)) == ("held", "quota", 3)
    assert release(database, SYSTEM, city.run_id).status == "running"
    adapter.answer = ScriptedAdapter().answer
    with database.session() as session:
        session.execute(update(GatewayAccount).values(state="open", paused_by=None, reason=None))
    drain(database, city.gateways)
    sweep(database)
    found = standing(database, city.unit.id)
    assert (found.used, found.over(QuotaKind.people)) == (Amounts(3, 3, 15), 1)


# --- setting --------------------------------------------------------------------------------------------------------


def test_no_unit_sets_its_own_quota(session: Session, tree: Mapping[str, Unit]) -> None:
    street, district, city = tree["street"], tree["district"], tree["city"]
    own = make_actor(session, street, ("administrator",))
    above = make_actor(session, district, ("administrator",))
    with pytest.raises(Forbidden):
        quota_setting.set_quota(session, own, street.id, None, {"people": 1}, "试")
    with pytest.raises(Forbidden):
        quota_setting.set_quota(session, make_actor(session, district), street.id, None, {"people": 1}, "试")
    quota_setting.set_quota(session, above, street.id, None, {"people": 1}, "试")
    quota_setting.set_quota(session, make_actor(session, city, ("administrator",)), city.id, None, {"people": 9}, "试")
    with pytest.raises(Forbidden):
        quota_setting.remove_quota(session, own, street.id, None, "试")
    acts = session.execute(select(TrailEntry.act, TrailEntry.details).where(TrailEntry.act == "quota.set")).all()
    assert [details["people"] for _, details in acts] == [1, 9]


def test_a_months_own_quota_counts_instead_of_that_of_every_month(session: Session, tree: Mapping[str, Unit]) -> None:
    unit = tree["street"]
    month = quotas.find_month(session, unit)

    def most() -> list[tuple[bool, tuple[int | None, ...]]]:
        return [(one.standing, one.most) for one in quotas.list_line_quotas(session, unit.path, month)]

    quota_setting.set_quota(session, SYSTEM, unit.id, None, {"people": 5, "fen": 100}, "试")
    assert most() == [(True, (5, None, 100))]
    quota_setting.set_quota(session, SYSTEM, unit.id, month, {"parts": 7}, "试")
    assert most() == [(False, (None, 7, None))]
    quota_setting.set_quota(session, SYSTEM, unit.id, month, {}, "本月不限")
    assert most() == [(False, (None, None, None))]
    quota_setting.remove_quota(session, SYSTEM, unit.id, month, "试")
    assert most() == [(True, (5, None, 100))]
    quota_setting.remove_quota(session, SYSTEM, unit.id, None, "试")
    assert most() == []


@pytest.mark.parametrize(
    ("day", "limits", "why", "field"),
    [
        (1, {"people": -1}, "试", "people"),
        (1, {"fen": 10**10}, "试", "fen"),
        (2, {"people": 1}, "试", "month"),
        (1, {"people": 1}, " ", "why"),
        (None, {}, "试", "people"),
    ],
)
def test_what_no_quota_can_be(
    session: Session, tree: Mapping[str, Unit], day: int | None, limits: Any, why: str, field: str
) -> None:
    month = quotas.find_month(session, tree["city"])
    with pytest.raises(Invalid) as refused:
        quota_setting.set_quota(
            session, SYSTEM, tree["street"].id, None if day is None else month.replace(day=day), limits, why
        )
    assert refused.value.field == field
    with pytest.raises(NotFound):
        quota_setting.remove_quota(session, SYSTEM, tree["street"].id, None, "试")


def test_a_new_quota_waits_for_reservations_under_way_and_counts_them(database: Database) -> None:
    """Two real sessions: without the wait, the sum of the new quota would lack the other's run for ever."""
    city = make_city(database, 2, freeze_now=False)
    freeze.begin_due_runs(database)

    def set_it(connection: Connection) -> None:
        with Session(connection) as session:
            quota_setting.set_quota(session, SYSTEM, city.unit.id, None, {"people": 3}, "试")
            session.flush()

    run = run_of(database, city.run_id)
    with ThreadPoolExecutor(1) as pool:
        taken = ReservedRun(run.id, run.month, run.unit_path, Amounts(2, 2, 0))
        with while_open(database, lambda connection: reserve_amounts(connection, [taken])):
            set_ = waiting(database, set_it, pool)
        set_.result(30)
    freeze.freeze_run(database, city.run_id)
    assert standing(database, city.unit.id).planned.people == 2


def test_the_outlook_warns_before_it_is_launched(session: Session, tree: Mapping[str, Unit]) -> None:
    quota_setting.set_quota(session, SYSTEM, tree["street"].id, None, {"people": 2, "parts": 2}, "试")
    campaign_id = ready(session, tree["branch1"], 3)
    found = outlook.foresee_run(session, SYSTEM, campaign_id, {"main": 10.0}, {})
    month = f"{quotas.find_month(session, tree['street']):%Y-%m}"
    assert [warned.text for warned in found.warnings if warned.caution == outlook.Caution.quota] == [
        f"the quota of 长河街道 has 2 people left in {month}, this run needs 3 people; 城东区 can release it",
        f"the quota of 长河街道 has 2 parts left in {month}, this run needs 3 parts; 城东区 can release it",
    ]


def test_a_quota_that_is_set_late_is_a_task_at_once(database: Database) -> None:
    city = make_city(database, 4)
    with database.session() as session:
        officer, auditor = (make_actor(session, city.unit, (role,)) for role in ("officer", "auditor"))
    for most, tasks in ((6, []), (5, [(TaskKind.quota, 1)])):
        limit(database, city.unit.id, people=most)
        with database.session() as session:
            found = [(one.kind, one.number) for one in list_tasks(session, officer, [TaskKind.quota])]
            assert found == tasks
            assert list_tasks(session, auditor, [TaskKind.quota]) == []


def test_every_word_for_which_a_run_may_be_held_can_be_written_down(session: Session) -> None:
    rule = session.execute(
        text("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'ck_runs_held_for'")
    ).scalar_one()
    assert [word for word in HeldFor if f"'{word}'" not in rule] == []


def test_the_clock_settles_what_was_sent(database: Database) -> None:
    city = make_city(database, 2)
    limit(database, city.unit.id, people=5)
    drain(database, city.gateways)
    for _ in range(2):
        clock.tick(database, None, city.gateways)
    assert standing(database, city.unit.id).used.people == 2
