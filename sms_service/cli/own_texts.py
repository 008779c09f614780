"""`python -m sms_service tasks` and `try`: what waits for an account, and a campaign's text on its own phone."""

from __future__ import annotations

import click

from sms_service.cli.options import as_anybody


@click.command("tasks")
@as_anybody
def tasks_(login: str | None) -> None:
    """Say what waits for the account, each kind in one line with since when the oldest waits."""
    from sms_service.cli.acting import acting
    from sms_service.cli.context import open_session
    from sms_service.reports.tasks import list_tasks

    with open_session() as session:
        found = list_tasks(session, acting(session, login))
        for one in found:
            since = f", the oldest since {one.oldest:%Y-%m-%d %H:%M %Z}" if one.oldest else ""
            click.echo(f"{one.kind}: {one.number}{since}")
        click.echo(f"{sum(one.number for one in found)} in all")


@click.command("try")
@click.argument("campaign_id", type=click.IntRange(1), metavar="CAMPAIGN")
@click.option("--person", "person_id", type=click.IntRange(1), metavar="ID", help="As this person would get it.")
@click.option(
    "--item", type=click.IntRange(1), metavar="NUMBER", help="This text of its schedule; by default the next."
)
@as_anybody
def try_(campaign_id: int, person_id: int | None, item: int | None, login: str | None) -> None:
    """Send a campaign's text to the account's own confirmed phone, and to nobody else."""
    from sms_service.cli.acting import acting
    from sms_service.cli.context import open_session
    from sms_service.masking import mask_phone, mask_text
    from sms_service.own_texts.trying import try_campaign

    with open_session() as session:
        sent = try_campaign(session, acting(session, login), campaign_id, person_id, item)
    click.echo(f"message {sent.message_id} to {mask_phone(sent.phone)} (parts: {sent.parts}): {mask_text(sent.text)}")
