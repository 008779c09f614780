"""Quotas of units, as people set and read them. What runs take of them is in `ledger/quotas.py`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Date, Select, and_, case, cast, exists, false, func, literal, or_, select
from sqlalchemy.orm import Session, aliased

from sms_service.campaigns.models import Campaign
from sms_service.controls.quota_models import Quota, QuotaUse
from sms_service.db.waiting import Waiting, select_waiting
from sms_service.directory.models import Unit
from sms_service.directory.units import split_path
from sms_service.ledger.models import Run
from sms_service.ledger.quota_holds import describe_lack
from sms_service.ledger.quota_models import QuotaReservation, ReservationState
from sms_service.ledger.quotas import Amounts, Lack, QuotaKind
from sms_service.said import Said

FULL = 0.8  # a quota of which so much is taken is a task for whoever sends


@dataclass(frozen=True, slots=True)
class QuotaStanding:
    """A unit's quota in a month: of each kind the limit (None: none), what runs that are not over take, and what was
    sent. `standing`: it is that of every month. `above`: the name of the unit above, None of a top unit.
    """

    unit_id: int
    unit: str
    above: str | None
    month: date
    standing: bool
    most: tuple[int | None, int | None, int | None]
    planned: Amounts
    used: Amounts

    def left(self, kind: QuotaKind) -> int | None:
        """What may still be taken; None where there is no limit."""
        most = self._most(kind)
        return None if most is None else max(0, most - self.taken(kind))

    def over(self, kind: QuotaKind) -> int:
        """What was taken beyond the limit."""
        most = self._most(kind)
        return 0 if most is None else max(0, self.taken(kind) - most)

    def taken(self, kind: QuotaKind) -> int:
        """What is planned and what was sent."""
        place = list(QuotaKind).index(kind)
        return self.planned[place] + self.used[place]

    def _most(self, kind: QuotaKind) -> int | None:
        return self.most[list(QuotaKind).index(kind)]


def find_quotas(paths: Collection[str], month: date, *, full: bool = False) -> Select[Any]:
    """The quotas of units within the subtrees at `paths` that count in this month, as rows for `read_standing`, to be
    ordered by the unit's path. `full`: only those of which 80 % or more are taken.
    """
    within = or_(false(), *(Unit.path.op("^@")(path) for path in paths))
    found = _standing(month).where(within)
    taken = exists().where(QuotaUse.unit_id == Quota.unit_id, QuotaUse.month == month, _is_full())
    return found.where(taken) if full else found


def list_line_quotas(session: Session, path: str, month: date) -> list[QuotaStanding]:
    """The quotas that bound a run of the unit at this path in the month, the uppermost first."""
    return [read_standing(row) for row in session.execute(select_line_quotas(path, month))]


def select_line_quotas(path: str, month: date) -> Select[Any]:
    """The same as rows for `read_standing`."""
    return _standing(month).where(Unit.id.in_(split_path(path))).order_by(Unit.path)


def read_standing(row: Any) -> QuotaStanding:
    """A row of `find_quotas`."""
    return QuotaStanding(
        unit_id=row.unit_id,
        unit=row.unit,
        above=row.above,
        month=row.month,
        standing=row.standing,
        most=(row.people, row.parts, row.fen),
        planned=Amounts(int(row.planned_people), int(row.planned_parts), int(row.planned_fen)),
        used=Amounts(int(row.used_people), int(row.used_parts), int(row.used_fen)),
    )


def foresee_lacks(line: Iterable[QuotaStanding], amounts: Amounts) -> list[Said]:
    """What these quotas would lack for a run that takes the amounts, in words."""
    return [
        describe_lack(Lack(one.unit_id, one.month, kind, left, wanted), one.unit, one.above)
        for one in line
        for kind, wanted in zip(QuotaKind, amounts, strict=True)
        if (left := one.left(kind)) is not None and wanted > left
    ]


def find_reserved_runs(
    unit: Unit, since: date, until: date, state: str | None = None, *, released: bool = False
) -> Select[QuotaReservation, Run, str, str]:
    """The runs behind what the unit's subtree took in the months from `since` to `until`, each with its reservation and
    its campaign's name (None: it answers a reply). Those that ask for more than is left are among them. `state`: only
    those of it; `released`: only those that somebody let exceed a quota.
    """
    one = QuotaReservation
    takes = or_(one.people + one.parts + one.delivered > 0, one.state == ReservationState.asked)
    found = (
        select(one, Run, Campaign.name.label("campaign"), Unit.name.label("unit"))
        .join(Run, Run.id == one.run_id)
        .outerjoin(Campaign, Campaign.id == Run.campaign_id)
        .join(Unit, Unit.id == Run.unit_id)
        .where(one.month.between(since, until), stands_under(one.unit_path, unit), takes)
    )
    if state is not None:
        found = found.where(one.state == state)
    return found.where(func.cardinality(one.released) > 0) if released else found


def list_quota_months(session: Session, unit: Unit, since: date) -> Sequence[date | None]:
    """The months from this one on of which the unit has a quota of its own; None, first: that of every month."""
    later = or_(Quota.month.is_(None), Quota.month >= since)
    months = select(Quota.month).where(Quota.unit_id == unit.id, later)
    return session.scalars(months.order_by(Quota.month.nulls_first())).all()


def stands_under(path: ColumnElement[str] | Any, unit: Unit) -> ColumnElement[bool]:
    """Whether a run's place in the tree was below this unit, as far back as it was written down."""
    return func.strpos(path, f"/{unit.id}/") > 0


