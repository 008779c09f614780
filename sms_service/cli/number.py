"""`python -m sms_service number history`: every text to one phone, or why there was none."""

from __future__ import annotations

import click

from sms_service.cli.options import as_anybody, why


@click.group()
def number() -> None:
    """One phone number."""


@number.command()
@click.option("--phone", prompt="Phone number", help="The number; asked for if not given, so that no history has it.")
@why
@click.option("--before", type=click.IntRange(1), metavar="ID", help="Only texts older than the one with this id.")
@as_anybody
def history(phone: str, why: str, before: int | None, login: str | None) -> None:
    """Show every text to a number, newest first, what came back, and its opt-outs."""
    from sms_service.cli.acting import acting
    from sms_service.cli.context import open_session, read_gateways, running_settings
    from sms_service.directory.phones import parse_phone
    from sms_service.ledger.archived import say_archived
    from sms_service.masking import mask_phone, mask_text
    from sms_service.reports.number_history import read_number_history

    gateways = read_gateways(running_settings())
    with open_session() as session:
        found = read_number_history(
            session, acting(session, login), parse_phone("phone", phone), why, gateways, before=before
        )
        click.echo(f"{mask_phone(found.phone)}: {found.number} texts, {found.outside} more outside your scope")
        if found.archived:
            click.echo(f"not among them: {say_archived(found.archived)}")
        for text in found.texts:
            message = text.row.Message
            reason = f" ({message.reason})" if message.reason else ""
            what = mask_text(text.row.campaign or text.row.kind)
            approved = ", ".join(mask_text(given.name or "–") for given in text.approvals) or "–"
            click.echo(
                f"{message.id} {text.run.launched_at} {what} by {text.sender}, approved by {approved}: ", nl=False
            )
            click.echo(f"{message.status}{reason}")
            for event in text.events:
                click.echo(f"    {event.at} {event.said}{f' [{event.code}]' if event.code else ''}")
        for row in found.replies:
            reply = row.ReplyRow
            click.echo(f"{reply.received_at} reply: {mask_text(reply.shown_text or '')} ({reply.meaning})")
        for row in found.stops:
            stop = row.Suppression
            click.echo(f"{stop.created_at} opted out: {stop.reason}, lifted {stop.lifted_at or 'never'}")
        if found.before is not None:
            click.echo(f"older texts: --before {found.before}")
