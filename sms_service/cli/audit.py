"""`python -m sms_service audit …`: whether the trail is what it was."""

from __future__ import annotations

import sys

import click


@click.group()
def audit() -> None:
    """Verify the trail: no act was changed, taken out or put in behind the application's back."""


@audit.command()
def head() -> None:
    """Show the chain's head: noted elsewhere, it proves later that nothing before it was changed."""
    from sms_service.audit.chain import find_chain_state
    from sms_service.cli.context import open_session

    with open_session() as session:
        state = find_chain_state(session)
    if state.head is None or state.at is None:
        click.echo("nothing is linked yet")
    else:
        click.echo(f"{state.head} of {state.at:%Y-%m-%d %H:%M:%S} UTC")
    if state.waiting:
        click.echo(f"{state.waiting} entries wait for their link")


@audit.command()
@click.option(
    "--head", "heads", metavar="POSITION:DIGEST", multiple=True, help="A head that was noted or printed earlier."
)
def verify(heads: tuple[str, ...]) -> None:
    """Compute the chain once more and compare; ends with 1 if anything is wrong."""
    from sms_service.audit.chain import read_head
    from sms_service.audit.verification import verify_trail
    from sms_service.cli.context import open_database

    noted = [read_head(written) for written in heads]
    with open_database() as database:
        found = verify_trail(database, noted)
    click.echo(f"{found.linked} entries are linked, up to {found.head or 'nothing'}")
    for fault in found.faults:
        place = "" if fault.position is None else f"position {fault.position}: "
        click.echo(f"{fault.kind}: {place}{fault.said}")
    if found.more:
        click.echo(f"and {found.more} more faults")
    if found.faults:
        sys.exit(1)
    for one in noted:
        click.echo(f"the head {one} agrees")
    click.echo("the trail is whole")
