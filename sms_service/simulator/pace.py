"""How many texts a second the simulator takes."""

from __future__ import annotations

import time


class SimulatedPace:
    """A token bucket that holds one second's worth."""

    def __init__(self) -> None:
        self._tokens, self._at = 0.0, time.monotonic()

    def allows(self, rate: float) -> bool:
        """Whether one more text is allowed now, at `rate` a second; 0 means no limit."""
        if not rate:
            return True
        now = time.monotonic()
        self._tokens = min(max(rate, 1.0), self._tokens + (now - self._at) * rate)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
