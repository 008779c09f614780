"""`python -m sms_service delegations …`: the right to approve, lent until the end of a day."""

from __future__ import annotations

from datetime import datetime

import click

from sms_service.cli.options import DAY, as_anybody, as_somebody


@click.group()
def delegations() -> None:
    """The right to approve, lent to others."""


@delegations.command("list")
@as_anybody
def list_(login: str | None) -> None:
    """List them, newest first."""
    from sms_service.accounts.models import Delegation
    from sms_service.campaigns.delegations import find_delegations, name_delegation
    from sms_service.cli.acting import acting, scope_of
    from sms_service.cli.context import open_session

    with open_session() as session:
        actor = acting(session, login)
        statement = find_delegations(scope_of(session, actor, None), actor.account_id)
        found = [name_delegation(row) for row in session.execute(statement.order_by(Delegation.id.desc()))]
        for one in found:
            kept = one.delegation
            click.echo(f"{kept.id}: {one.lender} to {one.delegate}, {one.unit}, until {kept.until}: {one.state}")
        if not found:
            click.echo("nobody has lent the right to approve")


@delegations.command()
@click.option("--unit", "code", metavar="CODE", required=True, help="Over the unit with this code, and all below it.")
@click.option("--to", "delegate", metavar="LOGIN", required=True, help="Who approves meanwhile.")
@click.option("--until", metavar="DAY", type=DAY, required=True, help="The last day.")
@click.option("--why", required=True, help="Why; both see it.")
@as_somebody
def lend(code: str, delegate: str, until: datetime, why: str, login: str) -> None:
    """Lend the right to approve, at most 60 days ahead."""
    from sms_service.campaigns.delegations import lend_approval
    from sms_service.cli.acting import acting, find_unit_id
    from sms_service.cli.context import open_session

    day = until.date()
    with open_session() as session:
        unit_id = find_unit_id(session, code)
        made = lend_approval(session, acting(session, login), unit_id=unit_id, login=delegate, until=day, why=why)
        click.echo(f"delegation {made.delegation.id}: {made.delegate} approves for {made.lender} until {day}")


@delegations.command()
@click.argument("delegation_id", metavar="ID", type=click.IntRange(1))
@as_anybody
def end(delegation_id: int, login: str | None) -> None:
    """End a delegation at once."""
    from sms_service.campaigns.delegations import end_delegation
    from sms_service.cli.acting import acting
    from sms_service.cli.context import open_session

    with open_session() as session:
        end_delegation(session, acting(session, login), delegation_id)
        click.echo(f"delegation {delegation_id} is over")
