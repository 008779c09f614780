"""Freezing has threads of its own, so that freezing and handing over do not wait for each other.

A worker has two of them. One freezes urgent and small runs, many in one transaction; the other freezes large runs, one
at a time. So a small run never waits for a large one, neither here nor later in dispatching.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence

from sms_service.db.engine import Database
from sms_service.db.looking import LookingThread
from sms_service.dispatch import freeze
from sms_service.ledger.states import Lane

# How often a worker looks by itself, in seconds: a wake-up may wait until it has handed over for a while.
LOOK_EVERY_S = 0.5
# How often the thread for large runs looks by itself; the other thread tells it too, unless that one is busy.
LARGE_EVERY_S = 2.0
# Small runs in one transaction. Somebody who cancels one of them at that moment waits for all of them.
TOGETHER = 50
# A run that a fault in this program kept from being frozen is tried again after so many seconds; others go on.
APART_S = 30.0

FIRST, LARGE = (Lane.urgent, Lane.small), (Lane.bulk,)


class Freezer:
    """The runs of some lanes, frozen by the one that calls `work`; up to `most` in one transaction."""

    def __init__(
        self, database: Database, lanes: Collection[Lane], most: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._database, self._lanes, self._most, self._clock = database, lanes, most, clock
        self._apart: dict[int, float] = {}  # until when a run that failed is passed over

    def work(self) -> Sequence[int] | None:
        """Freeze what comes next; returns the runs that are running now, None if none waited."""
        now = self._clock()
        self._apart = {run_id: until for run_id, until in self._apart.items() if until > now}
        done = freeze.freeze_next(self._database, self._lanes, self._most, self._apart.keys())
        self._apart |= dict.fromkeys(done.failed, now + APART_S)
        return list(done.audiences) if done.found else None


class FreezingThreads:
    """A worker's two threads. `tell(runs)` is called, in one of them, with runs that have rows to hand over now."""

    def __init__(self, database: Database, tell: Callable[[Sequence[int]], None]) -> None:
        self._database, self._tell = database, tell
        first, large = Freezer(database, FIRST, TOGETHER), Freezer(database, LARGE, 1)
        after = "the next look freezes again"
        self._first = LookingThread("freeze", lambda: self._look(first), LOOK_EVERY_S, after)
        self._large = LookingThread("freeze", lambda: self._freeze(large), LARGE_EVERY_S, after)

    def start(self) -> None:
        """Begin to look for runs."""
        self._first.start()
        self._large.start()

    def wake(self) -> None:
        """Look now: a run may be due."""
        self._first.wake()

    def close(self) -> None:
        """Wait until the runs that are being frozen are done; no freeze begins after this."""
        for thread in (self._first, self._large):
            thread.end()
        for thread in (self._first, self._large):
            thread.join()

    def _look(self, freezer: Freezer) -> None:
        """Freeze what goes first, and have the other thread freeze the rest."""
        waiting = freeze.look_for_due(self._database)
        if not waiting.isdisjoint(LARGE):
            self._large.wake()
        if not waiting.isdisjoint(FIRST):
            self._freeze(freezer)

    def _freeze(self, freezer: Freezer) -> None:
        while not self._first.ended and (runs := freezer.work()) is not None:
            if runs:
                self._tell(runs)
