"""额度: what the runs of a unit may take in a month, what is planned, used and left, and the runs behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from flask import Response, g
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.campaigns import quota_setting, quotas
from sms_service.campaigns.quota_setting import LARGEST_LIMIT
from sms_service.campaigns.quotas import QuotaStanding
from sms_service.console.forms import read_form, read_query
from sms_service.console.languages import translate_here
from sms_service.console.pages import act_view, go_to, page_view
from sms_service.console.rendering import name_here, render_page
from sms_service.console.unit_choice import choose_unit, list_above
from sms_service.directory.models import LEVELS, Unit
from sms_service.directory.units import get_unit
from sms_service.ledger.models import Run
from sms_service.ledger.quota_models import ReservationState
from sms_service.ledger.quotas import QuotaKind
from sms_service.reports.targets import FIRST_YEAR, LAST_YEAR, months_of_year
from sms_service.said import as_said, say
from sms_service.vocabulary import TextClass
from sms_service.web.paging import PageQuery, ScopedPageQuery, fetch_page, scope_filter
from sms_service.web.schemas import Whole, WhyIn
from sms_service.web.validators import OneOfWords, WithinRange

MOST_RELEASED = 20  # overdrafts that a unit's page shows
MONTHS_AHEAD = 12  # for which a quota of their own may be chosen


class QuotasQuery(ScopedPageQuery):
    """Which quotas."""

    month = fields.Date(format="%Y-%m", load_default=None)
    full = fields.Boolean(load_default=False)


class QuotaRunsQuery(PageQuery):
    """Which runs behind a quota, or of a whole year behind a target; `invitations`: only those."""

    month = fields.Date(format="%Y-%m", load_default=None)
    year = Whole(load_default=None, validate=WithinRange(FIRST_YEAR, LAST_YEAR))
    invitations = fields.Boolean(load_default=False)
    state = fields.String(load_default=None, validate=OneOfWords([*ReservationState]))


class QuotaForm(WhyIn):
    """Limits of a month, or of every month; money in yuan."""

    month = fields.Date(format="%Y-%m", load_default=None)
    level = fields.String(load_default=None, validate=OneOfWords(LEVELS))
    people = Whole(load_default=None, validate=WithinRange(0, LARGEST_LIMIT))
    parts = Whole(load_default=None, validate=WithinRange(0, LARGEST_LIMIT))
    yuan = fields.Decimal(places=2, load_default=None, validate=WithinRange(0, LARGEST_LIMIT // 100))


class QuotaRemovalForm(WhyIn):
    """Of which month; without one that of every month."""

    month = fields.Date(format="%Y-%m", load_default=None)


@page_view("/quotas", Permission.read)
def list_unit_quotas() -> str:
    """The quotas of one's units in this month or the next: planned, used and left."""
    query = read_query(QuotasQuery)
    # The task of quotas that are nearly used up counts those of units for which one sends.
    sends = query["full"] and bool(g.actor.scope(Permission.operate_campaigns)) and query["unit"] is None
    right = Permission.operate_campaigns if sends else Permission.read
    scope = scope_filter(g.session, g.actor, right, query["unit"])
    this = quotas.find_month(g.session, scope.units[0])
    month = query["month"] or this
    statement = quotas.find_quotas(scope.paths, month, full=query["full"])
    rows, following = fetch_page(g.session, statement, query, sort="path", key=Unit.path, id_=Unit.id)
    top = next(iter(scope.units))
    return render_page(
        "quotas.html",
        rows=[(one, describe_quota(one)) for one in map(quotas.read_standing, rows)],
        following=following,
        query=query,
        scope=scope.units,
        choice=choose_unit(g.session, g.actor, Permission.read, query["unit"], top=True),
        month=month,
        months=[this, add_months(this, 1)],
        top=top if len(scope.units) == 1 else None,
        kinds=list(QuotaKind),
    )


@page_view("/units/<int:unit_id>/quota", Permission.read)
def show_unit_quota(unit_id: int) -> str:
    """A unit's quota of this month and the next, what exceeds it, and the form that sets it."""
    unit = get_unit(g.session, g.actor, unit_id)
    this = quotas.find_month(g.session, unit)
    months = [(month, _find_own(unit, month)) for month in (this, add_months(this, 1))]
    below = g.session.execute(
        quotas.find_quotas([unit.path], this).where(Unit.parent_id == unit.id).order_by(Unit.name, Unit.id)
    )
    may_set = quota_setting.may_set_quota(g.actor, unit.path)
    may_set_below = g.actor.can(Permission.manage_directory, unit.path)
    levels = LEVELS[LEVELS.index(unit.level) + 1 :] if may_set_below else ()
    return render_page(
        "quota.html",
        unit=unit,
        line=list_above(g.session, g.actor, unit),
        months=[(month, one, describe_quota(one) if one else ()) for month, one in months],
        below=[(one, describe_quota(one)) for one in map(quotas.read_standing, below)],
        kinds=list(QuotaKind),
        released=_list_released(unit, this, add_months(this, 1)),
        may_set=may_set,
        levels=[(level, say("Each {level} below", level=name_here(level))) for level in levels],
        ahead=[_option(add_months(this, n)) for n in range(MONTHS_AHEAD)],
        own=[_option(month) for month in quotas.list_quota_months(g.session, unit, this)],
        largest=LARGEST_LIMIT,
    )


