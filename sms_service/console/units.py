"""The tree of units, one level at a time, and a unit's name and sending window."""

from __future__ import annotations

from typing import Any

from flask import Response, g, request
from marshmallow import fields
from sqlalchemy import or_, select

from sms_service.accounts.permissions import Permission
from sms_service.audience.contacts import count_unreached, list_holders
from sms_service.console.forms import read_form, read_query
from sms_service.console.pages import act_view, go_to, page_view
from sms_service.console.rendering import render_page
from sms_service.console.unit_choice import list_above
from sms_service.directory import units
from sms_service.directory.models import LEVELS, Unit
from sms_service.directory.text import plain_text
from sms_service.directory.unit_rows import LONGEST_CODE, LONGEST_UNIT_NAME
from sms_service.said import as_said, say
from sms_service.web.paging import PageQuery, fetch_page, scope_filter
from sms_service.web.schemas import In, OneLine
from sms_service.web.validators import OneOfWords

MOST_UNITS_FOUND = 50


class WindowForm(In):
    """When texts may leave, local time."""

    window_opens = fields.String(required=True)
    window_closes = fields.String(required=True)
    timezone = OneLine(required=True)


class NameForm(In):
    """A unit's name."""

    name = OneLine(LONGEST_UNIT_NAME, required=True)


class NewUnitForm(In):
    """A new unit below another."""

    code = OneLine(LONGEST_CODE, required=True)
    name = OneLine(LONGEST_UNIT_NAME, required=True)
    level = fields.String(required=True, validate=OneOfWords(LEVELS))


@page_view("/units", Permission.read, methods=("GET", "POST"))
def list_units() -> str:
    """The top of what the visitor may read; or the units that a search finds by part of the name or by the code."""
    scope = scope_filter(g.session, g.actor, Permission.read, None)
    if request.method == "POST":
        wanted = plain_text(request.form.get("wanted", "").replace("\x00", ""))[:LONGEST_UNIT_NAME]
        found = units.find_units(scope.paths).where(
            or_(Unit.name.contains(wanted, autoescape=True), Unit.code == wanted)
        )
        rows = g.session.scalars(found.order_by(Unit.path).limit(MOST_UNITS_FOUND + 1)).all() if wanted else []
        return _show_list(rows[:MOST_UNITS_FOUND], wanted=wanted, more=len(rows) > MOST_UNITS_FOUND)
    query = read_query(PageQuery)
    if len(scope.units) == 1:
        return _show_one(scope.units[0], query)
    return _show_list(list(scope.units))


@page_view("/units/<int:unit_id>", Permission.read)
def show_unit(unit_id: int) -> str:
    """One unit: what is below it, who holds a role there, when texts may leave."""
    return _show_one(units.get_unit(g.session, g.actor, unit_id), read_query(PageQuery))


@page_view("/units/<int:unit_id>/window", Permission.manage_directory)
def show_window(unit_id: int) -> str:
    """When texts may leave, and how many units a change reaches."""
    unit = _managed(unit_id)
    reached, other = units.count_windows(g.session, unit)
    return render_page("unit_window.html", unit=unit, reached=reached, other=other, clock=units.format_clock)


@act_view("/units/<int:unit_id>/window", Permission.manage_directory, again=show_window)
def set_window(unit_id: int) -> Response:
    """Set it for the unit and everything below."""
    unit = units.change_unit(g.session, g.actor, unit_id, **read_form(WindowForm))
    reached, _ = units.count_windows(g.session, unit)
    said = say("The window is set for {count} units.", count=reached)
    return go_to("console.show_unit", said=said, unit_id=unit_id)


@page_view("/units/<int:unit_id>/name", Permission.manage_directory)
def show_unit_name(unit_id: int) -> str:
    """The form for another name."""
    return render_page("unit_name.html", unit=_managed(unit_id))


@act_view("/units/<int:unit_id>/name", Permission.manage_directory, again=show_unit_name)
def rename_unit(unit_id: int) -> Response:
    """Give the unit another name."""
    units.change_unit(g.session, g.actor, unit_id, name=read_form(NameForm)["name"])
    return go_to("console.show_unit", said=as_said("The unit has the new name."), unit_id=unit_id)


@page_view("/units/<int:unit_id>/new", Permission.manage_directory)
def show_new_unit(unit_id: int) -> str:
    """The form for one more unit below this one."""
    unit = _managed(unit_id)
    return render_page("unit_new.html", unit=unit, levels=LEVELS[LEVELS.index(unit.level) + 1 :])


@act_view("/units/<int:unit_id>/new", Permission.manage_directory, again=show_new_unit)
def add_one_unit(unit_id: int) -> Response:
    """Add it."""
    made = units.create_unit(g.session, g.actor, parent_id=unit_id, **read_form(NewUnitForm))
    return go_to("console.show_unit", said=as_said("The unit has been added."), unit_id=made.id)


def _managed(unit_id: int) -> Unit:
    unit = units.get_unit(g.session, g.actor, unit_id)
    g.actor.require(Permission.manage_directory, unit.path)
    return unit


def _show_one(unit: Unit, query: dict[str, Any]) -> str:
    statement = units.find_units([unit.path], parent_id=unit.id)
    below, following = fetch_page(g.session, statement, query, sort="code", key=Unit.code, id_=Unit.id)
    return render_page(
        "unit.html",
        unit=unit,
        line=[*list_above(g.session, g.actor, unit), unit],
        below=below,
        following=following,
        sizes=units.measure_units(g.session, [unit, *below]),
        lacking=count_unreached(g.session, [unit, *below]),
        holders=list_holders(g.session, [unit.id], most=100).get(unit.id, []),
        clock=units.format_clock,
        may_change=g.actor.can(Permission.manage_directory, unit.path),
        may_grow=unit.level != LEVELS[-1],
    )


def _show_list(found: list[Unit], wanted: str | None = None, more: bool = False) -> str:
    sizes = units.measure_units(g.session, found)
    return render_page(
        "units.html",
        found=found,
        sizes=sizes,
        lacking=count_unreached(g.session, found),
        above=_names_above(found),
        wanted=wanted,
        more=more,
        most=MOST_UNITS_FOUND,
    )


def _names_above(found: list[Unit]) -> dict[int, str]:
    """By unit the names of the units above it that the visitor may read: many branches are called the first."""
    ids = {id_ for unit in found for id_ in units.split_path(unit.path)[:-1]}
    known = {u.id: u for u in g.session.scalars(select(Unit).where(Unit.id.in_(ids)))} if ids else {}
    readable = {u.id: u.name for u in known.values() if g.actor.can(Permission.read, u.path)}
    lines = {unit.id: units.split_path(unit.path)[:-1] for unit in found}
    return {unit_id: " / ".join(readable[i] for i in line if i in readable) for unit_id, line in lines.items()}
