"""Webhooks: those of one's units, one with its deliveries and their answers, and what can be done with it."""

from __future__ import annotations

from datetime import datetime
from itertools import groupby
from zoneinfo import ZoneInfo

from flask import Response, g
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.audit.happening_models import HappeningKind
from sms_service.channels.sealing import Sealer
from sms_service.console.forms import UnitQuery, read_form, read_query
from sms_service.console.moments import WRITTEN, write_moment
from sms_service.console.pages import act_view, go_to, page_view, show_once
from sms_service.console.rendering import name_here, render_page
from sms_service.console.unit_choice import choose_unit
from sms_service.directory.models import CITY_ZONE
from sms_service.errors import Invalid
from sms_service.said import Said, as_said, say
from sms_service.web.context import current_context
from sms_service.web.paging import PageQuery, ScopedPageQuery, fetch_page, scope_filter
from sms_service.web.schemas import Id, In, OneLine
from sms_service.web.validators import OneOfWords
from sms_service.web.words import name_word
from sms_service.webhooks import deliveries, owning
from sms_service.webhooks.delivering import KEPT_DAYS
from sms_service.webhooks.models import DeliveryStatus, Webhook, WebhookDelivery, WebhookState

RIGHT = Permission.manage_accounts


class WebhooksQuery(ScopedPageQuery):
    """Which webhooks."""

    state = fields.String(
        load_default=None, validate=OneOfWords([one for one in WebhookState if one != WebhookState.removed])
    )


class DeliveriesQuery(PageQuery):
    """Which deliveries."""

    status = fields.String(load_default=None, validate=OneOfWords([*DeliveryStatus]))


class WebhookChangeForm(In):
    """What can be changed of one; an address left empty stays."""

    name = OneLine(owning.LONGEST_NAME, required=True)
    address = fields.String(load_default=None)
    kinds = fields.List(fields.String(), load_default=list)


class WebhookForm(WebhookChangeForm):
    """A new webhook."""

    unit_id = Id(required=True)
    address = fields.String(required=True)


class ReplayForm(In):
    """From when on, as <input type="datetime-local"> has it."""

    since = fields.String(required=True)


@page_view("/webhooks", RIGHT)
def list_webhooks() -> str:
    """The webhooks of the units over which one manages accounts."""
    query = read_query(WebhooksQuery)
    scope = scope_filter(g.session, g.actor, RIGHT, query["unit"])
    statement = owning.find_webhooks(scope.paths)
    if query["state"]:
        statement = statement.where(Webhook.state == query["state"])
    rows, following = fetch_page(g.session, statement, query, sort="id", key=Webhook.id, id_=Webhook.id)
    return render_page(
        "webhooks.html",
        rows=[owning.describe_webhook(row) for row in rows],
        following=following,
        scope=scope.units,
        units=choose_unit(g.session, g.actor, RIGHT, query["unit"], top=True),
        states=[(one.value, name_here(one)) for one in WebhookState if one != WebhookState.removed],
        query=query,
    )


@page_view("/webhooks/new", RIGHT)
def show_new_webhook() -> str:
    """The form for one more."""
    place = choose_unit(g.session, g.actor, RIGHT, read_query(UnitQuery)["unit"], top=True)
    return render_page("webhook_new.html", place=place, areas=_areas(), chosen=(), longest_name=owning.LONGEST_NAME)


@act_view("/webhooks/new", RIGHT, again=show_new_webhook)
def add_one_webhook() -> Response:
    """Add it and show its secret, this once; nobody can see it again."""
    form, context = read_form(WebhookForm), current_context()
    allowed = context.settings.private_receivers
    made, secret = owning.add_webhook(g.session, g.actor, _sealer(), allowed, context.random_bytes, **form)
    return _show_secret(made.id, made.name, secret, made=True)


@page_view("/webhooks/<int:webhook_id>", RIGHT)
def show_webhook(webhook_id: int) -> str:
    """One webhook with its deliveries, newest first."""
    webhook = owning.get_webhook(g.session, g.actor, webhook_id)
    query = read_query(DeliveriesQuery)
    rows, following = fetch_page(
        g.session,
        deliveries.find_deliveries(webhook_id, status=query["status"]),
        query,
        sort="id",
        key=WebhookDelivery.id,
        id_=WebhookDelivery.id,
        descending=True,
    )
    return render_page(
        "webhook.html",
        webhook=webhook,
        rows=[deliveries.describe_delivery(row) for row in rows],
        following=following,
        query=query,
        statuses=[(one.value, name_here(one)) for one in DeliveryStatus],
    )


