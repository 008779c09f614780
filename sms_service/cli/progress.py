"""`python -m sms_service campaign progress`: how far the people of a series are."""

from __future__ import annotations

import click

from sms_service.cli.campaigns import campaign_id
from sms_service.cli.options import as_anybody

MOST_SHOWN = 200  # people


@click.command()
@campaign_id
@click.option("--unit", "code", metavar="CODE", help="Only this unit's subtree.")
@click.option("--people", is_flag=True, help=f"By name, those who had least first, at most {MOST_SHOWN}.")
@click.option("--had", type=click.Choice(["all", "behind", "none"]), help="With --people: only these.")
@as_anybody
def progress(campaign_id: int, code: str | None, people: bool, had: str | None, login: str | None) -> None:
    """How far the people of a series are, by unit or by name."""
    from sms_service.cli.acting import acting, find_unit_id
    from sms_service.cli.context import open_session
    from sms_service.masking import mask_phone
    from sms_service.reports.progress import count_progress, describe_readers, find_readers, open_readers

    with open_session() as session:
        unit_id = None if code is None else find_unit_id(session, code)
        readers = open_readers(session, acting(session, login), campaign_id, unit_id)
        click.echo(f"{readers.gone} of {readers.count} texts so far")
        if not people:
            own, below = count_progress(session, readers)
            for line in below if own is None else (own, *below):
                click.echo(
                    f"{line.unit}: {line.people:,} people, {line.had:,} texts, {line.delivered:,} delivered,"
                    f" {line.had_all:,} had all, {line.had_none:,} had none"
                )
            return
        columns = readers.people.c
        statement = find_readers(readers, had).order_by(columns.had, columns.person_id).limit(MOST_SHOWN)
        for one in describe_readers(readers, session.execute(statement).all()):
            last = "nothing yet" if one.last is None else f"last {one.last.item} {one.last.label} on {one.last.day}"
            phone = "no phone" if one.phone is None else mask_phone(one.phone)
            click.echo(
                f"{one.name} ({phone}), {one.unit}: {one.had} texts, {one.delivered} delivered, {last},"
                f" {one.behind} behind"
            )