@act_view("/units/<int:unit_id>/quota", Permission.manage_directory, again=show_unit_quota)
def set_unit_quota(unit_id: int) -> Response:
    """Set the unit's quota, or that of each unit of a level below it."""
    form = read_form(QuotaForm)
    fen = None if form["yuan"] is None else int(form["yuan"] * 100)
    limits = {"people": form["people"], "parts": form["parts"], "fen": fen}
    number = quota_setting.set_quota(g.session, g.actor, unit_id, form["month"], limits, form["why"], form["level"])
    said = (
        say("The quota holds for each of them ({count}).", count=number)
        if form["level"]
        else as_said("The quota is set.")
    )
    return go_to("console.show_unit_quota", said=said, unit_id=unit_id)


@act_view("/units/<int:unit_id>/quota/remove", Permission.manage_directory, again=show_unit_quota)
def remove_unit_quota(unit_id: int) -> Response:
    """Take the unit's quota of a month, or of every month, away."""
    form = read_form(QuotaRemovalForm)
    quota_setting.remove_quota(g.session, g.actor, unit_id, form["month"], form["why"])
    return go_to("console.show_unit_quota", said=as_said("The quota is removed."), unit_id=unit_id)


@page_view("/units/<int:unit_id>/quota/runs", Permission.read)
def list_quota_runs(unit_id: int) -> str:
    """The runs that take something of a unit's quota in a month, or that count for its targets of a year."""
    unit = get_unit(g.session, g.actor, unit_id)
    query = read_query(QuotaRunsQuery)
    month = query["month"] or quotas.find_month(g.session, unit)
    since, until = months_of_year(query["year"]) if query["year"] else (month, month)
    statement = quotas.find_reserved_runs(unit, since, until, query["state"])
    if query["invitations"]:
        statement = statement.where(Run.class_ == TextClass.invitation)
    rows, following = fetch_page(g.session, statement, query, sort="run", key=Run.id, id_=Run.id, descending=True)
    return render_page(
        "quota_runs.html",
        unit=unit,
        when=str(query["year"]) if query["year"] else f"{month:%Y-%m}",
        month=month,
        rows=rows,
        following=following,
        query=query,
        scope=(unit,),
        states=[(state.value, name_here(state)) for state in ReservationState],
        states_by={state.value: name_here(state) for state in ReservationState},
    )


def describe_quota(one: QuotaStanding) -> list[dict[str, Any]]:
    """Of each kind what a page shows: numbers, and the lengths of a bar in per cent of the limit."""
    shown: list[dict[str, Any]] = []
    for kind, most, planned, used in zip(QuotaKind, one.most, one.planned, one.used, strict=True):
        whole = max(most or 0, planned + used) or 1
        shares = {"used_share": round(100 * used / whole, 2), "planned_share": round(100 * planned / whole, 2)}
        numbers: Mapping[str, Any] = {"most": most, "planned": planned, "used": used}
        shown.append({"kind": kind, "left": one.left(kind), "over": one.over(kind), **numbers, **shares})
    return shown


def add_months(month: date, number: int) -> date:
    """The first day so many months later."""
    years, index = divmod(month.month - 1 + number, 12)
    return date(month.year + years, index + 1, 1)


def _option(month: date | None) -> tuple[str, str]:
    """A month to choose, by its value in a form and its name; None: every month."""
    return ("", translate_here(as_said("every month"))) if month is None else (f"{month:%Y-%m}", f"{month:%Y-%m}")


def _find_own(unit: Unit, month: date) -> QuotaStanding | None:
    row = g.session.execute(quotas.find_quotas([unit.path], month).where(Unit.id == unit.id)).one_or_none()
    return None if row is None else quotas.read_standing(row)


def _list_released(unit: Unit, since: date, until: date) -> Sequence[Any]:
    found = quotas.find_reserved_runs(unit, since, until, released=True)
    rows: Sequence[Any] = g.session.execute(found.order_by(Run.id.desc()).limit(MOST_RELEASED)).all()
    return rows
