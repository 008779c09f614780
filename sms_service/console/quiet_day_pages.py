"""静默日: the days on which texts of some classes do not leave."""

from __future__ import annotations

from flask import Response, g
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.console.forms import read_form, read_query
from sms_service.console.pages import act_view, go_to, page_view
from sms_service.console.rendering import name_here, render_page
from sms_service.console.unit_choice import choose_unit
from sms_service.controls import quiet_days
from sms_service.controls.models import QuietDay
from sms_service.directory.models import Unit
from sms_service.said import as_said, say
from sms_service.vocabulary import TextClass
from sms_service.web.paging import ScopedPageQuery, fetch_page, scope_filter
from sms_service.web.schemas import Id, In
from sms_service.web.validators import OneOfWords


class QuietDaysForm(In):
    """Which days are quiet, for whom, and which texts wait."""

    unit_id = Id(required=True)
    days = fields.String(required=True)
    classes = fields.List(fields.String(validate=OneOfWords(tuple(TextClass))), load_default=list)


@page_view("/quiet-days", Permission.read)
def list_quiet_days() -> str:
    """The coming quiet days of one's units, and the form for more."""
    query = read_query(ScopedPageQuery)
    scope = scope_filter(g.session, g.actor, Permission.read, query["unit"])
    statement = quiet_days.find_quiet_days(scope.paths)
    rows, following = fetch_page(g.session, statement, query, sort="day", key=QuietDay.day, id_=QuietDay.id)
    may_set = bool(g.actor.scope(Permission.manage_directory))
    return render_page(
        "quiet_days.html",
        rows=rows,
        following=following,
        scope=scope.units,
        query=query,
        choice=choose_unit(g.session, g.actor, Permission.manage_directory, query["unit"], top=True)
        if may_set
        else None,
        classes=[(one.value, name_here(one), one in quiet_days.USUAL_CLASSES) for one in TextClass],
        may_remove=lambda path: g.actor.can(Permission.manage_directory, path),
    )


@act_view("/quiet-days", Permission.manage_directory, again=list_quiet_days)
def set_some_quiet_days() -> Response:
    """Let days be quiet for a unit and all below it."""
    form = read_form(QuietDaysForm)
    days = quiet_days.read_calendar(form["days"])
    made = quiet_days.set_quiet_days(g.session, g.actor, form["unit_id"], days, form["classes"])
    name = g.session.get_one(Unit, form["unit_id"]).name
    said = say("{count} days are quiet now for {unit} and all below it.", count=len(made), unit=name)
    return go_to("console.list_quiet_days", said=said)


@act_view("/quiet-days/<int:quiet_day_id>/remove", Permission.manage_directory)
def remove_one_quiet_day(quiet_day_id: int) -> Response:
    """Let texts leave on that day again."""
    quiet_days.remove_quiet_day(g.session, g.actor, quiet_day_id)
    return go_to("console.list_quiet_days", said=as_said("Texts leave on that day again."))
