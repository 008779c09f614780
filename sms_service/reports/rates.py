"""Rates: of the texts that left how many arrived, and of all that were to be texted how many were reached."""

from __future__ import annotations

from sms_service.ledger.states import MessageStatus

# A gateway took these, or may have taken them.
LEFT = (
    MessageStatus.accepted,
    MessageStatus.unknown,
    MessageStatus.delivered,
    MessageStatus.undelivered,
    MessageStatus.no_receipt,
)


def find_share(part: int, whole: int) -> float | None:
    """The share from 0 to 1; None of nothing."""
    return part / whole if whole else None
