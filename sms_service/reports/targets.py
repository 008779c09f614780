"""Yearly targets of units, and how far they are: counted from what runs sent and from replies, when somebody asks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    and_,
    any_,
    case,
    cast,
    delete,
    func,
    literal,
    or_,
    select,
    union_all,
)
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor
from sms_service.accounts.permissions import Permission
from sms_service.audit import trail
from sms_service.audit.changes import compare_before_after
from sms_service.campaigns.models import Campaign
from sms_service.campaigns.quota_setting import list_of_level
from sms_service.campaigns.quotas import stands_under
from sms_service.campaigns.reserving import find_above
from sms_service.campaigns.states import CANCELLED, CampaignKind
from sms_service.directory.models import Unit
from sms_service.directory.text import LONGEST_WHY, required_line
from sms_service.directory.units import get_unit
from sms_service.errors import Invalid
from sms_service.ledger.archived import require_unarchived
from sms_service.ledger.models import Message, Run
from sms_service.ledger.quota_models import QuotaReservation, ReservationState
from sms_service.replies.models import ReplyRow
from sms_service.reports.target_models import TargetKind, UnitTarget
from sms_service.said import say
from sms_service.schedules.event_viewing import begins_column
from sms_service.vocabulary import TextClass

FIRST_YEAR, LAST_YEAR = 2000, 2999
LARGEST_TARGET = 100_000_000


@dataclass(frozen=True, slots=True)
class TargetLine:
    """A unit with those targets of a year that it has, and what it and all below it did towards each kind."""

    unit_id: int
    unit: str
    level: str
    targets: Mapping[TargetKind, int]
    done: Mapping[TargetKind, int]

    def share(self, kind: TargetKind) -> float | None:
        """How much of the target is reached, from 0; None without a target."""
        target = self.targets.get(kind)
        return None if target is None else self.done[kind] / target

    @property
    def is_silent(self) -> bool:
        """Whether it has a target and nothing was done at all."""
        return bool(self.targets) and not any(self.done.values())


def list_targets(session: Session, actor: Actor, unit_id: int, year: int) -> tuple[TargetLine, list[TargetLine]]:
    """The unit's own line, and those of the open units right below it: the silent first, then those that are least far.

    Raises NotFound, Forbidden, Invalid for a year that there is not, or Conflict where texts of the year are archived,
    by which replies are counted.
    """
    unit = get_unit(session, actor, unit_id)
    _check_year(year)
    since, until = months_of_year(year)
    require_unarchived(session, Run.month.between(since, until), Run.class_ == TextClass.invitation)
    below = session.scalars(select(Unit).where(Unit.parent_id == unit_id, Unit.closed_at.is_(None))).all()
    targets = _read_targets(session, [unit_id, *(one.id for one in below)], year)
    done = count_done(session, unit, year)
    lines = [TargetLine(one.id, one.name, one.level, targets.get(one.id, {}), done[one.id]) for one in below]
    whole = {kind: sum(of_unit[kind] for of_unit in done.values()) for kind in TargetKind}
    own = TargetLine(unit.id, unit.name, unit.level, targets.get(unit_id, {}), whole)
    return own, sorted(lines, key=_place)


def _read_targets(session: Session, unit_ids: Sequence[int], year: int) -> dict[int, dict[TargetKind, int]]:
    """The targets that these units have of a year; those without any are left out."""
    found = defaultdict[int, dict[TargetKind, int]](dict)
    named = UnitTarget.unit_id == any_(literal(list(unit_ids), ARRAY(BigInteger)))
    for row in session.scalars(select(UnitTarget).where(UnitTarget.year == year, named)):
        found[row.unit_id][TargetKind(row.kind)] = row.target
    return found


def count_done(
    session: Session, unit: Unit, year: int, *, each: bool = False
) -> defaultdict[int, dict[TargetKind, int]]:
    """What the units right below did towards each kind, each with all below it, and the unit itself; with `each`, what
    every unit of the subtree did by itself. A unit that did nothing has zeros.
    """
    done = defaultdict[int, dict[TargetKind, int]](lambda: dict.fromkeys(TargetKind, 0))
    for kind, unit_id, number in session.execute(union_all(*(_count(kind, unit, year, each) for kind in TargetKind))):
        done[unit_id][TargetKind(kind)] = number
    return done


def set_targets(
    session: Session,
    actor: Actor,
    unit_id: int,
    year: int,
    targets: Mapping[str, int | None],
    why: str,
    level: str | None = None,
) -> int:
    """Set the unit's targets of a year, by kind; None takes one away, other kinds stay. With a `level`, not those of
    the unit, but of each open unit of that level below it. Returns of how many units.

    Raises NotFound, Forbidden without `manage_directory` over the unit above (with a level: over the unit), or Invalid.
    """
    unit = get_unit(session, actor, unit_id)
    actor.require(Permission.manage_directory, find_above(unit.path) if level is None else unit.path)
    _check_year(year)
    why = required_line("why", why, LONGEST_WHY)
    for kind, target in targets.items():
        if kind not in list(TargetKind):
            raise Invalid("targets", kind, say("is no kind of target; these are: {kinds}", kinds=tuple(TargetKind)))
        if target is not None and not 1 <= target <= LARGEST_TARGET:
            raise Invalid(kind, target, say("must be from 1 to {most:,}, or empty", most=LARGEST_TARGET))
    ids = [unit_id] if level is None else list_of_level(session, unit.path, level)
    before = _read_before(session, ids, year, targets)
    for kind, target in targets.items():
        if target is None:
            gone = delete(UnitTarget).where(
                UnitTarget.unit_id.in_(ids), UnitTarget.year == year, UnitTarget.kind == kind
            )
            session.execute(gone.execution_options(synchronize_session=False))
        else:
            new = insert(UnitTarget).values(
                [{"unit_id": id_, "year": year, "kind": kind, "target": target} for id_ in ids]
            )
            keys = [UnitTarget.unit_id, UnitTarget.year, UnitTarget.kind]
            session.execute(new.on_conflict_do_update(index_elements=keys, set_={"target": new.excluded.target}))
    details: dict[str, Any] = {"year": year, "targets": dict(targets)}
    if level is None:
        details["changes"] = compare_before_after(dict.fromkeys(targets) | before.get(unit_id, {}), targets)
    else:
        details |= {"level": level, "units": len(ids), "before_by_unit": before}
    trail.record_act(session, actor.account_id, "target.set", "unit", unit_id, unit.path, why=why, **details)
    return len(ids)


def _read_before(
    session: Session, ids: Sequence[int], year: int, kinds: Iterable[str]
) -> dict[int, dict[str, int | None]]:
    """The targets of these kinds that the units have, by unit and kind."""
    found: dict[int, dict[str, int | None]] = {}
    set_ones = select(UnitTarget.unit_id, UnitTarget.kind, UnitTarget.target)
    for unit_id, kind, target in session.execute(
        set_ones.where(UnitTarget.unit_id.in_(ids), UnitTarget.year == year, UnitTarget.kind.in_(kinds))
    ):
        found.setdefault(unit_id, {})[kind] = target
    return found


def months_of_year(year: int) -> tuple[date, date]:
    """The first days of its first and of its last month."""
    return date(year, 1, 1), date(year, 12, 1)


def _count(kind: TargetKind, unit: Unit, year: int, each: bool) -> Select[str, int, int]:
    since, until = months_of_year(year)
    path = QuotaReservation.unit_path
    line = cast(func.split_part(path, "/", -2), BigInteger) if each else _child_of(unit, path)
    of_year = (QuotaReservation.month.between(since, until), stands_under(path, unit))
    if kind == TargetKind.texts:
        return _line(kind, line, func.sum(QuotaReservation.delivered)).where(*of_year).group_by(line)
    if kind == TargetKind.theme_days:
        over = (QuotaReservation.state == ReservationState.used, QuotaReservation.people > 0)
        took_place = and_(begins_column() <= func.sms_now(), Campaign.schedule[CANCELLED].astext.is_(None))
        held = _line(kind, line, func.count(func.distinct(Run.campaign_id))).join(
            Run, Run.id == QuotaReservation.run_id
        )
        held = held.join(Campaign, Campaign.id == Run.campaign_id)
        held = held.where(*of_year, Run.class_ == TextClass.invitation, *over)
        return held.where(case((Campaign.kind == CampaignKind.event, took_place), else_=True)).group_by(line)
    return (
        _line(kind, line, func.count(func.distinct(ReplyRow.message_id)))
        .join(Run, Run.id == QuotaReservation.run_id)
        .join(Message, (Message.month == Run.month) & (Message.run_id == Run.id))
        .join(ReplyRow, (ReplyRow.month == Message.month) & (ReplyRow.message_id == Message.id))
        .where(
            *of_year,
            Run.class_ == TextClass.invitation,
            ReplyRow.in_month >= since,
            ReplyRow.month.between(since, until),
            Message.month.between(since, until),
            or_(ReplyRow.meaning.is_(None), ReplyRow.meaning != "stop"),
            stands_under(ReplyRow.unit_path, unit),
        )
        .group_by(line)
    )


def _line(kind: TargetKind, line: ColumnElement[int], number: ColumnElement[Any]) -> Select[str, int, int]:
    counted = cast(func.coalesce(number, 0), BigInteger)
    return select(literal(kind.value), line, counted).select_from(QuotaReservation)


def _child_of(unit: Unit, path: Any) -> ColumnElement[int]:
    after = func.split_part(path, f"/{unit.id}/", 2)
    return cast(func.coalesce(func.nullif(func.split_part(after, "/", 1), ""), str(unit.id)), BigInteger)


def _place(line: TargetLine) -> tuple[bool, bool, float, str]:
    """Silent ones first, and those without a target last."""
    shares = [share for kind in TargetKind if (share := line.share(kind)) is not None]
    return not line.is_silent, not shares, min(shares, default=0.0), line.unit


def _check_year(year: int) -> None:
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise Invalid("year", year, say("must be from {first} to {last}", first=FIRST_YEAR, last=LAST_YEAR))
