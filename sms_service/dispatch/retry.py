"""What follows from a refusal: whether the text goes again by itself and when, and whether the account is to blame.

A text goes again by itself only if it was surely not taken and the reason may pass; it waits longer each time, and not
for ever.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from sms_service.gateways.base import ErrorClass, Outcome, OutcomeKind

MAX_ATTEMPTS = 8
_FIRST_S, _LONGEST_S = 2.0, 600.0
_LONGEST_ASKED_S = 86_400.0  # what a provider may ask for
_PASSING = frozenset({ErrorClass.later, ErrorClass.rate})

# The account takes no texts until a person has mended the cause.
STOPS_ACCOUNT = frozenset({ErrorClass.credentials, ErrorClass.balance, ErrorClass.signature})
# Another account may well take what this one refused.
FAILS_OVER = STOPS_ACCOUNT | {ErrorClass.carrier}
# Refusals that say something about the account rather than about the text or its recipient.
BLAMES_ACCOUNT = FAILS_OVER | {ErrorClass.later, ErrorClass.request, ErrorClass.unclassified}
# The reason for which a group was refused whole may lie in one of its recipients.
IN_ONE_RECIPIENT = frozenset(
    {
        *(ErrorClass.bad_number, ErrorClass.blocked, ErrorClass.blacklisted, ErrorClass.content, ErrorClass.request),
        ErrorClass.unclassified,
    }
)


def retry_after(outcome: Outcome, number: int, random: Callable[[], float], *, alternative: bool) -> float | None:
    """Seconds until the message may go again after its attempt `number`; None: it stays as it is.

    A throttled text goes again for as long as it is valid, a refused one up to attempt MAX_ATTEMPTS. Doubles from 2 s
    to 10 min, with jitter from `random` (0 to 1), and never less than the provider asked for, unless the text goes to
    another account next (`alternative`: there is one). The caller drops a retry that would come after the message's
    validity.
    """
    refused = outcome.kind is OutcomeKind.refused
    comes_back = refused and (outcome.error in _PASSING or (alternative and outcome.error in FAILS_OVER))
    if outcome.kind is not OutcomeKind.throttled and (not comes_back or number >= MAX_ATTEMPTS):
        return None
    back_off: float = min(_LONGEST_S, _FIRST_S * 2 ** min(number - 1, 16)) * (0.5 + random())
    asked = 0.0 if alternative else outcome.retry_after_s or 0.0
    return max(back_off, min(asked, _LONGEST_ASKED_S) if math.isfinite(asked) else _LONGEST_ASKED_S)
