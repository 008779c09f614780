"""Writing a campaign and changing one that is not launched: the whole form, for those who know their way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from flask import Response, g, request, url_for
from marshmallow import fields
from sqlalchemy import or_

from sms_service.accounts.permissions import Permission
from sms_service.audience.grammar import parse_rule
from sms_service.audience.listed import ROW, is_of_row, list_ids_of, load_used_lists
from sms_service.audience.models import Segment
from sms_service.audience.reach import is_dotted
from sms_service.audience.recipient_lists import select_emptied_segments
from sms_service.audience.segments import find_segments
from sms_service.campaigns import overview, services, suggestions
from sms_service.campaigns.invitations import EVERYONE
from sms_service.campaigns.moving import require_on_campaign
from sms_service.channels.choosing import find_usable_channels
from sms_service.channels.models import Channel
from sms_service.console.forms import read_form, read_named, read_query
from sms_service.console.languages import say_here, write_number
from sms_service.console.pages import act_view, go_to, page_view, show_typed
from sms_service.console.picking import FIND, PICK, AskedPick, ask_picks, read_picks
from sms_service.console.question_asking import offer_question, read_asked_question
from sms_service.console.quiz_asking import ASKS, offer_quiz
from sms_service.console.rendering import render_page
from sms_service.console.texts import VALUE, compose_in_general
from sms_service.console.unit_choice import choose_unit
from sms_service.content.fields import FieldKind, fields_of
from sms_service.content.language import compile_template
from sms_service.content.library import find_templates, get_version
from sms_service.content.models import Template, TemplateVersion
from sms_service.controls.accounts import find_routes
from sms_service.controls.models import Route
from sms_service.directory.models import Unit
from sms_service.directory.units import measure_units, split_path
from sms_service.gateways.config import DEFAULT_ROUTE
from sms_service.said import as_said
from sms_service.web.context import current_context
from sms_service.web.rates import read_route_price
from sms_service.web.schemas import Id, In, OneLine, Whole
from sms_service.web.validators import WithinRange

HOURS = (1, 6, 12, 24, 48, 72)  # of validity, to choose from
_MOST_OFFERED = 200  # templates and segments in a list to choose from


class AskedValue(NamedTuple):
    """A variable that a campaign fills, as a form asks for it; `must`: it cannot be left empty."""

    name: str
    must: bool
    label: str
    hint: str
    example: str
    kind: FieldKind


class NewCampaignQuery(In):
    """For which unit it is, with which version of a template, and to which segment at first."""

    unit = Id(load_default=None)
    version = Id(load_default=None)
    segment = Id(load_default=None)


class CampaignForm(In):
    """A campaign but for its values, which are fields of their own. `seen`: as of when it was opened to be changed;
    `repeats`: the next page asks on which days it is sent again and again.
    """

    name = OneLine(services.LONGEST_NAME, required=True)
    segment_id = Id(required=True)
    signature = fields.String(required=True)
    route = fields.String(load_default=DEFAULT_ROUTE)
    validity_s = Whole(
        load_default=86_400, validate=WithinRange(services.SHORTEST_VALIDITY_S, services.LONGEST_VALIDITY_S)
    )
    seen = fields.AwareDateTime(load_default=None)
    urgent = fields.Boolean(load_default=False)
    canary_receipts = fields.Boolean(load_default=False)
    repeats = fields.Boolean(load_default=False)
    channels = fields.List(Id(), load_default=list)


@page_view("/campaigns/new", Permission.edit_campaigns)
def show_new_campaign() -> str:
    """Choose unit and template; then the form for the rest."""
    query = read_query(NewCampaignQuery)
    place = choose_unit(g.session, g.actor, Permission.edit_campaigns, query["unit"], top=True)
    if place.unit is None:
        return render_page("draft.html", campaign=None, place=place, unit=None, version=None, templates=[])
    blank: dict[str, Any] = {
        "name": "",
        "segment_id": query["segment"],
        "signature": None,
        "values": {},
        "route": DEFAULT_ROUTE,
    }
    blank |= {"validity_s": 86_400, "urgent": False, "canary_receipts": False, "channels": []}
    return _show_form(place.unit, query["version"], None, blank, place)


@act_view("/campaigns/new", Permission.edit_campaigns, again=show_new_campaign)
def write_campaign() -> Response:
    """Keep it as a draft and go on to the check."""
    query = read_query(NewCampaignQuery)
    place = choose_unit(g.session, g.actor, Permission.edit_campaigns, query["unit"], top=True)
    assert place.unit is not None
    form = read_form(CampaignForm, apart=(VALUE, PICK, FIND, ASKS)) | read_asked_question()
    form.pop("seen")
    repeats = form.pop("repeats")
    made = services.create_campaign(
        g.session,
        g.actor,
        unit_id=place.unit.id,
        template_version_id=query["version"],
        values=read_named(VALUE),
        picks=read_picks(),
        **form,
    )
    return go_to("console.show_recurrence" if repeats else "console.show_check", campaign_id=made.id)


@page_view("/campaigns/<int:campaign_id>/change", Permission.edit_campaigns)
def show_draft(campaign_id: int) -> str:
    """The form with what the campaign has now; `version` in the address: with another wording."""
    campaign = overview.get_campaign(g.session, g.actor, campaign_id)
    g.actor.require(Permission.edit_campaigns, campaign["path"])
    unit: Unit = campaign["owner"]
    version_id = read_query(NewCampaignQuery)["version"] or campaign["template_version_id"]
    return _show_form(unit, version_id, campaign, campaign, None)


@act_view("/campaigns/<int:campaign_id>/change", Permission.edit_campaigns, again=show_draft)
def change_draft(campaign_id: int) -> Response:
    """Keep the change and go on to the check; an approval of the old content counts no longer."""
    campaign, _ = require_on_campaign(g.session, g.actor, Permission.edit_campaigns, campaign_id)
    version_id = read_query(NewCampaignQuery)["version"] or campaign.template_version_id
    form = read_form(CampaignForm, apart=(VALUE, PICK, FIND, ASKS)) | read_asked_question()
    form.pop("repeats")
    seen = form.pop("seen")
    changes = form | {"template_version_id": version_id, "values": read_named(VALUE), "picks": read_picks()}
    services.change_campaign(g.session, g.actor, campaign_id, changes, seen)
    return go_to("console.show_check", said=as_said("The change is kept."), campaign_id=campaign_id)


@page_view("/campaigns/new/look", Permission.edit_campaigns, methods=("GET", "POST"))
def look_for_campaign() -> str:
    """The form of a new campaign again, with the rows of a reference list that a search found."""
    return show_typed(show_new_campaign)


@page_view("/campaigns/<int:campaign_id>/change/look", Permission.edit_campaigns, methods=("GET", "POST"))
def look_for_draft(campaign_id: int) -> str:
    """The form of a campaign again, with the rows of a reference list that a search found."""
    return show_typed(show_draft, campaign_id)


def list_usable_templates(path: str, class_: str | None = None) -> list[tuple[Template, TemplateVersion]]:
    """The templates that a unit can use, each with its newest version, by name."""
    statement = find_templates((path,), class_=class_).order_by(Template.name, Template.id).limit(_MOST_OFFERED)
    return [(row[0], row[1]) for row in g.session.execute(statement)]


def list_offered_channels(path: str) -> list[tuple[int, str]]:
    """The channels to which campaigns of the unit at the path can also be posted: ids, and names with their units'."""
    statement = find_usable_channels(path).order_by(Unit.path, Channel.name, Channel.id).limit(_MOST_OFFERED)
    return [(row[0].id, f"{row[0].name} · {row[1]}") for row in g.session.execute(statement)]


