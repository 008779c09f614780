"""`python -m sms_service campaign outlook`: what will happen if a campaign is sent."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

import click

from sms_service.cli.campaigns import campaign_id, read_moment
from sms_service.cli.options import as_anybody

if TYPE_CHECKING:
    from sms_service.campaigns.outlook import Outlook


@click.command()
@campaign_id
@as_anybody
@click.option("--at", metavar="TIME", callback=read_moment, help="When: ISO 8601 with offset; by default as planned.")
def outlook(campaign_id: int, login: str | None, at: datetime | None) -> None:
    """Print whom a campaign would reach, who would get no text and why, what it costs and when it is through."""
    from sms_service.campaigns.outlook import foresee_run
    from sms_service.cli.acting import acting
    from sms_service.cli.context import open_session, read_gateways, running_settings

    gateways = read_gateways(running_settings())
    with open_session() as session:
        found = foresee_run(session, acting(session, login), campaign_id, gateways.rates(), gateways.prices(), at)
    for line in _lines(found):
        click.echo(line)


def _lines(found: Outlook) -> Iterator[str]:
    from sms_service.masking import mask_text

    yield f"{found.phones} of {found.people} people get a text"
    for reason, number in found.skipped.items():
        names = ", ".join(mask_text(one.name) for one in found.named.get(reason, ()))
        yield f"  {reason}: {number}{f' ({names})' if names else ''}"
    for unit in found.units:
        yield f"  {unit.name}: {unit.people} people, {unit.textable} of them without a reason against it"
    if found.parts is not None:
        cost = "" if found.cost_fen is None else f", {found.cost_fen / 100:.2f} yuan"
        yield f"parts: {'' if found.exact else 'about '}{found.parts}{cost}"
    if found.begins is not None:
        yield f"begins {found.begins.isoformat()}, through {found.through and found.through.isoformat()}"
    for one in found.texts:
        yield f"to {mask_text(one.person)}, {one.unit} (parts: {one.parts}): {mask_text(one.text)}"
    for warned in found.warnings:
        yield f"caution [{warned.caution}]: {warned.text}"
