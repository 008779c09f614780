"""`python -m sms_service stop|stops|release`: stop everything, and let it go on."""

from __future__ import annotations

from typing import Any

import click

from sms_service.cli.options import as_anybody, why


@click.command()
@click.option("--unit", "code", metavar="CODE", help="The unit with this code, and all below it.")
@click.option("--city", is_flag=True, help="Everything: every unit without a parent.")
@click.option("--gateway", "name", metavar="NAME", help="The gateway account with this name.")
@why
@as_anybody
def stop(code: str | None, city: bool, name: str | None, why: str, login: str | None) -> None:
    """Let no further text leave, of a unit, of the whole city or through a gateway account, until it is released."""
    from sqlalchemy import select

    from sms_service.cli.acting import acting, find_unit_id
    from sms_service.cli.context import open_session
    from sms_service.controls import stops
    from sms_service.directory.models import Unit

    if (code is not None) + city + (name is not None) != 1:
        raise click.UsageError("give one of --unit, --city and --gateway")
    with open_session() as session:
        actor = acting(session, login)
        if name is not None:
            done = [stops.stop_gateway_account(session, actor, name, why)]
        else:
            tops = select(Unit.id).where(Unit.parent_id.is_(None)).order_by(Unit.id)
            units = [find_unit_id(session, code)] if code is not None else session.scalars(tops).all()
            done = [stops.stop_unit(session, actor, unit_id, why) for unit_id in units]
        for stop_id, made in done:
            click.echo(f"{_line(stops.get_stop(session, actor, stop_id))}{'' if made else ' (stopped already)'}")
        if not done:
            click.echo("there is no unit yet")


@click.command("stops")
@click.option("--released", is_flag=True, help="Also those that are released.")
@as_anybody
def stops_(released: bool, login: str | None) -> None:
    """List what is stopped, newest first."""
    from sms_service.cli.acting import acting, scope_of
    from sms_service.cli.context import open_session
    from sms_service.controls import stops
    from sms_service.controls.models import Stop

    with open_session() as session:
        statement = stops.find_stops(scope_of(session, acting(session, login), None), released=released)
        lines = [_line(stops.describe_stop(row)) for row in session.execute(statement.order_by(Stop.id.desc()))]
    click.echo("\n".join(lines) if lines else "nothing is stopped")


@click.command()
@click.argument("stop_id", metavar="ID", type=click.IntRange(1))
@why
@as_anybody
def release(stop_id: int, why: str, login: str | None) -> None:
    """Release a stop: texts leave again, unless another stop reaches them."""
    from sms_service.cli.acting import acting
    from sms_service.cli.context import open_session
    from sms_service.controls import stops

    with open_session() as session:
        actor = acting(session, login)
        stops.release_stop(session, actor, stop_id, why)
        click.echo(_line(stops.get_stop(session, actor, stop_id)))


def _line(stop: Any) -> str:
    what = (
        f"unit {stop['unit_code']} {stop['unit']}" if stop["unit_id"] else f"gateway account {stop['gateway_account']}"
    )
    line = (
        f"stop {stop['id']}: {what}, {stop['stopped_at']:%Y-%m-%d %H:%M %Z}, {stop['stopped_by_login'] or 'the shell'}"
    )
    line += f": {stop['why']}"
    if stop["released_at"] is not None:
        line += f"; released {stop['released_at']:%Y-%m-%d %H:%M %Z}, {stop['released_by_login'] or 'the shell'}"
        line += f": {stop['release_why']}"
    return line
