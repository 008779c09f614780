"""How many look at pages that refresh themselves, so that many of them ask less often than few.

Each ask costs web and PostgreSQL a few milliseconds, which sending needs too. Up to `MOST_PER_S` asks a second in this
process, the delay is what the run calls for; with more viewers it grows with their number, and they ask no more often
together.
"""

from __future__ import annotations

import threading
from collections import deque

MOST_PER_S = 4.0
_WINDOW_S = 10.0


class Crowd:
    """Those who look at one run, by what they asked within the last seconds. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked: deque[tuple[float, float]] = deque()  # when, and the delay that they had been given by then
        self._delay_s = 0.0

    def note(self, now: float, *, first: bool = False) -> None:
        """Somebody asked, at this time of a monotonic clock. `first`: they have not been given a delay yet, so that
        they count whole, as one who will go on asking.
        """
        with self._lock:
            self._asked.append((now, _WINDOW_S if first else self._delay_s))

    def stretch(self, delay_s: float, now: float) -> float:
        """The delay to give, for one that the run calls for; 0 (do not ask again) stays."""
        with self._lock:
            while self._asked and self._asked[0][0] < now - _WINDOW_S:
                self._asked.popleft()
            # Who asks every d seconds is seen 1/d times a second.
            viewers = sum(max(given, delay_s) for _, given in self._asked) / _WINDOW_S
            self._delay_s = max(delay_s, viewers / MOST_PER_S) if delay_s else 0.0
            return self._delay_s
