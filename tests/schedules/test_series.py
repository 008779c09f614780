"""A series: which text goes on which day, and that what went stays where it was."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sms_service.accounts.actors import SYSTEM
from sms_service.campaigns.services import copy_campaign
from sms_service.db.engine import Database
from sms_service.directory.day_lines import Span
from sms_service.errors import Conflict, Invalid
from sms_service.schedules.calendar_days import CalendarEntry, clear_calendar_days, set_calendar_days
from sms_service.schedules.correcting import change_item
from sms_service.schedules.scheduling import end_schedule
from sms_service.schedules.series_editing import move_text, skip_text
from sms_service.schedules.series_planning import MOST_TEXTS, SeriesRow, set_series
from tests.factories import make_template
from tests.schedules.eventful import EventTown, approve_event
from tests.schedules.serial import (
    days_of,
    items_of,
    list_working_days,
    make_study_town,
    write_series,
    write_texts,
)


@pytest.fixture
def town(database: Database) -> EventTown:
    return make_study_town(database)


def test_its_texts_go_on_working_days_in_their_order(town: EventTown) -> None:
    with town.clock(-3) as later, later.session() as session:
        campaign = write_series(session, town, 20)
        assert days_of(session, town) == list_working_days(town, 20)
        assert campaign.schedule == {
            "first": f"{town.today:%Y-%m-%d}",
            "at": "08:30",
            "days": "working",
            "late": "today",
        }
        items = items_of(session, town)
        assert [item.number for item in items] == list(range(1, 21))
        assert (items[2].label, items[2].values) == ("第3篇", {"内容": "第3课，坚持学习。"})


@pytest.mark.parametrize(
    ("days", "kept", "found"),
    [("all", "all", [0, 1, 2, 3]), ("fr,MO , FR", "MO,FR", [0, 4, 7, 11]), ("SU", "SU", [6, 13, 20, 27])],
)
def test_it_can_go_on_other_days(town: EventTown, days: str, kept: str, found: list[int]) -> None:
    with town.clock(-3) as later, later.session() as session:
        campaign = write_series(session, town, 4, days=days)
        assert days_of(session, town) == [town.today.date() + timedelta(days=number) for number in found]
        assert (campaign.schedule or {})["days"] == kept


def test_one_that_begins_on_a_day_that_is_over_begins_on_the_next(town: EventTown) -> None:
    for clock, begins in (("08:29", 0), ("08:30", 0), ("08:32", 1)):
        with town.clock(0, clock) as later, later.session() as session:
            write_series(session, town, 1)
            assert days_of(session, town) == [town.today.date() + timedelta(days=begins)]


def test_a_skipped_one_takes_no_day(town: EventTown) -> None:
    with town.clock(-3) as later, later.session() as session:
        write_series(session, town, 4)
        change_item(session, town.officer, town.campaign_id, 2, {"skipped": True})
        first, *rest = list_working_days(town, 3)
        assert days_of(session, town) == [first, None, *rest]
        change_item(session, town.officer, town.campaign_id, 2, {"skipped": False})
        assert days_of(session, town) == list_working_days(town, 4)


def test_one_that_is_under_way_follows_its_calendar(town: EventTown) -> None:
    with town.clock(-3) as later, later.session() as session:
        write_series(session, town, 3)
        approve_event(session, town)
    with town.clock(0, "08:31") as later:
        town.tick(later)
        with later.session() as session:
            free = [CalendarEntry(town.at(day).date(), works=False, name="校庆") for day in (1, 2)]
            set_calendar_days(session, SYSTEM, town.unit.id, free)
            assert days_of(session, town) == [None, town.at(3).date(), town.at(4).date()]
            clear_calendar_days(session, SYSTEM, town.unit.id, Span(free[0].day, free[0].day))
            assert days_of(session, town) == [None, town.at(1).date(), town.at(3).date()]


def test_what_went_stays_and_nothing_goes_twice_on_a_day(town: EventTown) -> None:
    with town.clock(-3) as later, later.session() as session:
        write_series(session, town, 4)
        approve_event(session, town)
    with town.clock(0, "08:31") as later:
        assert town.tick(later) == 2
    with town.clock(0, "08:00") as put_back, put_back.session() as session:
        change_item(session, town.officer, town.campaign_id, 3, {"skipped": True})
        _, second, third = list_working_days(town, 3)
        assert days_of(session, town) == [None, second, None, third]
        with pytest.raises(Conflict, match="was sent"):
            change_item(session, town.officer, town.campaign_id, 1, {"label": "换一个"})
    with town.clock(0, "08:40") as later:
        assert town.tick(later) == 0
    with town.clock(1, "08:31") as later:
        assert town.tick(later) == 2
    assert [item for item, _, _, _ in town.runs()] == [1, 2]


def test_one_that_was_ended_does_not_go_on_when_somebody_corrects_it(town: EventTown) -> None:
    with town.clock(-3) as later, later.session() as session:
        write_series(session, town, 3)
        approve_event(session, town)
    with town.clock(0, "08:31") as later:
        town.tick(later)
        with later.session() as session:
            end_schedule(session, town.officer, town.campaign_id, "提前结束")
            with pytest.raises(Conflict, match="comes no more"):
                change_item(session, town.officer, town.campaign_id, 2, {"label": "换一个"})
            assert days_of(session, town) == [None] * 3


def test_the_last_one_can_be_corrected_while_it_is_held(town: EventTown) -> None:
    with town.clock(-3) as later, later.session() as session:
        write_series(session, town, 1)
        approve_event(session, town)
        change_item(session, town.officer, town.campaign_id, 1, {"values": {"内容": "改过一次"}})
    with town.clock(0, "08:31") as later:
        assert town.tick(later) == 0
        with later.session() as session:
            change_item(session, town.officer, town.campaign_id, 1, {"values": {"内容": "改过两次"}})
            approve_event(session, town)
        assert town.tick(later) == 2
    assert "改过两次" in town.adapter.handed[0].body


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("schedule.first", {"first": "2025-01-01"}),
        ("schedule.first", {"first": "下周一"}),
        ("schedule.at", {"at": "25:00"}),
        ("schedule.days", {"days": "工作日"}),
        ("schedule.late", {"late": "yesterday"}),
        ("items", {"rows": []}),
        ("items", {"rows": write_texts(MOST_TEXTS + 1)}),
        ("items[2].values.题目", {"rows": [*write_texts(1), SeriesRow({"题目": "一"})]}),
        ("items[1].values.内容", {"rows": [SeriesRow(text="长" * 501)]}),
        ("items[1].label", {"rows": [SeriesRow(text="学习", label="长" * 101)]}),
        ("items[1].text", {"body": "{{ 题目 }}：{{ 内容 }}"}),
        ("items[1].text", {"body": "{{ name }}同志，请学习。"}),
    ],
)
def test_what_cannot_be_used_is_refused(town: EventTown, field: str, wrong: dict[str, object]) -> None:
    with town.clock(-3) as later, later.session() as session:
        with pytest.raises(Invalid) as refused:
            write_series(session, town, **wrong)  # type: ignore[arg-type]
        assert refused.value.field == field


def test_a_draft_can_have_another_rule_with_the_texts_it_has(town: EventTown) -> None:
    with town.clock(-3) as later, later.session() as session:
        campaign = write_series(session, town, 3)
        move_text(session, town.officer, campaign.id, 3, 1)
        skip_text(session, town.officer, campaign.id, 2)
        set_series(session, town.officer, campaign.id, {"first": f"{town.at(1):%Y-%m-%d}", "days": "all"})
        assert [(item.number, item.values["内容"][:3], item.skipped) for item in items_of(session, town)] == [
            (3, "第3课", False),
            (1, "第1课", False),
            (2, "第2课", True),
        ]
        assert days_of(session, town) == [town.at(1).date(), town.at(2).date(), None]


def test_an_item_can_have_a_text_of_its_own_and_a_copy_has_all_of_them(town: EventTown) -> None:
    with town.clock(-3) as later, later.session() as session:
        other = make_template(session, town.unit, "今日测试：{{ 题目 }}", variables=("题目",))
        rows = [*write_texts(2), SeriesRow(text="什么是初心？", label="测试", template_version_id=other.id)]
        campaign = write_series(session, town, rows=rows)
        assert [item.values for item in items_of(session, town)][2] == {"题目": "什么是初心？"}
        copy = copy_campaign(session, town.officer, campaign.id)
        town.campaign_id = copy.id
        assert [(item.label, item.template_version_id) for item in items_of(session, town)] == [
            ("第1篇", None),
            ("第2篇", None),
            ("测试", other.id),
        ]
