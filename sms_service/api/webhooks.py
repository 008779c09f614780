"""`/webhooks`: programs that are told what happens in a unit and below, and what became of each delivery."""

from __future__ import annotations

from typing import Any

from flask import g
from flask.views import MethodView
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.api.channels import EmptyIn
from sms_service.channels.sealing import Sealer
from sms_service.web.context import current_context
from sms_service.web.paging import PageQuery, ScopedPageQuery, fetch_page, scope_filter
from sms_service.web.schemas import Id, In, OneLine, Out, list_of
from sms_service.web.validators import ListLength, OneOfWords
from sms_service.webhooks import deliveries, owning
from sms_service.webhooks.delivering import KEPT_DAYS
from sms_service.webhooks.models import DeliveryReason, DeliveryStatus, Webhook, WebhookDelivery, WebhookState

blueprint = Blueprint(
    "webhooks",
    description="Programs that are told what happens in a unit and all below it: a signed POST for each event, as "
    "Standard Webhooks (https://www.standardwebhooks.com) says. An event comes at least once and in no certain order; "
    "`webhook-id` is the same each time. What is not taken is tried again for three days; then the webhook is "
    "disabled, and what it wants to know waits. Addresses within networks of one's own are refused unless an operator "
    "allows them by name.",
)

_NAME = "What people call the receiver"
_ADDRESS = "The whole address, https; never shown again"
_KINDS = "The kinds of events it wants, one or more of " + ", ".join(owning.WANTABLE)
_SHOWN_ONCE = (
    "By which the receiver knows that a POST is ours, shown this once and kept sealed. The same request repeated with "
    "its Idempotency-Key shows null; ask for another one"
)


def _kinds(**given: Any) -> fields.List[Any]:
    each = fields.String(validate=OneOfWords(list(owning.WANTABLE)))
    return fields.List(each, validate=ListLength(1, len(owning.WANTABLE)), metadata={"description": _KINDS}, **given)


class WebhookIn(In):
    """A new webhook."""

    unit_id = Id(required=True, metadata={"description": "It is told what happens in this unit and all below it"})
    name = OneLine(owning.LONGEST_NAME, required=True, metadata={"description": _NAME})
    address = fields.String(required=True, metadata={"description": _ADDRESS})
    kinds = _kinds(required=True)


class WebhookChange(In):
    """What to change; what is left out stays, and so does the secret."""

    name = OneLine(owning.LONGEST_NAME, metadata={"description": _NAME})
    address = fields.String(metadata={"description": _ADDRESS})
    kinds = _kinds()
    state = fields.String(
        validate=OneOfWords([WebhookState.open, WebhookState.paused]),
        metadata={
            "description": "`paused`: what is to be sent waits; `open`: it is sent, what waited first, also after the "
            "webhook was disabled"
        },
    )


class WebhookOut(Out):
    """A webhook."""

    id = fields.Integer(metadata={"description": "The webhook's id"})
    unit_id = fields.Integer(metadata={"description": "The unit that it is told of, with all below it"})
    unit = fields.String(metadata={"description": "The unit's name"})
    name = fields.String(metadata={"description": _NAME})
    host = fields.String(metadata={"description": "The host of its address, with the port if there is one"})
    kinds = fields.List(fields.String(), metadata={"description": _KINDS})
    state = fields.String(
        metadata={
            "description": "`open`; `paused` by a person; `disabled` by the service, since a delivery was not taken "
            "for three days, or the receiver answered 410"
        }
    )
    state_since = fields.AwareDateTime(metadata={"description": "Since when its state is so"})
    failures = fields.Integer(metadata={"description": "Tries that failed since the last one that was taken"})
    waiting = fields.Integer(metadata={"description": "Deliveries that wait, given up ones included"})
    last_at = fields.AwareDateTime(allow_none=True, metadata={"description": "When it took something last"})
    created_at = fields.AwareDateTime(metadata={"description": "When it was added"})


