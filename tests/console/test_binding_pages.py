"""报备: a template's version on its way to the provider, and the policy on the page of a gateway account."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update

from sms_service.accounts.actors import SYSTEM
from sms_service.content.bindings import BindingChange, set_binding
from sms_service.controls.models import BindingState, GatewayAccount, TemplateBinding
from tests.console.campaigning import make_branch, make_invitation, write_draft
from tests.factories import make_template, make_unit


@pytest.fixture
def branch(session):
    branch = make_branch(session)
    session.execute(
        update(GatewayAccount).values(needs_binding=True, policy={"refused_words": ["<b>股票"], "no_links": True})
    )
    session.commit()
    return branch


@pytest.fixture
def template_id(session, branch):
    version = make_invitation(session, branch)
    session.commit()
    return version.template_id


def test_from_a_template_to_its_registration(log_in, session, branch, template_id):
    visitor, page = log_in(branch, "administrator"), f"/templates/{template_id}/bindings"
    shown = visitor.get(f"/templates/{template_id}").text
    assert "Registration with providers" in shown
    assert f'href="{page}?version=1"' in shown
    assert "Not handed in" in visitor.get(page).text
    data = {"account": "main", "version": 1, "state": "usable", "provider_template_id": ""}
    refused = visitor.post(page, form=page, data=data)
    assert refused.status_code == 422
    data |= {"provider_template_id": "SMS_7", "parameters": "备注、主题, 地点 时间；unit;name"}
    assert visitor.post(page, form=page, data=data).status_code == 303
    binding = session.scalars(select(TemplateBinding)).one()
    assert (binding.state, binding.provider_template_id) == ("usable", "SMS_7")
    assert binding.parameters == ["备注", "主题", "地点", "时间", "unit", "name"]
    shown = visitor.get(page).text
    assert "SMS_7" in shown
    assert "Usable" in shown
    wrong = visitor.post(page, form=page, data=data | {"parameters": "name"})
    assert wrong.status_code == 422
    assert "each variable of the text once" in wrong.text


def test_what_nobody_can_register_is_said(log_in, session, branch):
    version = make_template(session, branch, "{% if 事 %}{{ name }}{% endif %}请来。", variables=("事", "name"))
    session.commit()
    page = f"/templates/{version.template_id}/bindings"
    shown = log_in(branch, "administrator").get(page).text
    assert "No provider can register this version" in shown
    assert "Write down how far" not in shown


def test_who_may_only_read_sees_no_form(log_in, session, branch, template_id):
    page = f"/templates/{template_id}/bindings"
    visitor = log_in(branch, "officer")
    assert "Write down how far" not in visitor.get(page).text
    assert visitor.post(page, data={"account": "main", "version": 1, "state": "filed"}).status_code == 403
    assert log_in(make_unit(session), "auditor").get(page).status_code == 403


def test_a_gateway_accounts_page_has_its_policy_and_its_templates(log_in, session, branch, template_id):
    visitor = log_in(branch, "administrator")
    page = f"/templates/{template_id}/bindings"
    visitor.post(page, form=page, data={"account": "main", "version": 1, "state": "filed"})
    shown = visitor.get("/gateways/main").text
    assert "Only texts of registered templates" in shown
    assert "No text with &lt;b&gt;股票" in shown
    assert f'href="{page}?version=1"' in shown


def test_the_check_misses_a_binding_though_another_campaign_has_its_own(log_in, session, branch):
    bound, unbound = (make_template(session, branch, body) for body in ("请参加学习。", "请参加会议。"))
    set_binding(session, SYSTEM, bound.template_id, bound.number, "main", BindingChange(BindingState.usable, "SMS_7"))
    drafts = [write_draft(session, branch, version_id=version.id) for version in (bound, unbound)]
    session.commit()
    pages = [log_in(branch).get(f"/campaigns/{draft.id}/check").text for draft in drafts]
    assert ["only registered templates pass at main" in page for page in pages] == [False, True]