def ask_values(version: TemplateVersion, path: str, picks: Sequence[AskedPick] = ()) -> list[AskedValue]:
    """What the version asks a campaign for, in the order of its fields; what a row of one of the lists in `picks` says
    is not asked for.

    A value need not be given where the text can do without, or where people of the unit have it as an attribute.
    """
    required = set(compile_template(version.body).required)
    listed = {one.name for one in picks}
    own = {name for name in suggestions.list_attribute_names(g.session, path) if not is_dotted(name)}
    return [
        AskedValue(one.name, one.name in required - own, one.label, one.hint, one.example, one.kind)
        for one in fields_of(version)
        if not (is_dotted(one.name) and one.name.partition(".")[0] in listed)
    ]


def _show_form(
    unit: Unit, version_id: int | None, campaign: dict[str, Any] | None, now: dict[str, Any], place: Any
) -> str:
    templates = list_usable_templates(unit.path)
    if version_id is None and len(templates) == 1:
        version_id = templates[0][1].id
    chosen = next((pair for pair in templates if pair[1].id == version_id), None)
    if chosen is None and version_id is not None:  # an older version
        chosen = get_version(g.session, g.actor, version_id)
    picks = ask_picks(chosen[1], unit.path, now.get("picks", {})) if chosen else []
    variables = ask_values(chosen[1], unit.path, picks) if chosen else []
    routes = list(g.session.scalars(find_routes().with_only_columns(Route.name).order_by(Route.name)))
    signatures = suggestions.list_signatures(g.session, unit.path)
    return render_page(
        "draft.html",
        campaign=campaign,
        now=now,
        place=place,
        unit=unit,
        version=chosen and chosen[1],
        versions=_versions(templates, chosen),
        variables=variables,
        picks=picks,
        offered=suggestions.list_last_values(
            g.session, unit, [one.name for one in variables], current_context().clock()
        ),
        segments=list_segment_choices(unit, now["segment_id"]),
        segment=now["segment_id"],
        may_segment=g.actor.can(Permission.manage_segments, unit.path),
        of_list=_columns_of_list(now["segment_id"]),
        of_row=[name for name in chosen[1].variables if is_of_row(name)] if chosen else [],
        signatures=signatures,
        channels=list_offered_channels(unit.path),
        quiz=offer_quiz(unit.path, chosen[1].variables if chosen else [], now.get("asks")),
        question=offer_question(now.get("asks")),
        routes=[(name, name) for name in routes],
        validities=[
            (seconds, say_here("{hours} hours", hours=write_number(seconds / 3600)))
            for seconds in sorted({hours * 3600 for hours in HOURS} | {now["validity_s"]})
        ],
        text=chosen
        and compose_in_general(
            chosen[1].id, chosen[1].body, chosen[0].class_, now["signature"] or (signatures or [""])[0], now["values"]
        ),
        price=read_route_price(now["route"]),
        again=_address(campaign, "console.change_draft", "console.write_campaign"),
        look=_address(campaign, "console.look_for_draft", "console.look_for_campaign"),
    )


