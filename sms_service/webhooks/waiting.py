"""Webhooks that the service disabled wait for whoever manages them."""

from __future__ import annotations

from sqlalchemy import false, or_

from sms_service.accounts.actors import Actor
from sms_service.accounts.permissions import Permission
from sms_service.db.waiting import Waiting, select_waiting
from sms_service.directory.models import Unit
from sms_service.webhooks.models import Webhook, WebhookState


def count_disabled(actor: Actor) -> Waiting | None:
    """The webhooks of the actor's units that were disabled since they took nothing; None without the right."""
    paths = actor.scope(Permission.manage_accounts)
    if not paths:
        return None
    within = or_(false(), *(Unit.path.op("^@")(path) for path in paths))
    waiting = select_waiting(Webhook.id, Webhook.state_since.expression).join(Unit, Unit.id == Webhook.unit_id)
    return waiting.where(Webhook.state == WebhookState.disabled, within)
