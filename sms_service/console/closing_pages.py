"""Closing a unit, alone or merged into another one: what would happen first, then the button."""

from __future__ import annotations

from flask import Response, g

from sms_service.accounts.permissions import Permission
from sms_service.console.forms import UnitQuery, read_form, read_query
from sms_service.console.pages import act_view, go_to, page_view
from sms_service.console.rendering import render_page
from sms_service.console.unit_choice import choose_unit
from sms_service.controls.mergers import close_unit, foresee_closing, reopen_unit
from sms_service.directory.models import Unit
from sms_service.directory.units import find_units, get_unit
from sms_service.said import as_said, say
from sms_service.web.paging import PageQuery, fetch_page
from sms_service.web.schemas import Id, WhyIn


class CloseForm(WhyIn):
    """Which unit takes what is in it, and why."""

    into = Id(load_default=None)


@page_view("/units/<int:unit_id>/close", Permission.manage_directory)
def show_closing(unit_id: int) -> str:
    """What lies in the unit, who takes it, and the button."""
    unit = get_unit(g.session, g.actor, unit_id)
    chosen = read_query(UnitQuery)["unit"]
    return render_page(
        "unit_close.html",
        unit=unit,
        outlook=foresee_closing(g.session, g.actor, unit_id),
        choice=choose_unit(g.session, g.actor, Permission.manage_directory, chosen or unit.parent_id),
        chosen=chosen,
    )


@act_view("/units/<int:unit_id>/close", Permission.manage_directory, again=show_closing)
def close_one_unit(unit_id: int) -> Response:
    """Close it."""
    form = read_form(CloseForm)
    unit = close_unit(g.session, g.actor, unit_id, form["why"], form["into"])
    if form["into"] is None:
        return go_to("console.show_unit", said=say("{unit} is closed.", unit=unit.name), unit_id=unit_id)
    into = g.session.get_one(Unit, form["into"])
    said = say("{unit} is closed; {into} took what was in it.", unit=unit.name, into=into.name)
    return go_to("console.show_unit", said=said, unit_id=into.id)


@act_view("/units/<int:unit_id>/reopen", Permission.manage_directory)
def open_closed_unit(unit_id: int) -> Response:
    """Open it again."""
    reopen_unit(g.session, g.actor, unit_id, read_form(WhyIn)["why"])
    return go_to("console.show_unit", said=as_said("The unit is open again."), unit_id=unit_id)


@page_view("/units/<int:unit_id>/closed", Permission.read)
def list_closed_units(unit_id: int) -> str:
    """The units that lay within this one and were closed."""
    unit, query = get_unit(g.session, g.actor, unit_id), read_query(PageQuery)
    found = find_units([unit.path], closed=True)
    rows, following = fetch_page(g.session, found, query, sort="code", key=Unit.code, id_=Unit.id)
    return render_page("units_closed.html", unit=unit, rows=rows, following=following, query=query)
