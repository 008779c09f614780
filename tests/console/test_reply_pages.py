"""Replies by unit, campaign and meaning; a stop says what it did."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update

from sms_service.accounts.actors import SYSTEM
from sms_service.audience.suppression import lift_suppression
from sms_service.campaigns.models import Campaign
from sms_service.directory.models import Unit
from sms_service.gateways.base import Reply
from sms_service.ledger.models import Message
from sms_service.replies import matching
from sms_service.replies.models import ReplyRow
from sms_service.replies.storing import store_replies
from tests.dispatch.city import drain, make_city
from tests.factories import fictional_phone, make_unit


@pytest.fixture
def answered(database, session):
    """A run to two people: one writes a text, the other a stop, and a stranger too."""
    phones = [fictional_phone() for _ in range(3)]
    city = make_city(database, 0, more=[{"phone": phone} for phone in phones[:2]])
    drain(database, city.gateways)
    said = ["好的，会准时到<b>", "R", "你是谁"]
    store_replies(database, "main", [Reply(phone, text, "{}") for phone, text in zip(phones, said, strict=True)])
    matching.match_waiting(database)
    return city, session.get_one(Unit, city.unit.id), phones


def test_replies_with_person_text_meaning_and_what_they_answer(log_in, session, answered):
    _, unit, phones = answered
    session.execute(update(Campaign).values(name="学习甲"))
    session.commit()
    page = log_in(unit, "auditor").get("/replies").text
    assert "好的，会准时到&lt;b&gt;" in page
    assert "Wants no more texts" in page
    assert "The number gets no texts since then." in page
    assert "你是谁" in page
    assert "Nobody known" in page
    assert "学习甲" in page
    for message in session.scalars(select(Message)):
        assert f'href="/messages/{message.id}"' in page
        assert f'href="/people/{message.person_id}"' in page
    assert not any(phone in page for phone in phones)


def test_filters_and_what_is_not_there(log_in, session, answered):
    _, unit, _ = answered
    visitor = log_in(unit, "auditor")
    campaign_id = session.scalars(select(Campaign.id)).one()
    stops = visitor.get("/replies?meaning=stop").text
    assert "The number gets no texts since then." in stops
    assert "好的" not in stops
    of_one = visitor.get(f"/replies?campaign={campaign_id}").text
    assert "好的" in of_one
    assert "你是谁" not in of_one
    below = make_unit(session, name="第九支部", parent=unit)
    session.commit()
    assert "No reply from 第九支部 fits these filters." in visitor.get(f"/replies?unit={below.id}").text
    here = log_in(below, "auditor")
    assert "Here will be what people of 第九支部 answer." in here.get("/replies").text
    assert here.get(f"/replies?unit={unit.id}").status_code == 403
    assert here.get(f"/replies?campaign={campaign_id}").status_code == 403


def test_a_campaign_and_its_run_lead_to_their_replies(log_in, session, answered):
    city, unit, _ = answered
    campaign = session.scalars(select(Campaign)).one()
    visitor, link = log_in(unit, "auditor"), f'href="/replies?campaign={campaign.id}"'
    for path in (f"/campaigns/{campaign.id}", f"/runs/{city.run_id}"):
        page = visitor.get(path).text
        assert link in page
        assert "2 replies" in page, "and not what a stranger wrote"
    listed = visitor.get(f"/replies?campaign={campaign.id}").text
    assert listed.count("the text it answers") == 2
    unmatched = {"message_id": None, "month": None}
    session.execute(update(ReplyRow).where(ReplyRow.meaning == "free_text").values(unmatched))
    session.commit()
    assert "1 reply" in visitor.get(f"/runs/{city.run_id}").text
    session.execute(update(ReplyRow).values(unmatched))
    session.commit()
    for path in (f"/campaigns/{campaign.id}", f"/runs/{city.run_id}"):
        assert link not in visitor.get(path).text, "where nobody has answered there is no link"


def test_a_stop_that_was_lifted_says_so(log_in, session, answered):
    _, unit, phones = answered
    lift_suppression(session, SYSTEM, phones[1], "本人来电")
    session.commit()
    assert "Somebody lets the number have texts again." in log_in(unit, "auditor").get("/replies").text


def test_pages_go_on_by_the_cursor(log_in, answered):
    _, unit, _ = answered
    visitor = log_in(unit, "auditor")
    first = visitor.get("/replies?limit=2").text
    following = first.split('rel="next" href="')[1].split('"')[0].replace("&amp;", "&")
    assert (first + visitor.get(following).text).count("你是谁") == 1
