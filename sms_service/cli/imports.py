"""`python -m sms_service import units|people FILE`: an office's file from the shell: checked, shown, and applied."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from sms_service.db.engine import Database
    from sms_service.directory.import_models import Import

LOOK_EVERY_S = 0.5


@click.group("import")
def import_() -> None:
    """Read units or people from a CSV or xlsx file."""


def _options(command: Callable[..., None]) -> Callable[..., None]:
    file = click.Path(exists=True, dir_okay=False, readable=True, path_type=Path)
    for option in (
        click.option("--check-only", is_flag=True, help="Say what the file would do, and write nothing."),
        click.option("--header-row", type=click.IntRange(1, 1000), help="The row of the headers; else as found."),
        click.option("--sheet", help="Of a workbook: the sheet's name."),
        click.option("--delimiter", type=click.Choice([",", ";", "\t"]), help="Of a CSV; else as found."),
        click.option("--encoding", help="Of a CSV: utf-8, gb18030, utf-16; else as found."),
        click.option("--as", "login", metavar="LOGIN", help="As this account; else as the service itself."),
        click.option("--unit", "code", metavar="CODE", help="Touch only the subtree of the unit with this code."),
        click.argument("file", type=file),
    ):
        command = option(command)
    return command


@import_.command()
@_options
def units(**given: Any) -> None:
    """The tree of organisations."""
    _import("units", **given)


@import_.command()
@_options
def people(**given: Any) -> None:
    """Members and contacts; the tag 不接收短信 opts a phone number out."""
    _import("people", **given)


def _import(kind: str, file: Path, code: str | None, login: str | None, check_only: bool, **choices: Any) -> None:
    from sms_service.cli.acting import acting, find_unit_id
    from sms_service.cli.context import open_database
    from sms_service.directory import drafts
    from sms_service.directory.import_models import Import, ImportState

    with open_database() as database:
        with database.session() as session:
            actor = acting(session, login)
            unit_id = None if code is None else find_unit_id(session, code)
            data = file.read_bytes()
            kept = drafts.upload_import(session, actor, kind, data, file.name, unit_id=unit_id, choices=choices)
            import_id = kept.id
        checked = _work(database, import_id)
        if checked.state == ImportState.failed:
            raise click.ClickException(f"file: {checked.said_notice}")
        _show_problems(database, checked)
        if not check_only and checked.rows > checked.refused:
            with database.session() as session:
                actor = acting(session, login)
                drafts.request_apply(session, actor, session.get_one(Import, import_id), checked.version)
            checked = _work(database, import_id)
            if checked.state != ImportState.applied:
                raise click.ClickException(f"nothing was written: {checked.said_notice}")
    _show_counts(checked)


def _work(database: Database, import_id: int) -> Import:
    """The import once it is checked or applied, by this process or by a worker that was quicker."""
    from sms_service.audience.import_work import work_on_import
    from sms_service.directory.import_models import UNDER_WAY_STATES, Import

    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(work_on_import, database.session, import_id)
        while True:
            wait([working], LOOK_EVERY_S)
            with database.session() as session:
                record = session.get_one(Import, import_id)
            if record.state not in UNDER_WAY_STATES:
                working.result()
                return record
            if sys.stderr.isatty():
                click.echo(f"\r{record.state}, {record.progress} rows read ", err=True, nl=False)
            if working.done():
                working.result()
                time.sleep(LOOK_EVERY_S)
                working = pool.submit(work_on_import, database.session, import_id)


def _show_problems(database: Database, record: Import) -> None:
    from sms_service.directory.import_models import ImportProblem
    from sms_service.directory.importing import problems_of
    from sms_service.masking import mask_quoted, mask_text

    with database.session() as session:
        found = problems_of(record).order_by(ImportProblem.row, ImportProblem.id)
        for problem in session.scalars(found.execution_options(yield_per=1000)):
            treatment = "refused" if problem.refused else "noted"
            value = mask_text(problem.value) if problem.value else ""
            reason = mask_quoted(problem.said, problem.value)
            click.echo(f"{treatment} row {problem.row} {problem.column} {value!r}: {reason}")


def _show_counts(record: Import) -> None:
    would = "" if record.state == "applied" else "would be "
    click.echo(
        f"import {record.id}: {record.rows} rows = {would}{record.created} created + {record.changed} changed"
        f" + {record.moved} moved + {record.unchanged} unchanged + {record.refused} refused;"
        f" {record.suppressed} phone numbers newly suppressed"
    )
