"""新建连载, the second and third step: whom it goes to, and on which days; a draft can be left and gone on with."""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any, NamedTuple

from flask import Response, g, request
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.audience.nesting import write_out_now
from sms_service.audience.segments import get_segment
from sms_service.campaigns import overview, services
from sms_service.campaigns.acts import EDITABLE
from sms_service.campaigns.linting import reach_content
from sms_service.campaigns.states import CampaignKind
from sms_service.console.drafts import list_segment_choices
from sms_service.console.forms import read_form
from sms_service.console.pages import act_view, go_to, page_view, show_typed
from sms_service.console.rendering import form_value, form_values, render_page
from sms_service.errors import Invalid, NotFound
from sms_service.schedules import series
from sms_service.schedules.series_days import SeriesDays, view_series_days
from sms_service.schedules.series_planning import set_series_days
from sms_service.web.schemas import Id, In

OPEN_MONTHS = 12  # that are shown at once; all others open by one press
CHOSEN = "weekdays"  # the choice of days that names some of the week


class WhomForm(In):
    """The segment; `seen`: as of when the page was opened."""

    segment_id = Id(required=True)
    seen = fields.AwareDateTime(load_default=None)


class WhenForm(In):
    """The rule of the days, as the form has it; `weekday`: those of the week, where `days` says so."""

    first = fields.String(required=True)
    at = fields.String(required=True)
    days = fields.String(required=True)
    weekday = fields.List(fields.String(), load_default=list)
    late = fields.String(load_default="")
    seen = fields.AwareDateTime(load_default=None)


class SeriesCell(NamedTuple):
    """A day of a small month. `number`: of the text that goes then; `works`: whether people work, contrary to what the
    day of the week says, None: it is as that says; `name`: what such a day is called.
    """

    day: date
    number: int | None
    works: bool | None
    name: str | None


def open_series_draft(campaign: dict[str, Any]) -> Response | None:
    """For the steps of a draft, what `overview.get_campaign` found: where to go instead, if it is none any more. Raises
    Forbidden without the right to change it, NotFound if it is no series.
    """
    g.actor.require(Permission.edit_campaigns, campaign["path"])
    expect_series(campaign)
    if campaign["status"] in EDITABLE:
        return None
    return go_to("console.show_series", campaign_id=campaign["id"])


def expect_series(campaign: dict[str, Any]) -> None:
    """Raises NotFound unless the campaign is a series."""
    if campaign["kind"] != CampaignKind.series:
        raise NotFound("series of campaign", campaign["id"])


@page_view("/campaigns/<int:campaign_id>/series/whom", Permission.edit_campaigns)
def show_series_whom(campaign_id: int) -> str | Response:
    """The segment of a draft, how many people it finds now, and who of them gets nothing."""
    campaign = overview.get_campaign(g.session, g.actor, campaign_id)
    if elsewhere := open_series_draft(campaign):
        return elsewhere
    unit, chosen = campaign["owner"], _chosen_segment(campaign)
    reach, fault = None, None
    try:
        rule = write_out_now(g.session, {"segment": chosen}, unit.path).rule
        text = replace(campaign["content"], segment_rule=rule).next_text()
        reach = reach_content(g.session, text, unit.path)[0]
    except Invalid as error:
        fault = error.reason
    return render_page(
        "series_whom.html",
        campaign=campaign,
        unit=unit,
        segments=list_segment_choices(unit, campaign["segment_id"]),
        chosen=chosen,
        reach=reach,
        fault=fault,
        may_segment=g.actor.can(Permission.manage_segments, unit.path),
    )


@page_view("/campaigns/<int:campaign_id>/series/whom/look", Permission.edit_campaigns, methods=("GET", "POST"))
def look_at_series_whom(campaign_id: int) -> str:
    """The same for another segment that is chosen but not kept."""
    return show_typed(show_series_whom, campaign_id)


@act_view("/campaigns/<int:campaign_id>/series/whom", Permission.edit_campaigns, again=show_series_whom)
def choose_series_whom(campaign_id: int) -> Response:
    """Keep the segment and go on to the days."""
    form = read_form(WhomForm)
    services.change_campaign(g.session, g.actor, campaign_id, {"segment_id": form["segment_id"]}, form["seen"])
    return go_to("console.show_series_when", campaign_id=campaign_id)


