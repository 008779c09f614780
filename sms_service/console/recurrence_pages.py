"""重复发送: on which days a campaign is sent again and again, as a form asks it, and what comes of that."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask import Response, g, request
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.campaigns import overview, services
from sms_service.campaigns.acts import EDITABLE
from sms_service.campaigns.moving import require_on_campaign
from sms_service.campaigns.states import CampaignKind
from sms_service.console.forms import read_form, read_query
from sms_service.console.languages import say_here, translate_here
from sms_service.console.pages import act_view, go_to, page_view
from sms_service.console.rendering import render_page
from sms_service.directory.models import Unit
from sms_service.errors import Invalid, ServiceError
from sms_service.said import as_said
from sms_service.schedules import recurring, scheduling
from sms_service.schedules.recurring import list_next_times
from sms_service.schedules.rhythms import (
    LAST,
    MONTH_DAY,
    MONTH_WEEKDAY,
    NTHS,
    RHYTHMS,
    WEEK,
    WEEKDAYS,
    Rhythm,
    describe_recurrence,
    read_rhythm,
    write_rrule,
)
from sms_service.schedules.viewing import mark_quiet_days
from sms_service.web.context import current_context
from sms_service.web.problems import find_problem
from sms_service.web.schemas import In, Whole
from sms_service.web.validators import OneOfWords, WithinRange

RULE = "rule"  # of the choices: as RFC 5545 writes it
NEVER, UNTIL, COUNT = ENDS = ("never", "until", "count")
USUAL_TIME = "08:30"


class RecurrenceForm(In):
    """A rhythm with its first day, its time and its end; `rrule` is read where the choice is the rule itself."""

    every = fields.String(load_default=WEEK, validate=OneOfWords([*RHYTHMS, RULE]))
    weekdays = fields.List(Whole(validate=WithinRange(0, 6)), load_default=list)
    day = Whole(load_default=LAST, validate=WithinRange(LAST, 31))
    nth = Whole(load_default=1, validate=OneOfWords([*NTHS]))
    weekday = Whole(load_default=0, validate=WithinRange(0, 6))
    rrule = fields.String(load_default="")
    first = fields.String(load_default="")
    at = fields.String(load_default=USUAL_TIME)
    end = fields.String(load_default=NEVER, validate=OneOfWords(ENDS))
    until = fields.String(load_default="")
    count = Whole(load_default=None)


@page_view("/campaigns/<int:campaign_id>/recurrence", Permission.edit_campaigns)
def show_recurrence(campaign_id: int) -> str | Response:
    """The form; once it is filled in, the rule in words and the next ten times, and the button that keeps it."""
    campaign = overview.get_campaign(g.session, g.actor, campaign_id)
    g.actor.require(Permission.edit_campaigns, campaign["path"])
    if campaign["status"] not in EDITABLE or campaign["kind"] not in (CampaignKind.plain, CampaignKind.recurring):
        return go_to("console.show_campaign", campaign_id=campaign_id)
    unit: Unit = campaign["owner"]
    rule: Mapping[str, Any] | None = None
    if request.args:
        g.submitted = request.args
        try:
            rule = _read_rule(read_query(RecurrenceForm), unit, campaign["now"])
        except ServiceError as error:
            g.form_errors = find_problem(error).errors
    times = list_next_times(rule, unit, campaign["now"]) if rule else []
    today = current_context().clock().astimezone(ZoneInfo(unit.timezone)).date()
    return render_page(
        "recurrence.html",
        campaign=campaign,
        now=_as_form(campaign["schedule"], today + timedelta(days=1)),
        words=describe_recurrence(rule) if rule else None,
        coming=mark_quiet_days(g.session, unit, campaign["class_"], times) if rule else [],
        zone=unit.timezone,
        typed=[(name, value) for name, value in request.args.items(multi=True) if name in RecurrenceForm().fields],
        earliest=today.isoformat(),
        weekdays=[(str(number), translate_here(day)) for number, day in enumerate(WEEKDAYS)],
        days=[(LAST, say_here("the last day")), *((day, say_here("day {day}", day=day)) for day in range(1, 32))],
        nths=[(number, translate_here(nth)) for number, nth in NTHS.items()],
        most_times=recurring.MOST_TIMES,
    )


@act_view("/campaigns/<int:campaign_id>/recurrence", Permission.edit_campaigns, again=show_recurrence)
def keep_recurrence(campaign_id: int) -> Response:
    """Keep it and go on to the check; an approval of what it was before counts no longer."""
    campaign, _ = require_on_campaign(g.session, g.actor, Permission.edit_campaigns, campaign_id)
    given = _write_rule(read_form(RecurrenceForm))
    if campaign.planned_at is not None:
        services.change_campaign(g.session, g.actor, campaign_id, {"planned_at": None})
    try:
        scheduling.set_schedule(g.session, g.actor, campaign_id, CampaignKind.recurring, given)
    except Invalid as error:
        raise _at_field(error, given) from None
    return go_to("console.show_check", said=as_said("It is kept when it is sent."), campaign_id=campaign_id)


@act_view("/campaigns/<int:campaign_id>/recurrence/clear", Permission.edit_campaigns)
def send_only_once(campaign_id: int) -> Response:
    """Make it a campaign that is sent once."""
    require_on_campaign(g.session, g.actor, Permission.edit_campaigns, campaign_id)
    scheduling.clear_schedule(g.session, g.actor, campaign_id)
    return go_to("console.show_check", said=as_said("It is sent once."), campaign_id=campaign_id)


def _read_rule(form: Mapping[str, Any], unit: Unit, now: datetime) -> Mapping[str, Any]:
    """The rule as it would be kept. Raises Invalid at the form's field."""
    given = _write_rule(form)
    try:
        return recurring.read_rule(given, unit, now)
    except Invalid as error:
        raise _at_field(error, given) from None


