"""重复发送 in the console: chosen in words, shown with its next times before it is kept."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlalchemy import event as listening
from sqlalchemy import select

from sms_service.accounts.actors import SYSTEM
from sms_service.campaigns import services
from sms_service.campaigns.models import Campaign, CampaignItem
from sms_service.controls.quiet_days import NamedDay, set_quiet_days
from sms_service.schedules.scheduling import set_schedule
from tests.console.campaigning import Walker, make_branch, write_draft
from tests.console.test_every_page import MOST_STATEMENTS
from tests.factories import make_template

FIRST = date.today() + timedelta(days=3)


@pytest.fixture
def branch(session):
    branch = make_branch(session)
    session.commit()
    return branch


@pytest.fixture
def draft(session, branch):
    draft = write_draft(session, branch)
    session.commit()
    return draft


def rule_of(session, campaign_id):
    session.expire_all()
    return session.get_one(Campaign, campaign_id).schedule


def walk(log_in, branch, draft, language="en"):
    return Walker(log_in(branch, "officer", language=language), f"/campaigns/{draft.id}/recurrence")


@pytest.mark.parametrize(
    ("chosen", "rrule", "words", "chinese"),
    [
        ({"every": "day"}, "FREQ=DAILY", "Every day at 08:30", "每天 08:30"),
        (
            {"every": "week", "weekdays": ["3", "0"]},
            "FREQ=WEEKLY;BYDAY=MO,TH",
            "Every Monday, Thursday at 08:30",
            "每周一、周四 08:30",
        ),
        ({"every": "month_day", "day": "-1"}, "FREQ=MONTHLY;BYMONTHDAY=-1", "On the last day", "每月最后一天 08:30"),
        ({"every": "month_day", "day": "5"}, "FREQ=MONTHLY;BYMONTHDAY=5", "On day 5", "每月5日 08:30"),
        (
            {"every": "month_weekday", "nth": "2", "weekday": "1"},
            "FREQ=MONTHLY;BYDAY=2TU",
            "On the second Tuesday",
            "每月第二个周二 08:30",
        ),
        ({"every": "year"}, "FREQ=YEARLY", f"Each year on {FIRST.day} ", f"每年{FIRST.month}月{FIRST.day}日 08:30"),
        (
            {"every": "rule", "rrule": "freq=weekly;interval=2"},
            "FREQ=WEEKLY;INTERVAL=2",
            "By the rule FREQ=WEEKLY;INTERVAL=2",
            "按规则 FREQ=WEEKLY;INTERVAL=2 08:30",
        ),
    ],
)
def test_what_is_chosen_is_said_then_kept_then_shown_again(
    log_in, branch, draft, session, chosen, rrule, words, chinese
):
    walker = walk(log_in, branch, draft)
    walker.tap("Show the next times", first=FIRST.isoformat(), **chosen)
    assert words in walker.text
    assert walker.text.count("<li>") >= (10 if "year" not in chosen.values() else 1)
    walker.tap("Keep it so")
    assert "It is kept" in walker.text
    assert words in walker.text
    assert rule_of(session, draft.id) == {"rrule": rrule, "first": FIRST.isoformat(), "at": "08:30"}
    walker = walk(log_in, branch, draft, "zh")
    walker.tap("查看发送时间")  # the form shows what is kept
    assert chinese in walker.text


def test_it_ends_on_a_day_or_after_so_many_times(log_in, branch, draft, session):
    until = (FIRST + timedelta(days=2)).isoformat()
    walker = walk(log_in, branch, draft)
    walker.tap("Show the next times", first=FIRST.isoformat(), every="day", end="until", until=until, count="7")
    assert f"until {until}" in walker.text
    assert walker.text.count("08:30</li>") == 3
    walker.tap("Keep it so")
    assert rule_of(session, draft.id)["until"] == until
    walker = walk(log_in, branch, draft)
    walker.tap("Show the next times", end="count", count="2")
    walker.tap("Keep it so")
    assert "2 times in all" in walker.text
    rule = rule_of(session, draft.id)
    assert (rule["count"], "until" in rule) == (2, False)


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({"every": "week", "weekdays": []}, "choose at least one day of the week"),
        ({"every": "day", "first": ""}, "must be a day"),
        ({"every": "day", "first": "2020-01-01"}, "must be from today on"),
        ({"every": "day", "at": "25:00"}, "must be a time of day"),
        ({"every": "day", "end": "until"}, "fill it in, or choose another end"),
        ({"every": "day", "end": "until", "until": "2020-01-01"}, "must not lie before the first day"),
        ({"every": "day", "end": "count", "count": "0"}, "must be from 1 to"),
        ({"every": "rule", "rrule": "daily<b>"}, "must be a rule such as"),
        ({"every": "rule", "rrule": ""}, "must be a rule such as"),
        ({"every": "month_day", "day": "77"}, "must be from -1 to 31"),
    ],
)
def test_what_cannot_be_is_said_at_its_field(log_in, branch, draft, session, chosen, said):
    walker = walk(log_in, branch, draft)
    walker.tap("Show the next times", **{"first": FIRST.isoformat()} | chosen)
    assert said in walker.text
    assert "<b>" not in walker.text
    assert "Keep it so" not in walker.text
    assert rule_of(session, draft.id) is None


def test_a_quiet_day_among_the_next_times_is_named(log_in, branch, draft, session):
    set_quiet_days(session, SYSTEM, branch.id, [NamedDay(FIRST + timedelta(days=1), "清明节")])
    session.commit()
    walker = walk(log_in, branch, draft)
    walker.tap("Show the next times", first=FIRST.isoformat(), every="day")
    assert walker.text.count("清明节: a quiet day") == 1
    walker.tap("Keep it so")
    assert "清明节: a quiet day" in walker.text


def test_a_new_campaign_can_ask_for_it_and_a_draft_can_be_sent_once_again(log_in, branch, session):
    version = make_template(session, branch, "请按时参加学习。", name="学习")
    draft = write_draft(session, branch)  # its segment is offered
    session.commit()
    walker = Walker(log_in(branch, "officer", language="en"), f"/campaigns/new?unit={branch.id}&version={version.id}")
    walker.tap("Keep and check", name="每周学习", segment_id=draft.segment_id, signature="云州先锋", repeats="true")
    assert "On which days?" in walker.text
    walker.tap("Show the next times", every="day")
    walker.tap("Keep it so")
    made = session.scalars(select(Campaign).order_by(Campaign.id.desc())).first()
    assert (made.name, made.kind) == ("每周学习", "recurring")
    assert "Submit for approval" in walker.text
    walker.tap("Send it only once")
    session.expire_all()
    assert (made.kind, made.schedule) == ("plain", None)
    assert session.scalars(select(CampaignItem)).first() is None


def test_a_planned_time_gives_way_and_an_approval_is_lost(log_in, branch, draft, session, clock):
    services.change_campaign(session, SYSTEM, draft.id, {"planned_at": clock() + timedelta(days=2)})
    session.commit()
    walker = walk(log_in, branch, draft)
    walker.tap("Show the next times", every="day")
    walker.tap("Keep it so")
    session.expire_all()
    assert (draft.planned_at, draft.kind) == (None, "recurring")
    draft.status = "approved"
    session.commit()
    walker = walk(log_in, branch, draft)
    assert "takes the approval away" in walker.text


def test_only_who_may_write_sees_it_and_only_of_a_draft(log_in, branch, draft, session):
    page = f"/campaigns/{draft.id}/recurrence"
    assert log_in(branch, "auditor").get(page).status_code == 403
    other = make_branch(session)
    session.commit()
    assert log_in(other, "officer").get(page).status_code == 403
    draft.status = "submitted"
    session.commit()
    assert log_in(branch, "officer").get(page).status_code == 303


def test_no_page_of_it_asks_the_database_much(log_in, branch, draft, database, session):
    rule = {"rrule": "FREQ=WEEKLY", "first": FIRST.isoformat(), "at": "08:30"}
    set_schedule(session, SYSTEM, draft.id, "recurring", rule)
    session.commit()
    visitor, asked = log_in(branch, "officer"), []

    def note(connection, cursor, statement, *_):
        if not statement.startswith(("BEGIN", "SET ", "SHOW ")):
            asked.append(" ".join(statement.split())[:90])

    at = f"/campaigns/{draft.id}"
    for path in (f"{at}/recurrence", f"{at}/recurrence?every=day&first={FIRST}", f"{at}/check"):
        asked.clear()
        listening.listen(database.engine, "before_cursor_execute", note)
        try:
            assert visitor.get(path).status_code == 200
        finally:
            listening.remove(database.engine, "before_cursor_execute", note)
        assert len(asked) <= MOST_STATEMENTS, "\n".join([path, *asked])
