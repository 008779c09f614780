"""Writing and reading the trail. An entry is written in the transaction of the act it records, or not at all."""

from __future__ import annotations

import json
import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, false, insert, or_, select
from sqlalchemy.orm import Session

from sms_service.audit.changes import Changes, digest_personal
from sms_service.audit.models import TrailEntry, TrailPersonal
from sms_service.audit.origin import name_origin


def record_act(
    session: Session,
    actor_account_id: int | None,
    act: str,
    target_kind: str,
    target_id: int | str,
    unit_path: str,
    **details: Any,
) -> None:
    """Add one entry: the account (None: the service itself) did `act` ("campaign.approve") to the target.

    `unit_path` is the path of the unit the target belongs to at this moment: whoever may read that unit may read the
    entry. `details` are JSON values: ids, counts and words, never phone numbers, texts or secrets; `changes` what was
    before and after, where that is no person's data.
    """
    entry = _entry(actor_account_id, act, target_kind, target_id, unit_path, details)
    session.execute(insert(TrailEntry).values(entry))


def record_personal_act(
    session: Session,
    actor_account_id: int | None,
    act: str,
    target_kind: str,
    target_id: int,
    unit_path: str,
    changes: Changes,
    **details: Any,
) -> None:
    """The same where what was before and after is a person's data: kept apart, until the person is erased."""
    entry = _entry(actor_account_id, act, target_kind, target_id, unit_path, details)
    salt, written = secrets.token_bytes(16), json.dumps(changes, ensure_ascii=False)
    if changes:
        entry["personal"] = digest_personal(salt, written)
    entry_id = session.execute(insert(TrailEntry).values(entry).returning(TrailEntry.id)).scalar_one()
    if changes:
        session.execute(insert(TrailPersonal).values(entry_id=entry_id, salt=salt, changes=written))


def record_acts(
    session: Session,
    actor_account_id: int | None,
    act: str,
    target_kind: str,
    targets: Iterable[tuple[int | str, str]],
    **details: Any,
) -> None:
    """Add an entry for each target, given with its unit's path, where one act does the same to many."""
    record_each(session, actor_account_id, act, target_kind, [(*target, details) for target in targets])


def record_each(
    session: Session,
    actor_account_id: int | None,
    act: str,
    target_kind: str,
    entries: Iterable[tuple[int | str, str, Mapping[str, Any]]],
) -> None:
    """The same where the act has details of its own for each target."""
    rows = [
        _entry(actor_account_id, act, target_kind, target_id, path, dict(details))
        for target_id, path, details in entries
    ]
    if rows:
        session.execute(insert(TrailEntry), rows)


def _entry(
    account_id: int | None, act: str, target_kind: str, target_id: int | str, unit_path: str, details: dict[str, Any]
) -> dict[str, Any]:
    return {
        "account_id": account_id,
        "act": act,
        "target_kind": target_kind,
        "target_id": str(target_id),
        "unit_path": unit_path,
        "details": details,
        "origin": name_origin(),
    }


def find_last_act(session: Session, target_kind: str, target_id: str) -> tuple[int | None, datetime] | None:
    """Who did something to the target last (None: the service itself), and when."""
    row = session.execute(
        select(TrailEntry.account_id, TrailEntry.at)
        .where(TrailEntry.target_kind == target_kind, TrailEntry.target_id == target_id)
        .order_by(TrailEntry.id.desc())
        .limit(1)
    ).one_or_none()
    return None if row is None else (row[0], row[1])


def find_entries(
    scope: Sequence[str],
    *,
    act: str | None = None,
    account_id: int | None = None,
    target_kind: str | None = None,
    target_id: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    besides: Collection[str] = (),
) -> Select[TrailEntry]:
    """The entries on units within the paths of `scope`, to be ordered and paged by the caller.

    `since` (inclusive) and `until` (exclusive) bound the time of the act; acts of `besides` are left out; the other
    arguments, where given, must be equal.
    """
    statement = select(TrailEntry).where(or_(false(), *(TrailEntry.unit_path.op("^@")(path) for path in scope)))
    for attribute, wanted in (
        (TrailEntry.act, act),
        (TrailEntry.account_id, account_id),
        (TrailEntry.target_kind, target_kind),
        (TrailEntry.target_id, target_id),
    ):
        if wanted is not None:
            statement = statement.where(attribute == wanted)
    if besides:
        statement = statement.where(TrailEntry.act.not_in(besides))
    if since is not None:
        statement = statement.where(TrailEntry.at >= since)
    if until is not None:
        statement = statement.where(TrailEntry.at < until)
    return statement
