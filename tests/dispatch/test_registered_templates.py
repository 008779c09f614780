"""Accounts that let registered templates through alone: no text without a usable binding ever reaches one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select, text, update

from sms_service.accounts.actors import SYSTEM
from sms_service.content.bindings import BindingChange, set_binding
from sms_service.content.models import TemplateVersion
from sms_service.controls.models import BindingState, TemplateBinding
from sms_service.db.engine import Database
from sms_service.dispatch.points import Point
from sms_service.dispatch.waiting import explain_wait
from sms_service.gateways.base import ErrorClass
from sms_service.gateways.config import AccountConfig, ConfiguredMember, GatewayConfig
from sms_service.gateways.policy import Policy
from sms_service.gateways.registry import Gateways
from sms_service.gateways.simulator.adapter import Options
from sms_service.ledger.models import Message, Run
from tests.dispatch.city import (
    City,
    ScriptedAdapter,
    ScriptedGateways,
    drain,
    make_city,
    make_dispatcher,
    messages,
    refused,
    statuses,
)
from tests.gateways.simulator_process import SECRET, SimulatorProcess

BODY = "{{ name }}，请参加{{ 事 }}。"


def picky() -> ScriptedAdapter:
    adapter = ScriptedAdapter()
    adapter.capabilities = replace(adapter.capabilities, needs_templates=True)
    return adapter


def bind(database: Database, city: City, account: str = "main", state: str = "usable", *order: str) -> None:
    with database.session() as session:
        run = session.get_one(Run, city.run_id)
        version = session.get_one(TemplateVersion, run.template_version_id)
        change = BindingChange(BindingState(state), "SMS_1", list(order) or None, "格式不符")
        set_binding(session, SYSTEM, version.template_id, version.number, account, change)


def waits(database: Database, city: City) -> list[str]:
    with database.session() as session:
        return [wait.reason for wait in explain_wait(session, SYSTEM, city.run_id, city.gateways, None, None)]


def test_each_text_has_the_providers_template_and_its_parameters_in_order(database: Database) -> None:
    city = make_city(database, 2, body=BODY, values={"事": "学习"}, adapter=picky())
    bind(database, city, "main", "usable", "事", "name")
    drain(database, city.gateways)
    assert statuses(database, city.run_id) == {"accepted": 2}
    for handed in city.adapter.handed:
        assert handed.template_id == "SMS_1"
        assert list(handed.parameters) == ["事", "name"]
        assert handed.body == "【云州先锋】{name}，请参加{事}。".format(**handed.parameters)
        assert handed.parameters["事"] == "学习"


@pytest.mark.parametrize("state", [None, "draft", "filed", "refused"])
def test_without_a_usable_binding_nothing_leaves_and_the_run_says_why(database: Database, state: str | None) -> None:
    city = make_city(database, 2, adapter=picky())
    if state:
        bind(database, city, "main", state)
    drain(database, city.gateways)
    assert statuses(database, city.run_id) == {"pending": 2}
    assert city.adapter.handed == []
    assert waits(database, city) == ["account_unbound"]
    bind(database, city)
    drain(database, city.gateways)
    assert statuses(database, city.run_id) == {"accepted": 2}


def test_a_route_with_another_account_takes_that_one(database: Database) -> None:
    first, second = picky(), ScriptedAdapter()
    gateways = ScriptedGateways({"first": first, "second": second})
    city = make_city(database, 3, gateways=gateways)
    drain(database, gateways)
    assert statuses(database, city.run_id) == {"accepted": 3}
    assert (len(first.handed), len(second.handed)) == (0, 3)
    assert {handed.template_id for handed in second.handed} == {None}


@pytest.mark.parametrize("bound", [False, True])
def test_a_refused_text_fails_over_only_to_an_account_that_has_the_template(database: Database, bound: bool) -> None:
    first, second = ScriptedAdapter(), picky()
    gateways = ScriptedGateways({"first": first, "second": second})
    city = make_city(database, 3, gateways=gateways)
    if bound:
        bind(database, city, "second")
    first.answer = refused(ErrorClass.carrier)
    for _ in range(2):
        drain(database, gateways)
        with database.transaction() as connection:
            connection.execute(text("UPDATE messages SET not_before = sms_now() WHERE status = 'pending'"))
    assert [handed.template_id for handed in second.handed] == (["SMS_1"] * 3 if bound else [])


def test_the_gate_asks_again(database: Database) -> None:
    """A binding that is withdrawn after the run was chosen, and before its texts pass."""
    city = make_city(database, 2, adapter=picky())
    bind(database, city)

    def withdraw(point: Point) -> None:
        if point is Point.rendered:
            with database.session() as session:
                session.execute(update(TemplateBinding).values(state="filed"))

    hand = make_dispatcher(database, city.gateways, at=withdraw)
    hand.hand_over_group(hand.offers()[0], 100)
    assert city.adapter.handed == []
    assert statuses(database, city.run_id) == {"pending": 2}


def test_a_text_whose_places_cannot_be_filled_is_refused_and_not_handed_over(database: Database) -> None:
    """As after an upgrade whose language no longer allows the body, of a text that was made before."""
    city = make_city(database, 2, body=BODY, values={"事": "学习"}, adapter=picky())
    bind(database, city)
    with database.session() as session:
        session.execute(update(TemplateBinding).values(parameters=["name", "地点"]))
    drain(database, city.gateways)
    assert city.adapter.handed == []
    assert {(one.status, one.reason) for one in messages(database, city.run_id)} == {("refused", "render")}


def test_a_second_attempt_has_the_same_text_and_parameters(database: Database) -> None:
    city = make_city(database, 1, body=BODY, values={"事": "学习"}, adapter=picky())
    bind(database, city)
    city.adapter.answer = refused(ErrorClass.later)
    drain(database, city.gateways)
    with database.transaction() as connection:
        connection.execute(text("UPDATE messages SET not_before = sms_now()"))
    drain(database, city.gateways)
    first, second = city.adapter.handed
    assert (first.body, first.parameters) == (second.body, second.parameters)
    assert first.reference != second.reference


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[SimulatorProcess]:
    with SimulatorProcess(tmp_path / "ledger.jsonl", "--silent-share", "1") as simulator:
        yield simulator


def test_from_the_ledger_to_a_provider_that_wants_a_template(database: Database, simulator: SimulatorProcess) -> None:
    """The simulator makes the text from its own template and takes it only if it is ours."""
    simulator.behave(templates={"SMS_1": "{2}，请参加{1}。"})
    options = Options(url=simulator.url, secret=SECRET, templates=True, batch=10)
    account = AccountConfig("main", "simulator", 100, None, 2, options, policy=Policy("required"))
    gateways = Gateways(GatewayConfig({"main": account}, {"default": (ConfiguredMember("main", 1, 1),)}), "http://x")
    city = make_city(database, 3, body=BODY, values={"事": "学习"}, gateways=gateways)
    drain(database, gateways)
    assert simulator.ledger() == [], "nothing left without a binding"
    bind(database, city, "main", "usable", "事", "name")
    drain(database, gateways)
    assert statuses(database, city.run_id) == {"accepted": 3}
    with database.session() as session:
        ours = set(session.scalars(select(Message.text).where(Message.run_id == city.run_id)))
    assert {line["text"] for line in simulator.ledger()} == ours


def test_a_provider_refuses_a_wrong_order(database: Database, simulator: SimulatorProcess) -> None:
    simulator.behave(templates={"SMS_1": "{2}，请参加{1}。"})
    options = Options(url=simulator.url, secret=SECRET, templates=True)
    account = AccountConfig("main", "simulator", 100, None, 2, options)
    gateways = Gateways(GatewayConfig({"main": account}, {"default": (ConfiguredMember("main", 1, 1),)}), "http://x")
    city = make_city(database, 1, body=BODY, values={"事": "学习"}, gateways=gateways)
    bind(database, city, "main", "usable", "name", "事")
    drain(database, gateways)
    (row,) = messages(database, city.run_id)
    assert (row.status, row.reason) == ("refused", "content")