class AddedWebhook(WebhookOut):
    """A webhook with its secret, shown this once."""

    secret = fields.String(allow_none=True, metadata={"description": _SHOWN_ONCE})


class RenewedSecret(Out):
    """A new secret, shown this once."""

    secret = fields.String(allow_none=True, metadata={"description": _SHOWN_ONCE})


class ReplayIn(In):
    """From when on."""

    since = fields.AwareDateTime(
        required=True,
        metadata={"description": f"All that happened since then, ISO 8601 with offset, at most {KEPT_DAYS} days ago"},
    )


class ReplayOut(Out):
    """How much that is."""

    deliveries = fields.Integer(metadata={"description": "So many deliveries will be sent, or sent again"})


class DeliveryQuery(PageQuery):
    """Filters."""

    status = fields.String(
        load_default=None,
        validate=OneOfWords(list(DeliveryStatus)),
        metadata={"description": "Only deliveries of this status"},
    )


class DeliveryOut(Out):
    """One event that one webhook is told."""

    id = fields.Integer(metadata={"description": "The delivery's id"})
    event_id = fields.String(
        metadata={"description": "By what a receiver knows the event again: `webhook-id` of each try, `id` of the body"}
    )
    kind = fields.String(metadata={"description": "What happened, `type` of the body"})
    happened_at = fields.AwareDateTime(metadata={"description": "When it happened, `timestamp` of the body"})
    body = fields.Dict(metadata={"description": "What is sent, the same each time"})
    status = fields.String(
        metadata={
            "description": "`pending`: it is to be sent; `sending`; `delivered`: answered with 2xx; `given_up`: not "
            "taken for three days, it goes again once the webhook is enabled"
        }
    )
    tries = fields.Integer(metadata={"description": "How often it was sent since it was made or asked for again"})
    code = fields.Integer(
        allow_none=True, metadata={"description": "The HTTP status that the last try was answered with"}
    )
    reason = fields.String(
        allow_none=True,
        metadata={"description": "Why the last try was not taken, one of " + ", ".join(DeliveryReason) + "; or null"},
    )
    created_at = fields.AwareDateTime(metadata={"description": "When it was made"})
    tried_at = fields.AwareDateTime(allow_none=True, metadata={"description": "When it was tried last"})
    next_try_at = fields.AwareDateTime(allow_none=True, metadata={"description": "Before when it is not tried again"})
    delivered_at = fields.AwareDateTime(allow_none=True, metadata={"description": "When it was taken"})


