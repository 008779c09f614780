"""额度 and 年度目标: what units may take and are to reach, set from above, each number with the runs behind it."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from sms_service.accounts.actors import SYSTEM
from sms_service.campaigns import quota_setting, quotas
from sms_service.controls.accounts import synchronise_gateways
from sms_service.controls.quota_models import Quota
from sms_service.dispatch import freeze
from sms_service.reports.target_models import UnitTarget
from tests.console.conftest import SAME_ORIGIN
from tests.dispatch.city import ALL_DAY, ScriptedAdapter, ScriptedGateways, make_run
from tests.factories import make_person, make_segment, make_template, make_unit


@pytest.fixture
def street(session):
    """A street of a district, with a branch of three people."""
    synchronise_gateways(session, ScriptedGateways({"main": ScriptedAdapter()}))
    district = make_unit(session, name="城东区", level="district", **ALL_DAY)
    street = make_unit(session, name="长河街道", level="street", parent=district, **ALL_DAY)
    branch = make_unit(session, name="第一支部", level="branch", parent=street, **ALL_DAY)
    for _ in range(3):
        make_person(session, branch)
    session.commit()
    return street


def district_of(session, street):
    return session.get_one(type(street), street.parent_id)


def test_a_quota_is_set_on_the_units_page_and_shown_with_the_runs_behind_it(log_in, database, session, street):
    admin, officer = log_in(district_of(session, street), "administrator"), log_in(street, "officer")
    page = f"/units/{street.id}/quota"
    assert "No unit in 长河街道 has a quota." in officer.get("/quotas").text
    assert "is set by the unit above" in officer.get(page).text
    form = {"people": "4", "yuan": "12.50", "why": "年度安排", "month": ""}
    assert admin.post(page, form=page, data=form).location == page
    set_ = session.scalars(select(Quota)).one()
    assert (set_.unit_id, set_.month, set_.people, set_.parts, set_.fen) == (street.id, None, 4, None, 1250)
    branch = session.scalars(select(type(street)).filter_by(parent_id=street.id)).one()
    runs = [make_run(session, branch) for _ in range(2)]
    session.commit()
    freeze.begin_due_runs(database)
    for run in runs:
        freeze.freeze_run(database, run.id)
    shown = officer.get(page).text
    assert "12.50 yuan" in shown
    month = f"{quotas.find_month(session, street):%Y-%m}"
    behind = f"/units/{street.id}/quota/runs?month={month}&amp;state=planned"
    assert f'<a href="{behind}">3</a>' in shown
    assert officer.get(behind.replace("&amp;", "&")).text.count("/runs/") == 1
    assert "Waits for a release" in officer.get(f"/units/{street.id}/quota/runs?month={month}").text
    listed = officer.get("/quotas").text
    assert "1 of 4 left" in listed
    held = officer.get(f"/runs/{runs[1].id}").text
    assert "the quota of 长河街道 has 1 person left" in held
    refused = officer.post(f"/runs/{runs[1].id}/resume", form=f"/runs/{runs[1].id}/resume", data={"why": "补"})
    assert refused.status_code == 403
    assert "城东区 can release it" in refused.text
    assert (
        admin.post(f"/runs/{runs[1].id}/resume", form=f"/runs/{runs[1].id}/resume", data={"why": "补"}).status_code
        == 303
    )
    shown = officer.get(page).text
    assert "Let exceed a quota" in shown
    assert "2 over" in shown
    full = officer.get("/").text
    assert "Quotas that are nearly used up" in full
    assert "长河街道" in officer.get("/quotas?full=true").text
    removed = admin.post(f"{page}/remove", form=page, data={"month": "", "why": "改"})
    assert removed.location == page
    assert session.scalars(select(Quota)).all() == []


def test_a_quota_for_each_unit_of_a_level_and_what_it_cannot_be(log_in, session, street):
    own = log_in(street, "administrator")
    page = f"/units/{street.id}/quota"
    assert own.post(page, form=page, data={"people": "4", "why": "试"}).status_code == 403
    answer = own.post(page, form=page, data={"people": "4", "level": "branch", "why": "试", "month": "2999-12"})
    assert answer.location == page
    assert "The quota holds for each of them (1)." in own.get(page).text
    for wrong in ({"people": "-1"}, {"people": "x"}, {"month": "12"}, {}, {"yuan": "many"}):
        data = {"level": "branch", "why": "试", **wrong}
        refused = own.post(page, form=page, data=data)
        assert refused.status_code == 422, wrong
        assert 'name="why"' in refused.text


def test_the_check_page_warns_and_names_who_can_release_it(log_in, session, street):
    from sms_service.campaigns import services

    quota_setting.set_quota(session, SYSTEM, street.id, None, {"people": 2}, "试")
    campaign = services.create_campaign(
        session,
        SYSTEM,
        unit_id=street.id,
        name="学习",
        template_version_id=make_template(session, street).id,
        segment_id=make_segment(session, street, {"everyone": True}).id,
        signature="城东街道",
    )
    session.commit()
    page = log_in(street, "officer").get(f"/campaigns/{campaign.id}/check").text
    assert "the quota of 长河街道 has 2 people left" in page
    assert f'href="/units/{street.id}/quota"' in page


def test_targets_are_set_and_shown_the_silent_first(log_in, session, street):
    admin, officer = log_in(district_of(session, street), "administrator"), log_in(street, "officer")
    page = f"/targets?unit={street.id}&year=2027"
    data = {"level": "branch", "texts": "100", "theme_days": "12", "why": "年度安排"}
    answer = admin.post(f"/units/{street.id}/targets", form=page, data={**data, "year": "2027"})
    assert answer.location == page
    found = {(one.kind, one.target) for one in session.scalars(select(UnitTarget))}
    assert found == {("texts", 100), ("theme_days", 12)}
    shown = officer.get(page).text
    assert "0 of 12" in shown
    assert "Silent" in shown
    assert 'action="/units' not in shown
    assert officer.get(f"/targets?unit={district_of(session, street).id}").status_code == 403
    assert officer.get("/targets").status_code == 200
    fields = admin.fields(page)
    refused = admin.client.post(
        f"/units/{street.id}/targets", data={**fields, "year": "2027", "texts": "0", "why": "试"}, headers=SAME_ORIGIN
    )
    assert refused.status_code == 422
