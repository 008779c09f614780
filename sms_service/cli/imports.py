"""`python -m sms_service import units|people|recipients FILE`: a file from the shell: checked, shown, and applied."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sms_service.cli.options import as_anybody, why

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
@click.option(
    "--complete-for", "complete_code", metavar="CODE", help="It names all members of this unit: say who is missing."
)
def people(**given: Any) -> None:
    """Members and contacts; the tag 不接收短信 opts a phone number out."""
    _import("people", **given)


@import_.command()
@_options
def recipients(**given: Any) -> None:
    """A list for one campaign: its rows are the audience, its columns values for the text."""
    _import("recipients", **given)


@import_.command()
@click.argument("import_id", type=int)
@click.option("--unit", "code", metavar="CODE", help="Only the subtree of the unit with this code.")
@click.option("--not-proposed", is_flag=True, help="Those who are not proposed any more, with the reason.")
@as_anybody
def missing(import_id: int, code: str | None, not_proposed: bool, login: str | None) -> None:
    """List who is missing from a file that is said to be complete."""
    from sqlalchemy import or_

    from sms_service.cli.acting import acting, scope_of
    from sms_service.cli.context import open_session
    from sms_service.directory.importing import get_import
    from sms_service.directory.models import Person, Unit
    from sms_service.directory.vanished import find_vanished_people

    with open_session() as session:
        actor = acting(session, login)
        record = get_import(session, actor, import_id)
        covers = or_(*(Unit.path.op("^@")(path) for path in scope_of(session, actor, code)))
        found = find_vanished_people(session, record, covers, proposed=not not_proposed).order_by(Person.id)
        rows = session.execute(found).all()
        for row in rows:
            _show_person(row)
        click.echo(f"{len(rows)} people")


@import_.command()
@click.argument("import_id", type=int)
@click.option("--person", "person_ids", type=int, multiple=True, metavar="ID", help="This person; may be repeated.")
@click.option("--all", "everybody", is_flag=True, help="All who are proposed.")
@click.option("--unit", "code", metavar="CODE", help="Only the subtree of the unit with this code.")
@why
@as_anybody
def left(
    import_id: int, person_ids: tuple[int, ...], everybody: bool, code: str | None, why: str, login: str | None
) -> None:
    """Say who has left of those missing from a complete file, once it is applied."""
    from sms_service.cli.acting import acting, find_unit_id
    from sms_service.cli.context import open_session
    from sms_service.directory.importing import get_import
    from sms_service.directory.vanished import mark_vanished_left

    if everybody == bool(person_ids):
        raise click.UsageError("name people by --person, or take --all")
    with open_session() as session:
        actor = acting(session, login)
        record = get_import(session, actor, import_id)
        unit_id = None if code is None else find_unit_id(session, code)
        done = mark_vanished_left(session, actor, record, why, person_ids=person_ids or None, unit_id=unit_id)
        for row in done.named:
            _show_person(row)
        click.echo(f"{done.left} people have left; {done.others} are not proposed any more and stay")


def _show_person(row: Any) -> None:
    from sms_service.masking import mask_phone, mask_text

    phone = mask_phone(row.Person.phone) if row.Person.phone else "no phone"
    why = f": {row.why}" if row.why else ""
    click.echo(f"person {row.Person.id}: {mask_text(row.Person.name)}, {row.Unit.name}, {phone}{why}")


def _import(
    kind: str,
    file: Path,
    code: str | None,
    login: str | None,
    check_only: bool,
    complete_code: str | None = None,
    **choices: Any,
) -> None:
    from sms_service.cli.acting import acting, find_unit_id
    from sms_service.cli.context import open_database
    from sms_service.directory import drafts
    from sms_service.directory.import_models import Import, ImportState

    with open_database() as database:
        with database.session() as session:
            actor = acting(session, login)
            unit_id = None if code is None else find_unit_id(session, code)
            units = {"unit_id": unit_id}
            if complete_code is not None:
                units["complete_for"] = find_unit_id(session, complete_code)
            kept = drafts.upload_import(session, actor, kind, file.read_bytes(), file.name, **units, choices=choices)
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
        if kind == "recipients":
            _show_list(database, checked)
            return
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


def _show_list(database: Database, record: Import) -> None:
    from sqlalchemy import select

    from sms_service.audience.list_models import RecipientList
    from sms_service.masking import mask_text

    counts = f"{record.rows} rows = {record.unchanged} people + {record.created} guests + {record.refused} refused"
    with database.session() as session:
        found = session.scalar(select(RecipientList).where(RecipientList.import_id == record.id))
        made = "" if found is None else f"; list {found.id} {mask_text(found.name)}, segment {found.segment_id}"
    click.echo(f"import {record.id}: {counts}{made}")


def _show_counts(record: Import) -> None:
    would = "" if record.state == "applied" else "would be "
    click.echo(
        f"import {record.id}: {record.rows} rows = {would}{record.created} created + {record.changed} changed"
        f" + {record.moved} moved + {record.unchanged} unchanged + {record.refused} refused;"
        f" {record.suppressed} phone numbers newly suppressed"
    )
    if record.vanishing is not None:
        counts = record.vanishing
        click.echo(
            f"complete: {counts['members']} members = {counts['present']} present + {counts['unclear']} unclear"
            f" ({counts['unclear_rows']} refused rows may mean them) + {counts['vanished']} missing"
        )
