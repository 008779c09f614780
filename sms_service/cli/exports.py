"""`python -m sms_service export`: rows of the ledger into a file, at once and in this process."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, Unpack

import click

from sms_service.cli.ledger_rows import RowsAsked, asks_rows, find_rows
from sms_service.cli.options import as_anybody


class _How(NamedTuple):
    format: str
    bom: bool
    asked: dict[str, str]


@click.command("export")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@asks_rows
@click.option("--columns", metavar="NAMES", help="Which columns, with commas, in this order.")
@click.option("--bom/--no-bom", default=True, help="CSV begins with a byte order mark, for Excel.")
@click.option("--language", default="zh", show_default=True, help="Of headers and words: zh or en.")
@click.option("--whole-phones", is_flag=True, help="Whole phone numbers; needs --why.")
@click.option("--why", help="What whole numbers are for; it goes into the trail.")
@as_anybody
def export_(
    file: Path,
    columns: str | None,
    bom: bool,
    language: str,
    whole_phones: bool,
    why: str | None,
    login: str | None,
    **asked: Unpack[RowsAsked],
) -> None:
    """Write rows of the ledger into FILE, a new .xlsx or .csv."""
    from sqlalchemy.orm import Session

    from sms_service.cli.acting import acting
    from sms_service.cli.context import open_database, read_gateways, running_settings
    from sms_service.errors import Invalid
    from sms_service.reports.export_rows import DEFAULT_COLUMNS, RowsSpec
    from sms_service.reports.export_work import open_private, write_ledger, zone_of
    from sms_service.reports.exports import ExportChoice, check_choice, note_export
    from sms_service.web.words import find_wording

    if file.exists():
        raise Invalid("FILE", str(file), "is there already; name a new file")
    names = tuple(name for name in columns.split(",") if name) if columns else DEFAULT_COLUMNS
    choice = ExportChoice(names, file.suffix.removeprefix("."), bom, language, whole_phones, why)
    prices = read_gateways(running_settings()).prices()
    part = file.with_name(f"{file.name}.part")
    with open_database() as database:
        with database.session() as session:
            actor = acting(session, login)
            rows, named = find_rows(session, actor, asked)
            check_choice(actor, rows, choice)
            note_export(session, actor, "shell", rows, named, choice)
        try:
            with database.one_snapshot() as snapshot, open_private(part) as output:
                spec = RowsSpec(rows, names, whole_phones, prices, zone_of(Session(snapshot), rows))
                how = _How(choice.format, bom, named)
                written = write_ledger(snapshot, output, spec, actor, find_wording(language), how)
            part.rename(file)
        finally:
            part.unlink(missing_ok=True)
    click.echo(f"{file}: {written.rows} rows as of {written.as_of:%Y-%m-%d %H:%M:%S} UTC")
    click.echo(f"SHA-256 {written.digest.hex()}")
    click.echo(f"head of the trail {written.head or 'none yet'}")
