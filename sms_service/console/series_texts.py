"""新建连载, its first step: a file or pasted texts become the items of a draft, and each can be mended."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask import Response, g, request, url_for
from marshmallow import fields
from sqlalchemy import func, select

from sms_service.accounts.permissions import Permission
from sms_service.audience.listed import is_of_row
from sms_service.campaigns import overview, services, suggestions
from sms_service.campaigns.invitations import EVERYONE, ensure_segment
from sms_service.campaigns.models import Campaign
from sms_service.campaigns.moving import require_on_campaign
from sms_service.campaigns.states import CampaignKind
from sms_service.console.check import foresee_campaign
from sms_service.console.drafts import ask_values, list_usable_templates
from sms_service.console.forms import read_file, read_form, read_named, read_query
from sms_service.console.languages import say_here, write_day
from sms_service.console.pages import act_view, go_to, page_view
from sms_service.console.rendering import render_page
from sms_service.console.series_pages import list_shown_items
from sms_service.console.series_steps import open_series_draft
from sms_service.console.series_sums import list_flagged
from sms_service.console.texts import VALUE
from sms_service.console.unit_choice import choose_unit
from sms_service.content.fields import fields_of
from sms_service.content.models import Template, TemplateVersion
from sms_service.directory.models import Unit
from sms_service.errors import Invalid
from sms_service.said import say
from sms_service.schedules.series_days import find_next_working_day
from sms_service.schedules.series_files import ReadSeries, read_series_file, read_series_text
from sms_service.schedules.series_planning import set_series
from sms_service.vocabulary import TextClass
from sms_service.web.schemas import Id, In, OneLine

MOST_REFUSED = 50  # cells that are shown
_Chosen = tuple[Template, TemplateVersion]


class NewSeriesQuery(In):
    """For which unit, by which template."""

    unit = Id(load_default=None)
    template = Id(load_default=None)


class NewSeriesForm(In):
    """A new series but for its file. `text`: its texts, pasted."""

    name = OneLine(services.LONGEST_NAME, required=True)
    signature = fields.String(required=True)
    text = fields.String(load_default="")


class TextsForm(In):
    """Texts in the place of those that it has; `seen`: as of when these were shown."""

    seen = fields.AwareDateTime(load_default=None)
    text = fields.String(load_default="")


@page_view("/series/new", Permission.edit_campaigns)
def show_new_series() -> str:
    """A name, a template, and the file with the texts."""
    query = read_query(NewSeriesQuery)
    place = choose_unit(g.session, g.actor, Permission.edit_campaigns, query["unit"], top=True)
    unit = place.unit
    templates = _list_templates(unit.path) if unit else []
    if unit is None or not templates:
        return render_page("series_new.html", place=place, unit=unit, templates=templates, chosen=None)
    template, version = _choose_template(unit, templates, query["template"])
    signatures = suggestions.list_signatures(g.session, unit.path)
    variables = ask_values(version, unit.path)
    return render_page(
        "series_new.html",
        place=place,
        unit=unit,
        templates=[(one.id, one.name) for one, _ in templates],
        chosen=template,
        variables=variables,
        offered={one.name: () for one in variables},
        name=say_here("{template}, series from {day}", template=template.name, day=write_day(_first_day(unit))),
        signatures=signatures,
        again=url_for("console.write_series", unit=unit.id, template=template.id),
        refused=g.get("refused", ()),
        most=MOST_REFUSED,
    )


@act_view("/series/new", Permission.edit_campaigns, again=show_new_series, file=True)
def write_series() -> Response:
    """Read the texts and keep them as a draft, for everybody of the unit at first, on working days."""
    query = read_query(NewSeriesQuery)
    place = choose_unit(g.session, g.actor, Permission.edit_campaigns, query["unit"], top=True)
    unit = place.unit
    assert unit is not None
    version = _choose_template(unit, _list_templates(unit.path), query["template"])[1]
    form = read_form(NewSeriesForm, apart=VALUE)
    all_of_it = say_here("All of {unit}", unit=unit.name)
    made = services.create_campaign(
        g.session,
        g.actor,
        unit_id=unit.id,
        name=form["name"],
        template_version_id=version.id,
        segment_id=ensure_segment(g.session, g.actor, unit.id, dict(EVERYONE), all_of_it).id,
        signature=form["signature"].strip(),
        values=read_named(VALUE),
        launch_on_approval=True,
    )
    rows = _read_rows(made.id, form["text"])
    set_series(g.session, g.actor, made.id, {"first": _first_day(unit).isoformat()}, rows)
    return go_to("console.show_series_texts", campaign_id=made.id)


@page_view("/campaigns/<int:campaign_id>/series/texts", Permission.edit_campaigns)
def show_series_texts(campaign_id: int) -> str | Response:
    """The texts of a draft in their order, with parts and what is odd about each."""
    campaign = overview.get_campaign(g.session, g.actor, campaign_id)
    if elsewhere := open_series_draft(campaign):
        return elsewhere
    outlook = foresee_campaign(campaign)
    items = list_shown_items(campaign, {})
    flagged = {one.number for one in list_flagged(outlook)}
    return render_page(
        "series_texts.html",
        campaign=campaign,
        items=items,
        outlooks={one.number: one for one in outlook.items},
        flagged=[item for item in items if item.number in flagged],
        refused=g.get("refused", ()),
        most=MOST_REFUSED,
    )


@act_view("/campaigns/<int:campaign_id>/series/texts", Permission.edit_campaigns, again=show_series_texts, file=True)
def read_series_again(campaign_id: int) -> Response:
    """Put the texts of a file, or pasted ones, in the place of those that it has."""
    campaign, _ = require_on_campaign(g.session, g.actor, Permission.edit_campaigns, campaign_id)
    form = read_form(TextsForm)
    rows = _read_rows(campaign_id, form["text"])
    set_series(g.session, g.actor, campaign_id, _rule_ahead(campaign), rows, form["seen"])
    said = say("{count} texts are read; they stand in the place of those of before.", count=len(rows))
    return go_to("console.show_series_texts", said=said, campaign_id=campaign_id)


def _read_rows(campaign_id: int, text: str) -> Sequence[Any]:
    """The texts of the form's file, or those that were pasted. Raises Invalid (`file`, `text`); the page then names the
    cells that cannot be taken.
    """
    file = request.files.get("file")
    if file is not None and file.filename:
        field, read = "file", read_series_file(g.session, g.actor, campaign_id, *read_file())
    elif text.strip():
        field, read = "text", read_series_text(g.session, g.actor, campaign_id, text)
    else:
        raise Invalid("file", None, "is missing: choose a file, or paste the texts below")
    _require_whole(field, read)
    return read.rows


def _require_whole(field: str, read: ReadSeries) -> None:
    if read.refused:
        g.refused = read.refused
        said = "{count} cells cannot be taken, and nothing was kept: mend them and read it again"
        raise Invalid(field, None, say(said, count=len(read.refused)))


def _list_templates(path: str) -> list[_Chosen]:
    """The unit's templates of study texts, but for those that take values from a list: this form names none. Those of
    which a line is a whole text come first.
    """
    found = [
        (template, version)
        for template, version in list_usable_templates(path, TextClass.study)
        if not any(is_of_row(name) for name in version.variables)
    ]
    return sorted(found, key=lambda pair: len(fields_of(pair[1])) != 1)


def _choose_template(unit: Unit, templates: Sequence[_Chosen], wanted: int | None) -> _Chosen:
    """The one that was asked for, else that of the unit's last series, else the first."""
    if wanted is None:
        wanted = g.session.scalar(
            select(TemplateVersion.template_id)
            .join(Campaign, Campaign.template_version_id == TemplateVersion.id)
            .where(Campaign.unit_id == unit.id, Campaign.kind == CampaignKind.series)
            .order_by(Campaign.id.desc())
            .limit(1)
        )
    return next((pair for pair in templates if pair[0].id == wanted), templates[0])


def _first_day(unit: Unit) -> date:
    return find_next_working_day(g.session, unit, _now())


def _rule_ahead(campaign: Campaign) -> dict[str, Any]:
    """The rule of the draft, its first day moved ahead where it lies in the past."""
    rule, unit = dict(campaign.schedule or {}), g.session.get_one(Unit, campaign.unit_id)
    if date.fromisoformat(rule["first"]) < _now().astimezone(ZoneInfo(unit.timezone)).date():
        rule["first"] = _first_day(unit).isoformat()
    return rule


def _now() -> datetime:
    now: datetime = g.session.scalars(select(func.sms_now())).one()
    return now
