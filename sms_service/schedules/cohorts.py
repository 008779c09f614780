"""Cohorts of a series: people who join it late begin at its first item, one item a day, beside all others.

With each item that fires for those who began with the series, a cohort waits for people who are new; one that finds
nobody is forgotten. It begins only when each cohort before it has members, or can have none any more: so nobody is in
two of them (`ledger/cohorts.py`). Then it has its next item each day of the series, also when that is over for the
others, until it has had all.

What a cohort had is what it has runs of, and those are unique by campaign, item and firing: so it skips none, also
where items are moved or put in between. Its row and its campaign's are locked as those of items are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from sms_service.audience.rules import audience_select
from sms_service.campaigns.cohort_items import find_cohort_item, list_had
from sms_service.campaigns.contents import Content, load_contents
from sms_service.campaigns.items import Item
from sms_service.campaigns.models import Campaign, SeriesCohort
from sms_service.campaigns.placing import find_cohort_time
from sms_service.directory.models import Unit
from sms_service.errors import Invalid
from sms_service.ledger.cohorts import Members, exclude_members, list_unfrozen, load_members
from sms_service.ledger.models import Run
from sms_service.schedules.fired_runs import DueText, Fired, load_firing_units, make_runs, take_due

FIRST = 1  # the firing of those who began with the series


class CohortView(NamedTuple):
    """A cohort as people read it. `people`: its members, None before they are known; `had`: how many items fired for
    it; `next_item` fires at `next_at`, None: it had all, or the series was ended.
    """

    firing: int
    began_at: datetime
    people: int | None
    had: int
    next_item: Item | None
    next_at: datetime | None


def await_newcomers(session: Session, contents: Mapping[int, Content], fired: Sequence[DueText]) -> None:
    """Let a cohort wait for people who are new, at the time of these items, in each series whose late joiners begin at
    its first item, but for those that begin themselves. The caller has locked the campaigns.
    """
    at = {
        text.campaign_id: text.at
        for text in fired
        if contents[text.campaign_id].campaign.has_cohorts
        and any(item.fired_at for item in contents[text.campaign_id].items)
    }
    if not at:
        return
    waits = func.bool_or(SeriesCohort.fired_at.is_(None))
    known = session.execute(
        select(SeriesCohort.campaign_id, func.max(SeriesCohort.firing).label("last"), waits.label("waits"))
        .where(SeriesCohort.campaign_id.in_(at))
        .group_by(SeriesCohort.campaign_id)
    ).all()
    last = {row.campaign_id: row.last for row in known}
    waiting = {row.campaign_id for row in known if row.waits}
    new = [
        {"campaign_id": campaign_id, "firing": last.get(campaign_id, FIRST) + 1, "next_at": time}
        for campaign_id, time in at.items()
        if campaign_id not in waiting
    ]
    if new:
        session.execute(insert(SeriesCohort), new)


def take_due_cohorts(session: Session, most: int) -> Sequence[tuple[int, int]]:
    """Lock cohorts that are due, with their campaigns: the campaign and the firing of each, at most so many."""
    return take_due(session, SeriesCohort, SeriesCohort.firing, most)


def fire_cohorts(session: Session, due: Sequence[tuple[int, int]]) -> Fired:
    """Make a run of the next item of each of these cohorts, which `take_due_cohorts` has locked, and say when the one
    after it fires.
    """
    contents = load_contents(session, {campaign_id for campaign_id, _ in due})
    units = load_firing_units(session, contents)
    texts = list[DueText]()
    for campaign_id, firing in due:
        cohort = session.get_one(SeriesCohort, (campaign_id, firing), populate_existing=True)
        text = _next_text(session, contents[campaign_id], units[campaign_id], cohort)
        if text is not None:
            texts.append(text)
    return make_runs(session, contents, units, texts) if texts else Fired(0, 0)


def list_cohorts(session: Session, campaign: Campaign, items: Sequence[Item]) -> list[CohortView]:
    """The cohorts of a campaign with these items that have begun, but for those who began with it, in the order in
    which they did.
    """
    if not campaign.has_cohorts:
        return []
    begun = SeriesCohort.campaign_id == campaign.id, SeriesCohort.fired_at.is_not(None)
    cohorts = session.scalars(select(SeriesCohort).where(*begun).order_by(SeriesCohort.firing)).all()
    members = load_members(session, campaign.id)
    had, began = defaultdict[int, set[int]](set), dict[int, datetime]()
    runs = select(Run.firing, Run.item, Run.due_at).where(Run.campaign_id == campaign.id).order_by(Run.id.desc())
    for row in session.execute(runs):
        had[row.firing].add(row.item)
        began[row.firing] = row.due_at
    return [
        CohortView(
            one.firing,
            began[one.firing],
            members[one.firing].people if one.firing in members else None,
            len(had[one.firing]),
            None if one.next_at is None else find_cohort_item(items, had[one.firing]),
            one.next_at,
        )
        for one in cohorts
    ]


def _next_text(session: Session, content: Content, unit: Unit, cohort: SeriesCohort) -> DueText | None:
    """What the cohort gets now, if it goes on; its row then says what comes after that."""
    at, campaign = cohort.next_at, content.campaign
    assert at is not None, "it is due"
    had = list_had(session, campaign.id).get(cohort.firing, set())
    item = find_cohort_item(content.items, had)
    members = load_members(session, campaign.id)
    if cohort.fired_at is None and not (item and _has_newcomers(session, content.of_item(item), unit, cohort, members)):
        session.delete(cohort)
        return None
    if item is None or (cohort.firing in members and not members[cohort.firing].people):
        cohort.next_at = None
        return None
    cohort.fired_at = at
    cohort.next_at = find_cohort_time(session, campaign, unit, content.items, had | {item.number}, at, at)
    return DueText(campaign.id, item.number, cohort.firing, at)


def _has_newcomers(
    session: Session, text: Content, unit: Unit, cohort: SeriesCohort, members: Mapping[int, Members]
) -> bool:
    """Whether a cohort can begin, and the rule finds somebody who is in none."""
    earlier = select(SeriesCohort.firing).where(
        SeriesCohort.campaign_id == cohort.campaign_id,
        SeriesCohort.firing < cohort.firing,
        SeriesCohort.next_at.is_not(None),
    )
    unfrozen = {FIRST, *list_unfrozen(session, cohort.campaign_id), *session.scalars(earlier)} - members.keys()
    if any(firing < cohort.firing for firing in unfrozen):
        return False
    try:
        found = audience_select(session, text.segment_rule, unit.path)
    except Invalid:  # those of all others are held for it
        return False
    return session.scalar(exclude_members(found, members).limit(1)) is not None
