"""Bindings of template versions to gateway accounts: what can be registered, who writes it down, what is refused."""

from __future__ import annotations

import pytest
from click.testing import CliRunner
from factories import make_actor, make_template, make_unit
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from sms_service.accounts.actors import SYSTEM
from sms_service.audit.models import TrailEntry
from sms_service.cli import main
from sms_service.content.bindings import (
    BindingChange,
    find_bindings_of_account,
    list_bindings,
    list_places,
    set_binding,
)
from sms_service.content.language import compile_places, compile_template
from sms_service.content.models import TemplateVersion
from sms_service.controls.accounts import id_of, synchronise_gateways
from sms_service.controls.models import BindingState, GatewayAccount, TemplateBinding
from sms_service.directory.models import Unit
from sms_service.errors import Forbidden, Invalid, NotFound
from tests.dispatch.city import ScriptedAdapter, ScriptedGateways

BODY = "{{ name | 称呼 }}，请于{{ 时间 | 日期 }}参加{{ 事 | default('学习') }}。"
USABLE = BindingChange(BindingState.usable, "SMS_1")


@pytest.fixture
def city(session: Session) -> Unit:
    gateways = ScriptedGateways({"main": ScriptedAdapter(), "spare": ScriptedAdapter()})
    synchronise_gateways(session, gateways)
    session.execute(update(GatewayAccount).where(GatewayAccount.name == "main").values(needs_binding=True))
    return make_unit(session, name="云州市")


@pytest.fixture
def version(session: Session, city: Unit) -> TemplateVersion:
    return make_template(session, city, body=BODY)


def test_what_stands_in_a_place_is_what_the_text_has_there() -> None:
    places = compile_places(BODY)
    assert list(places) == ["name", "时间", "事"]
    values = {"name": "王芳", "时间": "2026-11-28", "事": ""}
    assert [place.fill(values) for place in places.values()] == ["王芳同志", "11月28日", ""]
    assert places["事"].fill({}) == "学习"
    assert list_places("请参加学习。") == []
    blocks = "请来。{%- if 备注 | default('') %}另：{{ 备注 }}。{% endif %}"
    blocks += "{% for 人 in 名单 %}{{ loop.index }}.{{ 人 }} {% endfor %}"
    places = compile_places(blocks)
    values = {"备注": "带笔", "名单": ["张三", "李四"]}
    assert {name: place.fill(values) for name, place in places.items()} == {
        "备注": "另：带笔。",
        "名单": "1.张三 2.李四 ",
    }
    assert compile_template(blocks).render(values) == "请来。另：带笔。1.张三 2.李四"
    assert places["备注"].fill({}) == ""
    dotted = compile_places("请到{{ venue.address }}。")["venue.address"]
    assert dotted.fill({"venue.address": "东湖路1号"}) == "东湖路1号"
    assert list_places("{{ 事 }}，{{ name }}，再说一遍：{{ 事 }}") == ["事", "name"]


@pytest.mark.parametrize(
    "body",
    [
        "{% if 事 %}{{ name }}{% endif %}请参加。",
        "{% for one in 名单 %}{{ one }}{{ 事 }}{% endfor %}",
        "{% if 事 %}{{ 事 }}{% endif %}请参加{{ 事 }}。",
        "{{ 事 ~ name }}",
        "{{ 事 or name }}",
        "{{ 时间 | 日期 }}，即{{ 时间 | 星期 }}",
    ],
)
def test_what_no_provider_can_register(session: Session, city: Unit, body: str) -> None:
    with pytest.raises(Invalid, match="body"):
        compile_places(body)
    assert list_places(body) is None
    version = make_template(session, city, body=body)
    with pytest.raises(Invalid, match="body"):
        set_binding(session, SYSTEM, version.template_id, None, "main", USABLE)


def test_from_draft_to_usable_and_back(session: Session, city: Unit, version: TemplateVersion) -> None:
    template_id = version.template_id
    (before,) = list_bindings(session, version.id)
    assert (before["account"], before["state"], before["parameters"]) == ("main", "draft", None)
    for change in (
        BindingChange(BindingState.filed),
        BindingChange(BindingState.refused, note="格式不符"),
        BindingChange(BindingState.usable, " SMS_1 ", ["事", "时间", "name"]),
    ):
        set_binding(session, SYSTEM, template_id, 1, "main", change)
    set_binding(session, SYSTEM, template_id, None, "spare", BindingChange(BindingState.filed))
    main, spare = list_bindings(session, version.id)
    shown = (main["state"], main["provider_template_id"], main["parameters"], main["note"])
    assert shown == ("usable", "SMS_1", ["事", "时间", "name"], None)
    assert (spare["needed"], spare["parameters"]) == (False, ["name", "时间", "事"])
    (row,) = session.execute(find_bindings_of_account(id_of(session, "main"), (city.path,)))
    assert (row.number, row.Template.id, row.Unit.id) == (1, template_id, city.id)
    assert not session.execute(find_bindings_of_account(id_of(session, "main"), (make_unit(session).path,))).all()
    acts = session.scalars(select(TrailEntry).where(TrailEntry.act == "template.bind").order_by(TrailEntry.id)).all()
    assert [act.details["state"] for act in acts] == ["filed", "refused", "usable", "filed"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (BindingChange(BindingState.usable), "provider_template_id"),
        (BindingChange(BindingState.usable, "  "), "provider_template_id"),
        (BindingChange(BindingState.filed, "x" * 101), "provider_template_id"),
        (BindingChange(BindingState.refused), "note"),
        (BindingChange(BindingState.filed, parameters=["name"]), "parameters"),
        (BindingChange(BindingState.filed, parameters=["name", "时间", "事", "事"]), "parameters"),
        (BindingChange(BindingState.filed, parameters=[]), "parameters"),
    ],
)
def test_what_is_not_written_down(
    session: Session, city: Unit, version: TemplateVersion, change: BindingChange, field: str
) -> None:
    with pytest.raises(Invalid, match=field):
        set_binding(session, SYSTEM, version.template_id, None, "main", change)
    assert not session.scalars(select(TemplateBinding.state)).all()


def test_only_whoever_manages_the_templates_unit_writes_it_down(
    session: Session, city: Unit, version: TemplateVersion
) -> None:
    district = make_unit(session, parent=city)
    for actor in (make_actor(session, city), make_actor(session, district, ("administrator",))):
        with pytest.raises(Forbidden):
            set_binding(session, actor, version.template_id, None, "main", USABLE)
    set_binding(session, make_actor(session, city, ("administrator",)), version.template_id, None, "main", USABLE)
    for given in ((version.template_id, None, "nowhere"), (version.template_id, 7, "main"), (0, None, "main")):
        with pytest.raises(NotFound):
            set_binding(session, SYSTEM, *given, USABLE)


def test_the_shell_lists_and_writes_them_down(
    session: Session, version: TemplateVersion, database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("REDIS_URL", redis_url)
    session.commit()

    def run(*words: str) -> str:
        return CliRunner().invoke(main, list(words)).output

    template_id = str(version.template_id)
    listed = run("template", "bindings", template_id)
    assert listed == "version 1, places: name, 时间, 事\nmain: draft\n"
    given = ("--account", "main", "--state", "usable", "--id", "SMS_1", "--parameter", "时间", "--parameter", "事")
    said = run("template", "bind", template_id, *given, "--parameter", "name")
    assert said == f"version 1 of template {template_id} is usable at main\n"
    assert "main: usable as SMS_1 (时间, 事, name)" in run("template", "bindings", template_id)
    assert run("gateway", "policy", "main") == "Only texts of registered templates\n"
