"""`python -m sms_service webhooks …`: programs that are told what happens, and the process that tells them."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sms_service.cli.campaigns import read_moment
from sms_service.cli.options import as_anybody

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from sms_service.accounts.actors import Actor
    from sms_service.channels.sealing import Sealer

T = TypeVar("T")
webhook_id = click.argument("webhook_id", metavar="ID", type=click.IntRange(1))
_KINDS = click.option("--kind", "kinds", multiple=True, metavar="KIND", help="What it wants, once each; see `kinds`.")
_ADDRESS = click.option("--address", metavar="URL", help="Where it is sent; https.")


@click.group()
def webhooks() -> None:
    """Webhooks: programs of others that are told what happens in a unit and below."""


@webhooks.command("list")
@click.option("--unit", "code", metavar="CODE", help="Only those of this unit's subtree.")
@as_anybody
def list_(code: str | None, login: str | None) -> None:
    """List the webhooks."""
    from sms_service.accounts.actors import unit_path
    from sms_service.accounts.permissions import Permission
    from sms_service.cli.acting import acting, find_unit_id
    from sms_service.cli.context import open_session
    from sms_service.webhooks.models import Webhook
    from sms_service.webhooks.owning import describe_webhook, find_webhooks

    with open_session() as session:
        actor = acting(session, login)
        actor.require_somewhere(Permission.manage_accounts)
        scope = actor.scope(Permission.manage_accounts)
        if code is not None:
            path = unit_path(session, find_unit_id(session, code))
            actor.require(Permission.manage_accounts, path)
            scope = (path,)
        rows = session.execute(find_webhooks(scope).order_by(Webhook.id)).all()
        for one in map(describe_webhook, rows):
            click.echo(f"{_line(one)}, {one['waiting']} wait")
        if not rows:
            click.echo("there is no webhook")


@webhooks.command()
def kinds() -> None:
    """List what a webhook can want."""
    from sms_service.webhooks.owning import WANTABLE

    for kind in WANTABLE:
        click.echo(kind)


@webhooks.command()
@click.argument("name")
@click.option("--unit", "code", metavar="CODE", required=True, help="The unit whose webhook it is.")
@click.option("--address", metavar="URL", required=True, help="Where it is sent; https.")
@_KINDS
@as_anybody
def add(name: str, code: str, address: str, kinds: tuple[str, ...], login: str | None) -> None:
    """Add a webhook, and print its secret, which is shown this once."""
    import secrets

    from sms_service.cli.acting import find_unit_id
    from sms_service.webhooks.owning import add_webhook

    sealer, allowed = _keys()

    def do(session: Session, actor: Actor) -> tuple[int, str]:
        unit_id = find_unit_id(session, code)
        made, secret = add_webhook(
            session,
            actor,
            sealer,
            allowed,
            secrets.token_bytes,
            unit_id=unit_id,
            name=name,
            address=address,
            kinds=kinds,
        )
        return made.id, secret

    id_, secret = _act(login, do)
    click.echo(f"webhook {id_} {name} is added; its secret, shown this once: {secret}")


@webhooks.command()
@webhook_id
@click.option("--name", help="What people call it.")
@_ADDRESS
@_KINDS
@as_anybody
def change(webhook_id: int, kinds: tuple[str, ...], login: str | None, **given: str | None) -> None:
    """Change name, address or kinds; what is left out stays, and so does the secret."""
    from sms_service.webhooks.owning import change_webhook

    sealer, allowed = _keys()
    changes: dict[str, Any] = {**given, "kinds": kinds or None}
    _act(login, lambda session, actor: change_webhook(session, actor, sealer, allowed, webhook_id, **changes))
    click.echo(f"webhook {webhook_id} is changed")


@webhooks.command("renew-secret")
@webhook_id
@as_anybody
def renew_secret(webhook_id: int, login: str | None) -> None:
    """Give it another secret, and print that, which is shown this once."""
    import secrets

    from sms_service.webhooks.owning import renew_webhook_secret

    sealer, _ = _keys()
    secret = _act(
        login, lambda session, actor: renew_webhook_secret(session, actor, sealer, secrets.token_bytes, webhook_id)
    )
    click.echo(f"webhook {webhook_id} has a new secret, shown this once: {secret}")


@webhooks.command()
@webhook_id
@as_anybody
def pause(webhook_id: int, login: str | None) -> None:
    """Let what is to be sent wait."""
    from sms_service.webhooks.owning import pause_webhook

    _act(login, lambda session, actor: pause_webhook(session, actor, webhook_id))
    click.echo(f"webhook {webhook_id} is paused")


@webhooks.command()
@webhook_id
@as_anybody
def enable(webhook_id: int, login: str | None) -> None:
    """Send again to a webhook that is paused or disabled: first of all what waited."""
    from sms_service.webhooks.owning import enable_webhook

    _act(login, lambda session, actor: enable_webhook(session, actor, webhook_id))
    click.echo(f"webhook {webhook_id} is open")


@webhooks.command()
@webhook_id
@as_anybody
def remove(webhook_id: int, login: str | None) -> None:
    """Remove a webhook for good, with its address and secret."""
    from sms_service.webhooks.owning import remove_webhook

    _act(login, lambda session, actor: remove_webhook(session, actor, webhook_id))
    click.echo(f"webhook {webhook_id} is removed")


@webhooks.command()
@webhook_id
@as_anybody
def test(webhook_id: int, login: str | None) -> None:
    """Have something sent that says that it is a test."""
    from sms_service.webhooks.deliveries import request_test_delivery

    made = _act(login, lambda session, actor: request_test_delivery(session, actor, webhook_id).id)
    click.echo(f"delivery {made} will be sent; `webhooks deliveries {webhook_id}` says what became of it")


@webhooks.command()
@webhook_id
@click.option("--since", metavar="TIME", required=True, callback=read_moment, help="ISO 8601 with offset.")
@as_anybody
def replay(webhook_id: int, since: datetime, login: str | None) -> None:
    """Send all again that happened since a moment within the last 30 days."""
    from sms_service.webhooks.deliveries import replay_deliveries

    count = _act(login, lambda session, actor: replay_deliveries(session, actor, webhook_id, since))
    click.echo(f"{count} deliveries will be sent again")


@webhooks.command()
@webhook_id
@click.option("--status", help="Only those of this status: pending, sending, delivered, given_up.")
@as_anybody
def deliveries(webhook_id: int, status: str | None, login: str | None) -> None:
    """List the last 100 deliveries, newest first, with the receiver's answer."""
    from sms_service.cli.acting import acting
    from sms_service.cli.context import open_session
    from sms_service.webhooks.deliveries import describe_delivery, find_deliveries
    from sms_service.webhooks.models import WebhookDelivery
    from sms_service.webhooks.owning import get_webhook

    with open_session() as session:
        get_webhook(session, acting(session, login), webhook_id)
        statement = find_deliveries(webhook_id, status=status).order_by(WebhookDelivery.id.desc())
        rows = session.execute(statement.limit(100)).all()
        for one in map(describe_delivery, rows):
            said = " ".join(str(part) for part in (one["reason"], one["code"]) if part)
            answer = f" ({said})" if said else ""
            tries = f" after {one['tries']} tries" if one["tries"] > 1 else ""
            click.echo(f"{one['id']}: {one['kind']} {one['event_id']}: {one['status']}{answer}{tries}")
        if not rows:
            click.echo("there is no delivery")


