"""发邀请: the shortest way from a few words to a text that a branch gets, for a secretary with a phone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from flask import Response, g, request, url_for
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.audience.covering import EVERY_TEXT, TextKind
from sms_service.audience.listed import is_of_row
from sms_service.audience.measuring import measure_reach
from sms_service.audience.models import Segment
from sms_service.audience.reachable import REACHES, find_reached
from sms_service.campaigns import services, suggestions
from sms_service.campaigns.acts import CampaignAct
from sms_service.campaigns.invitations import MOST_TICKED, write_invitation
from sms_service.campaigns.models import Campaign
from sms_service.campaigns.moving import require_on_campaign, require_status
from sms_service.campaigns.states import CampaignKind
from sms_service.console.drafts import AskedValue, ask_values, list_usable_templates
from sms_service.console.forms import read_form, read_named, read_query
from sms_service.console.languages import say_here
from sms_service.console.moments import read_moment, write_moment
from sms_service.console.pages import act_view, go_to, page_view, show_typed
from sms_service.console.picking import FIND, PICK, AskedPick, ask_picks, read_picked_values, read_picks
from sms_service.console.rendering import form_values, render_page
from sms_service.console.texts import VALUE, compose_in_general, find_own
from sms_service.console.trying import show_tried, try_text
from sms_service.console.unit_choice import UnitChoice, choose_unit
from sms_service.content.compose import Composed, check_signature
from sms_service.content.models import Template, TemplateVersion
from sms_service.directory.models import Person, Unit
from sms_service.directory.units import format_clock
from sms_service.errors import Conflict, Invalid
from sms_service.gateways.config import DEFAULT_ROUTE
from sms_service.said import say
from sms_service.schedules.event_planning import plan_event
from sms_service.schedules.event_texts import TIME, find_time_name, read_event_time
from sms_service.schedules.scheduling import clear_schedule
from sms_service.vocabulary import TextClass
from sms_service.web.context import current_context
from sms_service.web.problems import InvalidRequest, field_error
from sms_service.web.rates import read_route_price
from sms_service.web.schemas import Id, In

EVENT = "event"  # the choice of when: some days before it begins
_Chosen = tuple[Template, TemplateVersion]


class RollEntry(NamedTuple):
    """A person who can be ticked. `reason`: why no text would reach them."""

    person_id: int
    name: str
    reason: str | None


class InviteQuery(In):
    """For which unit, by which template; `campaign`: the draft that is changed; `event`: it is to be a theme day."""

    unit = Id(load_default=None)
    template = Id(load_default=None)
    campaign = Id(load_default=None)
    event = fields.Boolean(load_default=False)


class InviteForm(In):
    """An invitation but for its values. `people`: those who are ticked; `whole`: everybody of the unit."""

    signature = fields.String(required=True)
    people = fields.List(Id(), load_default=list)
    whole = fields.Boolean(load_default=False)
    seen = fields.AwareDateTime(load_default=None)
    when = fields.String(load_default="now")
    at = fields.String(load_default="")


@page_view("/invite", Permission.edit_campaigns)
def show_invite() -> str:
    """A few fields, who gets it, the text as it will look, and when."""
    query = read_query(InviteQuery)
    old = _draft(query["campaign"])
    place = choose_unit(g.session, g.actor, Permission.edit_campaigns, old.unit_id if old else query["unit"], top=True)
    templates = _list_templates(place.unit.path) if place.unit else []
    if place.unit is None or not templates:
        return render_page("invite.html", place=place, chosen=None, templates=templates)
    chosen = _choose_template(place.unit, templates, query["template"], old)
    return _show_form(place, templates, chosen, old)


@act_view("/invite", Permission.edit_campaigns, again=show_invite)
def go_on_with_invite() -> Response:
    """Keep it as a draft and go on to the check."""
    query = read_query(InviteQuery)
    old = _draft(query["campaign"])
    place = choose_unit(g.session, g.actor, Permission.edit_campaigns, old.unit_id if old else query["unit"], top=True)
    assert place.unit is not None
    templates = _list_templates(place.unit.path)
    template, version = _choose_template(place.unit, templates, query["template"], old)
    form, values = read_form(InviteForm, apart=(VALUE, PICK, FIND)), read_named(VALUE)
    asked = ask_picks(version, place.unit.path, {})
    variables = ask_values(version, place.unit.path, asked)
    picks = read_picks()
    _require_values(variables, values, asked, picks)
    at = read_moment(zone=place.unit.timezone)
    everybody = {entry.person_id for entry in _list_roll(place.unit, EVERY_TEXT)}
    ticked = None if form["whole"] and not everybody else set(form["people"]) & everybody
    if ticked is not None and not ticked:
        raise Invalid("people", None, "tick at least one person")
    name = _name(template, variables, values)
    count = len(ticked or ())
    segment_name = say_here("All of {unit}", unit=place.unit.name)
    made = write_invitation(
        g.session,
        g.actor,
        unit_id=place.unit.id,
        name=name,
        template_version_id=version.id,
        signature=form["signature"].strip(),
        values=values,
        people=None if ticked == everybody else ticked,
        segment_name=segment_name
        if ticked in (None, everybody)
        else say_here("{name}: {count} people", name=name, count=count),
        planned_at=at,
        campaign=old,
        unchanged_since=form["seen"],
        picks=picks,
    )
    if form["when"] == EVENT:
        _make_event(made, version, values, place.unit)
    elif made.schedule is not None:
        clear_schedule(g.session, g.actor, made.id)
    return go_to("console.show_check", campaign_id=made.id)


@page_view("/invite/look", Permission.edit_campaigns, methods=("GET", "POST"))
def look_for_invite() -> str:
    """The form again, with the rows of a reference list that a search found."""
    return show_typed(show_invite)


@act_view("/invite/try", Permission.edit_campaigns, again=show_invite)
def try_invite() -> Response:
    """Send the text as it stands to oneself, as whoever is ticked first would get it; nothing is kept."""
    query = read_query(InviteQuery)
    old = _draft(query["campaign"])
    place = choose_unit(g.session, g.actor, Permission.edit_campaigns, old.unit_id if old else query["unit"], top=True)
    unit = place.unit
    assert unit is not None
    template, version = _choose_template(unit, _list_templates(unit.path), query["template"], old)
    ticked = request.form.getlist("people")[:1]
    own = find_own(ticked)
    signature = check_signature(request.form.get("signature", "").strip())
    values = {**read_named(VALUE), **read_picked_values(version)}
    text = compose_in_general(version.id, version.body, template.class_, signature, values, own)
    if not isinstance(text, Composed):
        raise Conflict(text)
    sample = int(ticked[0]) if own is not None else None
    at = {"unit": unit.id, "template": template.id, "campaign": old.id if old else None}
    return show_tried(
        show_invite.__wrapped__,  # type: ignore[attr-defined]
        lambda: try_text(unit.id, template.class_, signature, text, sample),
        "console.show_invite",
        **at,
    )


def _make_event(campaign: Campaign, version: TemplateVersion, values: Mapping[str, str], unit: Unit) -> None:
    """Let the invitation go some days before it begins, as it was written. Raises Invalid at the field of the time."""
    name = find_time_name(version) or TIME
    at = f"{VALUE}{name}"
    times = read_event_time(values.get(name, ""), current_context().clock(), unit.timezone)
    if times is None:
        raise Invalid(
            at, values.get(name), "write the day and the time, such as 12月5日上午9时, so that its texts can be timed"
        )
    try:
        plan_event(g.session, g.actor, campaign.id, {"begins": times[0], "ends": times[1]})
    except Invalid as error:
        raise Invalid(at if error.field.startswith("schedule") else error.field, error.value, error.reason) from None


def _list_templates(path: str) -> list[_Chosen]:
    """The unit's templates of invitations, but for those that take values from a list: that form names none."""
    return [
        (template, version)
        for template, version in list_usable_templates(path, TextClass.invitation)
        if not any(is_of_row(name) for name in version.variables)
    ]


