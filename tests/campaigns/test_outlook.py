"""What is said before a campaign is sent is what happens then."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from sms_service.accounts.actors import SYSTEM, Actor
from sms_service.audience import large_reach, measuring, segments
from sms_service.audience.models import Suppression
from sms_service.audience.reach import Window
from sms_service.campaigns import approval, services
from sms_service.campaigns.launch import launch_campaign
from sms_service.campaigns.models import Campaign
from sms_service.campaigns.outlook import Caution, Outlook, foresee_run
from sms_service.controls import stops
from sms_service.controls.accounts import synchronise_gateways
from sms_service.controls.caps import set_cap
from sms_service.controls.models import CapUse, GatewayAccount
from sms_service.controls.quiet_days import NamedDay, set_quiet_days
from sms_service.db.engine import Database
from sms_service.directory.models import Person, Unit
from sms_service.dispatch import freeze
from sms_service.dispatch.forecast import foresee_leaving
from sms_service.errors import Forbidden
from sms_service.gateways.config import ConfiguredMember
from sms_service.ledger.models import Message, Run
from sms_service.schedules.correcting import change_item
from sms_service.schedules.scheduling import set_schedule
from sms_service.vocabulary import MessageReason, TextClass
from tests.dispatch.city import ALL_DAY, ScriptedAdapter, ScriptedGateways, drain
from tests.factories import fictional_phone, make_actor, make_person, make_segment, make_template, make_unit

R = MessageReason
RATES = {"main": 10.0}
EVERYONE = {"everyone": True}
CITY_TIME = timedelta(hours=8)


@pytest.fixture
def gateways(session: Session) -> ScriptedGateways:
    found = ScriptedGateways({"main": ScriptedAdapter()})
    synchronise_gateways(session, found)
    return found


@pytest.fixture
def district(session: Session, gateways: ScriptedGateways) -> Unit:
    return make_unit(session, parent=make_unit(session, **ALL_DAY), **ALL_DAY)


@pytest.fixture
def officer(session: Session, district: Unit) -> Actor:
    return make_actor(session, district)


def write(session: Session, unit: Unit, body: str, variables: tuple[str, ...] = (), **kw: Any) -> Campaign:
    version_id = kw.pop("version_id", None) or make_template(session, unit, body, variables=variables).id
    segment_id = make_segment(session, unit, kw.pop("rule", EVERYONE)).id
    given = {"name": "学习", "signature": "城东街道", "segment_id": segment_id, **kw}
    return services.create_campaign(session, SYSTEM, unit_id=unit.id, template_version_id=version_id, **given)


def foresee(session: Session, actor: Actor, campaign: Campaign, **kw: Any) -> Outlook:
    return foresee_run(session, actor, campaign.id, **{"rates": RATES, "prices": {}, **kw})


def launch(database: Database, session: Session, campaign: Campaign) -> Run:
    services.submit_campaign(session, SYSTEM, campaign.id)
    approval.decide_approval(session, SYSTEM, campaign.id, approve=True)
    run, _ = launch_campaign(session, SYSTEM, campaign.id)
    session.commit()
    for run_id in freeze.begin_due_runs(database):
        freeze.freeze_run(database, run_id)
    return run


def cautions(outlook: Outlook) -> list[Caution]:
    return [warned.caution for warned in outlook.warnings]


def crowd(session: Session, unit: Unit) -> dict[MessageReason, list[Person]]:
    """Three people to be texted, and some of every kind that is skipped when a run is frozen."""
    people = [make_person(session, unit) for _ in range(3)]
    found = {
        R.no_phone: [make_person(session, unit, phone=None) for _ in range(2)],
        R.bad_number: [make_person(session, unit, phone=None, phone_problem="too short")],
        R.lost_contact: [make_person(session, unit, lost_contact=True)],
        R.duplicate_phone: [make_person(session, unit, phone=people[0].phone)],
        R.opted_out: [make_person(session, unit)],
    }
    session.add(Suppression(phone=found[R.opted_out][0].phone, reason=R.opted_out, source="test"))
    session.flush()
    return found


def test_who_is_skipped_is_named_and_is_whom_freeze_skips(
    database: Database, session: Session, district: Unit, officer: Actor
) -> None:
    kinds = crowd(session, make_unit(session, parent=district, **ALL_DAY))
    campaign = write(session, district, "您好。")
    outlook = foresee(session, officer, campaign)
    assert (outlook.people, outlook.phones) == (9, 3)
    assert outlook.skipped == {reason: len(people) for reason, people in kinds.items()}
    named = {reason: [one.person_id for one in people] for reason, people in outlook.named.items()}
    assert named == {reason: [person.id for person in people] for reason, people in kinds.items()}
    preview = segments.preview_audience(session, officer, district.id, EVERYONE)
    assert (preview.count, preview.phones, preview.skipped) == (9, 3, outlook.skipped)

    run = launch(database, session, campaign)
    skipped = select(Message.reason, func.count()).filter_by(run_id=run.id, status="skipped").group_by(Message.reason)
    assert dict(session.execute(skipped).all()) == outlook.skipped


def test_of_a_large_audience_nobody_is_named_and_of_a_reason_only_the_first(
    session: Session, district: Unit, officer: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds = crowd(session, district)
    campaign = write(session, district, "您好。")
    monkeypatch.setattr(measuring, "NAMED", 1)
    named = foresee(session, officer, campaign).named
    assert [one.person_id for one in named[R.no_phone]] == [kinds[R.no_phone][0].id]
    monkeypatch.setattr(measuring, "NAMED_UP_TO", 8)
    outlook = foresee(session, officer, campaign)
    assert (outlook.named, sum(outlook.skipped.values())) == ({}, 6)


def test_the_texts_are_those_that_the_run_hands_over(
    database: Database, session: Session, district: Unit, officer: Actor, gateways: ScriptedGateways
) -> None:
    home = make_unit(session, name="甲支部", parent=district, **ALL_DAY)
    for length in (5, 40, 150):
        make_person(session, home, attributes={"事": "学" * length})
    campaign = write(
        session,
        district,
        "{{ name }}（{{ unit }}）：{{ 事 }}，{{ 时间 }}",
        ("name", "unit", "事", "时间"),
        values={"时间": "九点"},
    )
    outlook = foresee(session, officer, campaign)
    assert [one.parts for one in outlook.texts] == sorted(one.parts for one in outlook.texts)
    assert (len(outlook.texts), outlook.exact, outlook.tried) == (3, True, 3)
    launch(database, session, campaign)
    drain(database, gateways)
    sent = dict(session.execute(select(Message.person_id, Message.text)).all())
    assert {one.person_id: one.text for one in outlook.texts} == sent
    assert outlook.parts == session.scalar(select(func.sum(Message.parts)))


def test_one_text_for_all_is_shown_once_and_counted(session: Session, district: Unit, officer: Actor) -> None:
    for _ in range(4):
        make_person(session, district)
    outlook = foresee(session, officer, write(session, district, "学" * 100), prices={"main": 3.5})
    assert (len(outlook.texts), outlook.tried, outlook.parts, outlook.exact) == (1, 1, 8, True)
    assert outlook.cost_fen == 28


def test_of_many_people_some_are_tried_the_shortest_and_longest_among_them(
    session: Session, district: Unit, officer: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measuring, "NAMED_UP_TO", 5)
    monkeypatch.setattr(large_reach, "TRIED", 4)
    monkeypatch.setattr(large_reach, "EXTREMES", 1)
    for number in range(30):
        make_person(session, district, attributes={"事": "学" * (20 + number)})
    longest = make_person(session, district, attributes={"事": "学" * 200})
    shortest = make_person(session, district, attributes={"事": "短"})
    outlook = foresee(session, officer, write(session, district, "{{ 事 }}", ("事",)))
    assert (outlook.texts[0].person_id, outlook.texts[-1].person_id) == (shortest.id, longest.id)
    assert 4 <= outlook.tried <= 6
    assert outlook.exact is False
    assert outlook.parts is not None
    assert outlook.parts >= 32


@pytest.mark.parametrize("small", [measuring.NAMED_UP_TO, 0])
def test_people_without_a_needed_value_are_counted_and_named(
    session: Session, district: Unit, officer: Actor, small: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measuring, "NAMED_UP_TO", small)
    make_person(session, district, attributes={"事": "学习"})
    branches = [make_unit(session, parent=district, **ALL_DAY) for _ in range(2)]
    lacking = [
        make_person(session, branch, attributes=own) for branch, own in zip(branches, ({}, {"事": None}), strict=True)
    ]
    make_person(session, district, phone=None)
    outlook = foresee(session, officer, write(session, district, "{{ 事 }}", ("事",)))
    assert cautions(outlook) == [Caution.unrendered]
    assert outlook.warnings[0].text == "2 people have no 事; they are refused, not texted"
    (missing,) = [one for one in outlook.findings if one.kind == "missing"]
    assert list(missing.people) == [person.name for person in lacking]
    assert (outlook.tried, outlook.exact) == (1, False)


def test_nobody_is_said(session: Session, district: Unit, officer: Actor) -> None:
    outlook = foresee(session, officer, write(session, district, "您好。", rule={"tag": "无"}))
    assert (outlook.people, outlook.texts, outlook.parts, outlook.begins, outlook.through) == (0, [], None, None, None)
    assert cautions(outlook) == [Caution.nobody]


def test_price_and_rate_are_those_of_the_accounts_whose_turn_it_is(
    session: Session, district: Unit, officer: Actor
) -> None:
    members = [ConfiguredMember("a", 1, 3), ConfiguredMember("b", 1, 1), ConfiguredMember("c", 2, 1)]
    synchronise_gateways(session, ScriptedGateways({name: ScriptedAdapter() for name in "abc"}, route=members))
    for _ in range(10):
        make_person(session, district)
    campaign = write(session, district, "您好。")
    rates, prices = {"a": 4.0, "b": 1.0, "c": 0.5}, {"a": 4.0, "b": 8.0, "c": 100.0}
    both = foresee(session, officer, campaign, rates=rates, prices=prices)
    assert both.cost_fen == 50
    assert both.begins == both.at
    assert both.through == both.at + timedelta(seconds=2)
    assert foresee(session, officer, campaign, rates=rates, prices={"a": 4.0}).cost_fen is None
    session.execute(update(GatewayAccount).where(GatewayAccount.name.in_(("a", "b"))).values(state="paused"))
    third = foresee(session, officer, campaign, rates=rates, prices=prices)
    assert third.cost_fen == 1_000
    assert third.through == third.at + timedelta(seconds=20)
    session.execute(update(GatewayAccount).values(state="paused"))
    none = foresee(session, officer, campaign, rates=rates, prices=prices)
    assert (none.begins, none.through, none.cost_fen, cautions(none)) == (None, None, None, [Caution.no_account])


def test_a_stop_is_said(session: Session, district: Unit, officer: Actor) -> None:
    make_person(session, district)
    campaign = write(session, district, "您好。")
    stops.stop_unit(session, officer, district.id, "查错")
    assert cautions(foresee(session, officer, campaign)) == [Caution.stopped]


def test_only_whoever_may_read_the_unit_is_told(session: Session, district: Unit) -> None:
    campaign = write(session, district, "您好。")
    with pytest.raises(Forbidden):
        foresee(session, make_actor(session, make_unit(session)), campaign)


DAY = Window("Asia/Shanghai", 480, 1200)
ALWAYS = Window("Asia/Shanghai", 0, 1440)
MORNING = Window("Asia/Shanghai", 480, 600)


def local(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 12, day, hour, minute, tzinfo=UTC) - CITY_TIME


@pytest.mark.parametrize(
    ("at", "own", "parts", "begins", "through", "interrupted", "expired"),
    [
        (local(1, 9), DAY, {DAY: 3600}, local(1, 9), local(1, 10), False, 0),
        (local(1, 7), DAY, {DAY: 3600}, local(1, 8), local(1, 9), False, 0),
        (local(1, 20), DAY, {DAY: 3600}, local(2, 8), local(2, 9), False, 0),  # closed at its very end
        (local(1, 19, 30), DAY, {DAY: 3600}, local(1, 19, 30), local(2, 8, 30), True, 0),
        (local(1, 19), DAY, {DAY: 3600}, local(1, 19), local(1, 20), False, 0),
        (local(1, 23), ALWAYS, {ALWAYS: 2 * 3600}, local(1, 23), local(2, 1), False, 0),
        (local(1, 9), DAY, {MORNING: 3600, DAY: 3600}, local(1, 9), local(2, 8, 30), True, 0),
        (local(1, 9), MORNING, {ALWAYS: 7200}, local(1, 9), local(2, 9), True, 0),
        (local(1, 9), ALWAYS, {}, None, None, False, 0),
        (local(1, 9), DAY, {DAY: 24 * 3600}, local(1, 9), local(2, 9), True, 12 * 3600),
    ],
)
def test_when_it_begins_and_is_through(
    at: datetime,
    own: Window,
    parts: dict[Window, float],
    begins: datetime | None,
    through: datetime | None,
    interrupted: bool,
    expired: float,
) -> None:
    """One part a second, and a day's validity."""
    found = foresee_leaving(at, at + timedelta(days=1), own, parts, 1.0)
    assert (found.begins, found.through, found.interrupted) == (begins, through, interrupted)
    assert found.expired == pytest.approx(expired)


