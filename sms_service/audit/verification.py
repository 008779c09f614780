"""Does the chain hold? Every link is computed once more from its entry, by other code than the database's own."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row

from sms_service.audit.chain import Head
from sms_service.audit.changes import digest_personal
from sms_service.db.engine import Database
from sms_service.db.statements import Statement

READ_CHAIN = Statement(__file__, "read_chain")
READ_UNLINKED = Statement(__file__, "read_unlinked")
READ_FORGOTTEN = Statement(__file__, "read_forgotten")

FIRST_DIGEST = bytes(32)  # what stands before the first link
LATE_S = 300.0  # an entry that waits for its link for so long is a fault: the clock links within seconds
MOST_FAULTS = 100  # faults that are told; the others are counted


class FaultKind(StrEnum):
    """What can be wrong."""

    entry_changed = "entry_changed"  # it is not what was linked, or the time of its link is not
    entry_missing = "entry_missing"
    entry_unlinked = "entry_unlinked"  # it came in past the trigger, or the clock does not link
    link_changed = "link_changed"
    links_missing = "links_missing"
    order_changed = "order_changed"
    time_backwards = "time_backwards"
    values_changed = "values_changed"  # those before and after, which lie apart
    values_missing = "values_missing"  # without an erasure
    head_differs = "head_differs"  # one that was noted before


@dataclass(frozen=True, slots=True)
class ChainFault:
    """One thing that is wrong, where (None: it is no place, or no entry), and what it means."""

    kind: FaultKind
    position: int | None
    entry_id: int | None
    said: str


@dataclass(slots=True)
class Verification:
    """What was found. `head`: the newest link, None if there is none. The first MOST_FAULTS faults are told."""

    linked: int = 0
    head: Head | None = None
    faults: list[ChainFault] = field(default_factory=list)
    more: int = 0

    def find(self, kind: FaultKind, position: int | None, entry_id: int | None, said: str) -> None:
        """Note a fault."""
        if len(self.faults) < MOST_FAULTS:
            self.faults.append(ChainFault(kind, position, entry_id, said))
        else:
            self.more += 1


def verify_trail(database: Database, heads: Sequence[Head] = (), *, late_s: float = LATE_S) -> Verification:
    """Compute the whole chain once more, in constant memory, as the trail stands at one moment; nothing is written.

    `heads`: noted or printed earlier; each must be a link of the chain. `late_s`: seconds that an entry may wait for
    its link. Faults come in the order of positions, then entries without a link, values and heads.
    Raises DBAPIError.
    """
    found = Verification()
    with database.engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        differing = list[_Link]()
        seen = dict[int, str]()
        wanted = {head.position for head in heads}
        for link in _walk(connection, found, differing):
            if link.position in wanted:
                seen[link.position] = link.digest.hex()
        _name_differences(found, differing)
        found.faults.sort(key=lambda fault: fault.position or 0)
        _find_unlinked(connection, found, late_s)
        for entry_id in READ_FORGOTTEN(connection).scalars():
            said = f"the values before and after of entry {entry_id} are gone, and the trail has no erasure"
            found.find(FaultKind.values_missing, None, entry_id, said)
    for head in heads:
        if head.position not in seen:
            said = f"the head {head} is beyond the chain or at a missing link: what was linked then is gone"
            found.find(FaultKind.head_differs, head.position, None, said)
        elif not seen[head.position].startswith(head.digest):
            said = f"the head {head} differs: the chain was written anew at or before it"
            found.find(FaultKind.head_differs, head.position, None, said)
    return found


@dataclass(slots=True)
class _Link:
    """A link as it stands, with when it was made and what the entry has, and the digest that stands before it."""

    position: int
    entry_id: int
    digest: bytes
    before: bytes
    linked_at: str = ""
    entry: Sequence[Any] = ()
    next_fits: bool = False  # the link after it follows from the computed digest, so only this one is wrong

    def compute(self, entry: Sequence[Any] | None = None, before: bytes | None = None) -> bytes:
        """Its digest, or what it would be of another entry or behind another digest. PostgreSQL's jsonb writes the
        same text.
        """
        values = [self.linked_at, *(self.entry if entry is None else entry)]
        text = json.dumps(values, ensure_ascii=False, separators=(", ", ": "))
        return hashlib.sha256((self.before if before is None else before) + text.encode()).digest()


def _walk(connection: Connection, found: Verification, differing: list[_Link]) -> Iterator[_Link]:
    """Every link in turn; those that do not follow from the one before are put into `differing`."""
    last = _Link(0, 0, FIRST_DIGEST, b"")
    streamed = connection.execution_options(stream_results=True, yield_per=1_000)
    for row in READ_CHAIN(streamed):
        whole = row.position == last.position + 1
        if not whole:
            said = f"links are missing: {last.position} is followed by {row.position}"
            found.find(FaultKind.links_missing, row.position, row.entry_id, said)
        link = _Link(row.position, row.entry_id, bytes(row.digest), last.digest, row.linked_at, _entry(row))
        if row.earlier:
            found.find(FaultKind.time_backwards, link.position, link.entry_id, "it is dated before the link before it")
        if row.id is None:
            found.find(FaultKind.entry_missing, link.position, link.entry_id, f"entry {row.entry_id} is gone")
        elif whole and link.compute() != link.digest:
            if last in differing[-1:] and link.compute(before=last.compute()) == link.digest:
                last.next_fits = True
            elif len(differing) < MOST_FAULTS:
                differing.append(link)
            else:
                found.more += 1
        _check_values(found, row)
        found.linked += 1
        found.head = Head(link.position, link.digest.hex())
        yield link
        last = link


def _name_differences(found: Verification, differing: Sequence[_Link]) -> None:
    """Tell changed links and a changed order from changed entries."""
    for link in differing:
        if link.next_fits:
            said = "the digest of the link was changed; the links after it follow from the right one"
            found.find(FaultKind.link_changed, link.position, link.entry_id, said)
            continue
        other = next((one for one in differing if one is not link and link.compute(one.entry) == link.digest), None)
        if other is not None:
            said = f"the order was changed: entry {other.entry_id}, now at {other.position}, was linked here"
            found.find(FaultKind.order_changed, link.position, link.entry_id, said)
        else:
            said = f"entry {link.entry_id}, or the time of its link, is not what was linked"
            found.find(FaultKind.entry_changed, link.position, link.entry_id, said)


def _find_unlinked(connection: Connection, found: Verification, late_s: float) -> None:
    for row in READ_UNLINKED(connection, late_s=late_s):
        if row.gone:
            found.find(FaultKind.entry_missing, None, row.id, f"entry {row.id} is gone; it was never linked")
        elif not row.waits:
            said = f"entry {row.id} has no link and does not wait for one: it came in past the application"
            found.find(FaultKind.entry_unlinked, None, row.id, said)
        else:
            said = f"entry {row.id} has waited for its link since {row.at}: does a clock lead?"
            found.find(FaultKind.entry_unlinked, None, row.id, said)


def _check_values(found: Verification, row: Row[Any]) -> None:
    """Whether the values before and after, where they are still kept, are those that the entry stands for."""
    if row.salt is None or row.id is None:
        return
    if row.personal is None or digest_personal(bytes(row.salt), row.changes) != bytes(row.personal):
        said = f"the values before and after of entry {row.id} are not those of the act"
        found.find(FaultKind.values_changed, row.position, row.id, said)


def _entry(row: Row[Any]) -> Sequence[Any]:
    """What is hashed of an entry."""
    names = ("id", "at", "account_id", "act", "target_kind", "target_id", "unit_path", "details", "origin")
    return [*(getattr(row, name) for name in names), None if row.personal is None else bytes(row.personal).hex()]
