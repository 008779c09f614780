"""`python -m sms_service statement …`: a unit's counts for some days, under a number and a digest."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from sms_service.cli.options import DAY, as_anybody, subtree

_number = click.argument("number", metavar="NUMBER")


@click.group()
def statement() -> None:
    """Statements, as they are issued on paper."""


@statement.command("list")
@click.option("--unit", "code", metavar="CODE", help="Only those of this unit and of those below it.")
@as_anybody
def list_(code: str | None, login: str | None) -> None:
    """List those that were issued, the newest first."""
    from sms_service.cli.acting import acting, scope_of
    from sms_service.cli.context import open_session
    from sms_service.reports.export_models import IssuedStatement
    from sms_service.reports.statements import find_statements

    with open_session() as session:
        found = find_statements(scope_of(session, acting(session, login), code))
        rows = session.execute(found.order_by(IssuedStatement.id.desc())).all()
        for row in rows:
            one, unit = row.IssuedStatement, row.Unit
            click.echo(f"{one.number}: {unit.code} {unit.name}, {one.since} to {one.until}, issued {one.issued_at}")
        if not rows:
            click.echo("no statement was issued")


@statement.command()
@subtree
@click.option("--since", type=DAY, required=True, metavar="DAY", help="Campaigns launched on this day or later.")
@click.option("--until", type=DAY, required=True, metavar="DAY", help="Campaigns launched on this day or earlier.")
@as_anybody
def issue(code: str, since: datetime, until: datetime, login: str | None) -> None:
    """Count now, give it a number, and keep it."""
    import secrets

    from sms_service.cli.acting import acting, find_unit_id
    from sms_service.cli.context import open_database, read_gateways, running_settings
    from sms_service.reports.statements import draw_in_snapshot, issue_statement

    prices = read_gateways(running_settings()).prices()
    with open_database() as database:
        with database.session() as session:
            actor, unit_id = acting(session, login), find_unit_id(session, code)
        content = draw_in_snapshot(database, actor, unit_id, since.date(), until.date(), prices)
        with database.session() as session:
            made = issue_statement(session, actor, content, secrets.token_bytes)
        click.echo(f"statement {made.number} is issued\nSHA-256 {made.digest.hex()}")


@statement.command()
@_number
@as_anybody
def show(number: str, login: str | None) -> None:
    """Print what a statement says, letter by letter: its digest is SHA-256 over this."""
    from sms_service.cli.acting import acting
    from sms_service.cli.context import open_session
    from sms_service.reports.statements import get_numbered_statement

    with open_session() as session:
        click.echo(get_numbered_statement(session, acting(session, login), number).content, nl=False)


@statement.command()
@_number
@click.argument("digest")
def check(number: str, digest: str) -> None:
    """Say whether number and digest of a paper agree; 16 digits of it are enough. Ends with 1 if they do not."""
    from sms_service.cli.context import open_session
    from sms_service.reports.statements import check_statement

    with open_session() as session:
        found = check_statement(session, number, digest)
    if found is None:
        raise click.ClickException(f"no statement has the number {number}")
    agrees, issued_at = found
    if not agrees:
        raise click.ClickException(f"the digest is not that of statement {number}, issued {issued_at}")
    click.echo(f"number and digest agree; issued {issued_at}")


@statement.command()
@_number
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--language", type=click.Choice(["zh", "en"]), default="zh", show_default=True, help="Of the paper.")
@as_anybody
def pdf(number: str, file: Path, language: str, login: str | None) -> None:
    """Write the paper into FILE, a new PDF; needs Chromium on the machine."""
    from sms_service.cli.acting import acting
    from sms_service.cli.context import open_session, running_settings
    from sms_service.errors import Invalid
    from sms_service.reports.statements import get_numbered_statement
    from sms_service.web.statement_papers import print_statement

    if file.exists():
        raise Invalid("FILE", str(file), "is there already; name a new file")
    with open_session() as session:
        found = get_numbered_statement(session, acting(session, login), number)
    file.write_bytes(print_statement(found, language, running_settings().public_url))
    click.echo(f"{file}: statement {found.number}")
