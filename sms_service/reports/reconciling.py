"""Each night the roll-ups are compared with the ledger, line by line; a day that differs is added up again."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import date, timedelta

from sqlalchemy import func, select

from sms_service.audit import trail
from sms_service.db.engine import Database
from sms_service.directory.models import CITY_ZONE
from sms_service.errors import Conflict, Invalid
from sms_service.ledger.amendment_models import CountedDay
from sms_service.ledger.archived import list_archived_months, say_archived
from sms_service.reports.roll_ups import Drift, exact_days, find_drift, roll_up_day

HOUR = 3  # of the city's night, when few texts leave
RECENT_DAYS = 40  # are compared every night,
ROUND_NIGHTS = 100  # and each older one once in so many
DAYS_A_TICK = 2
MOST_LOGGED = 20  # lines of a day

log = logging.getLogger(__name__)


class Reconciler:
    """Which days are still to be compared in this night. After a restart in that hour it begins again."""

    def __init__(self) -> None:
        self._night: date | None = None
        self._left: list[date] = []

    def reconcile_next(self, database: Database) -> int:
        """Compare the next days of this night, if it is that hour; returns how many were compared."""
        with database.transaction() as connection:
            now = connection.scalars(select(func.timezone(CITY_ZONE, func.sms_now()))).one()
            if now.hour != HOUR:
                return 0
            if self._night != now.date():
                days = connection.scalars(select(CountedDay.day).order_by(CountedDay.day)).all()
                self._night, self._left = now.date(), _choose_days(days, now.date())
        number = 0
        while self._left and number < DAYS_A_TICK:
            reconcile_day(database, self._left.pop(0))
            number += 1
        return number


def reconcile_day(database: Database, day: date) -> list[Drift]:
    """Compare a day's roll-up with the ledger, in one snapshot, and add the day up again if they differ. The log has
    each line that differs, and the trail how many there are. A day that is to be added up anyway is left alone, and so
    is one of an archived month.
    """
    with database.one_snapshot() as connection:
        if day.replace(day=1) in list_archived_months(connection):
            return []
        is_exact = connection.scalars(exact_days().where(CountedDay.day == day)).one_or_none() is not None
        drift = list(find_drift(connection, day)) if is_exact else []
    for one in drift[:MOST_LOGGED]:
        log.error("the roll-up of %s has %s, the ledger %s: %s", day, one.rolled, one.counted, one.line)
    if drift:
        rebuild_day(database, day, len(drift))
        log.error("the roll-up of %s differed in %s lines and was added up again", day, len(drift))
    return drift


def rebuild_day(database: Database, day: date, lines: int = 0) -> None:
    """Add a listed day up again; the trail has it. `lines`: in how many it differed. Raises Invalid (`day`), or
    Conflict for a day of an archived month.
    """
    with database.session() as session:
        if (month := day.replace(day=1)) in list_archived_months(session):
            raise Conflict(say_archived([month]))
        if session.get(CountedDay, day) is None:
            raise Invalid("day", day.isoformat(), "is not added up: no run was launched on it, or it is not over")
        trail.record_act(session, None, "counts.rebuild", "day", day.isoformat(), "/", lines=lines)
    roll_up_day(database, day)


def _choose_days(days: Sequence[date], today: date) -> list[date]:
    recent = today - timedelta(days=RECENT_DAYS)
    turn = today.toordinal() % ROUND_NIGHTS
    return [day for day in reversed(days) if day >= recent or day.toordinal() % ROUND_NIGHTS == turn]
