"""`python -m sms_service redaction …`: how long phones and texts of a unit's people are kept."""

from __future__ import annotations

import click

from sms_service.cli.options import as_anybody, subtree


@click.command("redaction")
@subtree
@click.argument("days", metavar="DAYS|none")
@click.option("--why", required=True, help="Why; it goes into the trail.")
@as_anybody
def redaction(code: str, days: str, why: str, login: str | None) -> None:
    """Have phones and texts of the unit and all below it emptied after DAYS days; none: as the installation says."""
    from sms_service.cli.acting import acting, find_unit_id
    from sms_service.cli.context import open_session
    from sms_service.personal.redaction import set_redaction

    if days != "none" and not days.isdecimal():
        raise click.BadParameter(f"{days!r} must be a whole number, or none", param_hint="DAYS")
    with open_session() as session:
        wanted = None if days == "none" else int(days)
        unit = set_redaction(session, acting(session, login), find_unit_id(session, code), wanted, why)
        click.echo(f"{unit.name}: {'as the installation says' if wanted is None else f'{wanted} days'}")
