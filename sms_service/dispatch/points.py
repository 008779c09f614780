"""The points of a hand-over at which tests stop or kill a worker; docs/sending.md says what each of them leaves."""

from __future__ import annotations

from enum import StrEnum


class Point(StrEnum):
    """In the order in which a group passes them."""

    claimed = "claimed"  # the lease is committed; nothing has left
    rendered = "rendered"
    gate_sent = "gate_sent"  # the gate's statement has run; its COMMIT has not been sent
    gate_committed = "gate_committed"  # the COMMIT was seen; nothing has left
    checked = "checked"  # the clock was looked at; the gateway is called next
    submitted = "submitted"  # the gateway has answered; nothing of it is written down
    recorded = "recorded"  # the outcomes are committed