@page_view("/webhooks/<int:webhook_id>/change", RIGHT)
def show_webhook_change(webhook_id: int) -> str:
    """Another name, address or other kinds."""
    webhook = owning.get_webhook(g.session, g.actor, webhook_id)
    return render_page(
        "webhook_change.html",
        webhook=webhook,
        areas=_areas(),
        chosen=webhook["kinds"],
        longest_name=owning.LONGEST_NAME,
    )


@act_view("/webhooks/<int:webhook_id>/change", RIGHT, again=show_webhook_change)
def change_one_webhook(webhook_id: int) -> Response:
    """Keep the change; the secret stays."""
    allowed = current_context().settings.private_receivers
    owning.change_webhook(g.session, g.actor, _sealer(), allowed, webhook_id, **read_form(WebhookChangeForm))
    return go_to("console.show_webhook", said=as_said("The change is kept."), webhook_id=webhook_id)


@act_view("/webhooks/<int:webhook_id>/test", RIGHT)
def try_webhook(webhook_id: int) -> Response:
    """Have something sent that says that it is a test."""
    deliveries.request_test_delivery(g.session, g.actor, webhook_id)
    said = as_said("The test is on its way. Load the page again to see the receiver's answer.")
    return go_to("console.show_webhook", said=said, webhook_id=webhook_id)


@act_view("/webhooks/<int:webhook_id>/pause", RIGHT)
def pause_one_webhook(webhook_id: int) -> Response:
    """Let what is to be sent wait."""
    owning.pause_webhook(g.session, g.actor, webhook_id)
    said = as_said("It is paused: what is to be sent to it waits until somebody enables it.")
    return go_to("console.show_webhook", said=said, webhook_id=webhook_id)


@act_view("/webhooks/<int:webhook_id>/enable", RIGHT)
def enable_one_webhook(webhook_id: int) -> Response:
    """Send to it again."""
    owning.enable_webhook(g.session, g.actor, webhook_id)
    said = as_said("It is in use again, and what waited for it is sent.")
    return go_to("console.show_webhook", said=said, webhook_id=webhook_id)


@act_view("/webhooks/<int:webhook_id>/secret", RIGHT)
def renew_one_secret(webhook_id: int) -> Response:
    """Give it another secret and show that, this once."""
    renew = owning.renew_webhook_secret
    secret = renew(g.session, g.actor, _sealer(), current_context().random_bytes, webhook_id)
    name = owning.get_webhook(g.session, g.actor, webhook_id)["name"]
    return _show_secret(webhook_id, name, secret, made=False)


@page_view("/webhooks/<int:webhook_id>/replay", RIGHT)
def ask_replay(webhook_id: int) -> str:
    """From when on all is sent again."""
    now = current_context().clock()
    return render_page(
        "webhook_replay.html",
        webhook=owning.get_webhook(g.session, g.actor, webhook_id),
        latest=write_moment(now),
        days=KEPT_DAYS,
    )


@act_view("/webhooks/<int:webhook_id>/replay", RIGHT, again=ask_replay)
def replay_one_webhook(webhook_id: int) -> Response:
    """Send it all again."""
    written = read_form(ReplayForm)["since"]
    try:
        since = datetime.strptime(written[:16], WRITTEN).replace(tzinfo=ZoneInfo(CITY_ZONE))
    except ValueError:
        raise Invalid("since", None, "choose the day and the time") from None
    count = deliveries.replay_deliveries(g.session, g.actor, webhook_id, since)
    said = say("{count} events are sent again.", count=count)
    return go_to("console.show_webhook", said=said, webhook_id=webhook_id)


@page_view("/webhooks/<int:webhook_id>/remove", RIGHT)
def ask_webhook_removal(webhook_id: int) -> str:
    """What removing it means."""
    return render_page("webhook_remove.html", webhook=owning.get_webhook(g.session, g.actor, webhook_id))


@act_view("/webhooks/<int:webhook_id>/remove", RIGHT)
def remove_one_webhook(webhook_id: int) -> Response:
    """Take it away for good."""
    owning.remove_webhook(g.session, g.actor, webhook_id)
    return go_to("console.list_webhooks", said=as_said("The webhook is removed, and its address with it."))


def _areas() -> list[tuple[str, Said, list[HappeningKind]]]:
    """What a webhook can want, by what it happens to, with the word for that."""
    of_areas = groupby(owning.WANTABLE, lambda kind: kind.partition(".")[0])
    return [(area, name_word("area", area), list(kinds)) for area, kinds in of_areas]


def _sealer() -> Sealer:
    return Sealer(current_context().settings.channels_keys)


def _show_secret(webhook_id: int, name: str, secret: str, *, made: bool) -> Response:
    page = render_page("webhook_secret.html", webhook_id=webhook_id, name=name, secret=secret, made=made)
    return show_once(page, "console.show_webhook", webhook_id=webhook_id)
