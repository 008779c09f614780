"""Setting quotas: whoever manages the unit above says what the runs of a unit may take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy import delete, exists, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor, unit_path
from sms_service.accounts.permissions import Permission
from sms_service.audit import trail
from sms_service.audit.changes import compare_before_after
from sms_service.campaigns.quotas import find_month
from sms_service.campaigns.reserving import find_above
from sms_service.controls.quota_models import Quota, QuotaUse
from sms_service.db.locks import LockKey, take_lock
from sms_service.directory.models import LEVELS, Unit
from sms_service.directory.text import LONGEST_WHY, required_line
from sms_service.errors import Invalid, NotFound
from sms_service.ledger.quotas import QuotaKind, begin_sums
from sms_service.said import say

LARGEST_LIMIT = 1_000_000_000

Limits = Mapping[str, int | None]  # by QuotaKind; None or missing: no limit


def set_quota(
    session: Session,
    actor: Actor,
    unit_id: int,
    month: date | None,
    limits: Limits,
    why: str,
    level: str | None = None,
) -> int:
    """Let the runs of the unit's subtree take so much in the month that begins on this day; None: in every month that
    has no quota of its own. In one month a quota without limits lifts that of every month. What is planned or was sent
    stays, also where it is more. With a `level` it is a quota of each open unit of that level below the unit, and not
    of the unit itself. Returns of how many units.

    Raises NotFound, Forbidden without `manage_directory` over the unit above (of a top unit: over itself; with a level:
    over the unit), or Invalid.
    """
    path, why = _require(session, actor, unit_id, month, why, level)
    given = {kind.value: limits.get(kind) for kind in QuotaKind}
    for kind, most in given.items():
        if most is not None and not 0 <= most <= LARGEST_LIMIT:
            raise Invalid(kind, most, say("must be from 0 to {most:,}, or empty", most=LARGEST_LIMIT))
    if month is None and all(most is None for most in given.values()):
        raise Invalid("people", None, "give at least one limit, or remove the quota")
    ids = [unit_id] if level is None else list_of_level(session, path, level)
    take_lock(session, LockKey.set_quota)
    before = _read_limits(session, ids, month)
    new = insert(Quota).values([{"unit_id": id_, "month": month, **given} for id_ in ids])
    session.execute(
        new.on_conflict_do_update(
            index_elements=[Quota.unit_id, Quota.month], set_={**given, "changed_at": func.sms_now()}
        )
    )
    # What is nearly used up is told by the sum, which a later launch would begin too late.
    this = find_month(session, session.get_one(Unit, unit_id))
    begin_sums(session.connection(), [(id_, month or this) for id_ in ids])
    details: dict[str, Any] = {**given, **_name_month(month)}
    if level is None:
        details["changes"] = compare_before_after(before.get(unit_id, dict.fromkeys(given)), given)
    else:
        details |= {"level": level, "units": len(ids), "before_by_unit": before}
    trail.record_act(session, actor.account_id, "quota.set", "unit", unit_id, path, why=why, **details)
    return len(ids)


def remove_quota(session: Session, actor: Actor, unit_id: int, month: date | None, why: str) -> None:
    """Take the unit's quota of this month away, so that that of every month counts; None: that of every month.

    Raises NotFound, also where it has none, or Forbidden as `set_quota` does.
    """
    path, why = _require(session, actor, unit_id, month, why)
    take_lock(session, LockKey.set_quota)
    before = _read_limits(session, [unit_id], month).get(unit_id, {})
    removed = session.scalar(
        delete(Quota)
        .where(Quota.unit_id == unit_id, Quota.month.is_not_distinct_from(month))
        .returning(Quota.id)
        .execution_options(synchronize_session=False)
    )
    if removed is None:
        raise NotFound("quota of unit", unit_id)
    # Nobody would ask for these sums any more, and each run would go on to write them.
    left = exists().where(Quota.unit_id == unit_id, or_(Quota.month == QuotaUse.month, Quota.month.is_(None)))
    session.execute(
        delete(QuotaUse).where(QuotaUse.unit_id == unit_id, ~left).execution_options(synchronize_session=False)
    )
    details = {**_name_month(month), "changes": {kind: [most, None] for kind, most in before.items()}}
    trail.record_act(session, actor.account_id, "quota.remove", "unit", unit_id, path, why=why, **details)


def list_of_level(session: Session, path: str, level: str) -> Sequence[int]:
    """The ids of the open units of this level below the unit at the path. Raises Invalid (`level`) if there is none."""
    if level not in LEVELS:
        raise Invalid("level", level, say("must be one of {levels}", levels=LEVELS))
    below = select(Unit.id).where(Unit.path.op("^@")(path), Unit.path != path)
    ids = session.scalars(below.where(Unit.level == level, Unit.closed_at.is_(None))).all()
    if not ids:
        raise Invalid("level", level, "there is no unit of this level below it")
    return ids


def may_set_quota(actor: Actor, path: str) -> bool:
    """Whether the actor may set the quota of the unit at this path."""
    return actor.can(Permission.manage_directory, find_above(path))


def _require(
    session: Session, actor: Actor, unit_id: int, month: date | None, why: str, level: str | None = None
) -> tuple[str, str]:
    path = unit_path(session, unit_id)
    actor.require(Permission.manage_directory, find_above(path) if level is None else path)
    if month is not None and month.day != 1:
        raise Invalid("month", month.isoformat(), "must be the first day of a month")
    return path, required_line("why", why, LONGEST_WHY)


def _read_limits(session: Session, ids: Sequence[int], month: date | None) -> dict[int, dict[str, int | None]]:
    """The limits that these units have now, by unit and kind; only of those that have a quota of the month."""
    columns = [getattr(Quota, kind.value) for kind in QuotaKind]
    found = select(Quota.unit_id, *columns).where(Quota.unit_id.in_(ids), Quota.month.is_not_distinct_from(month))
    names = [kind.value for kind in QuotaKind]
    return {row[0]: dict(zip(names, row[1:], strict=True)) for row in session.execute(found)}


def _name_month(month: date | None) -> dict[str, str]:
    return {} if month is None else {"month": f"{month:%Y-%m}"}
