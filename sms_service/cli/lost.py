"""`python -m sms_service lost …`: people whom texts do not reach, and what their branches found out."""

from __future__ import annotations

import click

from sms_service.cli.options import as_anybody


@click.group()
def lost() -> None:
    """People whom texts do not reach."""


@lost.command("list")
@click.option("--unit", "code", metavar="CODE", help="Only the subtree of the unit with this code.")
@click.option("--answered", is_flag=True, help="Those that are closed.")
@as_anybody
def list_(code: str | None, answered: bool, login: str | None) -> None:
    """List them, those asked for longest first."""
    from sms_service.cli.acting import acting, scope_of
    from sms_service.cli.context import open_session
    from sms_service.delivery.lost_checks import find_checks
    from sms_service.delivery.models import LostCheck
    from sms_service.masking import mask_phone, mask_text

    with open_session() as session:
        paths = scope_of(session, acting(session, login), code)
        rows = session.execute(find_checks(paths, answered=answered).order_by(LostCheck.id)).all()
        for row in rows:
            check, phone = row.LostCheck, mask_phone(row.Person.phone) if row.Person.phone else "no phone"
            line = f"check {check.id}: {mask_text(row.Person.name)}, {row.unit}, {phone}: {check.cause}"
            ended = f"; {check.answer} by {row.login or 'the service'}" if check.answer else ""
            click.echo(f"{line}, {check.campaigns} campaigns, since {check.opened_at:%Y-%m-%d}{ended}")
        click.echo(f"{len(rows)} people")


@lost.command()
@click.argument("check_id", type=int)
@click.argument("answer", type=click.Choice(["found", "new_number", "moved_away", "lost"]))
@click.option("--phone", help="The new number, with new_number.")
@as_anybody
def answer(check_id: int, answer: str, phone: str | None, login: str | None) -> None:
    """Say where somebody is, which closes the check."""
    from sms_service.cli.acting import acting
    from sms_service.cli.context import open_session
    from sms_service.delivery.lost_checks import answer_check

    with open_session() as session:
        answer_check(session, acting(session, login), check_id, answer, phone)
        click.echo(f"check {check_id}: {answer}")


@lost.command()
@click.option("--unit", "code", metavar="CODE", required=True, help="The unit with this code.")
@as_anybody
def counts(code: str, login: str | None) -> None:
    """Count by the units right below one, each with all below it."""
    from sms_service.cli.acting import acting, find_unit_id
    from sms_service.cli.context import open_session
    from sms_service.delivery.lost_checks import count_checks

    with open_session() as session:
        found = count_checks(session, acting(session, login), find_unit_id(session, code))
        for unit in found:
            ended = ", ".join(f"{number} {word}" for word, number in sorted(unit.answers.items()))
            click.echo(f"{unit.name}: {unit.open} open{'; ' + ended if ended else ''}")
        click.echo(f"{sum(unit.open for unit in found)} open")