def test_waiting_for_the_window_is_said(session: Session, gateways: ScriptedGateways) -> None:
    unit = make_unit(session)
    make_person(session, unit)
    now = session.scalars(select(func.sms_now())).one()
    night = (now + CITY_TIME + timedelta(days=1)).replace(hour=23, minute=0, second=0, microsecond=0) - CITY_TIME
    outlook = foresee(session, make_actor(session, unit), write(session, unit, "您好。"), at=night)
    assert (outlook.at, outlook.begins, cautions(outlook)) == (night, night + timedelta(hours=9), [Caution.waits])
    short = foresee(session, make_actor(session, unit), write(session, unit, "您好。", validity_s=600), at=night)
    assert (short.begins, cautions(short)) == (None, [Caution.expires])


def test_a_quiet_day_is_said_and_the_texts_begin_on_the_day_after(session: Session, gateways: ScriptedGateways) -> None:
    unit = make_unit(session)
    make_person(session, unit)
    now = session.scalars(select(func.sms_now())).one()
    noon = (now + CITY_TIME + timedelta(days=1)).replace(hour=12, minute=0, second=0, microsecond=0) - CITY_TIME
    set_quiet_days(session, SYSTEM, unit.id, [NamedDay((noon + CITY_TIME).date(), "清明节")], list(TextClass))
    outlook = foresee(session, make_actor(session, unit), write(session, unit, "您好。"), at=noon)
    assert outlook.begins == noon + timedelta(hours=20)
    assert cautions(outlook) == [Caution.waits, Caution.quiet_day]
    assert "(清明节)" in outlook.warnings[1].text


