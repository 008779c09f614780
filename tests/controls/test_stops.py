"""Stop everything: who may, what it reaches, that it stands until it is released."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from sms_service.accounts.actors import SYSTEM, Actor
from sms_service.audit.models import TrailEntry
from sms_service.controls import stops
from sms_service.controls.accounts import synchronise_gateways
from sms_service.controls.models import Route, Stop
from sms_service.db.engine import Database
from sms_service.directory.models import Unit
from sms_service.directory.text import LONGEST_WHY
from sms_service.errors import Conflict, Forbidden, Invalid, NotFound
from tests.dispatch.city import ScriptedAdapter, ScriptedGateways, drain, make_city, statuses
from tests.factories import make_actor, make_unit


@pytest.fixture
def tree(session: Session) -> tuple[Unit, Unit, Unit, Unit]:
    """A city, its districts one and two, and a branch of one."""
    synchronise_gateways(session, ScriptedGateways({"main": ScriptedAdapter(), "spare": ScriptedAdapter()}))
    city = make_unit(session)
    one, two = make_unit(session, parent=city), make_unit(session, parent=city)
    return city, one, two, make_unit(session, parent=one)


def standing(session: Session, *paths: str) -> list[int]:
    return sorted(row.Stop.id for row in session.execute(stops.find_stops(paths)))


def test_a_stop_holds_back_every_text_until_it_is_released(database: Database) -> None:
    city = make_city(database, 3)
    with database.session() as session:
        stop_id, made = stops.stop_unit(session, SYSTEM, city.unit.id, "错字")
        assert made
    drain(database, city.gateways)
    assert city.adapter.handed == []
    assert statuses(database, city.run_id) == {"pending": 3}
    with database.session() as session:
        stops.release_stop(session, SYSTEM, stop_id, "已改")
        session.execute(text("UPDATE messages SET not_before = sms_now()"))
    drain(database, city.gateways)
    assert statuses(database, city.run_id) == {"accepted": 3}


def test_a_stopped_gateway_account_is_handed_nothing(database: Database) -> None:
    city = make_city(database, 2)
    with database.session() as session:
        stop_id, _ = stops.stop_gateway_account(session, SYSTEM, "main", "密钥外泄")
    drain(database, city.gateways)
    assert city.adapter.handed == []
    with database.session() as session:
        stops.release_stop(session, SYSTEM, stop_id, "已换")
    drain(database, city.gateways)
    assert statuses(database, city.run_id) == {"accepted": 2}


def test_whoever_launches_in_a_unit_may_stop_it_and_only_who_operates_the_service_an_account(
    session: Session, tree: tuple[Unit, Unit, Unit, Unit]
) -> None:
    city, one, two, branch = tree
    officer, everywhere = make_actor(session, one), make_actor(session, city)
    administrator = make_actor(session, city, ("administrator",))
    for unit in (one, branch):
        assert stops.stop_unit(session, officer, unit.id, "查错")[1]
    for actor, unit in ((officer, two), (officer, city), (make_actor(session, city, ("auditor", "approver")), city)):
        with pytest.raises(Forbidden):
            stops.stop_unit(session, actor, unit.id, "查错")
    for actor in (officer, everywhere, make_actor(session, one, ("administrator",))):
        with pytest.raises(Forbidden, match="operate_service"):
            stops.stop_gateway_account(session, actor, "main", "查错")
    of_city, _ = stops.stop_unit(session, everywhere, city.id, "查错")
    of_account, _ = stops.stop_gateway_account(session, administrator, "main", "查错")
    with pytest.raises(Forbidden, match="operate_campaigns"):
        stops.release_stop(session, officer, of_city, "好了")
    with pytest.raises(Forbidden, match="operate_service"):
        stops.release_stop(session, everywhere, of_account, "好了")
    stops.release_stop(session, everywhere, of_city, "好了")
    stops.release_stop(session, administrator, of_account, "好了")


def test_what_is_stopped_stays_so_by_the_stop_that_stands(
    session: Session, tree: tuple[Unit, Unit, Unit, Unit]
) -> None:
    _, one, _, branch = tree
    officer = make_actor(session, one)
    first = stops.stop_unit(session, officer, one.id, "查错")
    assert stops.stop_unit(session, officer, one.id, "再查") == (first[0], False)
    below = stops.stop_unit(session, officer, branch.id, "只这里")  # one of its own, which outlives the other
    assert below == (below[0], True)
    stops.release_stop(session, officer, first[0], "好了")
    with pytest.raises(Conflict, match=rf"stop {first[0]} was released at .*: 好了"):
        stops.release_stop(session, officer, first[0], "再放")
    assert stops.stop_unit(session, officer, one.id, "又错")[1]
    assert standing(session, one.path) == [below[0], below[0] + 1]
    acts = session.execute(select(TrailEntry.act, TrailEntry.target_id).order_by(TrailEntry.id)).all()
    assert [act for act, _ in acts] == ["stop.begin", "stop.begin", "stop.release", "stop.begin"]
    entry = session.scalars(select(TrailEntry).where(TrailEntry.act == "stop.release")).one()
    assert (entry.account_id, entry.details, entry.unit_path) == (officer.account_id, {"why": "好了"}, one.path)


@pytest.mark.parametrize("kind", ["unit", "account"])
def test_two_stops_at_once_are_one(
    database: Database, session: Session, tree: tuple[Unit, Unit, Unit, Unit], kind: str
) -> None:
    session.commit()
    together = threading.Barrier(2)

    def stop(_: int) -> tuple[int, bool]:
        with database.session() as own:
            together.wait(30)
            if kind == "unit":
                return stops.stop_unit(own, SYSTEM, tree[1].id, "查错")
            return stops.stop_gateway_account(own, SYSTEM, "main", "查错")

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(stop, range(2)))
    assert len({stop_id for stop_id, _ in answers}) == 1
    assert sorted(made for _, made in answers) == [False, True]


def test_a_list_shows_what_reaches_the_scope_from_above_and_from_within(
    session: Session, tree: tuple[Unit, Unit, Unit, Unit]
) -> None:
    city, one, two, branch = tree
    in_city, in_one, in_two, in_branch = (stops.stop_unit(session, SYSTEM, unit.id, "查错")[0] for unit in tree)
    through, _ = stops.stop_gateway_account(session, SYSTEM, "spare", "查错")
    assert standing(session, city.path) == [in_city, in_one, in_two, in_branch, through]
    assert standing(session, one.path) == [in_city, in_one, in_branch, through]
    assert standing(session, branch.path) == [in_city, in_one, in_branch, through]
    assert standing(session) == []
    stops.release_stop(session, SYSTEM, in_one, "好了")
    assert standing(session, branch.path) == [in_city, in_branch, through]
    assert len(session.execute(stops.find_stops([one.path], released=True)).all()) == 4

    reader: Actor = make_actor(session, branch, ("auditor",))
    assert stops.get_stop(session, reader, in_city)["unit_code"] == city.code
    assert stops.get_stop(session, reader, through)["gateway_account"] == "spare"
    with pytest.raises(Forbidden):
        stops.get_stop(session, reader, in_two)

    route = session.scalars(select(Route.id)).one()
    assert {stop["id"] for stop in stops.stops_of(session, two.path, route)} == {in_city, in_two, through}


def test_what_cannot_be_stopped_is_named(session: Session, tree: tuple[Unit, Unit, Unit, Unit]) -> None:
    for act in (
        lambda: stops.stop_unit(session, SYSTEM, 10**9, "查错"),
        lambda: stops.stop_gateway_account(session, SYSTEM, "nobody", "查错"),
        lambda: stops.release_stop(session, SYSTEM, 10**9, "好了"),
    ):
        with pytest.raises(NotFound):
            act()
    for why in (" ", "长" * (LONGEST_WHY + 1)):
        with pytest.raises(Invalid, match="why"):
            stops.stop_unit(session, SYSTEM, tree[1].id, why)
    assert session.scalars(select(Stop)).all() == []
