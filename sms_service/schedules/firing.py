"""The clock fires what is due: one transaction makes the run of each due item and says when the item fires next.

The rows of items and campaigns are locked before anything is read of them, and `runs` is unique by campaign, item and
firing: two clocks, a clock that dies between any two statements, and one that is put back fire nothing twice.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import update
from sqlalchemy.orm import Session

from sms_service.campaigns.contents import load_contents
from sms_service.campaigns.models import CampaignItem
from sms_service.db.engine import Database
from sms_service.schedules.cohorts import await_newcomers, fire_cohorts, take_due_cohorts
from sms_service.schedules.fired_runs import DueText, Fired, load_firing_units, make_runs, take_due
from sms_service.schedules.kinds import KINDS

TOGETHER = 50  # items in one transaction
MOST_AT_ONCE = 1_000  # items in one go of the clock, which has other duties


def fire_due_items(database: Database) -> Fired:
    """Make the runs of all items that are due, and of those that are due for a cohort, at most 1,000 of each; the
    caller calls again.
    """
    runs = held = 0
    for take, fire in ((_take_items, _fire), (take_due_cohorts, fire_cohorts)):
        found = 0
        while found < MOST_AT_ONCE:
            with database.session() as session:
                due = take(session, TOGETHER)
                if not due:
                    break
                made = fire(session, due)
            runs, held, found = runs + made.runs, held + made.held, found + len(due)
    return Fired(runs, held)


def _take_items(session: Session, most: int) -> Sequence[tuple[int, int]]:
    return take_due(session, CampaignItem, CampaignItem.number, most)


def _fire(session: Session, due: Sequence[tuple[int, int]]) -> Fired:
    contents = load_contents(session, {campaign_id for campaign_id, _ in due})
    units = load_firing_units(session, contents)
    texts, rows = list[DueText](), []
    for campaign_id, number in due:
        campaign = contents[campaign_id].campaign
        item = next(one for one in contents[campaign_id].items if one.number == number)
        assert item.next_at is not None, "it is due"
        texts.append(DueText(campaign_id, number, item.next_firing, item.next_at))
        following = KINDS[campaign.kind].find_following(campaign.schedule or {}, units[campaign_id], item.next_at)
        times = {"next_at": following, "fired_at": item.next_at, "next_firing": item.next_firing + 1}
        rows.append({"campaign_id": campaign_id, "number": number, **times})
    fired = make_runs(session, contents, units, texts)
    session.execute(update(CampaignItem), rows)
    await_newcomers(session, contents, texts)
    return fired
