"""Rules that ask what became of an earlier campaign: freeze, rights, and that every process can ask."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from sms_service.accounts.actors import SYSTEM
from sms_service.audience import segments
from sms_service.audience.grammar import OUTCOMES, parse_rule
from sms_service.audience.reach import count_by_unit
from sms_service.audience.rules import audience_select
from sms_service.audience.segments import preview_audience
from sms_service.audience.wording import describe_rule
from sms_service.campaigns.models import Campaign
from sms_service.campaigns.services import change_campaign
from sms_service.db.engine import Database
from sms_service.dispatch import freeze
from sms_service.errors import Forbidden, Invalid
from sms_service.gateways.base import ErrorClass, Outcome, OutcomeKind, Reply
from sms_service.ledger.models import Run
from sms_service.replies import matching
from sms_service.replies.storing import store_replies
from tests.clocks import ahead_by
from tests.db.test_shapes import _pruning_steps
from tests.dispatch.city import City, ScriptedAdapter, drain, make_city, make_run, messages
from tests.factories import fictional_phone, make_actor, make_person, make_segment, make_unit
from tests.replies.asking import ask

TAKEN, REFUSED, ANSWERS, SHARES = (fictional_phone(70 + n) for n in range(4))


def asks(city: City, session: Session, outcome: str) -> dict[str, Any]:
    return {"campaign": {"id": session.get_one(Run, city.run_id).campaign_id, "outcome": outcome}}


@pytest.fixture
def city(database: Database) -> City:
    """A campaign to five: one is refused, one answers for two, one has no phone."""
    adapter = ScriptedAdapter()

    def answer(handed: Any) -> Outcome:
        if handed.phone == REFUSED:
            return Outcome(handed.reference, OutcomeKind.refused, error=ErrorClass.bad_number)
        return Outcome(handed.reference, OutcomeKind.accepted, provider_id=f"p{handed.reference}")

    adapter.answer = answer
    people = [{"phone": TAKEN}, {"phone": REFUSED}, {"phone": ANSWERS}, {"phone": ANSWERS}, {"phone": None}]
    city = make_city(database, 0, more=[{"name": f"党员{n}", **one} for n, one in enumerate(people)], adapter=adapter)
    drain(database, city.gateways)
    with ahead_by(database.url, "1 second") as ahead:
        store_replies(ahead, "main", [Reply(ANSWERS, "来", "{}")])
        matching.match_waiting(ahead)
    return city


@pytest.mark.parametrize(
    ("outcome", "numbers"),
    [
        ("in_audience", [0, 1, 2, 3, 4]),
        ("texted", [0, 2, 3]),
        ("delivered", []),
        ("not_delivered", []),
        ("not_texted", [1, 4]),
        ("answered", [2, 3]),
        ("not_answered", [0]),
        ("accepted", []),
        ("declined", []),
        ("unanswered", []),
        ("came", []),
    ],
)
def test_a_run_is_frozen_to_whom_an_earlier_one_missed(
    database: Database, city: City, outcome: str, numbers: list[int]
) -> None:
    with database.session() as session:
        rule = {"all": [{"kind": "member"}, asks(city, session, outcome)]}
        run_id = make_run(session, city.unit, segment_rule=rule).id
    freeze.begin_due_runs(database)
    assert freeze.freeze_run(database, run_id) == len(numbers)
    first = min(row.person_id for row in messages(database, city.run_id))
    assert [row.person_id - first for row in messages(database, run_id)] == numbers


def test_no_partition_is_chosen_while_such_a_freeze_runs(database: Database, city: City) -> None:
    fresh, dialect = Database(database.url), database.engine.dialect  # on it the driver has prepared nothing
    for number, outcome in enumerate(OUTCOMES):
        with database.session() as session:
            found = audience_select(session, {"not": asks(city, session, outcome)}, city.unit.path)
            query = freeze._query(dialect, found, ())
        steps = _pruning_steps(fresh, SimpleNamespace(sql=query.sql), number)  # type: ignore[arg-type]
        assert steps == [], outcome
    fresh.close()


def test_an_item_is_asked_for_alone_and_may_be_still_to_go(database: Database, session: Session, city: City) -> None:
    campaign_id = session.get_one(Run, city.run_id).campaign_id

    def find(item: int) -> int:
        rule = {"campaign": {"id": campaign_id, "outcome": "texted", "item": item}}
        return len(session.execute(audience_select(session, rule, city.unit.path)).all())

    assert (find(1), find(2)) == (3, 0)
    session.execute(update(Run).where(Run.id == city.run_id).values(item=2))
    assert (find(1), find(2)) == (0, 3)
    rule = {"not": {"campaign": {"id": campaign_id, "outcome": "answered", "item": 2}}}
    assert describe_rule(session, SYSTEM, city.unit.id, rule).endswith("sent no answer to the campaign 学习 (text 2)")
    for wrong in (0, "1", True, 10**6):
        with pytest.raises(Invalid) as refused:
            parse_rule({"campaign": {"id": campaign_id, "outcome": "texted", "item": wrong}})
        assert refused.value.field == "rule.campaign.item"


@pytest.mark.parametrize(
    ("said", "numbers"),
    [
        (["0"], [2, 3]),
        (["不参加！", "谢谢"], [2, 3]),
        (["请假", "我参加。"], []),
        (["参加", "ＮＯ"], [2, 3]),
        (["不知道"], []),
        (["0人请假"], []),
    ],
)
def test_the_last_yes_or_no_counts(database: Database, city: City, said: list[str], numbers: list[int]) -> None:
    ask(database, city.run_id)
    for place, text in enumerate(said, start=2):
        with ahead_by(database.url, f"{place} minutes") as later:
            store_replies(later, "main", [Reply(ANSWERS, text, "{}")])
            matching.match_waiting(later)
    with database.session() as session:
        rule = asks(city, session, "declined")
        found = session.execute(audience_select(session, rule, city.unit.path)).all()
    first = min(row.person_id for row in messages(database, city.run_id))
    assert sorted(row.person_id - first for row in found) == numbers


def test_only_who_may_read_the_campaign_may_ask(database: Database, session: Session, city: City) -> None:
    below = make_unit(session, name="第一支部", parent=city.unit)
    make_person(session, below)
    officer, rule = make_actor(session, below), asks(city, session, "texted")
    for act in (
        lambda: segments.create_segment(session, officer, below.id, "回访", rule),
        lambda: preview_audience(session, officer, below.id, {"not": rule}),
        lambda: count_by_unit(session, officer, below.id, rule, below.id),
    ):
        with pytest.raises(Forbidden, match="may not read campaign"):
            act()
    above = segments.create_segment(session, SYSTEM, city.unit.id, "回访", rule)
    with pytest.raises(Forbidden, match="may not read campaign"):
        preview_audience(session, officer, below.id, {"segment": above.id})
    own = make_segment(session, below, {"everyone": True})
    run = make_run(session, below)
    campaign = session.get_one(Campaign, run.campaign_id)
    campaign.status, campaign.segment_id = "draft", own.id
    with pytest.raises(Forbidden, match="may not read campaign"):
        change_campaign(session, officer, campaign.id, {"segment_id": above.id})
    assert describe_rule(session, officer, below.id, rule).endswith(
        f"was texted by the campaign {rule['campaign']['id']}"
    )
    assert describe_rule(session, SYSTEM, below.id, rule).endswith("was texted by the campaign 学习")


def test_a_campaign_that_was_never_launched_is_refused_at_its_place(session: Session, city: City) -> None:
    draft = session.scalars(select(Campaign)).one()
    never = Campaign(
        unit_id=draft.unit_id,
        name="草稿",
        template_version_id=draft.template_version_id,
        segment_id=draft.segment_id,
        signature="云州先锋",
        route_id=draft.route_id,
    )
    session.add(never)
    session.flush()
    for campaign_id in (never.id, 10**9):
        rule = {"not": {"campaign": {"id": campaign_id, "outcome": "answered"}}}
        with pytest.raises(Invalid) as caught:
            segments.create_segment(session, SYSTEM, draft.unit_id, "x", rule)
        assert caught.value.field == "rule.not.campaign.id"


@pytest.mark.parametrize("process", ["worker", "sms_service.api", "sms_service.cli.context"])
def test_every_process_can_ask(process: str) -> None:
    code = f"import {process}; from sms_service.audience import earlier; assert earlier._installed is not None"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
