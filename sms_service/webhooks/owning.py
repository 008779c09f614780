"""Webhooks of units: added, changed, paused, enabled, removed. Whoever manages a unit's accounts also says which
programs are told what happens there.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Collection, Sequence
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import ColumnElement, Select, false, func, null, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor, unit_path
from sms_service.accounts.permissions import Permission
from sms_service.audit import trail
from sms_service.audit.changes import read_before_after
from sms_service.audit.happening_models import HappeningKind
from sms_service.channels.owning import say_address_fault
from sms_service.channels.robots.signed_json import PREFIX
from sms_service.channels.sealing import CannotOpen, Sealed, Sealer
from sms_service.directory.models import Unit
from sms_service.directory.text import required_line
from sms_service.errors import Conflict, Invalid, NotFound
from sms_service.gateways.posting import check_address
from sms_service.said import say
from sms_service.webhooks.models import DeliveryStatus, Webhook, WebhookDelivery, WebhookState

LONGEST_NAME = 40
MOST_WEBHOOKS = 20  # of one unit
# What a webhook can want; a test of it is sent anyway.
WANTABLE = tuple(kind for kind in HappeningKind if kind != HappeningKind.webhook_test)

RandomBytes = Callable[[int], bytes]


def add_webhook(
    session: Session,
    actor: Actor,
    sealer: Sealer,
    allowed: Sequence[str],
    random_bytes: RandomBytes,
    *,
    unit_id: int,
    name: str,
    address: str,
    kinds: Collection[str],
) -> tuple[Webhook, str]:
    """A new webhook of the unit, which is told what happens there and below from now on; and its secret, which is shown
    this once. `allowed`: the hosts that may be private (PRIVATE_RECEIVERS).

    Raises NotFound, Forbidden without `manage_accounts` over the unit, Invalid (name, address, kinds), or Conflict if
    the unit has a webhook of this name or too many, or the installation no key.
    """
    path = unit_path(session, unit_id)
    actor.require(Permission.manage_accounts, path)
    of_unit = select(func.count(Webhook.id)).where(Webhook.unit_id == unit_id, Webhook.state != WebhookState.removed)
    if session.scalars(of_unit).one() >= MOST_WEBHOOKS:
        raise Conflict(say("the unit has {most} webhooks, which is the most; remove one first", most=MOST_WEBHOOKS))
    address, secret = _address(address, allowed), make_secret(random_bytes)
    made = Webhook(
        unit_id=unit_id,
        name=required_line("name", name, LONGEST_NAME),
        host=str(urlsplit(address).netloc)[:200],
        sealed=sealer.seal(Sealed(address, secret)),
        kinds=_kinds(kinds),
        state_since=func.sms_now(),
        free_at=func.sms_now(),
        created_by=actor.account_id,
    )
    _keep(session, made)
    trail.record_act(session, actor.account_id, "webhook.add", "webhook", made.id, path, webhook=made.name)
    return made, secret


def make_secret(random_bytes: RandomBytes) -> str:
    """A new secret of 32 random bytes, as Standard Webhooks writes one."""
    return PREFIX + base64.b64encode(random_bytes(32)).decode()


def change_webhook(
    session: Session,
    actor: Actor,
    sealer: Sealer,
    allowed: Sequence[str],
    webhook_id: int,
    *,
    name: str | None = None,
    address: str | None = None,
    kinds: Collection[str] | None = None,
) -> Webhook:
    """Change what is given; the secret stays. Raises as `add_webhook` does, and NotFound for one that is removed."""
    webhook, path = require_webhook(session, actor, webhook_id)
    if name is not None:
        webhook.name = required_line("name", name, LONGEST_NAME)
    if address is not None:
        address = _address(address, allowed)
        webhook.sealed = sealer.seal(Sealed(address, _open(sealer, webhook).secret))
        webhook.host = str(urlsplit(address).netloc)[:200]
    if kinds is not None:
        webhook.kinds = _kinds(kinds)
    details = {"webhook": webhook.name, "changes": read_before_after(webhook, ("name", "host", "kinds"))}
    _keep(session, webhook)
    trail.record_act(session, actor.account_id, "webhook.change", "webhook", webhook_id, path, **details)
    return webhook


def renew_webhook_secret(
    session: Session, actor: Actor, sealer: Sealer, random_bytes: RandomBytes, webhook_id: int
) -> str:
    """Give it another secret, which is shown this once; the one before signs nothing any more.

    Raises NotFound, Forbidden, or Conflict if the installation has not the key that sealed its address.
    """
    webhook, path = require_webhook(session, actor, webhook_id)
    secret = make_secret(random_bytes)
    webhook.sealed = sealer.seal(Sealed(_open(sealer, webhook).address, secret))
    session.flush()
    trail.record_act(session, actor.account_id, "webhook.renew", "webhook", webhook_id, path, webhook=webhook.name)
    return secret


def pause_webhook(session: Session, actor: Actor, webhook_id: int) -> Webhook:
    """Let what is to be sent wait. Raises NotFound, Forbidden, or Conflict unless it is open."""
    webhook, path = _move(session, actor, webhook_id, (WebhookState.open,), WebhookState.paused)
    trail.record_act(session, actor.account_id, "webhook.pause", "webhook", webhook_id, path, webhook=webhook.name)
    return webhook


def enable_webhook(session: Session, actor: Actor, webhook_id: int) -> Webhook:
    """Send again to a webhook that is paused or disabled. What waited goes now, also what was given up, and has three
    days anew. Raises NotFound, Forbidden, or Conflict unless it is paused or disabled.
    """
    sources = (WebhookState.paused, WebhookState.disabled)
    webhook, path = _move(session, actor, webhook_id, sources, WebhookState.open)
    trail.record_act(session, actor.account_id, "webhook.enable", "webhook", webhook_id, path, webhook=webhook.name)
    session.execute(
        update(WebhookDelivery)
        .where(
            WebhookDelivery.webhook_id == webhook_id,
            WebhookDelivery.status.in_((DeliveryStatus.pending, DeliveryStatus.given_up)),
        )
        .values(status=DeliveryStatus.pending.value, tries=0, first_tried_at=null(), not_before=func.sms_now())
        .execution_options(synchronize_session=False)
    )
    return webhook


def remove_webhook(session: Session, actor: Actor, webhook_id: int) -> None:
    """Take it away for good, with its address and secret; what waits is not sent. Raises NotFound or Forbidden."""
    webhook, path = require_webhook(session, actor, webhook_id)
    webhook.state, webhook.sealed = WebhookState.removed.value, None
    session.flush()
    trail.record_act(session, actor.account_id, "webhook.remove", "webhook", webhook_id, path, webhook=webhook.name)


def require_webhook(session: Session, actor: Actor, webhook_id: int) -> tuple[Webhook, str]:
    """The webhook, locked, and its unit's path, for who may change it. Raises NotFound, also for one that is removed,
    or Forbidden.
    """
    webhook = session.get(Webhook, webhook_id, with_for_update=True, populate_existing=True)
    if webhook is None or webhook.state == WebhookState.removed:
        raise NotFound("webhook", webhook_id)
    path = unit_path(session, webhook.unit_id)
    actor.require(Permission.manage_accounts, path)
    return webhook, path


def get_webhook(session: Session, actor: Actor, webhook_id: int) -> dict[str, Any]:
    """One webhook, described. Raises NotFound, also for one that is removed, or Forbidden."""
    row = session.execute(find_webhooks(("/",)).where(Webhook.id == webhook_id)).first()
    if row is None:
        raise NotFound("webhook", webhook_id)
    actor.require(Permission.manage_accounts, row.Unit.path)
    return describe_webhook(row)


def find_webhooks(scope: Sequence[str]) -> Select[Webhook, Unit, int, Any]:
    """The webhooks of units within the paths of `scope`, each with its unit, how many deliveries wait (`waiting`), and
    when something was delivered last (`last_at`); not ordered.
    """
    waits = WebhookDelivery.status.in_((DeliveryStatus.pending, DeliveryStatus.sending, DeliveryStatus.given_up))
    return (
        select(
            Webhook,
            Unit,
            _of_deliveries(func.count()).where(waits).scalar_subquery().label("waiting"),
            _of_deliveries(func.max(WebhookDelivery.delivered_at)).scalar_subquery().label("last_at"),
        )
        .join(Unit, Unit.id == Webhook.unit_id)
        .where(or_(false(), *(Unit.path.op("^@")(path) for path in scope)), Webhook.state != WebhookState.removed)
    )


def describe_webhook(row: Any) -> dict[str, Any]:
    """A row of `find_webhooks` as doors show it: of the address its host alone, and never the secret."""
    webhook: Webhook = row.Webhook
    names = ("id", "unit_id", "name", "host", "kinds", "state_since", "failures", "created_at")
    shown = {name: getattr(webhook, name) for name in names}
    shown |= {"state": WebhookState(webhook.state), "unit": row.Unit.name, "waiting": row.waiting}
    shown["kinds"] = [HappeningKind(kind) for kind in webhook.kinds]
    return shown | {"last_at": row.last_at}


def _of_deliveries(what: ColumnElement[Any]) -> Select[Any]:
    return select(what).select_from(WebhookDelivery).where(WebhookDelivery.webhook_id == Webhook.id).correlate(Webhook)


def _address(address: str, allowed: Sequence[str]) -> str:
    address = address.strip()
    if (why_not := check_address(address, allowed)) is not None:
        raise Invalid("address", None, say_address_fault(why_not))  # never the address itself: it may hold a secret
    return address


def _kinds(kinds: Collection[str]) -> list[str]:
    """In the order of the enum, each once. Raises Invalid (kinds)."""
    if unknown := sorted(set(kinds) - set(WANTABLE)):
        raise Invalid("kinds", unknown[0], say("must be among {kinds}", kinds=WANTABLE))
    if not kinds:
        raise Invalid("kinds", None, "must name at least one kind of what happens")
    return [kind.value for kind in WANTABLE if kind in kinds]


def _open(sealer: Sealer, webhook: Webhook) -> Sealed:
    assert webhook.sealed is not None, "only one that is removed has no address"
    try:
        return sealer.open(webhook.sealed)
    except CannotOpen:
        message = "the address was sealed with another CHANNELS_KEY; remove the webhook and add it again"
        raise Conflict(message) from None


def _keep(session: Session, webhook: Webhook) -> None:
    """Write it. Raises Conflict where the unit has one of this name."""
    try:
        with session.begin_nested():
            session.add(webhook)
            session.flush()
    except IntegrityError as error:
        if "uq_webhooks_unit_id_name" in str(error.orig):
            raise Conflict("the unit has a webhook of this name") from None
        raise


def _move(
    session: Session, actor: Actor, webhook_id: int, sources: Collection[WebhookState], target: WebhookState
) -> tuple[Webhook, str]:
    webhook, path = require_webhook(session, actor, webhook_id)
    if webhook.state not in sources:
        raise Conflict(
            say(
                "webhook {webhook} is {state}; to be {target} it must be {sources: or }",
                webhook=webhook_id,
                state=WebhookState(webhook.state),
                target=target,
                sources=tuple(sources),
            )
        )
    webhook.state, webhook.state_since = target.value, func.sms_now()
    if target == WebhookState.open:
        webhook.failures, webhook.free_at = 0, func.sms_now()
    session.flush()
    session.refresh(webhook)
    return webhook, path
