"""连载 in the console: written in eight clicks, looked at, mended while it runs by two people at once."""

from __future__ import annotations

import io
from datetime import timedelta

import pytest
from sqlalchemy import event as listening
from sqlalchemy import func, select

from sms_service.campaigns import approval, services
from sms_service.campaigns.models import Campaign, CampaignItem
from sms_service.content.language import compile_template
from sms_service.schedules.series_planning import SeriesRow, set_series
from tests.console.campaigning import Walker, make_branch, write_draft
from tests.console.test_every_page import MOST_STATEMENTS
from tests.factories import make_actor, make_template, make_unit
from tests.replies.quizzing import make_bank

BODY = "每日一学：{{ 内容 }}"
EVIL = '"><svg onload=alert(1)><b>'
PASTED = "第一课，坚持学习。\n第二课，学以致用。\n第三课，知行合一。"


@pytest.fixture
def branch(session):
    branch = make_branch(session)
    make_template(session, branch, BODY, class_="study", name="每日一学", variables=compile_template(BODY).variables)
    write_draft(session, branch, name="上次", signature="云州先锋")
    session.commit()
    return branch


def write_series(session, branch, rows=("第一课。", "第二课。", "第三课。"), status="draft", body=BODY) -> Campaign:
    version = make_template(session, branch, body, class_="study", variables=compile_template(body).variables)
    officer = make_actor(session, branch)
    campaign = write_draft(session, branch, officer, version_id=version.id, name="百日学习", launch_on_approval=True)
    first = session.scalar(select(func.sms_now())) + timedelta(days=9)
    given = {"first": f"{first:%Y-%m-%d}", "days": "all"}
    set_series(session, officer, campaign.id, given, [SeriesRow(text=text) for text in rows])
    if status != "draft":
        services.submit_campaign(session, officer, campaign.id)
    if status == "active":
        approval.decide_approval(session, make_actor(session, branch, ("approver",)), campaign.id, approve=True)
    session.commit()
    return campaign


def series_of(session) -> Campaign:
    session.expire_all()
    return session.scalars(select(Campaign).where(Campaign.kind == "series").order_by(Campaign.id.desc())).first()


def texts_of(session, campaign) -> list[tuple[str, str, bool]]:
    session.expire_all()
    rows = select(CampaignItem).where(CampaignItem.campaign_id == campaign.id).order_by(CampaignItem.position)
    return [(item.label, item.values["内容"], item.skipped) for item in session.scalars(rows)]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_series_is_written_in_four_steps(log_in, branch, session, language):
    walker = Walker(log_in(branch, "officer", language=language))
    walker.tap("", "/series/new")
    walker.tap("", "/series/new", file=(io.BytesIO(PASTED.encode()), "学习.txt"))
    assert "第二课，学以致用。" in walker.text
    walker.tap("", "/series/whom")
    walker.tap("", "/series/whom")
    walker.tap("", "/series/when")
    assert 'aria-current="step">4' in walker.text
    walker.tap("", "/submit")
    # With the file that is chosen and the segment, which stands there already, these are the eight of the flow.
    assert walker.taps == 6
    campaign = series_of(session)
    assert (campaign.status, campaign.kind, campaign.schedule["at"]) == ("submitted", "series", "08:30")
    assert [text for _, text, _ in texts_of(session, campaign)] == PASTED.split("\n")


def test_a_faulty_file_names_its_cells_and_keeps_nothing(log_in, branch, session):
    visitor = log_in(branch, "officer")
    table = "标题,内容\n第一讲,坚持学习。\n<svg onload=alert(1)>,\n".encode()
    answer = visitor.post("/series/new", "/series/new", {"name": "学习", "signature": "云州先锋"} | _file(table))
    assert answer.status_code == 422
    page = answer.get_data(as_text=True)
    assert "1 cells cannot be taken, and nothing was kept" in page
    assert "Row 3" in page
    assert "<svg onload" not in page
    assert series_of(session) is None