@page_view("/campaigns/<int:campaign_id>/series/when", Permission.edit_campaigns)
def show_series_when(campaign_id: int) -> str | Response:
    """The first day, the time and the days of a draft, and the calendar that comes of them."""
    campaign = overview.get_campaign(g.session, g.actor, campaign_id)
    if elsewhere := open_series_draft(campaign):
        return elsewhere
    rule, unit, now = campaign["schedule"], campaign["owner"], campaign["now"]
    fault, found = None, None
    try:
        given = _read_rule() if request.method == "POST" else rule
        found = view_series_days(g.session, campaign["content"], unit, now, given)
    except Invalid as error:
        fault = error.reason
    days = rule["days"] if rule["days"] in (series.WORKING, series.ALL) else CHOSEN
    return render_page(
        "series_when.html",
        campaign=campaign,
        unit=unit,
        rule=rule,
        found=found,
        places={item.number: place for place, item in enumerate(campaign["content"].items, start=1)},
        fault=fault,
        days=form_value("days", days),
        weekdays=form_values("weekday", rule["days"].split(",") if days == CHOSEN else series.WEEKDAYS[:1]),
        week=[(name, date(2024, 1, number)) for number, name in enumerate(series.WEEKDAYS, start=1)],
        late=series.LATE_CHOICES,
        earliest=found and found.day_of(now),
        **(draw_months(found) if found else {}),
    )


@page_view("/campaigns/<int:campaign_id>/series/when/look", Permission.edit_campaigns, methods=("GET", "POST"))
def look_at_series_when(campaign_id: int) -> str:
    """The same for days that are chosen but not kept."""
    return show_typed(show_series_when, campaign_id)


@act_view("/campaigns/<int:campaign_id>/series/when", Permission.edit_campaigns, again=show_series_when)
def choose_series_when(campaign_id: int) -> Response:
    """Keep the days and go on to the check."""
    seen = read_form(WhenForm)["seen"]
    try:
        set_series_days(g.session, g.actor, campaign_id, _read_rule(), seen)
    except Invalid as error:
        raise Invalid(
            error.field.removeprefix("schedule.").replace("schedule", "first"), error.value, error.reason
        ) from None
    return go_to("console.show_check", campaign_id=campaign_id)


def draw_months(found: SeriesDays) -> dict[str, Any]:
    """The months of a series as pages show them, and what stands on top of their columns."""
    months = list(_list_months(found))
    return {
        "months": months[:OPEN_MONTHS],
        "more_months": months[OPEN_MONTHS:],
        "columns": [date(2024, 1, day) for day in range(1, 8)],  # from Monday
    }


def _list_months(found: SeriesDays) -> Iterator[tuple[date, list[list[SeriesCell | None]]]]:
    if found.working is None:
        return
    first, by_day, follows = found.working.first, found.by_day, found.rule["days"] == series.WORKING
    exceptions = found.working.exceptions if follows else {}
    begin, end = min(by_day), max(by_day)

    def spans(week: list[date]) -> bool:
        """Whether the series does not begin after the week or end before it."""
        return week[0] <= end and week[-1] >= begin

    while first <= found.working.last:
        weeks = [week for week in calendar.Calendar().monthdatescalendar(first.year, first.month) if spans(week)]
        yield (
            first,
            [
                [
                    SeriesCell(
                        day, by_day.get(day), exceptions.get(day), found.working.names.get(day) if follows else None
                    )
                    if day.month == first.month
                    else None
                    for day in week
                ]
                for week in weeks
            ],
        )
        first = (first + timedelta(days=32)).replace(day=1)


def _chosen_segment(campaign: dict[str, Any]) -> int:
    """The one of the form that is shown again, else the draft's; the visitor may use it."""
    chosen = form_value("segment_id", campaign["segment_id"])
    if not str(chosen).isdecimal() or len(str(chosen)) > 18:
        return int(campaign["segment_id"])
    return get_segment(g.session, g.actor, int(chosen)).id


def _read_rule() -> dict[str, Any]:
    """The rule that the form says. Raises InvalidRequest, or Invalid where no day of the week is chosen."""
    form = read_form(WhenForm)
    days = ",".join(form["weekday"]) if form["days"] == CHOSEN else form["days"]
    if not days:
        raise Invalid("schedule.days", None, "choose at least one day of the week")
    return {"first": form["first"], "at": form["at"], "days": days, "late": form["late"] or series.LATE_CHOICES[0]}
