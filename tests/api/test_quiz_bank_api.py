"""The quiz bank over HTTP: a file is looked at and applied, and a question is replaced."""

from __future__ import annotations

import io

import pytest
from sqlalchemy.orm import Session

from sms_service.db.engine import Database
from sms_service.directory.models import Unit
from tests.api.directory_client import Caller
from tests.factories import make_unit
from tests.replies.quizzing import asked_of, make_quizzed, reply, send_quiz, write_quiz

FILE = "类别,题目,A,B,答案\n历史,甲？,子,丑,A\n历史,乙？,子,,A\n"


@pytest.fixture
def city(session: Session) -> Unit:
    city = make_unit(session)
    session.commit()
    return city


@pytest.fixture
def officer(make_app, session: Session, city: Unit) -> Caller:
    return Caller(make_app().test_client(), session, city, "officer")


def test_questions_from_a_file_to_one_that_is_replaced(officer: Caller, city: Unit) -> None:
    data = {"unit_id": str(city.id), "file": (io.BytesIO(FILE.encode()), "题库.csv")}
    plan = officer.call("POST", "/quiz-imports", data=data, content_type="multipart/form-data").json
    assert (plan["created"], plan["refused"], plan["new_categories"]) == (1, 1, ["历史"])
    assert plan["created_rows"][0]["text"] == "甲？"
    assert plan["refused_rows"][0]["row"] == 3
    assert officer.call("GET", "/quiz-categories").json["items"] == []
    url = f"/quiz-imports/{plan['draft_id']}"
    refused = officer.call("GET", f"{url}/refused?format=csv").data.decode("utf-8-sig")
    assert refused.splitlines()[1].startswith('历史,乙？,子,,A,"has 1 options; a question has 2 to 6')
    assert officer.call("POST", url, json={"version": "x"}).status_code == 409
    assert officer.call("POST", url, json={"version": plan["version"]}).status_code == 200
    assert officer.call("GET", url).json["unchanged"] == 1
    (category,) = officer.call("GET", "/quiz-categories").json["items"]
    assert (category["name"], category["questions"]) == ("历史", 1)
    questions = f"/quiz-categories/{category['id']}/questions"
    (one,) = officer.call("GET", questions).json["items"]
    assert one["written"] == "甲？\nA. 子\nB. 丑"
    body = {"text": "甲？", "options": ["子", "丑"], "right_choices": "b"}
    new = officer.call("PUT", f"/quiz-questions/{one['id']}", json=body).json
    assert (new["right_choices"], new["id"] == one["id"]) == ("B", False)
    assert officer.call("GET", f"/quiz-questions/{one['id']}").json["replaced_by"] == new["id"]
    wrong = officer.call("POST", questions, json=body | {"options": ["子", "子"]})
    assert wrong.json["errors"][0]["field"] == "options.B"
    assert officer.call("DELETE", f"/quiz-questions/{new['id']}").status_code == 204
    assert officer.call("GET", questions).json["items"] == []
    assert officer.call("POST", f"/quiz-questions/{new['id']}/restore", json={}).status_code == 200
    assert officer.call("DELETE", f"/quiz-categories/{category['id']}").status_code == 409


def test_results_of_a_quiz(make_app, officer: Caller, database: Database, session: Session) -> None:
    quizzed = make_quizzed(session)
    campaign_id = write_quiz(session, quizzed, category=quizzed.category_id, send_result=False).id
    session.commit()
    run_id = send_quiz(database, quizzed, campaign_id)
    (message, question), *_ = asked_of(database, run_id)
    reply(database, {message.phone or "": question.right_choices})
    reader = Caller(make_app().test_client(), session, quizzed.city, "auditor")
    (quiz,) = reader.call("GET", "/quizzes").json["items"]
    assert (quiz["campaign_id"], quiz["questions"]) == (campaign_id, 1)
    found = reader.call("GET", f"/campaigns/{campaign_id}/quiz").json
    assert found["total"] == {"asked": 6, "answered": 1, "right": 1, "silent": 5, "unreachable": 0}
    assert sum(one["asked"] for one in found["units"]) == sum(one["asked"] for one in found["missed"]) == 6
    (one,) = reader.call("GET", f"/campaigns/{campaign_id}/quiz/people?state=right").json["items"]
    assert (one["person_id"], one["choices"], one["correct"]) == (message.person_id, question.right_choices, True)
    scores = reader.call("GET", f"/campaigns/{campaign_id}/quiz/scores").json["items"]
    assert [one["right"] for one in scores] == [1, 0, 0, 0, 0, 0]
    assert officer.call("GET", f"/campaigns/{campaign_id}/quiz").status_code == 403
