"""What people do to gateway accounts and caps."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session

from sms_service.accounts.actors import SYSTEM, Actor
from sms_service.audit.models import TrailEntry
from sms_service.controls import account_state, caps
from sms_service.controls.accounts import synchronise_gateways
from sms_service.controls.models import CapUse, GatewayAccount
from sms_service.db.engine import Database
from sms_service.errors import Conflict, Forbidden, Invalid, NotFound
from tests.dispatch.city import ScriptedAdapter, ScriptedGateways, drain, make_city, statuses
from tests.factories import make_actor, make_unit


@pytest.fixture
def administrator(session: Session) -> Actor:
    synchronise_gateways(session, ScriptedGateways({"main": ScriptedAdapter()}))
    return make_actor(session, make_unit(session), ("administrator",))


def trail(session: Session) -> list[tuple[str, dict[str, object]]]:
    return [tuple(row) for row in session.execute(select(TrailEntry.act, TrailEntry.details).order_by(TrailEntry.id))]


def test_a_paused_account_is_handed_nothing_until_a_person_opens_it(database: Database) -> None:
    city = make_city(database, 2)
    with database.session() as session:
        account_state.pause_gateway_account(session, SYSTEM, "main", "换密钥")
    with database.session() as session:  # as at every start: the state is kept
        synchronise_gateways(session, city.gateways)
    drain(database, city.gateways)
    assert city.adapter.handed == []
    with database.session() as session:
        account_state.reopen_gateway_account(session, SYSTEM, "main", "已换")
    drain(database, city.gateways)
    assert statuses(database, city.run_id) == {"accepted": 2}


def test_a_person_takes_over_what_the_breaker_paused(session: Session, administrator: Actor) -> None:
    now = session.scalars(select(func.sms_now())).one()
    session.execute(
        update(GatewayAccount).values(
            state="paused",
            reason="9 of its last 10 texts",
            reopens_at=now,
            trips=3,
            watched_from=now - timedelta(days=1),
        )
    )
    paused = account_state.pause_gateway_account(session, administrator, "main", "等服务商回电")
    assert (paused.state, paused.reason, paused.reopens_at, paused.trips) == ("paused", "等服务商回电", None, 3)
    opened = account_state.reopen_gateway_account(session, administrator, "main", "已恢复")
    assert (opened.state, opened.reason, opened.reopens_at, opened.trips) == ("open", None, None, 0)
    assert opened.watched_from >= now
    assert trail(session) == [
        ("gateway.paused", {"name": "main", "why": "等服务商回电"}),
        ("gateway.open", {"name": "main", "why": "已恢复"}),
    ]


def test_which_acts_on_an_account_are_refused(session: Session, administrator: Actor) -> None:
    with pytest.raises(Conflict, match="gateway account main is open; only paused ones"):
        account_state.reopen_gateway_account(session, administrator, "main", "开")
    with pytest.raises(NotFound):
        account_state.pause_gateway_account(session, administrator, "nobody", "停")
    with pytest.raises(Invalid, match="why"):
        account_state.pause_gateway_account(session, administrator, "main", "")
    officer = make_actor(session, make_unit(session), ("officer",))
    for act in (account_state.pause_gateway_account, account_state.reopen_gateway_account):
        with pytest.raises(Forbidden, match="operate_service"):
            act(session, officer, "main", "停")
    session.execute(update(GatewayAccount).values(state="removed"))
    for act in (account_state.pause_gateway_account, account_state.reopen_gateway_account):
        with pytest.raises(Conflict, match="is removed"):
            act(session, SYSTEM, "main", "停")
    assert trail(session) == []


def test_another_citys_administrator_operates_nothing_that_all_share(session: Session, administrator: Actor) -> None:
    make_unit(session)  # a second city
    with pytest.raises(Forbidden, match="operate_service"):
        account_state.pause_gateway_account(session, administrator, "main", "停")
    with pytest.raises(Forbidden, match="operate_service"):
        caps.set_cap(session, administrator, "study", 1, "限频")


def test_caps_are_set_changed_and_removed(session: Session, administrator: Actor) -> None:
    assert caps.set_cap(session, administrator, "study", 2, "试行").per_day == 2
    assert caps.set_cap(session, administrator, "study", 5, "放宽").per_day == 5
    caps.set_cap(session, administrator, "survey", 1, "试行")
    assert {cap.class_: cap.per_day for cap in session.scalars(caps.find_caps())} == {"study": 5, "survey": 1}
    caps.remove_cap(session, administrator, "study", "取消")
    with pytest.raises(NotFound, match="cap of the class study"):
        caps.remove_cap(session, administrator, "study", "取消")
    with pytest.raises(NotFound, match="class spam"):
        caps.set_cap(session, administrator, "spam", 1, "试行")
    for number in (0, caps.LARGEST + 1):
        with pytest.raises(Invalid, match="per_day"):
            caps.set_cap(session, administrator, "study", number, "试行")
    with pytest.raises(Invalid, match="why"):
        caps.set_cap(session, administrator, "study", 1, " ")
    with pytest.raises(Forbidden):
        caps.set_cap(session, make_actor(session, make_unit(session)), "study", 1, "试行")
    assert [(act, details["why"]) for act, details in trail(session)] == [
        ("cap.set", "试行"),
        ("cap.set", "放宽"),
        ("cap.set", "试行"),
        ("cap.remove", "取消"),
    ]


def test_all_caps_at_once_write_down_only_what_changed(session: Session, administrator: Actor) -> None:
    caps.set_caps(session, administrator, {"study": 2, "notice": 3, "survey": None}, "试行")
    changed = caps.set_caps(session, administrator, {"study": 2, "notice": None, "survey": 4}, "调整")
    assert changed == ["notice", "survey"]
    assert {cap.class_: cap.per_day for cap in session.scalars(caps.find_caps())} == {"study": 2, "survey": 4}
    assert [(act, details["why"]) for act, details in trail(session)] == [
        ("cap.set", "试行"),
        ("cap.set", "试行"),
        ("cap.remove", "调整"),
        ("cap.set", "调整"),
    ]
    with pytest.raises(Invalid, match="why"):
        caps.set_caps(session, administrator, {}, "")


def test_places_of_past_days_are_forgotten_and_those_of_the_last_days_kept(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute(
            text(
                "INSERT INTO cap_uses"
                " SELECT '+8613900000000', 'study', sms_now()::date - n, 1 FROM generate_series(-1, 10) n"
            )
        )
        assert caps.forget_old_cap_uses(connection) == 2
        assert caps.forget_old_cap_uses(connection) == 0
    with database.session() as session:
        today = session.scalars(select(func.sms_now())).one().date()
        days = {(today - use.day).days for use in session.scalars(select(CapUse))}
    assert days == set(range(-1, caps.KEPT_DAYS + 1))