def test_who_has_had_all_texts_of_the_day_is_said(session: Session, gateways: ScriptedGateways) -> None:
    unit = make_unit(session)
    first, *_ = [make_person(session, unit) for _ in range(3)]
    officer, campaign = make_actor(session, unit), write(session, unit, "您好。")
    set_cap(session, SYSTEM, "study", 1, "试")
    now = session.scalars(select(func.sms_now())).one()
    noon = (now + CITY_TIME + timedelta(days=1)).replace(hour=12, minute=0, second=0, microsecond=0) - CITY_TIME
    day = (noon + CITY_TIME).date()
    session.add(CapUse(phone=first.phone, class_="study", day=day, used=1))
    session.flush()
    assert cautions(foresee(session, officer, campaign, at=noon)) == [Caution.cap_reached]
    said = foresee(session, officer, campaign, at=noon).warnings[0].text
    assert said == f"1 people have had all texts of this class that a phone may get on {day}; theirs are skipped"
    assert cautions(foresee(session, officer, campaign, at=noon + timedelta(days=1))) == []


class Past:
    """A campaign that was sent a while ago, and the next one to the same people."""

    def __init__(self, database: Database, session: Session, unit: Unit, gateways: ScriptedGateways) -> None:
        self.session, self.unit = session, unit
        self.first = write(session, unit, "每日一学", name="昨天")
        self.run = launch(database, session, self.first)
        drain(database, gateways)

    def similar(self, actor: Actor, campaign: Campaign) -> list[tuple[str | None, bool]]:
        return [(one.campaign, one.same_template) for one in foresee(self.session, actor, campaign).similar]


