"""What an act changed: each field before and after. Of people it lies apart from the trail, and erasure deletes it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy import delete, inspect, select
from sqlalchemy.orm import Session

from sms_service.audit.models import TrailEntry, TrailPersonal

# By field, the value before and the value after; JSON.
Changes = Mapping[str, Sequence[Any]]


def compare_before_after(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, list[Any]]:
    """The fields whose values differ, by name: [before, after]."""
    return {field: [before[field], after[field]] for field in sorted(before) if before[field] != after[field]}


def read_before_after(row: object, fields: Iterable[str]) -> dict[str, list[Any]]:
    """The same of a row that was read, was changed since and was not flushed yet; times as ISO 8601.

    Raises RuntimeError for a field that was written without having been read: what it was before is not known.
    """
    found: dict[str, list[Any]] = {}
    for field in sorted(fields):
        history = inspect(row).attrs[field].history
        if history.added:
            if not history.deleted:
                raise RuntimeError(f"{field} of {type(row).__name__} was written before it was read")
            found[field] = [_as_json(history.deleted[0]), _as_json(history.added[0])]
    return found


def _as_json(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value  # a datetime is a date


def digest_personal(salt: bytes, changes: str) -> bytes:
    """What an entry keeps of personal changes: nobody who lacks the salt can try out what they were."""
    return hashlib.sha256(salt + changes.encode()).digest()


def read_changes(session: Session, entries: Sequence[TrailEntry]) -> dict[int, Changes]:
    """What each of these entries changed, by its id, as far as it is known and not erased. Phones are whole: whoever
    shows them masks them.
    """
    found: dict[int, Changes] = {
        entry.id: entry.details["changes"] for entry in entries if isinstance(entry.details.get("changes"), dict)
    }
    personal = [entry.id for entry in entries if entry.personal is not None]
    if personal:
        rows = select(TrailPersonal.entry_id, TrailPersonal.changes).where(TrailPersonal.entry_id.in_(personal))
        found |= {row[0]: json.loads(row[1]) for row in session.execute(rows)}
    return found


def erase_changes(session: Session, target_kind: str, target_id: int) -> None:
    """Delete what acts on this thing were before and after, with the salts; the entries stay, and so does the chain."""
    about = select(TrailEntry.id).where(
        TrailEntry.target_kind == target_kind, TrailEntry.target_id == str(target_id), TrailEntry.personal.is_not(None)
    )
    session.execute(delete(TrailPersonal).where(TrailPersonal.entry_id.in_(about)))
