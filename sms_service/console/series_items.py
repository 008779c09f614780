"""One text of a series: mended, skipped and taken back, while it is a draft and while it runs."""

from __future__ import annotations

from typing import Any

from flask import Response, g, url_for
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.campaigns import overview
from sms_service.campaigns.acts import EDITABLE
from sms_service.campaigns.items import Item
from sms_service.console.drafts import ask_values
from sms_service.console.forms import read_form, read_named, read_query
from sms_service.console.pages import act_view, go_to, page_view
from sms_service.console.quiz_asking import ASKS, offer_quiz, read_asked_quiz
from sms_service.console.rendering import render_page
from sms_service.console.series_pages import list_shown_items, may_change_items
from sms_service.console.series_steps import expect_series
from sms_service.console.texts import VALUE
from sms_service.errors import Invalid, NotFound
from sms_service.said import as_said, say
from sms_service.schedules.correcting import LONGEST_LABEL
from sms_service.schedules.series_days import list_series_runs
from sms_service.schedules.series_editing import correct_text, insert_text, move_text, remove_text, skip_text
from sms_service.schedules.series_planning import SeriesRow
from sms_service.web.schemas import Id, In, OneLine, Whole


class ItemForm(In):
    """An item but for its values. `seen`: as of when it was opened."""

    label = OneLine(LONGEST_LABEL, required=True)
    signature = fields.String(load_default="")  # for the text beside it alone
    seen = fields.AwareDateTime(load_default=None)


class PlaceForm(In):
    """Another place for an item, from 1."""

    position = Whole(required=True)
    seen = fields.AwareDateTime(load_default=None)


class OrderForm(In):
    """The number of the item that moves `up` or `down` by one place."""

    up = Id(load_default=None)
    down = Id(load_default=None)
    seen = fields.AwareDateTime(load_default=None)


class InsertQuery(In):
    """Behind which place a new text stands; 0: in front of all."""

    after = Whole(load_default=0)


class InsertForm(In):
    """A new text but for its values."""

    after = Whole(required=True)
    label = OneLine(LONGEST_LABEL, load_default=None)
    seen = fields.AwareDateTime(load_default=None)


class SeenForm(In):
    """As of when the page was opened."""

    seen = fields.AwareDateTime(load_default=None)


@page_view("/campaigns/<int:campaign_id>/series/<int:number>", Permission.read)
def show_series_item(campaign_id: int, number: int) -> str:
    """One text of a series: when it goes, what it says, and the form that mends it."""
    campaign = overview.get_campaign(g.session, g.actor, campaign_id)
    expect_series(campaign)
    found = _find_item(campaign, number)
    content = campaign["content"].of_item(found)
    items = list_shown_items(campaign, list_series_runs(g.session, campaign_id))
    item = next(one for one in items if one.number == number)
    variables = ask_values(content.version, campaign["path"])
    return render_page(
        "series_item.html",
        campaign=campaign,
        item=item,
        values=found.values,
        variables=[one._replace(must=one.must and one.name not in campaign["values"]) for one in variables],
        before=next((one for one in items if one.place == item.place - 1), None),
        after=next((one for one in items if one.place == item.place + 1), None),
        is_draft=campaign["status"] in EDITABLE,
        may_change=may_change_items(campaign) and not item.gone,
        quiz=offer_quiz(campaign["path"], list(content.version.variables), content.asks),
        show_text=url_for("console.show_text", template_version_id=content.version.id),
    )


@act_view("/campaigns/<int:campaign_id>/series/<int:number>", Permission.edit_campaigns, again=show_series_item)
def mend_series_item(campaign_id: int, number: int) -> Response:
    """Keep the other words; while the series runs, this text then waits until somebody approves it."""
    form = read_form(ItemForm, apart=(VALUE, ASKS))
    changes = {"label": form["label"], "values": read_named(VALUE), **read_asked_quiz()}
    try:
        correct_text(g.session, g.actor, campaign_id, number, changes, form["seen"])
    except Invalid as error:
        raise at_item_field(error) from None
    said = as_said("The text is kept.")
    return go_to("console.show_series_item", said=said, campaign_id=campaign_id, number=number)