@pytest.fixture
def past(database: Database, session: Session, district: Unit, officer: Actor, gateways: ScriptedGateways) -> Past:
    for _ in range(3):
        make_person(session, make_unit(session, parent=district, **ALL_DAY))
    return Past(database, session, district, gateways)


def test_the_same_template_to_the_same_people_is_named(
    session: Session, district: Unit, officer: Actor, past: Past
) -> None:
    again = write(session, district, "", version_id=past.first.template_version_id, values={"期": "二"})
    outlook = foresee(session, officer, again)
    assert [(one.run_id, one.campaign, one.same_template) for one in outlook.similar] == [(past.run.id, "昨天", True)]
    assert cautions(outlook) == [Caution.similar]
    assert "昨天" in outlook.warnings[0].text


def test_the_same_text_from_another_template_is_named(
    session: Session, district: Unit, officer: Actor, past: Past
) -> None:
    assert past.similar(officer, write(session, district, "每日一学")) == [("昨天", False)]
    assert past.similar(officer, write(session, district, "别的话")) == []


def test_people_of_one_branch_find_the_run_of_the_whole_district(session: Session, district: Unit, past: Past) -> None:
    """Their officer may not read the district's campaigns: the unit is named, the campaign is not."""
    branch = session.scalars(select(Unit).filter_by(parent_id=district.id)).first()
    assert branch is not None
    same = write(session, branch, "每日一学")
    found = foresee(session, make_actor(session, branch), same)
    assert [(one.campaign_id, one.campaign, one.unit) for one in found.similar] == [(None, None, district.name)]
    assert district.name in found.warnings[0].text