def count_full_quotas() -> Waiting:
    """The quotas that have so much taken in their unit's present month, over units that the caller chooses."""
    better = aliased(Quota)
    overruled = exists().where(Quota.month.is_(None), better.unit_id == Quota.unit_id, better.month == QuotaUse.month)
    return (
        select_waiting(Quota.id)
        .join(QuotaUse, QuotaUse.unit_id == Quota.unit_id)
        .join(Unit, Unit.id == Quota.unit_id)
        .where(
            QuotaUse.month == month_of_unit(),
            or_(Quota.month == QuotaUse.month, Quota.month.is_(None)),
            ~overruled,
            _is_full(),
        )
    )


def month_of_unit() -> ColumnElement[date]:
    """SQL over units: the first day of the month that it is there now."""
    return cast(func.date_trunc("month", func.timezone(Unit.timezone, func.sms_now())), Date)


def find_month(session: Session, unit: Unit, at: datetime | None = None) -> date:
    """The first day of the month of `at`, by default of now, where the unit is."""
    moment: datetime = at or session.scalars(select(func.sms_now())).one()
    return moment.astimezone(ZoneInfo(unit.timezone)).date().replace(day=1)


def _standing(month: date) -> Select[Any]:
    """Each unit's quota that counts in the month, with its sums; where nothing was reserved yet, they are made here."""
    own, use, above = aliased(Quota), aliased(QuotaUse), aliased(Unit)
    own_month = exists().where(own.unit_id == Quota.unit_id, own.month == month)
    under = QuotaReservation
    of_unit = and_(under.month == month, func.strpos(under.unit_path, func.concat("/", Unit.id, "/")) > 0)
    columns = []
    for name, counted in (("planned", under.state != ReservationState.used), ("used", under.state == "used")):
        for kind in QuotaKind:
            made = select(func.coalesce(func.sum(getattr(under, kind)), 0)).where(of_unit, counted)
            kept = getattr(use, f"{name}_{kind}")
            # A CASE computes the second alone where it is asked for.
            columns.append(
                case((use.unit_id.is_not(None), kept), else_=made.correlate(Unit).scalar_subquery()).label(
                    f"{name}_{kind}"
                )
            )
    return (
        select(
            Unit.id.label("unit_id"),
            Unit.name.label("unit"),
            Unit.path.label("path"),
            select(above.name).where(above.id == Unit.parent_id).correlate(Unit).scalar_subquery().label("above"),
            literal(month, Date).label("month"),
            Quota.month.is_(None).label("standing"),
            Quota.people,
            Quota.parts,
            Quota.fen,
            *columns,
        )
        .select_from(Quota)
        .join(Unit, Unit.id == Quota.unit_id)
        .outerjoin(use, and_(use.unit_id == Quota.unit_id, use.month == month))
        .where(or_(Quota.month == month, and_(Quota.month.is_(None), ~own_month)))
    )


def _is_full() -> ColumnElement[bool]:
    """SQL over quotas and their sums: whether of one kind so much is taken."""
    kinds = []
    for kind in QuotaKind:
        taken = getattr(QuotaUse, f"planned_{kind}") + getattr(QuotaUse, f"used_{kind}")
        kinds.append(and_(taken > 0, taken >= FULL * getattr(Quota, kind)))
    return or_(*kinds)