def _draft(campaign_id: int | None) -> Campaign | None:
    if campaign_id is None:
        return None
    campaign, _ = require_on_campaign(g.session, g.actor, Permission.edit_campaigns, campaign_id)
    require_status(campaign, CampaignAct.change)
    return campaign


def _choose_template(unit: Unit, templates: Sequence[_Chosen], wanted: int | None, old: Campaign | None) -> _Chosen:
    """The one that was asked for, else that of the draft, else the one that the unit used last, else the first."""
    if wanted is None and old is not None:
        version = g.session.get_one(TemplateVersion, old.template_version_id)
        return g.session.get_one(Template, version.template_id), version
    if wanted is None:
        wanted = suggestions.find_last_template(g.session, unit.id, TextClass.invitation)
    return next((pair for pair in templates if pair[0].id == wanted), templates[0])


def _show_form(place: UnitChoice, templates: Sequence[_Chosen], chosen: _Chosen, old: Campaign | None) -> str:
    unit, (template, version) = place.unit, chosen
    assert unit is not None
    values: Mapping[str, Any] = old.values if old else {}
    signatures = suggestions.list_signatures(g.session, unit.path)
    signature = old.signature if old else (signatures or [""])[0]
    kind = TextKind(template.class_, signature)
    roll = _list_roll(unit, kind)
    picks = ask_picks(version, unit.path, old.picks if old else {})
    variables = ask_values(version, unit.path, picks)
    ticked = set(form_values("people", _ticked(roll, old)))
    at: dict[str, Any] = {"unit": unit.id, "template": template.id, "campaign": old.id if old else None}
    first = next((entry.person_id for entry in roll if str(entry.person_id) in ticked), None)
    return render_page(
        "invite.html",
        place=place,
        unit=unit,
        templates=[one for one, _ in templates],
        chosen=template,
        version=version,
        variables=variables,
        picks=picks,
        offered=suggestions.list_last_values(
            g.session, unit, [one.name for one in variables], current_context().clock()
        ),
        now={"values": values},
        roll=roll,
        ticked=ticked,
        reach=measure_reach(g.session, {"everyone": True}, unit.path, kind=kind),
        listed=REACHES,
        signature=signature,
        signatures=signatures,
        text=compose_in_general(
            version.id, version.body, template.class_, signature, values, find_own([str(first)] if first else [])
        ),
        price=read_route_price(DEFAULT_ROUTE),
        opens=format_clock(unit.window_opens),
        closes=format_clock(unit.window_closes),
        earliest=write_moment(current_context().clock(), unit.timezone),
        planned=write_moment(old.planned_at, unit.timezone) if old else "",
        again=url_for("console.go_on_with_invite", **at),
        look=url_for("console.look_for_invite", **at),
        may_event=find_time_name(version) is not None,
        when_first=_choose_when(old),
        try_at=url_for("console.try_invite", **at),
        old=old,
        other=lambda one: url_for(
            "console.show_invite", unit=unit.id, template=one.id, campaign=old.id if old else None
        ),
        submitted=request.method == "POST",
    )


