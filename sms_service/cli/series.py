"""`python -m sms_service series …`: many texts in their order, one a day."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sms_service.cli.campaigns import campaign_id, read_pair
from sms_service.cli.options import as_anybody, as_somebody

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from sms_service.accounts.actors import Actor

_number = click.argument("number", type=click.IntRange(1))
_LABEL = click.option("--label", help="What people call it.")
_TEXT = click.option("--text", help="Fills the only variable that neither people nor the campaign have.")
_VALUES = click.option("--value", "pairs", multiple=True, metavar="NAME=TEXT", help="A variable; may be given again.")
_VERSION = click.option(
    "--version", "version_id", type=int, metavar="ID", help="A version of a template: its own text."
)


@click.group()
def series() -> None:
    """Series: a text a day, from a file, on working days."""


@series.command()
@campaign_id
@as_somebody
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--first", metavar="DAY", required=True, help="The day from which it goes, such as 2026-12-01.")
@click.option("--at", default="08:30", show_default=True, metavar="CLOCK", help="The time of day.")
@click.option("--days", default="working", show_default=True, help="working, all, or days such as MO,WE,FR.")
@click.option("--late", default="today", show_default=True, help="Who joins later gets today's text, or the first.")
@click.option("--dry-run", is_flag=True, help="Only say what would be set.")
def plan(campaign_id: int, login: str, file: Path, dry_run: bool, **rule: Any) -> None:
    """Make a draft a series of the texts in FILE (xlsx, CSV or txt), unless a cell of it cannot be taken."""
    from sms_service.cli.acting import acting
    from sms_service.cli.context import open_session
    from sms_service.schedules.series_files import read_series_file
    from sms_service.schedules.series_planning import set_series

    with open_session() as session:
        actor = acting(session, login)
        read = read_series_file(session, actor, campaign_id, file.read_bytes(), file.name)
        for one in read.refused:
            click.echo(f"row {one.row}, {one.column}: {one.value or '—'}: {one.reason}", err=True)
        if read.refused or dry_run:
            click.echo(f"{len(read.rows)} texts are read; nothing is set")
            raise SystemExit(1 if read.refused else 0)
        set_series(session, actor, campaign_id, rule, read.rows)
        _print(session, actor, campaign_id)


@series.command()
@campaign_id
@as_somebody
@click.option("--after", type=click.IntRange(0), required=True, help="The position behind which it goes; 0: first.")
@_LABEL
@_TEXT
@_VALUES
@_VERSION
def insert(
    campaign_id: int,
    login: str,
    after: int,
    label: str | None,
    text: str | None,
    pairs: tuple[str, ...],
    version_id: int | None,
) -> None:
    """Put a text into a series, also while it runs; it then waits until it is approved."""
    from sms_service.schedules.series_editing import insert_text
    from sms_service.schedules.series_planning import SeriesRow

    row = SeriesRow(dict(read_pair(pair) for pair in pairs), text, label, version_id)
    _edit(campaign_id, login, lambda session, actor: insert_text(session, actor, campaign_id, after, row))


@series.command()
@campaign_id
@_number
@as_somebody
@click.option("--to", "position", type=click.IntRange(1), required=True, help="The position, from 1.")
def move(campaign_id: int, number: int, login: str, position: int) -> None:
    """Let the text of this NUMBER stand at another position; it needs no other decision."""
    from sms_service.schedules.series_editing import move_text

    _edit(campaign_id, login, lambda session, actor: move_text(session, actor, campaign_id, number, position))


@series.command()
@campaign_id
@_number
@as_somebody
@_LABEL
@_TEXT
@_VALUES
@_VERSION
def correct(
    campaign_id: int, number: int, login: str, pairs: tuple[str, ...], version_id: int | None, **given: str | None
) -> None:
    """Change the text of this NUMBER; while the series runs it waits, it alone, until it is approved."""
    from sms_service.schedules.series_editing import correct_text

    changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    changes |= {"values": dict(read_pair(pair) for pair in pairs)} if pairs else {}
    changes |= {} if version_id is None else {"template_version_id": version_id}
    _edit(campaign_id, login, lambda session, actor: correct_text(session, actor, campaign_id, number, changes))


@series.command()
@campaign_id
@_number
@as_somebody
@click.option("--take-back", is_flag=True, help="It goes after all.")
def skip(campaign_id: int, number: int, login: str, take_back: bool) -> None:
    """Let the text of this NUMBER not go; the others move up."""
    from sms_service.schedules.series_editing import skip_text

    _edit(
        campaign_id, login, lambda session, actor: skip_text(session, actor, campaign_id, number, skipped=not take_back)
    )


@series.command()
@campaign_id
@as_anybody
def show(campaign_id: int, login: str | None) -> None:
    """Show a series: its texts in their order, with their days and runs."""
    from sms_service.cli.acting import acting
    from sms_service.cli.context import open_session

    with open_session() as session:
        _print(session, acting(session, login), campaign_id)


def _edit(campaign_id: int, login: str, act: Callable[[Session, Actor], object]) -> None:
    """Act on a series in one transaction, then show it."""
    from sms_service.cli.acting import acting
    from sms_service.cli.context import open_session

    with open_session() as session:
        actor = acting(session, login)
        act(session, actor)
        _print(session, actor, campaign_id)


def _print(session: Session, actor: Actor, campaign_id: int) -> None:
    from sms_service.schedules.series_viewing import view_series

    found = view_series(session, actor, campaign_id)
    went = f", {found['went']} of {len(found['items'])} went" if found["went"] else f", {len(found['items'])} texts"
    click.echo(f"campaign {campaign_id} is {found['status']}: {found['said']}{went}")
    for item in found["items"]:
        at = item["next_at"] or item["fired_at"]
        words = ["is skipped" if item["skipped"] else f"{at:%Y-%m-%d %H:%M}" if at else "comes no more"]
        words += [f"run {run.id} {run.status}, {run.left} of {run.people} left" for run in item["runs"]]
        click.echo(f"  {item['position']}. {item['label']} (item {item['number']}): {'; '.join(words)}")
    if found["warning"]:
        click.echo(f"  {found['warning']}")
    if found["undecided"]:
        click.echo("  what was put in or corrected waits until somebody approves it")
