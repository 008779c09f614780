"""A unit with a webhook, and who tells it."""

from __future__ import annotations

import secrets
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from sms_service.accounts.actors import SYSTEM
from sms_service.channels.sealing import Sealer
from sms_service.db.engine import Database
from sms_service.directory.models import Unit
from sms_service.gateways.posting import JsonPoster
from sms_service.webhooks.collecting import collect_happenings
from sms_service.webhooks.delivering import deliver_next
from sms_service.webhooks.models import Webhook, WebhookDelivery
from sms_service.webhooks.owning import WANTABLE, add_webhook
from tests.channels.chat import KEY
from tests.factories import next_number
from tests.hostile_receiver import HostileReceiver

SEALER = Sealer([KEY])


def make_webhook(session: Session, unit: Unit, address: str = "", **kw: Any) -> Webhook:
    """A webhook of the unit that wants everything; by default at an address that nobody ever reaches."""
    return make_webhook_and_secret(session, unit, address, **kw)[0]


def make_webhook_and_secret(session: Session, unit: Unit, address: str = "", **kw: Any) -> tuple[Webhook, str]:
    """The same, with its secret."""
    address = address or f"https://platform.example.cn/{next_number()}"
    allowed = [address.split("/")[2]] if address.startswith("http:") else []
    given = {"name": f"平台{next_number()}", "kinds": WANTABLE, **kw}
    return add_webhook(session, SYSTEM, SEALER, allowed, secrets.token_bytes, unit_id=unit.id, address=address, **given)


def deliver(database: Database, receiver: HostileReceiver, **kw: Any) -> bool:
    """Send what is due next."""
    poster = JsonPoster([receiver.host], total_timeout_s=kw.pop("total_timeout_s", 5.0))
    try:
        return deliver_next(database, poster, SEALER, jitter=lambda: 1.0, **kw)
    finally:
        poster.close()


def tell(database: Database, receiver: HostileReceiver) -> None:
    """Collect what happened and send all that is due."""
    while collect_happenings(database):
        pass
    while deliver(database, receiver):
        pass


def list_kept(database: Database) -> list[WebhookDelivery]:
    """The deliveries, oldest first."""
    with database.session() as session:
        return list(session.scalars(select(WebhookDelivery).order_by(WebhookDelivery.id)))


def end_waits(database: Database) -> None:
    """The waits of webhooks and deliveries are over."""
    with database.session() as session:
        session.execute(update(Webhook).values(free_at=Webhook.created_at))
        session.execute(update(WebhookDelivery).values(not_before=WebhookDelivery.created_at))
