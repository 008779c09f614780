"""`python -m sms_service import units|people FILE`: an office's file from the shell, with what became of its rows."""

from __future__ import annotations

from pathlib import Path

import click


@click.group("import")
def import_() -> None:
    """Read units or people from a CSV or xlsx file."""


_file = click.argument("file", type=click.Path(exists=True, dir_okay=False, readable=True, path_type=Path))
_unit = click.option("--unit", "code", metavar="CODE", help="Touch only the subtree of the unit with this code.")


@import_.command()
@_file
@_unit
def units(file: Path, code: str | None) -> None:
    """The tree of organisations."""
    _import("units", file, code)


@import_.command()
@_file
@_unit
def people(file: Path, code: str | None) -> None:
    """Members and contacts; the tag 不接收短信 opts a phone number out."""
    _import("people", file, code)


def _import(kind: str, file: Path, code: str | None) -> None:
    from sqlalchemy import select

    from sms_service.accounts.actors import SYSTEM
    from sms_service.audience import intake
    from sms_service.cli.context import open_session
    from sms_service.directory.importing import problems_of
    from sms_service.directory.models import ImportProblem, Unit
    from sms_service.directory.units_import import import_units
    from sms_service.errors import NotFound
    from sms_service.masking import mask_quoted, mask_text

    with open_session() as session:
        unit_id = session.scalar(select(Unit.id).where(Unit.code == code)) if code is not None else None
        if code is not None and unit_id is None:
            raise NotFound("unit with the code", code)
        data, name, suppressed = file.read_bytes(), file.name, 0
        if kind == "units":
            record = import_units(session, SYSTEM, data, name, unit_id=unit_id)
        else:
            done = intake.take_in_import(session, SYSTEM, data, name, unit_id=unit_id)
            record, suppressed = done.record, done.suppressed
        for problem in session.scalars(problems_of(record).order_by(ImportProblem.id)):
            treatment = "refused" if problem.refused else "noted"
            value = mask_text(problem.value) if problem.value else ""
            reason = mask_quoted(problem.reason, problem.value)
            click.echo(f"{treatment} row {problem.row} {problem.column} {value!r}: {reason}")
        click.echo(
            f"import {record.id}: {record.rows} rows = {record.created} created + {record.changed} changed"
            f" + {record.unchanged} unchanged + {record.refused} refused; {suppressed} phone numbers newly suppressed"
        )
