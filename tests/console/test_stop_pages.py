"""停发: menu, why, button; what it would hold is said before, and what stands is released for a reason."""

from __future__ import annotations

import pytest
from sqlalchemy import select, text

from sms_service.accounts.actors import SYSTEM
from sms_service.campaigns.stopping import foresee_account_stop, foresee_unit_stop
from sms_service.controls import stops
from sms_service.controls.models import GatewayAccount, Route, RouteMember, Stop
from sms_service.directory.models import Unit
from sms_service.dispatch import freeze as freezing
from tests.console.conftest import SAME_ORIGIN
from tests.dispatch.city import ScriptedAdapter, ScriptedGateways, make_city, make_run
from tests.factories import make_person, make_unit


@pytest.fixture
def tree(database, session):
    """A city with two branches, and a frozen run of the city with 3 texts in one branch and 2 in the other."""
    city = make_city(database, 0, freeze_now=False)
    unit = session.get_one(Unit, city.unit.id)
    one, two = (make_unit(session, name=name, level="branch", parent=unit) for name in ("第一支部", "第二支部"))
    for branch, count in ((one, 3), (two, 2)):
        for _ in range(count):
            make_person(session, branch)
    session.commit()
    return city, unit, one, two


def freeze(database, city):
    freezing.begin_due_runs(database)
    freezing.freeze_run(database, city.run_id)


def test_menu_why_stop_and_the_page_says_what_it_holds(log_in, session, database, tree):
    city, _unit, one, _two = tree
    freeze(database, city)
    visitor = log_in(one, "officer")
    page = visitor.get("/stops").text
    assert "This stops 第一支部: 1 runs with 3 texts that have not left." in page
    assert "a campaign of a unit above" in page
    assert "Stop 3 texts" in page
    fields = visitor.fields("/stops")
    without = visitor.client.post("/stops", data=fields, headers=SAME_ORIGIN)
    assert without.status_code == 422
    answers = [visitor.client.post("/stops", data={**fields, "why": "错字"}, headers=SAME_ORIGIN) for _ in range(2)]
    assert [answer.location for answer in answers] == ["/stops", "/stops"]
    stop = session.scalars(select(Stop)).one()
    assert (stop.unit_id, stop.why, stop.stopped_by) == (one.id, "错字", visitor.account_id)
    page = visitor.get("/stops").text
    assert "第一支部 is stopped already." in page
    assert "错字" in page


def test_what_a_stop_reaches_is_what_the_gate_asks(session, database, tree):
    city, unit, one, two = tree
    freeze(database, city)
    found = foresee_unit_stop(session, SYSTEM, unit)
    assert (found.run_count, found.text_count) == (1, 5)
    assert [(run.run_id, run.texts) for run in foresee_unit_stop(session, SYSTEM, two).runs] == [(city.run_id, 2)]
    lonely = make_unit(session, parent=unit)
    assert foresee_unit_stop(session, SYSTEM, lonely).run_count == 0
    moved = session.scalars(text("UPDATE people SET unit_id = :unit RETURNING id").bindparams(unit=lonely.id)).all()
    assert len(moved) == 5
    session.execute(
        text("UPDATE messages SET unit_id = :unit WHERE unit_id = :one"), {"unit": lonely.id, "one": one.id}
    )
    assert foresee_unit_stop(session, SYSTEM, lonely).text_count == 3  # where they are by now counts too
    account = session.scalars(select(GatewayAccount)).one()
    assert foresee_account_stop(session, SYSTEM, account.id).text_count == 5


def test_a_run_whose_list_is_not_written_is_named_without_a_number(log_in, session, tree):
    _city, unit, _one, _ = tree
    page = log_in(unit, "administrator").get("/stops").text
    assert "not counted yet" in page


def test_a_gateway_account_with_another_beside_it_holds_nothing(session, database):
    gateways = ScriptedGateways({"main": ScriptedAdapter(), "spare": ScriptedAdapter()})
    city = make_city(database, 2, gateways=gateways)
    account = session.scalars(select(GatewayAccount).where(GatewayAccount.name == "main")).one()
    found = foresee_account_stop(session, SYSTEM, account.id)
    assert (found.text_count, [run.elsewhere for run in found.runs]) == (0, [True])
    stops.stop_gateway_account(session, SYSTEM, "spare", "x")
    assert foresee_account_stop(session, SYSTEM, account.id).text_count == 2
    assert city.run_id


def test_the_accounts_of_another_route_take_nothing_over(session, database):
    """A run of a route with one account waits, whatever other runs' routes have beside theirs."""
    gateways = ScriptedGateways({"main": ScriptedAdapter(), "spare": ScriptedAdapter()})
    city = make_city(database, 2, gateways=gateways)
    spare = session.scalars(select(GatewayAccount).where(GatewayAccount.name == "spare")).one()
    alone = Route(name="alone")
    session.add(alone)
    session.flush()
    session.add(RouteMember(route_id=alone.id, gateway_account_id=spare.id, priority=1, weight=1))
    other = make_run(session, session.get_one(Unit, city.unit.id))
    other.route_id = alone.id
    session.commit()
    freezing.begin_due_runs(database)
    freezing.freeze_run(database, other.id)
    found = foresee_account_stop(session, SYSTEM, spare.id)
    assert (found.text_count, {run.run_id: run.elsewhere for run in found.runs}) == (
        2, {city.run_id: True, other.id: False},
    )  # fmt: skip


def test_who_may_stop_what(log_in, session, database, tree):
    _city, unit, one, _ = tree
    officer = log_in(unit, "officer")
    page = officer.get("/stops").text
    assert f"This stops {unit.name}" in page, "an officer of a whole city stops the city"
    assert "Or a gateway account" not in page
    below = log_in(one, "officer")
    assert below.get(f"/stops?unit={unit.id}").status_code == 403
    assert below.post("/stops", form="/me", data={"unit_id": unit.id, "why": "x"}).status_code == 403
    assert officer.post("/stops", form="/me", data={"gateway_account": "main", "why": "x"}).status_code == 403
    assert officer.get("/stops?account=main").status_code == 403
    assert "This stops 第一支部" in officer.get(f"/stops?unit={one.id}").text
    operator = log_in(unit, "operator")
    assert "This stops main" in operator.get("/stops?account=main").text
    assert operator.post("/stops", form="/me", data={"gateway_account": "main", "why": "x"}).status_code == 303
    stop = session.scalars(select(Stop)).one()
    assert "Release</a>" not in officer.get("/stops").text
    refused = officer.post(f"/stops/{stop.id}/release", form="/me", data={"why": "x"})
    assert refused.status_code == 403
    assert log_in(unit, "auditor").get("/stops").status_code == 403


def test_a_release_needs_a_reason_and_happens_once(log_in, session, database, tree):
    city, _unit, one, _ = tree
    freeze(database, city)
    stop_id, _ = stops.stop_unit(session, SYSTEM, one.id, "错字")
    session.commit()
    visitor, path = log_in(one, "officer"), f"/stops/{stop_id}"
    assert "Release 3 texts" in visitor.get(path).text
    assert visitor.post(f"{path}/release", form=path).status_code == 422
    fields = visitor.fields(path)
    assert visitor.post(f"{path}/release", form=path, data={"why": "已改"}).location == "/stops"
    assert "Nothing is stopped in your units." in visitor.get("/stops").text
    assert "已改" in visitor.get(path).text
    assert "错字" in visitor.get("/stops?released=true").text
    other = visitor.client.post(f"{path}/release", data={**fields, "why": "已改"}, headers=SAME_ORIGIN)
    assert other.status_code == 409