def _choose_when(old: Campaign | None) -> str:
    """Which of the choices of when is chosen first."""
    if read_query(InviteQuery)["event"] or (old is not None and old.kind == CampaignKind.event):
        return EVENT
    return "later" if old is not None and old.planned_at is not None else "now"


def _list_roll(unit: Unit, kind: TextKind) -> list[RollEntry]:
    """The people of the unit and of those below it, by name; empty where there are too many to tick."""
    g.actor.require(Permission.read, unit.path)
    found = find_reached((unit.path,), of_kind=kind)
    rows = g.session.execute(found.order_by(Person.name, Person.id).limit(MOST_TICKED + 1)).all()
    return [RollEntry(row.Person.id, row.Person.name, row.reason) for row in rows] if len(rows) <= MOST_TICKED else []


def _ticked(roll: Sequence[RollEntry], old: Campaign | None) -> list[str]:
    """Everybody, or of a draft those whom it goes to."""
    rule = g.session.get_one(Segment, old.segment_id).rule if old else {}
    named = rule.get("people")
    return [str(entry.person_id) for entry in roll if named is None or entry.person_id in named]


def _require_values(
    variables: Sequence[AskedValue],
    values: Mapping[str, str],
    asked: Sequence[AskedPick],
    picks: Mapping[str, int | None],
) -> None:
    """Raises InvalidRequest naming each value and each choice that is missing."""
    missing = [
        field_error(f"{PICK}{one.name}", None, say("{name} is missing: the text needs it", name=one.label))
        for one in asked
        if one.must and picks.get(one.name) is None
    ]
    missing += [
        field_error(f"{VALUE}{one.name}", None, say("{name} is missing: the text needs it", name=one.label))
        for one in variables
        if one.must and one.name not in values
    ]
    if missing:
        raise InvalidRequest(missing)


def _name(template: Template, variables: Sequence[AskedValue], values: Mapping[str, str]) -> str:
    """By which the sender finds it again: the template, and the first of its values: what it is about."""
    words = next((values[one.name] for one in variables if one.name in values), None)
    name = say_here("{template}: {words}", template=template.name, words=words) if words else template.name
    return name[: services.LONGEST_NAME]
