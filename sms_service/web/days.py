"""A day in an address."""

from __future__ import annotations

from datetime import date

from sms_service.errors import NotFound


def read_day_in_address(text: str) -> date:
    """The day that `2026-12-01` is. Raises NotFound for any other text."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise NotFound("day", text) from None
