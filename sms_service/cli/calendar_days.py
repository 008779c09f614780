"""`python -m sms_service calendar-days …`: holidays and swapped working days, by which series know the working days."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sms_service.cli.options import as_anybody, subtree

if TYPE_CHECKING:
    from sms_service.schedules.calendar_days import CalendarPlan
    from sms_service.schedules.calendar_files import ReadCalendar

year_argument = click.argument("year", type=int)


@click.group("calendar-days")
def calendar_days() -> None:
    """Holidays, and Saturdays and Sundays on which people work instead."""


@calendar_days.command("list")
@year_argument
@subtree
@as_anybody
def list_(year: int, code: str, login: str | None) -> None:
    """List the YEAR as it holds for a unit: what it says itself, and what units above it say."""
    from sms_service.cli.acting import acting, find_unit_id
    from sms_service.cli.context import open_session
    from sms_service.schedules.calendar_days import group_entries
    from sms_service.schedules.calendar_years import get_calendar_year

    with open_session() as session:
        found = get_calendar_year(session, acting(session, login), find_unit_id(session, code), year)
        for one in found.held:
            (span,) = group_entries([one.entry])
            click.echo(f"{one.id}: {span.write()}, {one.unit.code} {one.unit.name}")
        click.echo(f"{year}: {found.working_days} working days")
        if found.warning:
            click.echo(found.warning)


@calendar_days.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@subtree
@click.option("--year", type=int, help="Of days that name none, such as 2月5日.")
@click.option("--apply", "applies", is_flag=True, help="Set them, unless a row cannot be read.")
@as_anybody
def import_(file: Path, code: str, year: int | None, applies: bool, login: str | None) -> None:
    """Say what FILE would set; with --apply set it.

    FILE is an xlsx or CSV file with the columns 日期, 名称, 安排 (放假 or 上班) and, where rows are for several days,
    结束日期; or a text file (.txt) with lines such as 2027-02-05 至 2027-02-11 春节 放假.
    """
    from sms_service.cli.acting import acting, find_unit_id
    from sms_service.cli.context import open_session
    from sms_service.schedules.calendar_days import plan_calendar_days, set_calendar_days
    from sms_service.schedules.calendar_files import read_calendar_file

    with open_session() as session:
        actor, unit_id = acting(session, login), find_unit_id(session, code)
        read = read_calendar_file(file.read_bytes(), file.name, year)
        if read.refused:
            _print_refused(read)
            raise click.ClickException("nothing can be set: mend these rows")
        _print_plan(plan_calendar_days(session, actor, unit_id, read.entries))
        if applies:
            made = set_calendar_days(session, actor, unit_id, read.entries)
            click.echo(f"{len(made)} days are set")


@calendar_days.command("take-over")
@year_argument
@subtree
@as_anybody
def take_over(year: int, code: str, login: str | None) -> None:
    """Set the official holidays and swapped working days of a YEAR that the service knows."""
    from sms_service.cli.acting import acting, find_unit_id
    from sms_service.cli.context import open_session
    from sms_service.schedules.official_years import take_over_year

    with open_session() as session:
        made = take_over_year(session, acting(session, login), find_unit_id(session, code), year)
        click.echo(f"{len(made)} days are set")


@calendar_days.command("remove")
@click.argument("calendar_day_id", metavar="ID", type=click.IntRange(1))
@as_anybody
def remove(calendar_day_id: int, login: str | None) -> None:
    """Remove one entry."""
    from sms_service.cli.acting import acting
    from sms_service.cli.context import open_session
    from sms_service.schedules.calendar_days import remove_calendar_day

    with open_session() as session:
        gone = remove_calendar_day(session, acting(session, login), calendar_day_id)
        click.echo(f"{gone.day} {gone.name} is removed")


@calendar_days.command("clear")
@year_argument
@subtree
@as_anybody
def clear(year: int, code: str, login: str | None) -> None:
    """Remove all entries of a YEAR that the unit itself has."""
    from sms_service.cli.acting import acting, find_unit_id
    from sms_service.cli.context import open_session
    from sms_service.schedules.calendar_days import clear_calendar_days, span_of_year

    with open_session() as session:
        span = span_of_year(year)
        gone = clear_calendar_days(session, acting(session, login), find_unit_id(session, code), span)
        click.echo(f"{len(gone)} days are removed")


def _print_plan(plan: CalendarPlan) -> None:
    from sms_service.schedules.calendar_days import group_entries

    click.echo(f"added: {len(plan.added)}, changed: {len(plan.changed)}, same: {len(plan.same)}")
    for word, entries in (("added", plan.added), ("changed", plan.changed)):
        for span in group_entries(entries):
            click.echo(f"{word} {span.write()}")


def _print_refused(read: ReadCalendar) -> None:
    for one in read.refused:
        click.echo(f"refused row {one.row}, {one.value}: {one.reason}")
