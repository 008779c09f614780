"""The clock fires what is due: one transaction makes the run of each due item and says when the item fires next.

The rows of items and campaigns are locked before anything is read of them, and `runs` is unique by campaign, item and
firing: two clocks, a clock that dies between any two statements, and one that is put back fire nothing twice.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import func, literal, select, update
from sqlalchemy.orm import Session

from sms_service.audit import trail
from sms_service.campaigns.approval_rules import find_most_people
from sms_service.campaigns.contents import Content, load_contents
from sms_service.campaigns.items import Item
from sms_service.campaigns.models import Campaign, CampaignItem
from sms_service.campaigns.planning import describe_run
from sms_service.campaigns.states import CampaignStatus
from sms_service.db.engine import Database
from sms_service.directory.models import Person, Unit
from sms_service.dispatch.freeze import SMALL_UP_TO
from sms_service.ledger.runs import CHANGED, plan_runs
from sms_service.ledger.states import HeldFor, Lane, RunStatus
from sms_service.said import to_json
from sms_service.schedules.kinds import KINDS

TOGETHER = 50  # items in one transaction
MOST_AT_ONCE = 1_000  # items in one go of the clock, which has other duties

log = logging.getLogger(__name__)


class Fired(NamedTuple):
    """How many runs were made, and how many of them are held since their content is not what was approved."""

    runs: int
    held: int


def fire_due_items(database: Database) -> Fired:
    """Make the runs of all items that are due, at most 1,000 of them; the caller calls again."""
    runs = held = found = 0
    while found < MOST_AT_ONCE:
        with database.session() as session:
            due = _take_due(session)
            if not due:
                break
            made = _fire(session, due)
        runs, held, found = runs + made.runs, held + made.held, found + len(due)
    return Fired(runs, held)


def _take_due(session: Session) -> Sequence[tuple[int, int]]:
    """Lock items that are due, with their campaigns; those that somebody is changing are left for the next time."""
    rows = session.execute(
        select(CampaignItem.campaign_id, CampaignItem.number)
        .join(Campaign, Campaign.id == CampaignItem.campaign_id)
        .where(CampaignItem.next_at <= func.sms_now(), Campaign.status == CampaignStatus.active)
        .order_by(CampaignItem.next_at, CampaignItem.campaign_id, CampaignItem.number)
        .limit(TOGETHER)
        .with_for_update(of=(CampaignItem, Campaign), skip_locked=True, key_share=True)
    )
    return [(row.campaign_id, row.number) for row in rows]


def _fire(session: Session, due: Sequence[tuple[int, int]]) -> Fired:
    contents = load_contents(session, {campaign_id for campaign_id, _ in due})
    units = {content.campaign.unit_id: session.get_one(Unit, content.campaign.unit_id) for content in contents.values()}
    lanes = _foresee_lanes(session, list(units.values()))
    most_people = find_most_people(session, contents.keys())
    rows, runs, changed = [], [], set[int]()
    for campaign_id, number in due:
        content = contents[campaign_id]
        item = next(one for one in content.items if one.number == number)
        unit = units[content.campaign.unit_id]
        lane = Lane.urgent if content.campaign.urgent else lanes[unit.id]
        run = _describe(content, item, unit, lane, most_people.get(campaign_id))
        runs.append(run)
        if run["status"] == RunStatus.held:
            changed.add(campaign_id)
        rule, fired_at = content.campaign.schedule or {}, run["due_at"]
        following = KINDS[content.campaign.kind].find_following(rule, unit, fired_at)
        times = {"next_at": following, "fired_at": fired_at, "next_firing": item.next_firing + 1}
        rows.append({"campaign_id": campaign_id, "number": number, **times})
    made = plan_runs(session, runs)
    session.execute(update(CampaignItem), rows)
    if changed:
        undecided = {"undecided": True, "submissions": Campaign.submissions + 1}
        session.execute(update(Campaign).where(Campaign.id.in_(changed), ~Campaign.undecided).values(undecided))
    paths = {campaign_id: units[content.campaign.unit_id].path for campaign_id, content in contents.items()}
    fired = [(run_id, paths[campaign_id]) for (campaign_id, _, _), run_id in made.items()]
    trail.record_acts(session, None, "run.fire", "run", fired)
    return Fired(len(made), sum(run["status"] == RunStatus.held for run in runs))


def _describe(content: Content, item: Item, unit: Unit, lane: Lane, most_people: int | None) -> dict[str, Any]:
    """The run's columns."""
    text = content.of_item(item)
    assert item.next_at is not None, "it is due"
    run = describe_run(text, unit, item.next_at, lane, most_people) | {"item": item.number, "firing": item.next_firing}
    approved = run["digest"] == item.approved
    held = (None, None, None) if approved else (HeldFor.changed.value, str(CHANGED), to_json(CHANGED))
    status = RunStatus.planned if approved else RunStatus.held
    return run | {"status": status.value} | dict(zip(("held_for", "reason", "reason_message"), held, strict=True))


def _foresee_lanes(session: Session, units: Sequence[Unit]) -> dict[int, Lane]:
    """The lane in which runs of these units wait to be frozen: who lives in the subtree bounds their audience. The
    freeze then counts anew.
    """
    own = Unit.__table__.alias("own")
    within = select(Person.id).join(own, own.c.id == Person.unit_id).where(own.c.path.op("^@")(Unit.path))
    some = within.correlate(Unit).limit(SMALL_UP_TO + 1).subquery().lateral()
    people = select(func.count()).select_from(some).correlate(Unit).scalar_subquery()
    rows = session.execute(select(Unit.id, people).where(Unit.id.in_([unit.id for unit in units]), literal(True)))
    return {row[0]: Lane.small if row[1] <= SMALL_UP_TO else Lane.bulk for row in rows}
