"""即学即考 on the pages: written with the form of a campaign, sent, and its results followed down to the people."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select

from sms_service.campaigns.contents import content_of
from sms_service.campaigns.models import Campaign
from tests.console.campaigning import Walker
from tests.factories import make_segment, make_template
from tests.replies.quizzing import BODY, asked_of, make_quizzed, reply, send_quiz, write_quiz


@pytest.fixture
def quizzed(session):
    made = make_quizzed(session)
    session.commit()
    return made


def test_a_quiz_is_written_with_the_form(log_in, session, quizzed):
    visitor = log_in(quizzed.city)
    version = make_template(session, quizzed.city, BODY, variables=("question",))
    plain = make_template(session, quizzed.city, "学习。")
    segment = make_segment(session, quizzed.city, {"everyone": True})
    session.commit()
    assert "What the quiz asks" not in visitor.get(f"/campaigns/new?unit={quizzed.city.id}&version={plain.id}").text
    page = f"/campaigns/new?unit={quizzed.city.id}&version={version.id}"
    assert "党的历史 (4 questions)" in visitor.get(page).text
    form = {"name": "考", "segment_id": segment.id, "signature": "云州先锋", "asks.kind": "quiz", "asks.hours": "24"}
    refused = visitor.post(page, form=page, data=form | {"asks.tries": "1"})
    assert refused.status_code == 422
    assert "name one question for all, or a category to draw from" in refused.text
    asks = {"asks.category": quizzed.category_id, "asks.tries": "2", "asks.send_result": "true"}
    made = visitor.post(page, form=page, data=form | asks)
    assert made.status_code == 303
    campaign = session.scalars(select(Campaign)).one()
    kept = {"kind": "quiz", "category": quizzed.category_id, "tries": 2, "hours": 24, "send_result": True}
    assert campaign.asks == kept
    checked = visitor.get(f"/campaigns/{campaign.id}/check").text
    assert "即学即考：第" in checked
    assert "a question is drawn for each person" in checked
    assert "2 tries count" in checked
    assert content_of(session, campaign).digest().hex() in checked
    change = f"/campaigns/{campaign.id}/change"
    question = {"asks.question": str(quizzed.questions[0].id), "asks.tries": "1"}
    visitor.post(change, form=change, data=form | question)
    session.expire_all()
    assert (campaign.asks["question"], campaign.asks["send_result"]) == (quizzed.questions[0].id, False)
    shown = visitor.get(f"/campaigns/{campaign.id}").text
    assert quizzed.questions[0].text in shown
    assert "the same for all" in shown


def test_the_results_lead_down_to_the_people(log_in, database, session, quizzed):
    campaign_id = write_quiz(session, quizzed, category=quizzed.category_id, send_result=False).id
    session.commit()
    visitor = log_in(quizzed.city)
    assert "no quiz has gone yet" in visitor.get("/quizzes").text
    assert "No quiz of this campaign has gone yet" in visitor.get(f"/campaigns/{campaign_id}/quiz").text
    run_id = send_quiz(database, quizzed, campaign_id)
    (message, question), *_ = asked_of(database, run_id)
    reply(database, {message.phone: question.right_choices})
    page = Walker(visitor, "/quizzes").tap("即学即考", path="/quiz")
    assert "6 asked = 1 answered + 5 silent + 0 unreachable; 1 of the answers are right." in page.text
    for state, number in {"answered": 1, "right": 1, "wrong": 0, "silent": 5, "unreachable": 0}.items():
        listed = visitor.get(f"/campaigns/{campaign_id}/quiz/people?state={state}").text
        assert len(re.findall(r'<th><a href="/people/', listed)) == number, state
    assert "Quiz results" in visitor.get(f"/campaigns/{campaign_id}").text
    scores = visitor.get(f"/campaigns/{campaign_id}/quiz/scores").text
    assert len(re.findall(r'<th><a href="/people/', scores)) == 6
    secretary = log_in(quizzed.branches[1])
    own = secretary.get(f"/campaigns/{campaign_id}/quiz").text
    assert "3 asked = " in own
    assert secretary.get(f"/campaigns/{campaign_id}/quiz?unit={quizzed.branches[0].id}").status_code == 403
