"""`python -m sms_service unit-caps …`: how many texts of a class a phone of a unit may get on one day."""

from __future__ import annotations

import click

from sms_service.cli.options import as_anybody, subtree


@click.group("unit-caps")
def unit_caps() -> None:
    """How many texts of a class a phone of a unit may get on one local day."""


@unit_caps.command("list")
@subtree
@as_anybody
def list_(code: str, login: str | None) -> None:
    """List, by class, what counts for the unit's people, and its own cap."""
    from sms_service.cli.acting import acting, find_unit_id
    from sms_service.cli.context import open_session
    from sms_service.controls.unit_caps import list_unit_caps

    with open_session() as session:
        for one in list_unit_caps(session, acting(session, login), find_unit_id(session, code)):
            own = f" (its own cap: {one.own})" if one.own else ""
            click.echo(f"{one.class_}: {f'{one.per_day} a day' if one.per_day else 'any number'}{own}")


@unit_caps.command("set")
@subtree
@click.argument("class_", metavar="CLASS")
@click.argument("per_day", metavar="N", type=click.IntRange(0, 100))
@click.option("--why", required=True, help="Why; it goes into the trail.")
@as_anybody
def set_(code: str, class_: str, per_day: int, why: str, login: str | None) -> None:
    """Let a phone of the unit get at most N texts of a class on one local day; 0 takes the unit's own cap away."""
    from sms_service.cli.acting import acting, find_unit_id
    from sms_service.cli.context import open_session
    from sms_service.controls.unit_caps import set_unit_caps

    with open_session() as session:
        actor = acting(session, login)
        set_unit_caps(session, actor, find_unit_id(session, code), {class_: per_day or None}, why)
    click.echo(f"{class_}: {f'{per_day} a day' if per_day else 'no cap of its own'}")
