"""题库: made by a file that is looked at first, searched, written anew and retired, within one's scope."""

from __future__ import annotations

import io

import pytest
from sqlalchemy import select

from sms_service.accounts.actors import SYSTEM
from sms_service.content import quiz_bank
from sms_service.content.quiz_choices import WrittenQuestion
from sms_service.content.quiz_models import QuizCategory, QuizDraft, QuizQuestion
from tests.console.campaigning import Walker, make_branch
from tests.factories import make_unit

FILE = """类别,题目,A,B,C,答案,解析
历史,党的生日？,7月1日,8月1日,,A,1921年
历史,哪些是直辖市？,北京,延安,重庆,AC,
时事,？,甲,,,A,
"""
EVIL = '"><svg onload=alert(1)><b>'


@pytest.fixture
def branch(session):
    branch = make_branch(session)
    session.commit()
    return branch


def standing(session):
    session.expire_all()
    return {one.text: one for one in session.scalars(select(QuizQuestion).where(QuizQuestion.ended_at.is_(None)))}


def test_a_file_comes_into_the_bank_in_three_clicks(log_in, session, branch):
    visitor = log_in(branch)
    assert "there are no quiz questions yet" in visitor.get("/quiz").text
    data = {"unit_id": branch.id, "file": (io.BytesIO(FILE.encode()), "题库.csv")}
    looked = visitor.post("/quiz/import", form="/quiz/import", data=data)
    assert looked.status_code == 303
    walker = Walker(visitor, looked.location)
    assert "B is missing" not in walker.text
    assert "has 1 options; a question has 2 to 6" in walker.text
    assert standing(session) == {}
    draft_id = session.scalars(select(QuizDraft.id)).one()
    refused = visitor.post(f"/quiz/imports/{draft_id}/refused", form=looked.location, data={"format": "csv"})
    assert "has 1 options" in refused.data.decode("utf-8-sig")
    done = walker.tap("Import 2 questions")
    assert "2 questions are new in the bank, 0 replaced." in done.text
    assert set(standing(session)) == {"党的生日？", "哪些是直辖市？"}
    assert "there is nothing to import" in done.text
    assert "历史" in visitor.get("/quiz").text
    Walker(visitor, looked.location).tap("Discard the file")
    assert visitor.get(looked.location).status_code == 404


def test_questions_can_be_pasted_and_what_is_wrong_is_said_at_the_field(log_in, session, branch):
    visitor = log_in(branch)
    for data, said in (
        ({}, "choose a file, or paste the questions below"),
        ({"text": "题目\tA\tB\n甲\t子\t丑"}, "lacks the columns"),
        ({"file": (io.BytesIO(b"\x00"), "a.xlsx")}, "wrong-text"),
    ):
        answer = visitor.post("/quiz/import", form="/quiz/import", data={"unit_id": branch.id, **data})
        assert answer.status_code == 422
        assert said in answer.text
    text = f"题目\tA\tB\t答案\n甲？\t子\t丑{EVIL}\tB\n"
    data = {"unit_id": branch.id, "text": text, "category": "时事"}
    looked = visitor.post("/quiz/import", form="/quiz/import", data=data)
    page = Walker(visitor, looked.location)
    assert "<svg onload" not in page.text
    page.tap("Import 1 question")
    question = standing(session)["甲？"]
    for address in ("/quiz", f"/quiz/categories/{question.category_id}", f"/quiz/questions/{question.id}"):
        assert "<svg onload" not in visitor.get(address).text


def test_a_plan_that_is_old_is_not_applied(log_in, session, branch):
    visitor = log_in(branch)
    data = {"unit_id": branch.id, "text": "题目\tA\tB\t答案\n甲？\t子\t丑\tB\n", "category": "时事"}
    looked = visitor.post("/quiz/import", form="/quiz/import", data=data)
    walker = Walker(visitor, looked.location)
    category = quiz_bank.add_quiz_category(session, SYSTEM, branch.id, "时事")
    quiz_bank.keep_quiz_question(session, SYSTEM, category.id, None, WrittenQuestion("甲？", ("子", "丑"), "A"))
    session.commit()
    assert "the bank has changed since you looked" in walker.tap("Import 1 question").text
    assert standing(session)["甲？"].right_choices == "A"


def test_a_question_is_written_changed_retired_and_found(log_in, session, branch):
    category = quiz_bank.add_quiz_category(session, SYSTEM, branch.id, "历史")
    session.commit()
    visitor, page = log_in(branch), f"/quiz/categories/{category.id}"
    form = {"text": "党的生日？", "options.A": "7月1日", "options.B": "8月1日", "right_choices": "C"}
    refused = visitor.post(f"{page}/new", form=f"{page}/new", data=form)
    assert refused.status_code == 422
    assert "names option C, which is not there" in refused.text
    made = visitor.post(f"{page}/new", form=f"{page}/new", data=form | {"right_choices": "a", "explanation": "1921年"})
    assert "A. 7月1日" in visitor.get(made.location).text
    old = standing(session)["党的生日？"]
    seen = visitor.post(page, form=page, data={"wanted": "8月"}).text
    assert "党的生日？" in seen
    assert "党的生日？" not in visitor.post(page, form=page, data={"wanted": "9月"}).text
    changed = visitor.post(
        f"{made.location}/change", form=f"{made.location}/change", data=form | {"right_choices": "B"}
    )
    assert changed.location != made.location
    assert "Another question has replaced it" in visitor.get(made.location).text
    assert visitor.get(f"{made.location}/change").status_code == 200
    stale = visitor.post(f"{made.location}/change", form=f"{made.location}/change", data=form | {"right_choices": "A"})
    assert stale.status_code == 409
    assert standing(session)["党的生日？"].right_choices == "B"
    assert old.replaced_by is not None
    Walker(visitor, changed.location).tap("Retire it")
    assert standing(session) == {}
    assert "党的生日？" in visitor.get(f"{page}?ended=true").text
    Walker(visitor, changed.location).tap("Bring it back")
    assert list(standing(session)) == ["党的生日？"]
    visitor.post(f"{page}/name", form=page, data={"name": "党史"})
    assert visitor.post(f"{page}/remove", form=page).status_code == 409
    made = visitor.post("/quiz", form="/quiz", data={"name": "空", "unit_id": branch.id})
    assert visitor.post(f"{made.location}/remove", form=made.location).status_code == 303
    session.expire_all()
    assert session.scalars(select(QuizCategory.name)).all() == ["党史"]


def test_who_is_below_reads_the_bank_and_does_not_change_it(log_in, session, branch):
    category = quiz_bank.add_quiz_category(session, SYSTEM, branch.id, "历史")
    one = quiz_bank.keep_quiz_question(session, SYSTEM, category.id, None, WrittenQuestion("甲？", ("子", "丑"), "A"))
    below, elsewhere = make_unit(session, parent=branch), make_unit(session)
    session.commit()
    visitor, page = log_in(below), f"/quiz/categories/{category.id}"
    assert "甲？" in visitor.get(page).text
    assert "Add a question" not in visitor.get(page).text
    assert "Retire it" not in visitor.get(f"/quiz/questions/{one.id}").text
    assert visitor.get(f"{page}/new").status_code == 403
    assert visitor.post(f"/quiz/questions/{one.id}/retire", form="/quiz").status_code == 403
    stranger = log_in(elsewhere)
    assert stranger.get(page).status_code == 403
    assert stranger.get(f"/quiz/questions/{one.id}").status_code == 403
