"""The chain over the trail: each entry's digest covers all entries before it. The clock adds to it, no request waits.

The newest digest, the *head*, stands for the whole trail: whoever notes it can tell later whether anything was changed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select
from sqlalchemy.orm import Session

from sms_service.audit.models import TrailEntry, TrailLink, TrailUnlinked
from sms_service.db.engine import Database
from sms_service.errors import Invalid
from sms_service.said import say

# Links made in one transaction, and in one tick of the clock at most.
AT_ONCE = 1_000
A_TICK = 20_000

_HEAD = re.compile(r"(\d{1,19}):([0-9a-f]{16,64})")


@dataclass(frozen=True, slots=True)
class Head:
    """A place in the chain and its digest, which may be cut short; written `12:9f86d081-884c7d65-…`."""

    position: int
    digest: str  # hexadecimal

    def __str__(self) -> str:
        # In groups, so that it can be compared by eye, and no part of it reads like a phone number.
        return f"{self.position}:{'-'.join(self.digest[at : at + 8] for at in range(0, len(self.digest), 8))}"


@dataclass(frozen=True, slots=True)
class ChainState:
    """The newest link and when it was made, None while there is none; `waiting` entries have no link yet, the oldest
    of them since `waiting_since`.
    """

    head: Head | None
    at: datetime | None
    waiting: int
    waiting_since: datetime | None


def link_entries(database: Database, at_most: int = A_TICK) -> int:
    """Link the entries that can be seen by now and have no link; returns how many. Raises DBAPIError."""
    done = 0
    while done < at_most:
        with database.transaction() as connection:
            linked = _link_some(connection)
        done += linked
        if linked < AT_ONCE:
            break
    return done


def _link_some(connection: Connection) -> int:
    return int(connection.execute(select(func.link_trail(AT_ONCE))).scalar_one())


def find_chain_state(session: Session) -> ChainState:
    """How far the chain is at this moment."""
    last = session.execute(
        select(TrailLink.position, TrailLink.digest, TrailLink.at).order_by(TrailLink.position.desc()).limit(1)
    ).one_or_none()
    waiting, since = session.execute(
        select(func.count(), func.min(TrailEntry.at))
        .select_from(TrailUnlinked)
        .outerjoin(TrailEntry, TrailEntry.id == TrailUnlinked.entry_id)
    ).one()
    if last is None:
        return ChainState(None, None, waiting, since)
    return ChainState(Head(last.position, last.digest.hex()), last.at, waiting, since)


def read_head(written: str) -> Head:
    """A head as it was printed; its digest may be cut to 16 digits, and spaces, dashes and capitals do not matter.
    Raises Invalid (`head`).
    """
    match = _HEAD.fullmatch(re.sub(r"[\s-]", "", written).lower())
    if match is None:
        raise Invalid("head", written[:100], say("must be a position and a digest, like 12:9f86d081-884c7d65"))
    return Head(int(match[1]), match[2])