def test_what_is_read_again_stands_in_the_place_of_what_was(log_in, branch, session):
    campaign = write_series(session, branch)
    page = f"/campaigns/{campaign.id}/series/texts"
    visitor = log_in(branch, "officer")
    answer = visitor.post(page, page, {"text": "甲。\n乙。"})
    assert answer.status_code == 303
    assert [text for _, text, _ in texts_of(session, campaign)] == ["甲。", "乙。"]
    assert visitor.post(page, page, {"text": " "}).status_code == 422


def test_texts_of_a_draft_are_ordered_inserted_skipped_and_taken_out(log_in, branch, session):
    campaign = write_series(session, branch)
    at = f"/campaigns/{campaign.id}/series"
    visitor = log_in(branch, "officer")
    visitor.post(f"{at}/order", f"{at}/texts", {"down": "1"})
    assert [text for _, text, _ in texts_of(session, campaign)] == ["第二课。", "第一课。", "第三课。"]
    walker = Walker(visitor, f"{at}/1")
    walker.tap("Insert one after it")
    walker.tap("Insert it", label=f"插入{EVIL}", **{"values.内容": "新课。"})
    assert "<svg onload" not in walker.text
    assert [text for _, text, _ in texts_of(session, campaign)] == ["第二课。", "第一课。", "新课。", "第三课。"]
    Walker(visitor, f"{at}/2").tap("Take it out for good")
    walker = Walker(visitor, f"{at}/3").tap("Skip this text")
    assert [text[1:] for text in texts_of(session, campaign)] == [
        ("第一课。", False),
        ("新课。", False),
        ("第三课。", True),
    ]
    walker.tap("Let it go after all")
    assert not any(skipped for *_, skipped in texts_of(session, campaign))
    walker.tap("Move there", position="1")
    assert texts_of(session, campaign)[0][1] == "第三课。"


def test_each_text_asks_a_quiz_of_its_own(log_in, branch, session):
    campaign = write_series(session, branch, body=BODY + "{{ question }}")
    category_id, questions = make_bank(session, branch)
    session.commit()
    at = f"/campaigns/{campaign.id}/series"
    visitor = log_in(branch, "officer")

    def asked():
        session.expire_all()
        rows = select(CampaignItem.asks).where(CampaignItem.campaign_id == campaign.id).order_by(CampaignItem.number)
        return session.scalars(rows).all()

    walker = Walker(visitor, f"{at}/1").tap("Keep it", **{"asks.question": str(questions[1].id)})
    assert "第1题？" in walker.text
    Walker(visitor, f"{at}/2").tap("Keep it", **{"asks.category": str(category_id), "asks.tries": "2"})
    usual = {"kind": "quiz", "hours": 24, "tries": 1, "send_result": True}
    assert asked() == [usual | {"question": questions[1].id}, usual | {"category": category_id, "tries": 2}, None]
    nothing = visitor.post(f"{at}/3", f"{at}/3", {"label": "第三课", "values.内容": "第三课。", "asks.kind": "quiz"})
    assert nothing.status_code == 422
    assert "name one question for all" in nothing.get_data(as_text=True)
    assert "{{ question }}" not in log_in(branch, "officer").get(f"{at}/3").text


def test_days_are_worked_out_before_they_are_kept(log_in, branch, session):
    campaign = write_series(session, branch)
    at = f"/campaigns/{campaign.id}/series/when"
    visitor = log_in(branch, "officer")
    form = {"first": "2026-12-07", "at": "09:15", "days": "weekdays"}
    none = visitor.post(at, at, form)
    assert none.status_code == 422
    assert "choose at least one day of the week" in none.get_data(as_text=True)
    first = session.scalar(select(func.sms_now())) + timedelta(days=20)
    form |= {"first": f"{first:%Y-%m-%d}", "weekday": ["MO", "TH"]}
    looked = visitor.post(f"{at}/look", at, form)
    assert looked.status_code == 200
    assert "09:15" in looked.get_data(as_text=True)
    assert series_of(session).schedule["days"] == "all"
    assert visitor.post(at, at, form).status_code == 303
    assert series_of(session).schedule["days"] == "MO,TH"


