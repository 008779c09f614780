"""`python -m sms_service reference …`: tables of venues, teachers and the like, of which campaigns pick rows."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sms_service.cli.options import as_anybody, subtree

if TYPE_CHECKING:
    from sms_service.content.list_drafts import ListPlan

list_id = click.argument("list_id", metavar="ID", type=click.IntRange(1))


@click.group()
def reference() -> None:
    """Reference lists of units, and their rows."""


@reference.command()
@click.argument("name")
@click.option("--label", required=True, help="As people call it, such as 场地.")
@subtree
@as_anybody
def add(name: str, label: str, code: str, login: str | None) -> None:
    """Add an empty list that templates call NAME, such as venue."""
    from sms_service.cli.acting import acting, find_unit_id
    from sms_service.cli.context import open_session
    from sms_service.content.lists import add_reference_list

    with open_session() as session:
        made = add_reference_list(session, acting(session, login), find_unit_id(session, code), name, label)
        click.echo(f"reference list {made.id} {made.name} {made.label} is added")


@reference.command("list")
@click.option("--unit", "code", metavar="CODE", help="What this unit and those below it can use.")
@as_anybody
def list_(code: str | None, login: str | None) -> None:
    """List the reference lists, with what templates can name."""
    from sms_service.cli.acting import acting, scope_of
    from sms_service.cli.context import open_session
    from sms_service.content.list_models import ReferenceList
    from sms_service.content.lists import columns_of, find_reference_lists

    with open_session() as session:
        found = find_reference_lists(scope_of(session, acting(session, login), code))
        rows = session.execute(found.order_by(ReferenceList.label, ReferenceList.id)).all()
        for row in rows:
            one, unit = row.ReferenceList, row.Unit
            names = ", ".join(f"{one.name}.{column.name}" for column in columns_of(one))
            click.echo(f"{one.id}: {one.label}, {unit.code} {unit.name}, rows: {row.rows}; {names}")
        if not rows:
            click.echo("there is no reference list")


@reference.command()
@list_id
@click.option("--wanted", default="", help="Only rows that hold this text.")
@as_anybody
def rows(list_id: int, wanted: str, login: str | None) -> None:
    """List the rows of a list, with their ids."""
    from sms_service.cli.acting import acting
    from sms_service.cli.context import open_session
    from sms_service.content.list_models import ReferenceRow
    from sms_service.content.lists import columns_of, find_rows, get_reference_list

    with open_session() as session:
        found, _ = get_reference_list(session, acting(session, login), list_id)
        labels = [(one.name, one.label) for one in columns_of(found)[1:]]
        statement = find_rows(list_id, wanted).order_by(ReferenceRow.place, ReferenceRow.id)
        for row in session.scalars(statement):
            cells = [f"{label} {row.values[name]}" for name, label in labels if name in row.values]
            click.echo(f"{row.id}: {', '.join([row.name, *cells])}")


@reference.command("import")
@list_id
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--apply", "applies", is_flag=True, help="Do it, unless a row cannot be used.")
@as_anybody
def import_(list_id: int, file: Path, applies: bool, login: str | None) -> None:
    """Say what FILE (CSV or xlsx) would change in a list; with --apply make the list what the file says."""
    from sms_service.cli.acting import acting
    from sms_service.cli.context import open_session
    from sms_service.content.list_drafts import apply_list_draft, upload_list_file

    with open_session() as session:
        actor = acting(session, login)
        plan = upload_list_file(session, actor, list_id, file.read_bytes(), file.name)
        _print_plan(plan)
        if plan.refused:
            raise click.ClickException("nothing can be applied: mend these rows")
        if applies:
            found = apply_list_draft(session, actor, list_id, plan.draft_id, plan.version)
            click.echo(f"reference list {found.id} {found.label} is what the file says")


@reference.command()
@list_id
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@as_anybody
def export(list_id: int, file: Path, login: str | None) -> None:
    """Write a list into FILE, which ends in .csv or .xlsx; it can be imported again."""
    from sms_service.cli.acting import acting
    from sms_service.cli.context import open_session
    from sms_service.content.list_files import write_list_file

    with open_session() as session:
        written = write_list_file(session, acting(session, login), list_id, file.suffix.removeprefix("."))
        with written.content, file.open("wb") as target:
            shutil.copyfileobj(written.content, target)
    click.echo(f"{file.name} is written")


@reference.command()
@list_id
@as_anybody
def remove(list_id: int, login: str | None) -> None:
    """Take a list away, with its rows; campaigns keep what they took of it."""
    from sms_service.cli.acting import acting
    from sms_service.cli.context import open_session
    from sms_service.content.lists import remove_reference_list

    with open_session() as session:
        remove_reference_list(session, acting(session, login), list_id)
    click.echo(f"reference list {list_id} is removed")


def _print_plan(plan: ListPlan) -> None:
    counts = f"added: {len(plan.added)}, changed: {len(plan.changed)}, gone: {len(plan.gone)}, same: {plan.same}"
    click.echo(f"{counts}, refused: {len(plan.refused)}")
    for name, cells in plan.changed.items():
        for column, (old, new) in cells.items():
            click.echo(f"changed {name}: {column} {old or '-'} → {new or '-'}")
    for name in plan.gone:
        click.echo(f"gone {name}")
    for one in plan.refused:
        click.echo(f"refused row {one.row}: {one.reason}")
