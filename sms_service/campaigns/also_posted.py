"""The channels to which a campaign is also posted. Only the room above knows them, and says here which there are
(`install_channels`).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from sqlalchemy.orm import Session

from sms_service.errors import Invalid
from sms_service.said import say

MOST_CHANNELS = 20


class UsableChannels(Protocol):
    """What the room above knows."""

    def find_usable(self, session: Session, path: str, ids: Collection[int]) -> Collection[int]:
        """Those of these channels that the unit at the path can use."""

    def find_from_above(self, session: Session, path: str, ids: Collection[int]) -> Collection[int]:
        """Those of these channels that belong to units above the one at the path."""


_installed: UsableChannels | None = None


def install_channels(source: UsableChannels) -> None:
    """Called once, when the room that knows is loaded (sms_service/tables.py loads it in every process)."""
    global _installed
    _installed = source


def require_channels(session: Session, path: str, ids: Collection[int]) -> list[int]:
    """These channels' ids, each once, in order. Raises Invalid unless the unit at the path can use every one."""
    wanted = sorted(set(ids))
    if len(wanted) > MOST_CHANNELS:
        raise Invalid("channels", len(wanted), say("must be at most {most} channels", most=MOST_CHANNELS))
    if missing := sorted(set(wanted) - set(keep_channels(session, path, wanted))):
        raise Invalid("channels", missing, say("the unit can use no channel {channels}", channels=missing))
    return wanted


def has_channels_from_above(session: Session, path: str, ids: Collection[int]) -> bool:
    """Whether one of these channels belongs to a unit above the one at the path."""
    assert _installed is not None, "a process imports sms_service.tables when it starts"
    return bool(ids) and bool(_installed.find_from_above(session, path, ids))


def keep_channels(session: Session, path: str, ids: Collection[int]) -> list[int]:
    """Those of these channels that the unit at the path can use, in order."""
    assert _installed is not None, "a process imports sms_service.tables when it starts"
    return sorted(_installed.find_usable(session, path, ids)) if ids else []
