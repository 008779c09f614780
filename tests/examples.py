"""How much of what is made up at random a test is given.

`make test` draws enough to notice what is often wrong, and draws anew each time. Who looks for what is rarely wrong
sets SMS_TEST_EXAMPLES: with 5, five times as much is drawn, and the longest stories are five times as long.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

TIMES = float(os.environ.get("SMS_TEST_EXAMPLES", "1"))
# Of a test that asks for no number of its own.
_USUAL = 25


def count_examples(usual: int) -> int:
    """So many, times what SMS_TEST_EXAMPLES says; at least one."""
    return max(1, round(usual * TIMES))


def load_profile() -> None:
    """Hypothesis draws the usual number, and does not mind how long one takes: the machine has other work too."""
    checks = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
    settings.register_profile("tests", max_examples=count_examples(_USUAL), deadline=None, suppress_health_check=checks)
    settings.load_profile("tests")
