"""`python -m sms_service person …`: what is held about one person, and its erasure."""

from __future__ import annotations

import click

from sms_service.cli.options import as_anybody

_id = click.argument("person_id", metavar="ID", type=click.IntRange(1))
_why = click.option("--why", required=True, help="Why; it goes into the trail. Write no name and no number.")


@click.group()
def person() -> None:
    """One person's data."""


@person.command()
@_id
@_why
@as_anybody
def export(person_id: int, why: str, login: str | None) -> None:
    """Print everything that is held about a person as JSON, with whole phones and texts."""
    import json

    from sms_service.cli.acting import acting
    from sms_service.cli.context import open_session
    from sms_service.personal.own_data import collect_own_data

    with open_session() as session:
        found = collect_own_data(session, acting(session, login), person_id, why)
    click.echo(json.dumps(found, ensure_ascii=False, indent=2))


@person.command()
@_id
@_why
@as_anybody
@click.option("--yes", is_flag=True, help="Do it; without this, only say what it would do.")
def erase(person_id: int, why: str, login: str | None, yes: bool) -> None:
    """Erase a person for good: name, numbers, attributes, texts, replies and receipts. Counts stay."""
    from sms_service.cli.acting import acting
    from sms_service.cli.context import open_session
    from sms_service.personal.erasure import erase_person, foresee_erasure

    with open_session() as session:
        actor = acting(session, login)
        if not yes:
            found = foresee_erasure(session, actor, person_id)
            click.echo(
                f"it would empty {found.texts} texts; {found.waiting} of them wait and would not be sent, "
                f"{found.awaited} are on their way; do it with --yes"
            )
            return
        done = erase_person(session, actor, person_id, why)
    click.echo(
        f"person {person_id} is erased: {done.texts} texts and {done.replies} replies emptied, "
        f"{done.cancelled} texts not sent"
    )
