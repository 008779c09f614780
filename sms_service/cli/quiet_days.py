"""`python -m sms_service quiet-days …`: a calendar of days on which texts do not leave."""

from __future__ import annotations

from typing import IO

import click

from sms_service.cli.options import as_anybody


@click.group("quiet-days")
def quiet_days() -> None:
    """Days on which texts of some classes do not leave."""


@quiet_days.command("list")
@as_anybody
def list_(login: str | None) -> None:
    """List the coming ones, by date."""
    from sms_service.cli.acting import acting, scope_of
    from sms_service.cli.context import open_session
    from sms_service.controls.models import QuietDay
    from sms_service.controls.quiet_days import find_quiet_days

    with open_session() as session:
        statement = find_quiet_days(scope_of(session, acting(session, login), None))
        rows = session.execute(statement.order_by(QuietDay.day, QuietDay.id)).all()
        for row in rows:
            one = row.QuietDay
            click.echo(f"{one.id}: {one.day} {one.name}, {row.Unit.code} {row.Unit.name}: {', '.join(one.classes)}")
        if not rows:
            click.echo("no day is quiet")


@quiet_days.command("set")
@click.argument("calendar", metavar="FILE", type=click.File(encoding="utf-8-sig"))
@click.option("--unit", "code", metavar="CODE", required=True, help="The unit with this code, and all below it.")
@click.option("--class", "classes", metavar="CLASS", multiple=True, help="Study, invitation and survey without it.")
@as_anybody
def set_(calendar: IO[str], code: str, classes: tuple[str, ...], login: str | None) -> None:
    """Read days from FILE (`-`: standard input), a line for each: 2027-04-05 清明节, or with a last day:
    2027-02-05 至 2027-02-11 春节.
    """
    from sms_service.cli.acting import acting, find_unit_id
    from sms_service.cli.context import open_session
    from sms_service.controls.quiet_days import USUAL_CLASSES, read_calendar, set_quiet_days

    with open_session() as session:
        actor = acting(session, login)
        days = read_calendar(calendar.read())
        made = set_quiet_days(session, actor, find_unit_id(session, code), days, classes or USUAL_CLASSES)
        click.echo(f"{len(made)} days are quiet")


@quiet_days.command("remove")
@click.argument("quiet_day_id", metavar="ID", type=click.IntRange(1))
@as_anybody
def remove(quiet_day_id: int, login: str | None) -> None:
    """Let texts leave on that day again."""
    from sms_service.cli.acting import acting
    from sms_service.cli.context import open_session
    from sms_service.controls.quiet_days import remove_quiet_day

    with open_session() as session:
        remove_quiet_day(session, acting(session, login), quiet_day_id)
        click.echo(f"quiet day {quiet_day_id} is removed")
