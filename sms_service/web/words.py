"""The words that people read for the members of enums."""

from __future__ import annotations

from sms_service.said import Said, as_said


def name_of(member: str) -> Said:
    """The English word for a member of an enum, to be translated."""
    return as_said(str(member).replace("_", " "))