@act_view("/campaigns/<int:campaign_id>/series/<int:number>/move", Permission.edit_campaigns)
def move_series_item(campaign_id: int, number: int) -> Response:
    """Let it stand at another place; all that are still to come get their days anew."""
    form = read_form(PlaceForm)
    move_text(g.session, g.actor, campaign_id, number, form["position"], form["seen"])
    said = say("It stands at place {place} now.", place=form["position"])
    return go_to("console.show_series_item", said=said, campaign_id=campaign_id, number=number)


@act_view("/campaigns/<int:campaign_id>/series/<int:number>/remove", Permission.edit_campaigns)
def remove_series_item(campaign_id: int, number: int) -> Response:
    """Take it out of a draft, for good."""
    remove_text(g.session, g.actor, campaign_id, number, read_form(SeenForm)["seen"])
    said = as_said("The text is taken out.")
    return go_to("console.show_series_texts", said=said, campaign_id=campaign_id)


@act_view("/campaigns/<int:campaign_id>/series/order", Permission.edit_campaigns)
def order_series_items(campaign_id: int) -> Response:
    """Move a text of a draft up or down by one place."""
    form = read_form(OrderForm)
    number = form["up"] or form["down"]
    items = overview.get_campaign(g.session, g.actor, campaign_id)["content"].items
    place = next((place for place, one in enumerate(items, start=1) if one.number == number), None)
    if place is None:
        raise NotFound("item", number)
    wanted = min(max(place + (-1 if form["up"] else 1), 1), len(items))
    move_text(g.session, g.actor, campaign_id, number, wanted, form["seen"])
    return go_to("console.show_series_texts", campaign_id=campaign_id, _anchor=f"item-{number}")


@act_view("/campaigns/<int:campaign_id>/series/<int:number>/skip", Permission.edit_campaigns)
def skip_series_item(campaign_id: int, number: int) -> Response:
    """Leave it out; the texts after it move up."""
    skip_text(g.session, g.actor, campaign_id, number, unchanged_since=read_form(SeenForm)["seen"])
    said = as_said("It is left out; the texts after it move up.")
    return go_to("console.show_series_item", said=said, campaign_id=campaign_id, number=number)


@act_view("/campaigns/<int:campaign_id>/series/<int:number>/take-back", Permission.edit_campaigns)
def take_series_item_back(campaign_id: int, number: int) -> Response:
    """Let it go after all."""
    skip_text(g.session, g.actor, campaign_id, number, skipped=False, unchanged_since=read_form(SeenForm)["seen"])
    said = as_said("It goes after all.")
    return go_to("console.show_series_item", said=said, campaign_id=campaign_id, number=number)


@page_view("/campaigns/<int:campaign_id>/series/insert", Permission.edit_campaigns)
def show_insertion(campaign_id: int) -> str:
    """The form for a new text, behind one or in front of all."""
    campaign = overview.get_campaign(g.session, g.actor, campaign_id)
    expect_series(campaign)
    g.actor.require(Permission.edit_campaigns, campaign["path"])
    items = campaign["content"].items
    after = min(read_query(InsertQuery)["after"], len(items))
    variables = ask_values(campaign["content"].version, campaign["path"])
    return render_page(
        "series_insertion.html",
        campaign=campaign,
        after=after,
        before=items[after - 1] if after else None,
        variables=[one._replace(must=one.must and one.name not in campaign["values"]) for one in variables],
        is_draft=campaign["status"] in EDITABLE,
    )


@act_view("/campaigns/<int:campaign_id>/series/insert", Permission.edit_campaigns, again=show_insertion)
def insert_series_item(campaign_id: int) -> Response:
    """Put the new text there; while the series runs it waits until somebody approves it."""
    form = read_form(InsertForm, apart=VALUE)
    row = SeriesRow(read_named(VALUE), label=form["label"])
    try:
        item = insert_text(g.session, g.actor, campaign_id, form["after"], row, form["seen"])
    except Invalid as error:
        raise at_item_field(error) from None
    said = as_said("The text is there.")
    return go_to("console.show_series_item", said=said, campaign_id=campaign_id, number=item.number)


def at_item_field(error: Invalid) -> Invalid:
    """The same error at the form's field: `items[3].values.x` is `values.x` there."""
    return Invalid(error.field.partition("].")[2] or error.field, error.value, error.reason)


def _find_item(campaign: dict[str, Any], number: int) -> Item:
    found: Item | None = next((one for one in campaign["content"].items if one.number == number), None)
    if found is None:
        raise NotFound("item", number)
    return found
