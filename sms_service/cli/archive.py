"""`python -m sms_service archive …`: months of the ledger in files."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from sms_service.cli.options import as_anybody


@click.group()
def archive() -> None:
    """Months of the ledger in compressed files."""


@archive.command("write")
@click.argument("month", type=click.DateTime(["%Y-%m"]))
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
