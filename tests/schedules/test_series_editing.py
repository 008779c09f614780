"""Changing a series: what is still to come is inserted, moved, corrected and skipped, and what was sent stays."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import SYSTEM
from sms_service.audit.models import TrailEntry
from sms_service.campaigns import rule_acts
from sms_service.campaigns.approval import decide_approval
from sms_service.campaigns.models import Campaign, CampaignItem
from sms_service.db.engine import Database
from sms_service.errors import Conflict, EditedMeanwhile, Forbidden, Invalid, NotFound
from sms_service.ledger.models import Run
from sms_service.ledger.question_models import QuestionRow
from sms_service.schedules import series_editing
from sms_service.schedules.correcting import change_item
from sms_service.schedules.event_planning import plan_event
from sms_service.schedules.firing import fire_due_items
from sms_service.schedules.scheduling import end_schedule
from sms_service.schedules.series_planning import SeriesRow
from tests.factories import make_actor
from tests.schedules.eventful import EventTown, approve_event
from tests.schedules.serial import days_of, items_of, list_working_days, make_study_town, write_series, write_texts


@pytest.fixture
def town(database: Database) -> EventTown:
    """A town whose series of four texts is under way: the first went."""
    town = make_study_town(database)
    with town.clock(-3) as later, later.session() as session:
        write_series(session, town, 4)
        approve_event(session, town)
    with town.clock(0, "08:31") as later:
        assert town.tick(later) == 2
    return town


def edit(town: EventTown, act: Callable[..., Any], *given: Any, actor: Any = None, **more: Any) -> Any:
    """Do it on the first day at nine."""
    with town.clock() as later, later.session() as session:
        return act(session, actor or town.officer, town.campaign_id, *given, **more)


def order(town: EventTown) -> list[int]:
    with town.database.session() as session:
        return [item.number for item in items_of(session, town)]


def is_undecided(town: EventTown) -> bool:
    with town.database.session() as session:
        return session.get_one(Campaign, town.campaign_id).undecided


def test_an_inserted_text_waits_alone_and_the_others_move_back(town: EventTown) -> None:
    item = edit(town, series_editing.insert_text, 2, SeriesRow(text="插入的一课。", label="增补"))
    assert (item.number, item.label, order(town)) == (5, "增补", [1, 2, 5, 3, 4])
    with town.database.session() as session:
        assert days_of(session, town) == [None, *list_working_days(town, 5)[1:]]
    assert is_undecided(town)
    with town.clock(1, "08:31") as later:
        assert town.tick(later) == 2
    with town.clock(2, "08:31") as later:
        assert town.tick(later) == 0
    with town.clock(3, "08:31") as later:
        assert town.tick(later) == 2
        with later.session() as session:
            approve_event(session, town)
        assert town.tick(later) == 0, "its day is over: a person says whether it goes"
    assert town.runs() == [
        (1, 1, "running", None),
        (2, 1, "running", None),
        (5, 1, "held", "missed"),
        (3, 1, "running", None),
    ]


def test_a_moved_text_needs_no_decision(town: EventTown) -> None:
    edit(town, series_editing.move_text, 4, 2)
    assert (order(town), is_undecided(town)) == ([1, 4, 2, 3], False)
    with town.clock(1, "08:31") as later:
        assert town.tick(later) == 2
    assert [item for item, _, _, _ in town.runs()] == [1, 4]


def test_a_corrected_text_waits_alone(town: EventTown) -> None:
    edit(town, series_editing.correct_text, 3, {"text": "改好的一课。"})
    assert is_undecided(town)
    with town.clock(1, "08:31") as later:
        assert town.tick(later) == 2
    with town.clock(2, "08:31") as later:
        assert town.tick(later) == 0
        with later.session() as session:
            approve_event(session, town)
        assert town.tick(later) == 2
    assert "改好的一课。" in town.adapter.handed[-1].body


def test_a_text_that_asks_something_else_waits_alone(town: EventTown) -> None:
    edit(town, series_editing.correct_text, 2, {"asks": {"kind": "check", "hours": 5}})
    assert is_undecided(town)
    with town.clock(0, "09:30") as later, later.session() as session:
        approve_event(session, town)
    with town.clock(1, "08:31") as later:
        assert town.tick(later) == 2
    with town.database.session() as session:
        [run] = session.scalars(select(Run).where(Run.item == 2))
        assert run.asks == {"kind": "check", "hours": 5}
        assert session.get_one(QuestionRow, run.question_id).item == 2
    edit(town, series_editing.correct_text, 3, {"asks": None})
    assert not is_undecided(town)
    with pytest.raises(Invalid) as refused:
        edit(town, series_editing.correct_text, 3, {"asks": {"kind": "exam"}})
    assert refused.value.field == "items[3].asks.kind"


def test_a_skipped_text_takes_no_day_and_can_come_after_all(town: EventTown) -> None:
    edit(town, series_editing.skip_text, 2)
    with town.clock(1, "08:31") as later:
        assert town.tick(later) == 2
    with town.clock(1) as later, later.session() as session:
        series_editing.skip_text(session, town.officer, town.campaign_id, 2, skipped=False)
        assert days_of(session, town) == [None, list_working_days(town, 3)[2], None, list_working_days(town, 4)[3]]
    assert not is_undecided(town)
    with town.clock(2, "08:31") as later:
        assert town.tick(later) == 2
    assert [item for item, _, _, _ in town.runs()] == [1, 3, 2]


def test_what_was_sent_keeps_its_place(town: EventTown) -> None:
    for refused in (
        lambda: edit(town, series_editing.move_text, 1, 3),
        lambda: edit(town, series_editing.correct_text, 1, {"text": "改"}),
        lambda: edit(town, series_editing.skip_text, 1),
    ):
        with pytest.raises(Conflict, match="was sent"):
            refused()
    for field, refused in (
        ("after", lambda: edit(town, series_editing.insert_text, 0, *write_texts(1))),
        ("after", lambda: edit(town, series_editing.insert_text, 5, *write_texts(1))),
        ("position", lambda: edit(town, series_editing.move_text, 3, 1)),
        ("position", lambda: edit(town, series_editing.move_text, 3, 5)),
        ("items[5].text", lambda: edit(town, series_editing.insert_text, 4, SeriesRow(text="长" * 501))),
    ):
        with pytest.raises(Invalid) as wrong:
            refused()
        assert wrong.value.field.replace("values.内容", "text") == field
    assert order(town) == [1, 2, 3, 4]


def test_the_second_editor_sees_both_wordings(town: EventTown) -> None:
    with town.database.session() as session:
        read_at = session.get_one(Campaign, town.campaign_id).updated_at
    edit(town, series_editing.correct_text, 3, {"text": "甲的写法。"}, unchanged_since=read_at)
    with pytest.raises(EditedMeanwhile, match="changed item 3") as overtaken:
        edit(town, series_editing.correct_text, 3, {"text": "乙的写法。"}, unchanged_since=read_at)
    assert overtaken.value.wanted == {"values": {"内容": "乙的写法。"}}
    assert overtaken.value.standing == {
        "number": 3,
        "position": 3,
        "label": "第3篇",
        "values": {"内容": "甲的写法。"},
        "template_version_id": None,
        "asks": None,
        "skipped": False,
    }
    edit(town, series_editing.correct_text, 4, {"label": "另一篇"}, unchanged_since=read_at)
    for act, given, standing in (
        (series_editing.insert_text, (3, SeriesRow(text="插入。", label="增补")), 4),
        (series_editing.move_text, (4, 2), 2),
    ):
        with pytest.raises(EditedMeanwhile) as overtaken:
            edit(town, act, *given, unchanged_since=read_at)
        assert overtaken.value.standing is not None
        assert overtaken.value.standing["number"] == standing
    assert order(town) == [1, 2, 3, 4]


def test_a_unit_that_sends_by_itself_corrects_by_itself(town: EventTown) -> None:
    with town.database.session() as session:
        rule_acts.add_approval_rule(session, SYSTEM, unit_id=town.unit.id, approvals=0, up_to=100)
    edit(town, series_editing.correct_text, 2, {"text": "改好的一课。"})
    assert not is_undecided(town)


def test_who_changed_a_text_does_not_approve_it(town: EventTown) -> None:
    with town.database.session() as session:
        both = make_actor(session, town.unit, ("officer", "approver"))
    edit(town, series_editing.insert_text, 4, *write_texts(1, 5), actor=both)
    with town.clock() as later, later.session() as session:
        with pytest.raises(Forbidden):
            decide_approval(session, both, town.campaign_id, approve=True)
        approve_event(session, town)
    assert not is_undecided(town)


def test_each_change_is_in_the_trail(town: EventTown) -> None:
    edit(town, series_editing.insert_text, 4, SeriesRow(text="一", label="增补"))
    edit(town, series_editing.move_text, 5, 2)
    edit(town, series_editing.skip_text, 3)
    with town.database.session() as session:
        entries = session.scalars(select(TrailEntry).order_by(TrailEntry.id.desc()).limit(3)).all()
        assert [(entry.act, entry.details["label"]) for entry in reversed(entries)] == [
            ("item.insert", "增补"),
            ("item.move", "增补"),
            ("item.change", "第3篇"),
        ]


def test_a_draft_is_changed_the_same_way_and_is_a_draft_then(database: Database) -> None:
    town = make_study_town(database)
    with town.clock(-3) as later, later.session() as session:
        campaign = write_series(session, town, 2)
        series_editing.insert_text(session, town.officer, campaign.id, 0, *write_texts(1, 3))
        series_editing.move_text(session, town.officer, campaign.id, 1, 3)
        assert [item.number for item in items_of(session, town)] == [3, 2, 1]
        assert days_of(session, town) == list_working_days(town, 3)
        campaign.launch_on_approval = False
        approve_event(session, town)
        series_editing.correct_text(session, town.officer, campaign.id, 1, {"label": "换个标题"})
        assert campaign.status == "draft"


def test_it_is_no_series_or_ended_or_of_others(town: EventTown) -> None:
    with town.clock() as later, later.session() as session:
        stranger = make_actor(session, town.unit, ("auditor",))
        with pytest.raises(Forbidden):
            series_editing.move_text(session, stranger, town.campaign_id, 3, 2)
        end_schedule(session, town.officer, town.campaign_id, "提前结束")
        with pytest.raises(Conflict, match="nothing of campaign"):
            series_editing.insert_text(session, town.officer, town.campaign_id, 4, *write_texts(1))
        other = write_series(
            session,
            town,
            1,
            first=f"{town.at(1):%Y-%m-%d}",
            body="{{ 主题 }}在{{ 地点 }}",
            rows=[SeriesRow({"主题": "学习", "地点": "礼堂"})],
        )
        other.values = {"主题": "学习", "地点": "礼堂"}
        plan_event(session, town.officer, other.id, {"begins": town.at(9)})
        with pytest.raises(NotFound):
            series_editing.skip_text(session, town.officer, other.id, 1)
        with pytest.raises(Invalid, match="asks whether people come"):
            change_item(session, town.officer, other.id, 1, {"asks": None})


def test_whoever_is_first_of_clock_and_editor(town: EventTown) -> None:
    """The text either goes as it was, and cannot be changed any more, or was changed, and is held."""
    together = threading.Barrier(2)
    with town.clock(1, "08:30") as clock, town.clock(1, "08:30") as editor:

        def fire() -> int:
            together.wait(30)
            return fire_due_items(clock).runs

        def correct() -> bool:
            together.wait(30)
            try:
                with editor.session() as session:
                    series_editing.correct_text(session, town.officer, town.campaign_id, 2, {"text": "抢先改"})
            except Conflict:
                return False
            return True

        with ThreadPoolExecutor(2) as pool:
            fired, corrected = pool.submit(fire), pool.submit(correct)
            runs, won = fired.result(), corrected.result()
        runs += fire_due_items(clock).runs
    assert runs == 1
    ((_, _, status, held_for),) = [run for run in town.runs() if run[0] == 2]
    assert (status, held_for) == (("held", "changed") if won else ("planned", None))


def stored(session: Session, town: EventTown) -> set[int]:
    return set(session.scalars(select(CampaignItem.number).where(CampaignItem.campaign_id == town.campaign_id)))


def test_two_who_insert_at_once_both_get_their_place(town: EventTown) -> None:
    together = threading.Barrier(2)

    def insert(number: int) -> int:
        together.wait(30)
        return int(edit(town, series_editing.insert_text, 2, SeriesRow(text=f"同时插入{number}")).number)

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(insert, range(2))) == [5, 6]
    with town.database.session() as session:
        assert stored(session, town) == {1, 2, 3, 4, 5, 6}
        first, *rest = [item.next_at for item in items_of(session, town)]
        assert first is None
        assert rest == sorted({at for at in rest if at is not None})