def _address(campaign: dict[str, Any] | None, old: str, new: str) -> str:
    """Where the form goes on, with the same unit and template."""
    asked: dict[str, Any] = {name: request.args.get(name) for name in ("unit", "version", "segment")}
    return url_for(old, campaign_id=campaign["id"], **asked) if campaign else url_for(new, **asked)


def _versions(
    templates: list[tuple[Template, TemplateVersion]], chosen: tuple[Template, TemplateVersion] | None
) -> list[tuple[int, str]]:
    """The newest version of each template, and the one that is in use where it is an older one."""
    options = [(version.id, template.name) for template, version in templates]
    if chosen is not None and chosen[1].id not in dict(options):
        options.insert(0, (chosen[1].id, f"{chosen[0].name} · {chosen[1].number}"))
    return options


def _columns_of_list(segment_id: int | None) -> list[str]:
    """What a text to the segment can take from the list that it names, as variables."""
    segment = g.session.get(Segment, segment_id) if segment_id is not None else None
    if segment is None:
        return []
    used = load_used_lists(g.session, list_ids_of(parse_rule(segment.rule)))
    return [f"{ROW}{column}" for one in used.values() for column in one.columns]


def list_segment_choices(unit: Unit, used: int | None) -> list[tuple[int, str]]:
    """What the unit can send to: its own segments and those of the units above and below that the visitor may read.

    Everybody of the unit comes first, if a segment of it says so. Lists of people that an invitation made are left out,
    and lists whose rows are deleted, but for what is used.
    """
    ids = split_path(unit.path)
    statement = (
        find_segments(g.actor.scope(Permission.read))
        .where(or_(Unit.id.in_(ids), Unit.path.op("^@")(unit.path)))
        .where(or_(~Segment.rule.has_key("people") & Segment.id.not_in(select_emptied_segments()), Segment.id == used))
        .with_only_columns(Segment.id, Segment.name, Unit.name, Segment.rule, Segment.unit_id)
        .order_by(Unit.path, Segment.name, Segment.id)
        .limit(_MOST_OFFERED)
    )
    rows = g.session.execute(statement).all()
    options = [(row[0], f"{row[1]} · {row[2]}") for row in rows]
    everybody = next((row.id for row in rows if row.rule == EVERYONE and row.unit_id == unit.id), None)
    if everybody is None:
        return options
    count = measure_units(g.session, [unit])[unit.id].people
    first = say_here("Everybody of {unit} ({count} people)", unit=unit.name, count=write_number(count))
    return [(everybody, first), *(one for one in options if one[0] != everybody)]