def test_the_text_that_a_schedule_sends_next_is_compared_too(
    session: Session, district: Unit, officer: Actor, past: Past
) -> None:
    recurring = write(session, district, "{{ 内容 }}", ("内容",), values={"内容": "别的话"})
    first = session.scalars(select(func.sms_now())).one() + timedelta(days=1)
    rule = {"rrule": "FREQ=DAILY", "first": f"{first:%Y-%m-%d}", "at": "08:30"}
    set_schedule(session, SYSTEM, recurring.id, "recurring", rule)
    assert past.similar(officer, recurring) == []
    change_item(session, SYSTEM, recurring.id, 1, {"values": {"内容": "每日一学"}})
    assert past.similar(officer, recurring) == [("昨天", False)]


def test_neither_others_nor_long_ago_is_similar(session: Session, district: Unit, officer: Actor, past: Past) -> None:
    branch = make_unit(session, parent=district, **ALL_DAY)
    make_person(session, branch, tags=["新"], phone=fictional_phone())
    assert past.similar(officer, write(session, district, "每日一学", rule={"tag": "新"})) == []
    same = write(session, district, "每日一学")
    assert past.similar(officer, same) == [("昨天", False)]
    session.execute(update(Run).values(launched_at=Run.launched_at - timedelta(days=7)))
    assert past.similar(officer, same) == []