@blueprint.route("/webhooks")
class Webhooks(MethodView):
    """The webhooks."""

    @endpoint(Permission.manage_accounts)
    @blueprint.arguments(ScopedPageQuery, location="query")
    @blueprint.response(200, list_of(WebhookOut, "WebhookList"))
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List the webhooks of the units over which one manages accounts"""
        scope = scope_filter(g.session, g.actor, Permission.manage_accounts, query["unit"])
        rows, following = fetch_page(
            g.session, owning.find_webhooks(scope.paths), query, sort="id", key=Webhook.id, id_=Webhook.id
        )
        return scope.answer([owning.describe_webhook(row) for row in rows], following)

    @endpoint(Permission.manage_accounts, secret_fields=("secret",))
    @blueprint.arguments(WebhookIn)
    @blueprint.response(201, AddedWebhook)
    def post(self, body: dict[str, Any]) -> dict[str, Any]:
        """Add a webhook; the answer has its secret"""
        context = current_context()
        allowed = context.settings.private_receivers
        made, secret = owning.add_webhook(g.session, g.actor, _sealer(), allowed, context.random_bytes, **body)
        return {**owning.get_webhook(g.session, g.actor, made.id), "secret": secret}


@blueprint.route("/webhooks/<int:webhook_id>")
class OneWebhook(MethodView):
    """One webhook."""

    @endpoint(Permission.manage_accounts)
    @blueprint.response(200, WebhookOut)
    def get(self, webhook_id: int) -> dict[str, Any]:
        """Show it"""
        return owning.get_webhook(g.session, g.actor, webhook_id)

    @endpoint(Permission.manage_accounts)
    @blueprint.arguments(WebhookChange)
    @blueprint.response(200, WebhookOut)
    def patch(self, body: dict[str, Any], webhook_id: int) -> dict[str, Any]:
        """Change its name, address or kinds, pause or enable it"""
        webhook, _ = owning.require_webhook(g.session, g.actor, webhook_id)
        state = body.pop("state", webhook.state)
        if body:
            allowed = current_context().settings.private_receivers
            owning.change_webhook(g.session, g.actor, _sealer(), allowed, webhook_id, **body)
        if state != webhook.state:
            move = owning.pause_webhook if state == WebhookState.paused else owning.enable_webhook
            move(g.session, g.actor, webhook_id)
        return owning.get_webhook(g.session, g.actor, webhook_id)

    @endpoint(Permission.manage_accounts)
    @blueprint.response(204)
    def delete(self, webhook_id: int) -> None:
        """Remove it for good, with its address and secret; what waits for it is not sent"""
        owning.remove_webhook(g.session, g.actor, webhook_id)


@blueprint.route("/webhooks/<int:webhook_id>/secret")
class WebhookSecret(MethodView):
    """Its secret."""

    @endpoint(Permission.manage_accounts, secret_fields=("secret",))
    @blueprint.arguments(EmptyIn)
    @blueprint.response(201, RenewedSecret)
    def post(self, body: dict[str, Any], webhook_id: int) -> dict[str, Any]:
        """Give it another secret; the one before signs nothing any more"""
        renew = owning.renew_webhook_secret
        return {"secret": renew(g.session, g.actor, _sealer(), current_context().random_bytes, webhook_id)}


@blueprint.route("/webhooks/<int:webhook_id>/test")
class WebhookTest(MethodView):
    """Trying it."""

    @endpoint(Permission.manage_accounts)
    @blueprint.arguments(EmptyIn)
    @blueprint.response(202, DeliveryOut)
    def post(self, body: dict[str, Any], webhook_id: int) -> dict[str, Any]:
        """Have a `webhook.test` sent; its deliveries say what became of it"""
        made = deliveries.request_test_delivery(g.session, g.actor, webhook_id)
        statement = deliveries.find_deliveries(webhook_id).where(WebhookDelivery.id == made.id)
        return deliveries.describe_delivery(g.session.execute(statement).one())


@blueprint.route("/webhooks/<int:webhook_id>/replay")
class WebhookReplay(MethodView):
    """Sending again."""

    @endpoint(Permission.manage_accounts)
    @blueprint.arguments(ReplayIn)
    @blueprint.response(202, ReplayOut)
    def post(self, body: dict[str, Any], webhook_id: int) -> dict[str, Any]:
        """Send all again that happened since a moment, of the kinds that it wants now

        The ids of events stay the same. What was kept for other webhooks of the same units counts, too.
        """
        count = deliveries.replay_deliveries(g.session, g.actor, webhook_id, body["since"])
        return {"deliveries": count}


@blueprint.route("/webhooks/<int:webhook_id>/deliveries")
class WebhookDeliveries(MethodView):
    """What it was told."""

    @endpoint(Permission.manage_accounts)
    @blueprint.arguments(DeliveryQuery, location="query")
    @blueprint.response(200, list_of(DeliveryOut, "DeliveryList", scoped=False))
    def get(self, query: dict[str, Any], webhook_id: int) -> dict[str, Any]:
        """List its deliveries, newest first, with the receiver's answers"""
        owning.get_webhook(g.session, g.actor, webhook_id)
        rows, following = fetch_page(
            g.session,
            deliveries.find_deliveries(webhook_id, status=query["status"]),
            query,
            sort="id",
            key=WebhookDelivery.id,
            id_=WebhookDelivery.id,
            descending=True,
        )
        return {"items": [deliveries.describe_delivery(row) for row in rows], "next": following}


def _sealer() -> Sealer:
    return Sealer(current_context().settings.channels_keys)
