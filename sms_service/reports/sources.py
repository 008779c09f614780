"""Where the answer to a question about counts is at a moment: in the roll-ups, or in the ledger's rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from dateutil.relativedelta import relativedelta
from sqlalchemy import BigInteger, ColumnElement, cast, func, literal, null, select, union_all
from sqlalchemy.orm import Session

from sms_service.errors import Conflict
from sms_service.ledger.amendment_models import CountedDay
from sms_service.ledger.archive_models import ArchivedMonth
from sms_service.ledger.archived import say_archived
from sms_service.ledger.models import Run
from sms_service.reports.filters import Filter
from sms_service.reports.roll_ups import OTHER_ZONES_DAYS, exact_days, exact_months


class Source(NamedTuple):
    """Where the answer to a question is at this moment: in the roll-ups of these `days`, of which the `months` are
    whole, and in the ledger's rows of `run_ids`, which lie in `run_months`.
    """

    days: Sequence[date]
    months: Sequence[date]
    run_ids: Sequence[int]
    run_months: Sequence[date]


NO_ROLL_UPS = Source((), (), (), ())  # says that all of the answer is in the ledger


def choose_source(session: Session, rows: Filter, by: Sequence[str]) -> Source | None:
    """What of the question the roll-ups can answer now; None: nothing of it, or it is of a kind that only the ledger
    can tell. Raises Conflict where that are rows of a month that is being archived.
    """
    if rows.asks_the_ledger or rows.run_id is not None or len(rows.paths) != 1:
        return None
    if "run" in by and rows.campaign_id is None and rows.kind != "campaign":
        return None  # the runs of other kinds are added up together
    exact = exact_days().subquery()
    days: list[ColumnElement[bool]] = []
    if rows.since is not None:
        days.append(exact.c.day >= rows.since)
    if rows.until is not None:
        days.append(exact.c.day <= rows.until)
    # A run's day is listed soon after it is over: the others have stale sums, or lie at the end.
    stale = select(CountedDay.day).where(CountedDay.day.not_in(exact_days()))
    newest = select(func.max(CountedDay.day)).scalar_subquery() - OTHER_ZONES_DAYS
    unlisted = (Run.day >= newest) & Run.day.not_in(select(CountedDay.day))
    months, no_run = exact_months().subquery(), cast(null(), BigInteger)
    found = session.execute(
        union_all(
            select(literal("day").label("what"), exact.c.day.label("day"), no_run.label("run_id")).where(*days),
            select(literal("month"), months.c.month, no_run),
            select(literal("archived"), ArchivedMonth.month, no_run),
            *(
                select(literal("run"), Run.month, Run.id).where(Run.audience.is_not(None), *rows.of_runs(), where)
                for where in (Run.day.in_(stale), unlisted)
            ),
        )
    ).all()
    whole = [
        row.day
        for row in found
        if row.what == "month"
        and (rows.since is None or rows.since <= row.day)
        and (rows.until is None or row.day + relativedelta(months=1, days=-1) <= rows.until)
    ]
    runs = [row for row in found if row.what == "run"]
    source = Source(
        sorted(row.day for row in found if row.what == "day"),
        whole,
        [row.run_id for row in runs],
        sorted({row.day for row in runs}),
    )
    archived = {row.day for row in found if row.what == "archived"}
    if source.days and (leaving := sorted(archived.intersection(source.run_months))):
        raise Conflict(say_archived(leaving))  # rows of it have just changed; it comes back then
    return source if source.days else None
