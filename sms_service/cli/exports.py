"""`python -m sms_service export`: rows of the ledger into a file, at once and in this process."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import click

from sms_service.cli.options import as_anybody

_day = click.DateTime(["%Y-%m-%d"])


class _How(NamedTuple):
    format: str
    bom: bool
    asked: dict[str, str]


@click.command("export")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--unit", "code", metavar="CODE", help="Only this unit's subtree.")
@click.option("--campaign", "campaign_id", type=click.IntRange(1), metavar="N", help="Only this campaign.")
@click.option("--run", "run_id", type=click.IntRange(1), metavar="N", help="Only this run.")
@click.option("--since", type=_day, metavar="DAY", help="Only runs launched on this local day or later.")
@click.option("--until", type=_day, metavar="DAY", help="Only runs launched on this local day or earlier.")
@click.option("--status", help="Only messages of this status.")
@click.option("--columns", metavar="NAMES", help="Which columns, with commas, in this order.")
@click.option("--bom/--no-bom", default=True, help="CSV begins with a byte order mark, for Excel.")
@click.option("--language", default="zh", show_default=True, help="Of headers and words: zh or en.")
@click.option("--whole-phones", is_flag=True, help="Whole phone numbers; needs --why.")
@click.option("--why", help="What whole numbers are for; it goes into the trail.")
@as_anybody
def export_(
    file: Path,
    code: str | None,
    campaign_id: int | None,
    run_id: int | None,
    since: datetime | None,
    until: datetime | None,
    status: str | None,
    columns: str | None,
    bom: bool,
    language: str,
    whole_phones: bool,
    why: str | None,
    login: str | None,
) -> None:
    """Write rows of the ledger into FILE, a new .xlsx or .csv."""
    import hashlib

    from sqlalchemy.orm import Session

    from sms_service.cli.acting import acting, scope_of
    from sms_service.cli.context import open_database, running_settings
    from sms_service.errors import Invalid
    from sms_service.gateways.registry import Gateways
    from sms_service.ledger.states import MessageStatus
    from sms_service.reports.export_rows import DEFAULT_COLUMNS, RowsSpec
    from sms_service.reports.export_work import open_private, write_ledger, zone_of
    from sms_service.reports.exports import ExportChoice, check_choice, note_export
    from sms_service.reports.filters import Filter
    from sms_service.reports.messages import check_named
    from sms_service.web.words import find_wording

    if file.exists():
        raise Invalid("FILE", str(file), "is there already; name a new file")
    if status is not None and status not in [*MessageStatus]:
        raise Invalid("--status", status, f"must be one of {', '.join(MessageStatus)}")
    names = tuple(name for name in columns.split(",") if name) if columns else DEFAULT_COLUMNS
    choice = ExportChoice(names, file.suffix.removeprefix("."), bom, language, whole_phones, why)
    given: dict[str, object] = {"unit": code, "campaign": campaign_id, "run": run_id, "status": status}
    given |= {"since": since and since.date(), "until": until and until.date()}
    asked = {name: str(value) for name, value in given.items() if value is not None}
    settings = running_settings()
    prices = Gateways.from_file(settings.gateways_file, settings.public_url).prices()
    part = file.with_name(f"{file.name}.part")
    with open_database() as database:
        with database.session() as session:
            actor = acting(session, login)
            rows = Filter(
                scope_of(session, actor, code),
                campaign_id=campaign_id,
                run_id=run_id,
                since=since.date() if since else None,
                until=until.date() if until else None,
                status=status,
            )
            check_named(session, actor, rows)
            check_choice(actor, rows, choice)
            note_export(session, actor, "shell", rows, asked, choice)
        try:
            with database.one_snapshot() as snapshot, open_private(part) as output:
                spec = RowsSpec(rows, names, whole_phones, prices, zone_of(Session(snapshot), rows))
                how = _How(choice.format, bom, asked)
                written = write_ledger(snapshot, output, spec, actor, find_wording(language), how)
            part.rename(file)
        finally:
            part.unlink(missing_ok=True)
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    click.echo(f"{file}: {written.rows} rows as of {written.as_of:%Y-%m-%d %H:%M:%S} UTC")
    click.echo(f"SHA-256 {digest}")
    click.echo(f"head of the trail {written.head or 'none yet'}")
