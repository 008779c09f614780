"""年度目标: what units are to reach in a year and how far they are, the silent first."""

from __future__ import annotations

from typing import Any

from flask import Response, g, url_for
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.campaigns import quota_setting
from sms_service.campaigns.quotas import find_month
from sms_service.console.forms import read_form, read_query
from sms_service.console.pages import act_view, go_to, page_view
from sms_service.console.rendering import name_here, render_page
from sms_service.console.unit_choice import choose_unit, list_above
from sms_service.directory.models import LEVELS
from sms_service.reports import targets
from sms_service.reports.target_models import TargetKind
from sms_service.reports.targets import FIRST_YEAR, LARGEST_TARGET, LAST_YEAR, TargetLine
from sms_service.said import as_said, say
from sms_service.web.context import current_context
from sms_service.web.schemas import Id, In, Whole, WhyIn
from sms_service.web.validators import OneOfWords, WithinRange


class TargetsQuery(In):
    """Whose targets, of which year."""

    unit = Id(load_default=None)
    year = Whole(load_default=None, validate=WithinRange(FIRST_YEAR, LAST_YEAR))


class TargetsForm(WhyIn):
    """Targets of a year; what is left empty is no target."""

    year = Whole(required=True, validate=WithinRange(FIRST_YEAR, LAST_YEAR))
    level = fields.String(load_default=None, validate=OneOfWords(LEVELS))
    texts = Whole(load_default=None, validate=WithinRange(1, LARGEST_TARGET))
    theme_days = Whole(load_default=None, validate=WithinRange(1, LARGEST_TARGET))
    participation = Whole(load_default=None, validate=WithinRange(1, LARGEST_TARGET))


@page_view("/targets", Permission.read)
def list_unit_targets() -> str:
    """The targets of a unit and of those right below it, with what was done."""
    query = read_query(TargetsQuery)
    picked = choose_unit(g.session, g.actor, Permission.read, query["unit"], top=True)
    unit = picked.unit
    if unit is None:
        return render_page("targets.html", picked=picked, unit=None, line=())
    this = find_month(g.session, unit, current_context().clock()).year
    year = query["year"] or this
    own, below = targets.list_targets(g.session, g.actor, unit.id, year)
    levels = LEVELS[LEVELS.index(unit.level) + 1 :] if g.actor.can(Permission.manage_directory, unit.path) else ()
    return render_page(
        "targets.html",
        picked=picked,
        unit=unit,
        line=list_above(g.session, g.actor, unit),
        year=year,
        years=sorted({this - 1, this, this + 1, year}),
        kinds=list(TargetKind),
        own=_describe(own, year),
        rows=[(one, _describe(one, year)) for one in below],
        given=own.targets,
        may_set=quota_setting.may_set_quota(g.actor, unit.path),
        levels=[(level, say("Each {level} below", level=name_here(level))) for level in levels],
        largest=LARGEST_TARGET,
    )


@act_view("/units/<int:unit_id>/targets", Permission.manage_directory)
def set_unit_targets(unit_id: int) -> Response:
    """Set the targets of the unit, or of each unit of a level below it."""
    form = read_form(TargetsForm)
    given = {kind.value: form[kind.value] for kind in TargetKind}
    number = targets.set_targets(g.session, g.actor, unit_id, form["year"], given, form["why"], form["level"])
    said = (
        say("The targets hold for each of them ({count}).", count=number)
        if form["level"]
        else as_said("The targets are set.")
    )
    return go_to("console.list_unit_targets", said=said, unit=unit_id, year=form["year"])


def _describe(line: TargetLine, year: int) -> list[dict[str, Any]]:
    """Of each kind what a page shows, with the page that lists what is behind it."""
    behind = {
        TargetKind.texts: url_for("console.list_quota_runs", unit_id=line.unit_id, year=year),
        TargetKind.theme_days: url_for("console.list_quota_runs", unit_id=line.unit_id, year=year, invitations="true"),
        TargetKind.participation: url_for("console.list_replies", unit=line.unit_id),
    }
    return [
        {
            "kind": kind,
            "target": line.targets.get(kind),
            "done": line.done[kind],
            "share": line.share(kind),
            "width": round(100 * min(1.0, line.share(kind) or 0.0), 2),
            "href": behind[kind],
        }
        for kind in TargetKind
    ]