def test_a_corrected_text_of_a_series_that_runs_waits_alone(log_in, branch, session):
    campaign = write_series(session, branch, status="active")
    walker = Walker(log_in(branch, "officer"), f"/campaigns/{campaign.id}/series")
    assert "0 of 3 texts are sent" in walker.text
    walker.tap("第2篇")
    walker.tap("Keep it", label="第二讲", **{"values.内容": "改过。"})
    assert "It was changed and waits until somebody approves it" in walker.text
    page = walker.visitor.get(f"/campaigns/{campaign.id}/series").get_data(as_text=True)
    assert "all others go on" in page
    assert page.count('href="#item-2"') == 1
    assert 'href="#item-1"' not in page
    approver = Walker(log_in(branch, "approver"), f"/campaigns/{campaign.id}/series")
    approver.tap("Read and decide")
    assert "改过。" in approver.text


def test_the_second_of_two_editors_sees_both_wordings(log_in, branch, session):
    campaign = write_series(session, branch, status="active")
    at = f"/campaigns/{campaign.id}/series/2"
    first, second = (Walker(log_in(branch, "officer"), at) for _ in range(2))
    first.tap("Keep it", label="第2篇", **{"values.内容": f"先到{EVIL}"})
    second.tap("Keep it", label="第2篇", **{"values.内容": "后到。"})
    assert second.answer.status_code == 409
    assert "<svg onload" not in second.text
    assert "先到" in second.text
    assert "后到。" in second.text
    assert texts_of(session, campaign)[1][1].startswith("先到")
    second.tap("Keep mine all the same", **{"values.内容": "后到。"})
    assert texts_of(session, campaign)[1][1] == "后到。"


def test_rights_and_scope(log_in, branch, session):
    campaign = write_series(session, branch, status="active")
    other = make_unit(session)
    session.commit()
    at = f"/campaigns/{campaign.id}/series"
    stranger = log_in(other, "officer")
    for path in (at, f"{at}/1", f"{at}/texts", f"{at}/insert"):
        assert stranger.get(path).status_code == 403, path
    assert stranger.post(f"{at}/1/skip", "/me").status_code == 403
    assert "百日学习" not in stranger.get("/series").get_data(as_text=True)
    reader = log_in(branch, "auditor")
    assert "百日学习" in reader.get("/series").get_data(as_text=True)
    page = reader.get(f"{at}/1")
    assert page.status_code == 200
    assert "/skip" not in page.get_data(as_text=True)
    assert reader.post(f"{at}/1/skip", "/me").status_code == 403
    plain = write_draft(session, branch, name="一条")
    session.commit()
    officer = log_in(branch, "officer")
    assert officer.get(f"/campaigns/{plain.id}/series").status_code == 404
    assert officer.get(f"/campaigns/{campaign.id}/series/texts").status_code == 303


def test_no_page_of_a_hundred_texts_asks_the_database_much(log_in, branch, session, database):
    rows = [f"第{number}课，坚持学习。" for number in range(1, 101)]
    draft, runs = write_series(session, branch, rows), write_series(session, branch, rows, status="active")
    visitor, asked = log_in(branch, "officer"), []

    def note(connection, cursor, statement, *_):
        if not statement.startswith(("BEGIN", "SET ", "SHOW ")):
            asked.append(" ".join(statement.split())[:90])

    steps = [f"/campaigns/{draft.id}/{page}" for page in ("series/texts", "series/whom", "series/when", "check")]
    shown = [f"/campaigns/{runs.id}/{page}" for page in ("series", "series/50", "decision")]
    too_many = {}
    for path in ("/series", "/series/new", *steps, *shown, "/campaigns"):
        asked.clear()
        listening.listen(database.engine, "before_cursor_execute", note)
        try:
            assert visitor.get(path).status_code == 200, path
        finally:
            listening.remove(database.engine, "before_cursor_execute", note)
        if len(asked) > MOST_STATEMENTS:
            too_many[path] = [len(asked), *asked[:30]]
    assert too_many == {}


def _file(data: bytes) -> dict[str, object]:
    return {"file": (io.BytesIO(data), "学习.csv")}
