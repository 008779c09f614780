"""When a run's first and last text would leave, if its gateway accounts had nothing else to do."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sms_service.audience.reach import Window


class Leaving(NamedTuple):
    """`begins` and `through`: when the first and the last text would leave; None: none would. `interrupted`: the window
    closes in between, and the rest goes when it opens again. `expired`: parts that would not leave before `until`.
    """

    begins: datetime | None
    through: datetime | None
    interrupted: bool
    expired: float


def foresee_leaving(
    at: datetime,
    until: datetime,
    own: Window,
    parts: Mapping[Window, float],
    rate: float,
    quiet: Collection[date] = (),
) -> Leaving:
    """Let `parts`, by the window of the recipients' units, leave from `at` on with `rate` parts per second.

    A text leaves while the window of the campaign's unit (`own`) and that of the recipient's unit are both open, and
    not on the days `quiet`, local to the campaign's unit. Those that may leave at one moment share the pace. After
    `until` they expire.
    """
    left = {window: amount for window, amount in parts.items() if amount > 0}
    begins = through = None
    interrupted = False
    now = at
    while left and now < until:
        turn = min(until, *(_next_turn(window, now) for window in (own, *left)))
        open_now = _is_open(own, now) and now.astimezone(ZoneInfo(own.timezone)).date() not in quiet
        leaving = [window for window in left if open_now and _is_open(window, now)]
        if not leaving:
            interrupted = interrupted or begins is not None
            now = turn
            continue
        begins = begins or now
        needed = sum(left[window] for window in leaving)
        share = min(1.0, rate * (turn - now).total_seconds() / needed)
        through = now + timedelta(seconds=share * needed / rate)
        for window in leaving:
            left[window] *= 1 - share
        left = {window: amount for window, amount in left.items() if amount > 1e-9}
        now = turn if share < 1 else through
    return Leaving(begins, through, interrupted, sum(left.values()))


def _is_open(window: Window, at: datetime) -> bool:
    local = at.astimezone(ZoneInfo(window.timezone))
    return window.opens <= local.hour * 60 + local.minute < window.closes


def _next_turn(window: Window, after: datetime) -> datetime:
    """When the window opens or closes next."""
    zone = ZoneInfo(window.timezone)
    midnight = after.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    days = (midnight + timedelta(days=day) for day in (0, 1, 2))
    turns = [(day + timedelta(minutes=at)).replace(tzinfo=zone) for day in days for at in (window.opens, window.closes)]
    return min(turn for turn in turns if turn > after)
