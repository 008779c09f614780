"""`python -m sms_service gateway …`: the states of the gateway accounts; and `caps`, what one phone may get a day."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from sms_service.cli.options import as_anybody, why
from sms_service.vocabulary import TextClass

if TYPE_CHECKING:
    from sms_service.controls.models import GatewayAccount

_name = click.argument("name")
_class = click.argument("class_", metavar="CLASS", type=click.Choice(list(TextClass)))


@click.group()
def gateway() -> None:
    """Pause gateway accounts and open them again; what their providers sent that nobody could take."""


@gateway.command("list")
def list_() -> None:
    """Every gateway account and its state."""
    from sms_service.cli.context import open_session
    from sms_service.controls.accounts import find_accounts
    from sms_service.controls.models import GatewayAccount

    with open_session() as session:
        for account in session.scalars(find_accounts().order_by(GatewayAccount.name)):
            click.echo(_line(account))


@gateway.command()
@_name
@why
@as_anybody
def pause(name: str, why: str, login: str | None) -> None:
    """Hand an account nothing more until a person opens it."""
    from sms_service.cli.acting import acting
    from sms_service.cli.context import open_session
    from sms_service.controls import account_state

    with open_session() as session:
        click.echo(_line(account_state.pause_gateway_account(session, acting(session, login), name, why)))


@gateway.command("open")
@_name
@why
@as_anybody
def open_(name: str, why: str, login: str | None) -> None:
    """Hand a paused account texts again, whoever or whatever paused it."""
    from sms_service.cli.acting import acting
    from sms_service.cli.context import open_session
    from sms_service.controls import account_state

    with open_session() as session:
        click.echo(_line(account_state.reopen_gateway_account(session, acting(session, login), name, why)))


@gateway.command()
@_name
def refused(name: str) -> None:
    """How many callbacks to an account were refused, by day and reason, newest first."""
    from sms_service.cli.context import open_session
    from sms_service.controls.accounts import id_of
    from sms_service.delivery.models import RefusedCallbacks
    from sms_service.delivery.refusals import find_refused

    with open_session() as session:
        statement = find_refused(id_of(session, name)).order_by(RefusedCallbacks.day.desc(), RefusedCallbacks.reason)
        lines = [f"{row.day}: {row.number} {row.reason}" for row in session.scalars(statement)]
    click.echo("\n".join(lines) if lines else "no callback was refused")


@gateway.command()
@_name
def codes(name: str) -> None:
    """The codes that an account's provider used and its table does not have."""
    from sms_service.cli.context import open_session, read_gateways, running_settings
    from sms_service.controls.accounts import id_of
    from sms_service.delivery.listing import find_unknown_codes
    from sms_service.gateways.config import BadGatewayConfig

    try:
        known = read_gateways(running_settings()).known_codes(name)
    except BadGatewayConfig:  # it is no account of the file any more; its codes can be listed all the same
        known = frozenset()
    with open_session() as session:
        statement = find_unknown_codes(id_of(session, name), known)
        columns = statement.selected_columns
        lines = [
            f"{row.code}: {row.number} times, {row.use}, "
            f"{row.first_at:%Y-%m-%d %H:%M %Z} to {row.last_at:%Y-%m-%d %H:%M %Z}"
            for row in session.execute(statement.order_by(columns.code, columns.place))
        ]
    click.echo("\n".join(lines) if lines else "every code is in the table")


@click.group(invoke_without_command=True)
@click.pass_context
def caps(ctx: click.Context) -> None:
    """How many texts of a class one phone may get on one local day; without a command, list them."""
    from sms_service.cli.context import open_session
    from sms_service.controls.caps import find_caps
    from sms_service.controls.models import Cap

    if ctx.invoked_subcommand is not None:
        return
    with open_session() as session:
        lines = [f"{cap.class_}: {cap.per_day} a day" for cap in session.scalars(find_caps().order_by(Cap.class_))]
    click.echo("\n".join(lines) if lines else "no class has a cap")


@caps.command("set")
@_class
@click.argument("per_day", metavar="N", type=click.IntRange(1, 100))
@why
@as_anybody
def set_(class_: str, per_day: int, why: str, login: str | None) -> None:
    """Let one phone get at most N texts of a class on one local day."""
    from sms_service.cli.acting import acting
    from sms_service.cli.context import open_session
    from sms_service.controls.caps import set_cap

    with open_session() as session:
        set_cap(session, acting(session, login), class_, per_day, why)
    click.echo(f"{class_}: {per_day} a day")


@caps.command()
@_class
@why
@as_anybody
def remove(class_: str, why: str, login: str | None) -> None:
    """Send texts of a class without a cap."""
    from sms_service.cli.acting import acting
    from sms_service.cli.context import open_session
    from sms_service.controls.caps import remove_cap

    with open_session() as session:
        remove_cap(session, acting(session, login), class_, why)
    click.echo(f"{class_} has no cap any more")


@gateway.command()
@_name
def policy(name: str) -> None:
    """Which texts an account's provider lets through, as gateways.toml says it."""
    from sqlalchemy import select

    from sms_service.cli.context import open_session
    from sms_service.content.policies import describe_policy
    from sms_service.controls.accounts import id_of
    from sms_service.controls.models import GatewayAccount

    with open_session() as session:
        account = session.scalars(select(GatewayAccount).where(GatewayAccount.id == id_of(session, name))).one()
        said = describe_policy(account.needs_binding, account.policy)
    click.echo("\n".join(map(str, said)) if said else "Any text, as far as gateways.toml says")


def _line(account: GatewayAccount) -> str:
    why = f": {account.reason}" if account.reason else ""
    again = f", tried again at {account.reopens_at:%Y-%m-%d %H:%M:%S %Z}" if account.reopens_at else ""
    return f"gateway account {account.name} ({account.adapter}) is {account.state}{why}{again}"
