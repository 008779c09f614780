"""用词: listed, added and removed; findings on the pages before a campaign is sent, and the approver's tick."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from sms_service.accounts.actors import SYSTEM
from sms_service.campaigns import services
from sms_service.campaigns.approval import latest_decision
from sms_service.campaigns.models import Campaign
from sms_service.content.models import ListedWord, ListKind
from sms_service.content.wordlists import add_words
from tests.console.campaigning import Walker, make_branch, write_draft
from tests.factories import make_unit

EVIL = '"><svg onload=alert(1)><b>'


@pytest.fixture
def branch(session):
    branch = make_branch(session)
    session.commit()
    return branch


def test_words_are_added_shown_filtered_and_removed(log_in, session, branch):
    visitor = log_in(branch, "administrator")
    assert "no word is listed" in visitor.get("/words").text
    data = {"kind": "block", "unit_id": branch.id, "words": f"免费\n{EVIL}\n"}
    assert visitor.post("/words", form="/words", data=data).status_code == 303
    page = visitor.get("/words").text
    assert "2 words were added." in page
    assert "免费" in page
    assert "<svg onload" not in page
    assert "免费" not in log_in(branch, "administrator").get("/words?kind=host").text
    refused = visitor.post("/words", form="/words", data=data | {"kind": "host", "words": "不是网站"})
    assert refused.status_code == 422
    assert "must be a host" in refused.text
    Walker(log_in(branch, "administrator"), "/words?kind=block").tap("Take it off")
    assert len(session.scalars(select(ListedWord)).all()) == 1
    page = log_in(branch, "officer").get("/words").text
    assert "Take it off" not in page
    assert "Add words" not in page
    assert log_in(make_unit(session), "auditor").get(f"/words?unit={branch.id}").status_code == 403


def test_a_blocked_word_is_said_and_disables_the_button(log_in, session, branch):
    add_words(session, SYSTEM, branch.id, ListKind.block, ["学习"])
    campaign = write_draft(session, branch)
    session.commit()
    walker = Walker(log_in(branch), f"/campaigns/{campaign.id}/check")
    assert "“学习” is on the block list" in walker.text
    assert " disabled>" in walker.text
    page = log_in(branch).get(f"/templates/{session.get_one(Campaign, campaign.id).template_version_id}").text
    assert "on the block list" in page


def test_the_approver_ticks_what_is_to_be_reviewed(log_in, session, branch):
    add_words(session, SYSTEM, branch.id, ListKind.review, ["学习"])
    campaign = write_draft(session, branch)
    services.submit_campaign(session, SYSTEM, campaign.id)
    session.commit()
    walker = Walker(log_in(branch, "approver"), f"/campaigns/{campaign.id}/decision")
    assert "“学习” is on the review list" in walker.text
    walker.tap("Approve", "/approve")
    refused = walker.tap("Confirm")
    assert refused.answer.status_code == 422
    assert "tick that you have seen this" in refused.text
    refused.tap("Confirm", ticks="review_word:学习")
    session.expire_all()
    assert session.get_one(Campaign, campaign.id).status in ("approved", "active")
    decision = latest_decision(session, campaign.id)
    assert [one["values"]["word"] for one in decision.content["ticked"]] == ["学习"]
