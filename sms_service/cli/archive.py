"""`python -m sms_service archive …`: months of the ledger in files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sms_service.cli.options import MONTH, as_anybody

if TYPE_CHECKING:
    from sms_service.accounts.actors import Actor
    from sms_service.db.engine import Database
    from sms_service.db.partitions import SchemaOwner
    from sms_service.ledger.archive_models import ArchivedMonth

_month = click.argument("month", type=MONTH)
_wait = click.option(
    "--wait",
    "minutes",
    type=click.IntRange(0, 1440),
    default=60,
    show_default=True,
    help="For so many minutes it waits for transactions that began before.",
)


@click.group()
def archive() -> None:
    """Months of the ledger in compressed files."""


@archive.command("write")
@click.argument("month", type=MONTH)
@as_anybody
def write(month: datetime, login: str | None) -> None:
    """Write the rows of MONTH (2026-01), which is over, sealed and redacted, into the data folder, and check them."""
    from sms_service.cli.acting import acting
    from sms_service.cli.context import open_database, running_settings
    from sms_service.ops.archiving import read_manifest, write_archive

    with open_database() as database:
        with database.session() as session:
            actor = acting(session, login)
        folder = write_archive(database, actor, month.date(), running_settings().data_dir)
    for table in read_manifest(folder)["tables"]:
        click.echo(f"{table['table']}: {table['rows']:,} rows, SHA-256 {table['sha256']}")
    click.echo(f"written to {folder}")


@archive.command("check")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
def check(folder: Path) -> None:
    """Read the archive in FOLDER again and compare it with its manifest; exits with 1 if anything is wrong."""
    from sms_service.ops.archiving import check_archive

    faults = check_archive(folder)
    for fault in faults:
        click.echo(fault)
    if faults:
        raise click.ClickException("the archive is not what was written")
    click.echo("the archive is what was written")


@archive.command("detach")
@click.argument("month", type=MONTH, required=False)
@click.option("--older-than", type=click.IntRange(1, 1200), metavar="MONTHS", help="All months that are older.")
@_wait
@as_anybody
def detach(month: datetime | None, older_than: int | None, minutes: int, login: str | None) -> None:
    """Take the rows of MONTH out of the ledger while people work, and write them into files.

    They stay in tables of their own until `archive drop`. If it was cut off, run it again: it goes on.
    """
    from sms_service.cli.context import running_settings
    from sms_service.errors import Conflict
    from sms_service.ops.detaching import detach_month, list_old_months

    if (month is None) == (older_than is None):
        raise click.UsageError("give either MONTH or --older-than")
    with _archiving(minutes, login) as (database, owner, actor):
        months = [month.date()] if month is not None else list_old_months(database, older_than or 0)
        stay = 0
        for one in months:
            try:
                found = detach_month(database, owner, actor, one, running_settings().data_dir)
            except Conflict as error:
                if month is not None:
                    raise
                stay += 1
                click.echo(f"{one:%Y-%m} stays: {error.said}")
                continue
            click.echo(f"{one:%Y-%m} is detached: {found.rows:,} rows, the files are in {found.folder}")
        if not months:
            click.echo("there is none")
    if stay:
        click.get_current_context().exit(1)


@archive.command("drop")
@_month
@_wait
@as_anybody
def drop(month: datetime, minutes: int, login: str | None) -> None:
    """Compare the files of MONTH, which is detached, with its tables once more, and drop these."""
    from sms_service.ops.detaching import drop_month

    with _archiving(minutes, login) as (database, owner, actor):
        found = drop_month(database, owner, actor, month.date())
    click.echo(f"{month:%Y-%m} is in {found.folder} alone; keep it well")


@archive.command("read-back")
@_month
@_wait
@as_anybody
def read_back(month: datetime, minutes: int, login: str | None) -> None:
    """Bring the rows of MONTH back into the ledger, as they were."""
    from sms_service.ops.reading_back import read_month_back

    with _archiving(minutes, login) as (database, owner, actor):
        read_month_back(database, owner, actor, month.date())
    click.echo(f"{month:%Y-%m} is in the ledger again; its files stay")


@archive.command("list")
def list_() -> None:
    """List the months that are archived, or on the way."""
    from sqlalchemy import select

    from sms_service.cli.context import open_session
    from sms_service.ledger.archive_models import ArchivedMonth

    with open_session() as session:
        found = session.scalars(select(ArchivedMonth).order_by(ArchivedMonth.month)).all()
    for one in found:
        click.echo(_describe(one))
    if not found:
        click.echo("no month is archived")


def _describe(one: ArchivedMonth) -> str:
    rows = "" if one.rows is None else f", {one.rows:,} rows"
    return (
        f"{one.month:%Y-%m}: {one.state}, begun {one.begun_at:%Y-%m-%d %H:%M}{rows}, {one.folder or 'not written yet'}"
    )


@contextmanager
def _archiving(minutes: int, login: str | None) -> Iterator[tuple[Database, SchemaOwner, Actor]]:
    from sms_service.cli.acting import acting
    from sms_service.cli.context import open_database, running_settings
    from sms_service.db.partitions import SchemaOwner

    url = running_settings().migration_database_url
    if url is None:
        raise click.ClickException("MIGRATION_DATABASE_URL is not set: only the schema's owner detaches partitions")
    with open_database() as database:
        with database.session() as session:
            actor = acting(session, login)
        yield database, SchemaOwner(url, minutes * 60.0), actor
