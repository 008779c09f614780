"""What was delivered to a webhook and what was not, sending it again from a moment on, and trying a webhook."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Select, false, func, literal, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor
from sms_service.audit import trail
from sms_service.audit.happening_models import Happening, HappeningKind
from sms_service.directory.models import Unit
from sms_service.errors import Conflict, Invalid
from sms_service.said import say
from sms_service.webhooks.delivering import KEPT_DAYS
from sms_service.webhooks.describing import WHOLE_TREE, write_body
from sms_service.webhooks.models import DeliveryReason, DeliveryStatus, WebhookDelivery, WebhookState
from sms_service.webhooks.owning import require_webhook


def find_deliveries(webhook_id: int, *, status: str | None = None) -> Select[WebhookDelivery, Happening]:
    """The deliveries to a webhook, each with what happened; not ordered. The caller has asked who may read them."""
    statement = (
        select(WebhookDelivery, Happening)
        .join(Happening, Happening.id == WebhookDelivery.happening_id)
        .where(WebhookDelivery.webhook_id == webhook_id)
    )
    return statement if status is None else statement.where(WebhookDelivery.status == status)


def describe_delivery(row: Any) -> dict[str, Any]:
    """A row of `find_deliveries` as doors show it; `event_id` is by what the receiver knows it again."""
    one: WebhookDelivery = row.WebhookDelivery
    names = ("id", "tries", "code", "created_at", "tried_at", "delivered_at")
    shown = {name: getattr(one, name) for name in names}
    waits = one.status == DeliveryStatus.pending
    return {
        **shown,
        "status": DeliveryStatus(one.status),
        "reason": one.reason and DeliveryReason(one.reason),
        "next_try_at": one.not_before if waits else None,
        "event_id": str(row.Happening.uid),
        "kind": HappeningKind(row.Happening.kind),
        "happened_at": row.Happening.at,
        "body": row.Happening.body,
    }


def replay_deliveries(session: Session, actor: Actor, webhook_id: int, since: datetime) -> int:
    """Send all again that happened since then, of the kinds that it wants now: what it was told already, and what was
    kept for others before it wanted it. Returns how many deliveries that are.

    Raises NotFound, Forbidden, Invalid (since) where it is to come, or is longer ago than things are kept, or Conflict
    unless it is open.
    """
    webhook, path = require_webhook(session, actor, webhook_id)
    now: datetime = session.scalars(select(func.sms_now())).one()
    if not 0 <= (now - since).total_seconds() <= KEPT_DAYS * 86400:
        raise Invalid("since", since.isoformat(), say("must lie within the last {days} days", days=KEPT_DAYS))
    if webhook.state != WebhookState.open:
        raise Conflict("the webhook is not open; enable it first")
    of_tops = (Happening.unit_path == WHOLE_TREE) if path.count("/") == 2 else false()
    within = or_(Happening.unit_path.op("^@")(path), of_tops)
    wanted = select(literal(webhook_id), Happening.id).where(
        Happening.at >= since, Happening.kind.in_(webhook.kinds), Happening.body.is_not(None), within
    )
    again = insert(WebhookDelivery).from_select(["webhook_id", "happening_id"], wanted)
    made = session.scalars(
        again.on_conflict_do_update(
            index_elements=["webhook_id", "happening_id"],
            set_={
                "status": DeliveryStatus.pending.value,
                "tries": 0,
                "first_tried_at": None,
                "delivered_at": None,
                "not_before": func.sms_now(),
            },
            where=WebhookDelivery.status != DeliveryStatus.sending,
        ).returning(WebhookDelivery.id)
    ).all()
    trail.record_act(
        session, actor.account_id, "webhook.replay", "webhook", webhook_id, path, webhook=webhook.name, rows=len(made)
    )
    return len(made)


def request_test_delivery(session: Session, actor: Actor, webhook_id: int) -> WebhookDelivery:
    """Have something sent that says that it is a test. Raises NotFound, Forbidden, or Conflict unless it is open."""
    webhook, path = require_webhook(session, actor, webhook_id)
    if webhook.state != WebhookState.open:
        raise Conflict("the webhook is not open; enable it first")
    unit = session.get_one(Unit, webhook.unit_id)
    happening = Happening(kind=HappeningKind.webhook_test.value, target_id=webhook_id, unit_path=path, body={})
    session.add(happening)
    session.flush()
    session.refresh(happening)
    data = {"unit_id": unit.id, "unit": unit.name, "webhook_id": webhook_id, "webhook": webhook.name}
    happening.body = write_body(happening.uid, happening.kind, happening.at, data)
    made = WebhookDelivery(webhook_id=webhook_id, happening_id=happening.id)
    session.add(made)
    session.flush()
    session.refresh(made)
    trail.record_act(session, actor.account_id, "webhook.test", "webhook", webhook_id, path, webhook=webhook.name)
    return made
