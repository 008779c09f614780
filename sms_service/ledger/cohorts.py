"""Cohorts of a series: who joins it late and begins at its first item is in one cohort, and stays in it.

The *members* of a cohort are the people whom its first run to be frozen found, among those who were in no cohort yet. A
further run of it finds members alone, of those whom its rule finds that day; so the largest of its frozen runs has all
members, and whoever left gets no more. That a person is in one cohort, and so gets each item in one run, holds since

- a cohort begins only when all that began before it have members (`schedules/cohorts.py`), of which it takes none;
- of two runs of a cohort without members, the one that is frozen second waits for the first and finds its members.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import date
from typing import NamedTuple

from sqlalchemy import BigInteger, ColumnElement, Select, any_, exists, literal, select, union_all
from sqlalchemy.dialects.postgresql import ARRAY, distinct_on
from sqlalchemy.orm import Session

from sms_service.db.locks import LockedName, lock_name
from sms_service.directory.models import Person
from sms_service.ledger.archived import require_unarchived
from sms_service.ledger.models import Message, Run
from sms_service.ledger.states import RunStatus

_MAY_BE_FROZEN = (RunStatus.planned, RunStatus.freezing, RunStatus.held)


class Members(NamedTuple):
    """The run that has the members of a cohort, and how many recipients they are."""

    run_id: int
    month: date
    people: int


def load_members(session: Session, campaign_id: int) -> dict[int, Members]:
    """By firing the members of those cohorts of the campaign that have some run that was frozen."""
    rows = session.execute(
        select(Run.firing, Run.id, Run.month, Run.audience)
        .where(Run.campaign_id == campaign_id, Run.of_cohort, Run.frozen_at.is_not(None))
        .order_by(Run.firing, Run.audience.desc(), Run.id)
        .ext(distinct_on(Run.firing))
    )
    return {row.firing: Members(row.id, row.month, row.audience) for row in rows}


def list_unfrozen(session: Session, campaign_id: int) -> set[int]:
    """The firings of the campaign's cohorts that have a run which may still be frozen."""
    unfrozen = Run.status.in_(_MAY_BE_FROZEN), Run.frozen_at.is_(None)
    return set(session.scalars(select(Run.firing).where(Run.campaign_id == campaign_id, Run.of_cohort, *unfrozen)))


def bind_to_cohort(session: Session, run: Run, found: Select[int, int]) -> Select[int, int]:
    """Those of an audience (a select over people) who belong to the cohort of a run that is about to be frozen. Raises
    Conflict where members are archived.
    """
    assert run.campaign_id is not None, "a run of a cohort has a campaign"
    require_unarchived(session, Run.campaign_id == run.campaign_id, Run.of_cohort.is_(True))
    members = load_members(session, run.campaign_id)
    if run.firing not in members:
        lock_name(session, LockedName.cohort, f"{run.campaign_id} {run.firing}")
        members = load_members(session, run.campaign_id)
    if run.firing in members:
        return found.where(_is_member([members[run.firing]]))
    return exclude_members(found, members)


def exclude_members(found: Select[int, int], members: Mapping[int, Members]) -> Select[int, int]:
    """Those of an audience who are in none of these cohorts."""
    return found.where(~_is_member(members.values())) if members else found


def _is_member(cohorts: Collection[Members]) -> ColumnElement[bool]:
    """As a join: an `IN` would be asked anew for each person once it is larger than memory for it."""
    of_month = defaultdict[date, list[int]](list)
    for one in cohorts:
        of_month[one.month].append(one.run_id)
    rows = union_all(
        *(
            select(Message.person_id).where(
                Message.month == literal(month), Message.run_id == any_(literal(ids, ARRAY(BigInteger)))
            )
            for month, ids in of_month.items()
        )
    ).subquery("members")
    return exists(select(rows.c.person_id).where(rows.c.person_id == Person.id).correlate(Person))
