"""An event: its times, who gets which text, and that what follows the invitation follows those who were invited."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from sms_service.accounts.actors import SYSTEM
from sms_service.audience.models import Segment
from sms_service.campaigns.models import CampaignItem
from sms_service.campaigns.services import copy_campaign
from sms_service.content.models import Template, TemplateVersion
from sms_service.controls.quiet_days import NamedDay, set_quiet_days
from sms_service.db.engine import Database
from sms_service.errors import Invalid
from sms_service.schedules.event import CANCELLATION, INVITATION, MOVE_NOTICE, REMINDER, THANKS
from sms_service.schedules.event_planning import plan_event
from tests.factories import make_template
from tests.schedules.eventful import EventTown, approve_event, make_town, write_event


@pytest.fixture
def town(database: Database) -> EventTown:
    return make_town(database)


def times(session: Session, town: EventTown) -> dict[int, object]:
    rows = session.scalars(select(CampaignItem).where(CampaignItem.campaign_id == town.campaign_id)).all()
    return {row.number: row.next_at for row in rows}


def test_its_texts_go_before_and_after_it(session: Session, town: EventTown) -> None:
    campaign = write_event(session, town, days=10, ends=town.at(10, "11:00"))
    assert times(session, town) == {
        INVITATION: town.at(7),
        REMINDER: town.at(9),
        THANKS: town.at(11, "10:00"),
        CANCELLATION: None,
        MOVE_NOTICE: None,
    }
    day = town.at(10)
    assert campaign.values["时间"].startswith(f"{day.month}月{day.day}日（星期")
    assert campaign.values["时间"].endswith("）上午9:00至上午11:00")


def test_what_its_unit_does_not_allow_goes_at_the_nearest_time_before(session: Session, town: EventTown) -> None:
    write_event(session, town, days=10, invitation_at="06:30", reminder_at="22:00", thanks_days=None)
    found = times(session, town)
    assert (found[INVITATION], found[REMINDER], found[THANKS]) == (town.at(7, "08:00"), town.at(9, "19:30"), None)
    quiet = [NamedDay(town.at(day).date(), "清明节") for day in (7, 8, 9, 10, 6)]
    set_quiet_days(session, SYSTEM, town.unit.id, quiet)
    plan_event(session, town.officer, town.campaign_id, {"begins": town.at(10)})
    found = times(session, town)
    assert (found[INVITATION], found[REMINDER]) == (town.at(5), None)


def test_one_that_is_near_invites_at_once(session: Session, town: EventTown) -> None:
    write_event(session, town, days=1)
    assert times(session, town)[INVITATION] is not None
    assert times(session, town)[INVITATION] < town.at(0, "20:00")  # type: ignore[operator]


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("begins", {"begins": "2026-12-05"}),
        ("begins", {"begins": "2020-12-05T09:00:00+08:00"}),
        ("ends", {"ends": "2020-12-05T09:00:00+08:00"}),
        ("invitation_days", {"invitation_days": None}),
        ("reminder_days", {"reminder_days": 31}),
        ("thanks_at", {"thanks_at": "25:00"}),
    ],
)
def test_a_rule_that_cannot_be_used_is_refused(
    session: Session, town: EventTown, field: str, wrong: dict[str, object]
) -> None:
    write_event(session, town)
    with pytest.raises(Invalid) as refused:
        plan_event(session, town.officer, town.campaign_id, {"begins": town.at(5), **wrong})
    assert refused.value.field == f"schedule.{field}"


def test_its_texts_are_the_units_own_or_ours(session: Session, town: EventTown) -> None:
    own = make_template(session, town.unit, "{{ 主题 }}快到了。", "notice", "活动提醒", variables=("主题",))
    make_template(session, town.unit, "{{ 缴费 }}快到了。", "notice", "活动感谢", variables=("缴费",))
    write_event(session, town)
    rows = session.execute(
        select(CampaignItem.number, Template.name, TemplateVersion.id)
        .join(TemplateVersion, TemplateVersion.id == CampaignItem.template_version_id)
        .join(Template, Template.id == TemplateVersion.template_id)
        .where(CampaignItem.campaign_id == town.campaign_id)
        .order_by(CampaignItem.number)
    ).all()
    assert rows[0][2] == own.id
    assert [row.name for row in rows[1:]] == [
        "主题党日感谢（自带）",
        "主题党日取消通知（自带）",
        "主题党日改期通知（自带）",
    ]
    given = {THANKS: own.id}
    plan_event(session, town.officer, town.campaign_id, {"begins": town.at(5)}, given)
    assert session.get_one(CampaignItem, (town.campaign_id, THANKS)).template_version_id == own.id
    with pytest.raises(Invalid, match="items 2 to 5"):
        plan_event(session, town.officer, town.campaign_id, {"begins": town.at(5)}, {9: own.id})


def test_the_reminder_goes_to_whom_did_not_say_no(session: Session, town: EventTown) -> None:
    write_event(session, town)
    approve_event(session, town)
    session.commit()
    with town.clock(2) as later:
        assert town.tick(later) == 4
    with town.clock(2, "10:00") as later:
        town.answer(later, 0, "参加")
        town.answer(later, 0, " 请假。")
        town.answer(later, 1, "０")
        town.answer(later, 2, "不参加")
    with town.clock(2, "11:00") as later:
        town.answer(later, 2, "好的，也许吧")  # not a yes that is read
        town.answer(later, 1, "参加")
    with town.clock(4) as later:
        assert town.tick(later) == 2
    assert town.people_of(REMINDER) == {town.phones[1], town.phones[3]}


def test_a_copy_asks_about_its_own_texts(session: Session, town: EventTown) -> None:
    campaign = write_event(session, town)
    copy = copy_campaign(session, town.officer, campaign.id)
    rules = str([one.rule for one in session.scalars(select(CampaignItem).filter_by(campaign_id=copy.id))])
    assert f"'id': {copy.id}" in rules
    assert f"'id': {campaign.id}," not in rules


def test_whoever_was_invited_is_reminded_though_the_segment_finds_them_no_more(
    session: Session, town: EventTown
) -> None:
    campaign = write_event(session, town)
    approve_event(session, town)
    session.commit()
    with town.clock(2) as later:
        assert town.tick(later) == 4
    session.execute(update(Segment).where(Segment.id == campaign.segment_id).values(rule={"tag": "退休"}))
    session.commit()
    with town.clock(4) as later:
        assert town.tick(later) == 4
    assert town.people_of(REMINDER) == set(town.phones)
