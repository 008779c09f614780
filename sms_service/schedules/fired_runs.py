"""Making the runs of what fires, whatever it is that made it due."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import func, literal, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from sms_service.audit import trail
from sms_service.campaigns.acts import ACTS, CampaignAct
from sms_service.campaigns.approval_rules import find_most_people
from sms_service.campaigns.contents import Content
from sms_service.campaigns.models import Campaign, CampaignItem, SeriesCohort
from sms_service.campaigns.planning import describe_run
from sms_service.directory.models import Person, Unit
from sms_service.dispatch.freeze import SMALL_UP_TO
from sms_service.ledger.runs import CHANGED, plan_runs
from sms_service.ledger.states import HeldFor, Lane, RunStatus
from sms_service.said import to_json


class DueText(NamedTuple):
    """An item of a campaign that is due at that time, as this firing."""

    campaign_id: int
    item: int
    firing: int
    at: datetime


class Fired(NamedTuple):
    """How many runs were made, and how many of them are held since their content is not what was approved."""

    runs: int
    held: int


def take_due(
    session: Session, table: type[CampaignItem] | type[SeriesCohort], number: InstrumentedAttribute[int], most: int
) -> Sequence[tuple[int, int]]:
    """Lock rows of the table that are due, with their campaigns, and return the campaign and the `number` of each;
    those that somebody is changing are left for the next time.
    """
    rows = session.execute(
        select(table.campaign_id, number)
        .join(Campaign, Campaign.id == table.campaign_id)
        .where(table.next_at <= func.sms_now(), Campaign.status.in_(ACTS[CampaignAct.fire].moves))
        .order_by(table.next_at, table.campaign_id, number)
        .limit(most)
        .with_for_update(of=(table, Campaign), skip_locked=True, key_share=True)
    )
    return [(row[0], row[1]) for row in rows]


def load_firing_units(session: Session, contents: Mapping[int, Content]) -> dict[int, Unit]:
    """The units of these campaigns, by the campaigns' ids."""
    unit_ids = {one.campaign.unit_id for one in contents.values()}
    units = {unit.id: unit for unit in session.scalars(select(Unit).where(Unit.id.in_(unit_ids)))}
    return {campaign_id: units[one.campaign.unit_id] for campaign_id, one in contents.items()}


def make_runs(
    session: Session, contents: Mapping[int, Content], units: Mapping[int, Unit], due: Sequence[DueText]
) -> Fired:
    """Make the runs of these texts, of campaigns that the caller has locked, and write that they fired. One that is not
    what was approved is held, and its campaign undecided.
    """
    lanes = _foresee_lanes(session, {unit.id for unit in units.values()})
    most_people = find_most_people(session, contents.keys())
    runs, changed = [], set[int]()
    for text in due:
        content, unit = contents[text.campaign_id], units[text.campaign_id]
        lane = Lane.urgent if content.campaign.urgent else lanes[unit.id]
        run = _describe(content, text, unit, lane, most_people.get(text.campaign_id))
        runs.append(run)
        if run["status"] == RunStatus.held:
            changed.add(text.campaign_id)
    made = plan_runs(session, runs)
    if changed:
        undecided = {"undecided": True, "submissions": Campaign.submissions + 1}
        session.execute(update(Campaign).where(Campaign.id.in_(changed), ~Campaign.undecided).values(undecided))
    fired = [(run_id, units[campaign_id].path) for (campaign_id, _, _), run_id in made.items()]
    trail.record_acts(session, None, "run.fire", "run", fired)
    return Fired(len(made), sum(run["status"] == RunStatus.held for run in runs))


def _describe(content: Content, due: DueText, unit: Unit, lane: Lane, most_people: int | None) -> dict[str, Any]:
    """The run's columns."""
    item = next(one for one in content.items if one.number == due.item)
    run = describe_run(content.of_item(item), unit, due.at, lane, most_people)
    approved = run["digest"] == item.approved
    held = (None, None, None) if approved else (HeldFor.changed.value, str(CHANGED), to_json(CHANGED))
    status = RunStatus.planned if approved else RunStatus.held
    run |= {"item": due.item, "firing": due.firing, "status": status.value}
    return run | dict(zip(("held_for", "reason", "reason_message"), held, strict=True))


def _foresee_lanes(session: Session, unit_ids: Collection[int]) -> dict[int, Lane]:
    """The lane in which runs of these units wait to be frozen: who lives in the subtree bounds their audience. The
    freeze then counts anew.
    """
    own = Unit.__table__.alias("own")
    within = select(Person.id).join(own, own.c.id == Person.unit_id).where(own.c.path.op("^@")(Unit.path))
    some = within.correlate(Unit).limit(SMALL_UP_TO + 1).subquery().lateral()
    people = select(func.count()).select_from(some).correlate(Unit).scalar_subquery()
    rows = session.execute(select(Unit.id, people).where(Unit.id.in_(unit_ids), literal(True)))
    return {row[0]: Lane.small if row[1] <= SMALL_UP_TO else Lane.bulk for row in rows}
