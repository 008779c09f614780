"""`python -m sms_service unit …`: closing a unit, alone or merged into another, and opening it again."""

from __future__ import annotations

import click

from sms_service.cli.options import as_anybody, why

_code = click.argument("code")


@click.group()
def unit() -> None:
    """One unit of the tree."""


@unit.command()
@_code
@click.option("--into", "into", metavar="CODE", help="The unit that takes its people, roles and the units below.")
@why
@as_anybody
def close(code: str, into: str | None, why: str, login: str | None) -> None:
    """Close a unit; past counts stay what they were."""
    from sms_service.cli.acting import acting, find_unit_id
    from sms_service.cli.context import open_session
    from sms_service.controls.mergers import close_unit

    with open_session() as session:
        actor = acting(session, login)
        close_unit(session, actor, find_unit_id(session, code), why, find_unit_id(session, into) if into else None)
    click.echo(f"unit {code} is closed" + (f"; unit {into} took what was in it" if into else ""))


@unit.command()
@_code
@why
@as_anybody
def reopen(code: str, why: str, login: str | None) -> None:
    """Open a closed unit again, empty."""
    from sms_service.cli.acting import acting, find_unit_id
    from sms_service.cli.context import open_session
    from sms_service.controls.mergers import reopen_unit

    with open_session() as session:
        reopen_unit(session, acting(session, login), find_unit_id(session, code), why)
    click.echo(f"unit {code} is open")