@webhooks.command()
def run() -> None:
    """Tell the webhooks, until Ctrl-C or TERM. Any number may run; `make run` starts one."""
    from sms_service.channels.sealing import Sealer
    from sms_service.cli.context import running_settings
    from sms_service.db.engine import Database
    from sms_service.db.leadership import PATIENCE_S
    from sms_service.gateways.posting import JsonPoster
    from sms_service.webhooks.delivering import THREADS, run_webhooks

    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    settings = running_settings()
    poster = JsonPoster(settings.private_receivers, in_flight=THREADS)
    url, pool_size = settings.database_url or "", THREADS + 1
    database = Database(url, pool_size=pool_size, application_name="sms_service webhooks", patience_s=PATIENCE_S)
    run_webhooks(database, poster, Sealer(settings.channels_keys), stopping)
    database.close()


def _keys() -> tuple[Sealer, tuple[str, ...]]:
    """What seals addresses, and the hosts that may be private, as the running service has them."""
    from sms_service.channels.sealing import Sealer
    from sms_service.cli.context import running_settings
    from sms_service.ops.variables import service_variables
    from sms_service.settings import load_settings

    settings = running_settings()
    variables = service_variables(settings)
    return Sealer(load_settings(variables, settings.root).channels_keys), settings.private_receivers


def _line(one: dict[str, Any]) -> str:
    wants = ", ".join(one["kinds"])
    return f"{one['id']}: {one['name']} at {one['host']}, {one['unit']}, {one['state']}, wants {wants}"


def _act(login: str | None, act: Callable[[Session, Actor], T]) -> T:
    from sms_service.cli.acting import acting
    from sms_service.cli.context import open_session

    with open_session() as session:
        return act(session, acting(session, login))
