"""The list of campaigns, one of them, writing and changing one, the copy, and giving one up."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select, text

from sms_service.accounts.actors import SYSTEM
from sms_service.campaigns import services
from sms_service.campaigns.launch import launch_campaign
from sms_service.campaigns.models import Campaign
from sms_service.controls.models import Route
from sms_service.ledger.models import Run
from tests.api.samples import make_samples
from tests.console.campaigning import Walker, approve_draft, make_branch, make_invitation, write_draft
from tests.console.conftest import SAME_ORIGIN
from tests.factories import make_actor, make_segment, make_template, make_unit


@pytest.fixture
def branch(session):
    branch = make_branch(session)
    session.commit()
    return branch


def newest(session):
    session.expire_all()
    return session.scalars(select(Campaign).order_by(Campaign.id.desc())).first()


def test_the_list_is_found_by_state_name_and_unit(log_in, branch, session):
    city = session.get_one(type(branch), branch.parent_id)
    for unit, name in ((branch, "五月学习"), (city, "六月学习")):
        write_draft(session, unit, name=name)
    approve_draft(session, write_draft(session, branch, name="党日"))
    elsewhere = make_unit(session)
    write_draft(session, elsewhere, name="别处")
    session.commit()
    visitor = log_in(city)

    def listed(query=""):
        return re.findall(r'href="/campaigns/\d+">([^<]+)</a>', visitor.get(f"/campaigns{query}").text)

    assert listed() == ["党日", "六月学习", "五月学习"]
    assert listed("?name=学习&status=draft") == ["六月学习", "五月学习"]
    assert listed("?status=approved") == ["党日"]
    assert listed(f"?unit={branch.id}") == ["党日", "五月学习"]
    assert visitor.get(f"/campaigns?unit={elsewhere.id}").status_code == 403
    assert visitor.get("/campaigns?status=x").status_code == 422


def test_nothing_yet_differs_from_nothing_like_this(log_in, branch):
    visitor = log_in(branch)
    assert "幸福支部: nobody has written a campaign yet" in visitor.get("/campaigns").text
    assert "No campaign of 幸福支部 is like this" in visitor.get("/campaigns?name=x").text
    assert "Write a campaign" not in log_in(branch, "auditor").get("/campaigns").text


def test_the_list_goes_on(log_in, branch, session):
    for number in range(3):
        write_draft(session, branch, name=f"第{number}")
    session.commit()
    walker = Walker(log_in(branch), "/campaigns?limit=2")
    assert "第0" not in walker.text
    assert "第0" in walker.tap("Next page").text


def test_one_campaign_says_what_can_be_done_next(log_in, branch, session):
    campaign = write_draft(session, branch)
    session.commit()
    path = f"/campaigns/{campaign.id}"
    officer, auditor = log_in(branch), log_in(branch, "auditor")
    assert "Check and submit" in officer.get(path).text
    assert "Withdraw" in officer.get(path).text
    read = auditor.get(path).text
    assert "【云州先锋】" in read
    assert [word for word in ("Withdraw", "Copy", "Check") if word in read] == []
    approve_draft(session, campaign)
    session.commit()
    assert "Check and send" in officer.get(path).text
    services.change_campaign(session, SYSTEM, campaign.id, {"signature": "云州党建"})
    services.submit_campaign(session, SYSTEM, campaign.id)
    session.commit()
    text = officer.get(path).text
    assert "Who can approve it" in text or "Nobody can approve it" in text
    assert "/change" not in text


def test_a_campaign_of_another_unit_is_refused(log_in, branch, session):
    campaign = write_draft(session, make_unit(session))
    session.commit()
    visitor = log_in(branch)
    paths = [f"/campaigns/{campaign.id}{rest}" for rest in ("", "/change", "/withdraw", "/check")]
    assert [visitor.get(path).status_code for path in paths] == [403] * 4
    acts = [f"/campaigns/{campaign.id}/{act}" for act in ("copy", "withdraw", "change", "submit", "send")]
    assert [visitor.post(path).status_code for path in acts] == [403] * 5
    assert visitor.get("/campaigns/999999").status_code == 404


def test_a_copy_is_made_once_and_leads_to_its_form(log_in, branch, session):
    campaign = approve_draft(session, write_draft(session, branch))
    launch_campaign(session, SYSTEM, campaign.id)
    session.commit()
    visitor = log_in(branch)
    fields = {name: value for name, value in visitor.fields(f"/campaigns/{campaign.id}").items() if name[0] == "_"}
    answers = [
        visitor.client.post(f"/campaigns/{campaign.id}/copy", data=fields, headers=SAME_ORIGIN) for _ in range(2)
    ]
    copy = newest(session)
    assert (copy.name, copy.status) == ("每日一学（2）", "draft")
    assert {answer.location for answer in answers} == {f"/campaigns/{copy.id}/change"}
    assert session.query(Campaign).count() == 2


def test_withdrawing_says_first_what_it_means(log_in, branch, session):
    campaign = write_draft(session, branch)
    session.commit()
    walker = Walker(log_in(branch), f"/campaigns/{campaign.id}").tap("Withdraw", "/withdraw")
    assert "given up for good" in walker.text
    walker.tap("Withdraw", "/withdraw")
    assert newest(session).status == "withdrawn"
    assert "cannot be withdrawn" in log_in(branch).get(f"/campaigns/{campaign.id}/withdraw").text


def test_a_campaign_is_written_step_by_step(log_in, branch, session):
    version = make_invitation(session, branch)
    make_template(session, branch, name="学习")
    everyone = make_segment(session, branch, {"everyone": True}, "全体")
    make_segment(session, branch, {"people": [1]}, "某次名单")
    session.commit()
    walker = Walker(log_in(branch), "/campaigns").tap("Write a campaign")
    assert 'name="segment_id"' not in walker.text, "the template comes first"
    walker.tap("Use these", version=version.id)
    assert f'<option value="{everyone.id}">Everybody of 幸福支部 (3 people)</option>' in walker.text
    assert f'href="/segments/new?unit={branch.id}"' in walker.text
    assert "某次名单" not in walker.text, "the list of one invitation is no segment to choose"
    assert 'name="route"' not in walker.text, "there is one route"
    typed = {"name": "党日", "segment_id": everyone.id, "signature": "云州先锋", "validity_s": 3600, "urgent": "true"}
    values = {"values.时间": "周六", "values.地点": "二楼", "values.主题": "重温"}
    refused = Walker(walker.visitor, f"/campaigns/new?version={version.id}")
    refused.tap("Keep and check", **{**typed, **values, "signature": "云"})
    assert refused.answer.status_code == 422
    assert 'href="#f-signature"' in refused.text
    assert 'value="周六"' in refused.text
    walker.tap("Keep and check", **typed, **values)
    made = newest(session)
    assert (made.name, made.urgent, made.validity_s, made.values["地点"]) == ("党日", True, 3600, "二楼")
    assert "Submit for approval (3 people)" in walker.buttons


def test_it_is_said_that_most_people_got_nothing(log_in, database, session):
    unit = make_unit(session)
    ids = make_samples(database, session, unit)
    path, visitor = f"/campaigns/{session.get_one(Run, ids['run_id']).campaign_id}", log_in(unit)
    assert "people got it" not in visitor.get(path).text
    session.execute(text("UPDATE messages SET status = 'cancelled'"))
    session.execute(text("UPDATE runs SET status = 'closed', closed_at = now()"))
    session.commit()
    assert "Finished: 0 people got it, 1 did not." in visitor.get(path).text


def test_a_route_is_asked_for_where_there_are_several(log_in, branch, session):
    session.add(Route(name="second"))
    version = make_template(session, branch)
    session.commit()
    page = log_in(branch).get(f"/campaigns/new?version={version.id}").text
    assert '<option value="second">' in page


def test_a_change_takes_the_approval_away_and_says_so(log_in, branch, session):
    campaign = approve_draft(session, write_draft(session, branch))
    session.commit()
    walker = Walker(log_in(branch), f"/campaigns/{campaign.id}/change")
    assert "takes the approval away" in walker.text
    walker.tap("Keep and check", name="每日一学 改")
    assert newest(session).status == "draft"
    assert newest(session).name == "每日一学 改"
    submitted = services.submit_campaign(session, make_actor(session, branch), campaign.id)
    session.commit()
    answer = log_in(branch).post(f"/campaigns/{submitted.id}/change", data={"name": "x"})
    assert answer.status_code in (409, 422)


def test_two_who_change_one_draft_do_not_undo_each_other(log_in, branch, session):
    campaign = write_draft(session, branch)
    session.commit()
    first, second = (Walker(log_in(branch), f"/campaigns/{campaign.id}/change") for _ in range(2))
    first.tap("Keep and check", name="先改的")
    second.tap("Keep and check", name="后改的")
    assert second.answer.status_code == 409
    assert f"账号{first.visitor.login} changed campaign" in second.text
    assert newest(session).name == "先改的"


def test_names_are_text(log_in, branch, session):
    evil = '"><svg onload=alert(1)><b>'
    version = make_template(session, branch, "{{ 词 }}", name=evil, variables=("词",))
    segment = make_segment(session, branch, {"everyone": True}, evil)
    campaign = write_draft(
        session, branch, name=evil, version_id=version.id, segment_id=segment.id, values={"词": evil}
    )
    session.commit()
    visitor = log_in(branch)
    for path in ("/campaigns", *(f"/campaigns/{campaign.id}{rest}" for rest in ("", "/change", "/check", "/withdraw"))):
        page = visitor.get(path)
        assert page.status_code == 200
        assert "<svg" not in page.text.replace('<svg class="icon"', ""), path
