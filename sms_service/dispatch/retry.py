"""When a refused text goes again by itself: only for what was surely not taken and comes back, later each time, and
not for ever.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from sms_service.gateways.base import ErrorClass, Outcome, OutcomeKind

MAX_ATTEMPTS = 8
_FIRST_S, _LONGEST_S = 2.0, 600.0
_LONGEST_ASKED_S = 86_400.0  # what a provider may ask for
_PASSING = frozenset({ErrorClass.later, ErrorClass.rate})


def retry_after(outcome: Outcome, number: int, random: Callable[[], float]) -> float | None:
    """Seconds until the message may go again after its attempt `number`; None: it stays as it is.

    Doubles from 2 s to 10 min, with jitter from `random` (0 to 1), and never less than the provider asked for. The
    caller drops a retry that would come after the message's validity.
    """
    passing = outcome.kind is OutcomeKind.throttled or (
        outcome.kind is OutcomeKind.refused and outcome.error in _PASSING
    )
    if not passing or number >= MAX_ATTEMPTS:
        return None
    back_off: float = min(_LONGEST_S, _FIRST_S * 2 ** (number - 1)) * (0.5 + random())
    asked = outcome.retry_after_s or 0.0
    return max(back_off, min(asked, _LONGEST_ASKED_S) if math.isfinite(asked) else _LONGEST_ASKED_S)