def _write_rule(form: Mapping[str, Any]) -> dict[str, Any]:
    """What the form says, as a schedule is given. Raises Invalid where something that was chosen is left empty."""
    kind = form["every"]
    if kind == WEEK and not form["weekdays"]:
        raise Invalid("weekdays", None, "choose at least one day of the week")
    for choice in (UNTIL, COUNT):
        if form["end"] == choice and form[choice] in (None, ""):
            raise Invalid(choice, None, "is missing: fill it in, or choose another end")
    weekdays = (form["weekday"],) if kind == MONTH_WEEKDAY else tuple(form["weekdays"])
    rhythm = Rhythm(kind, weekdays, form["day"] or LAST, form["nth"])
    return {
        "rrule": form["rrule"] if kind == RULE else write_rrule(rhythm),
        "first": form["first"],
        "at": form["at"],
        "until": form["until"] if form["end"] == UNTIL else None,
        "count": form["count"] if form["end"] == COUNT else None,
    }


def _at_field(error: Invalid, given: Mapping[str, Any]) -> Invalid:
    """The same error at the field of the form that it is about."""
    name = error.field.removeprefix("schedule.") if error.field != "schedule" else "first"
    return Invalid(name if name in given else "first", error.value, error.reason)


def _as_form(rule: Mapping[str, Any] | None, first: date) -> dict[str, Any]:
    """The form as it is shown at first: what the draft has, else each week on the day of the `first` one."""
    kept = rule or {"rrule": "FREQ=WEEKLY", "first": first.isoformat(), "at": USUAL_TIME}
    day = date.fromisoformat(kept["first"])
    rhythm = read_rhythm(kept["rrule"], day)
    return {
        "every": RULE if rhythm is None else rhythm.kind,
        "weekdays": [str(one) for one in (rhythm.weekdays if rhythm and rhythm.kind == WEEK else (day.weekday(),))],
        "day": rhythm.day if rhythm and rhythm.kind == MONTH_DAY else LAST,
        "nth": rhythm.nth if rhythm and rhythm.kind == MONTH_WEEKDAY else 1,
        "weekday": rhythm.weekdays[0] if rhythm and rhythm.kind == MONTH_WEEKDAY else day.weekday(),
        "rrule": kept["rrule"] if rhythm is None else "",
        "first": kept["first"],
        "at": kept["at"],
        "end": UNTIL if "until" in kept else COUNT if "count" in kept else NEVER,
        "until": kept.get("until", ""),
        "count": kept.get("count", ""),
    }
