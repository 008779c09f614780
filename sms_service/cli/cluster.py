"""`python -m sms_service cluster …`: what an operator says about the PostgreSQL server."""

from __future__ import annotations

import click

from sms_service.cli.options import as_anybody


@click.group()
def cluster() -> None:
    """Hold everything after a restore of PostgreSQL."""


@cluster.command()
@click.option("--why", required=True, help="What was restored, and of when; it goes into the trail.")
@as_anybody
def hold(why: str, login: str | None) -> None:
    """Hold every run under way or due, as after a promotion: a person decides for each.

    For a restore that nothing in the server shows, such as a data folder that was copied back.
    """
    from sms_service.cli.acting import acting
    from sms_service.cli.context import open_session
    from sms_service.ledger.failover import hold_after_restore

    with open_session() as session:
        held = hold_after_restore(session, acting(session, login), why)
    click.echo(f"held {len(held)} runs{': ' if held else ''}{', '.join(map(str, held))}")
