"""`python -m sms_service quota …`: what the runs of a unit may take in a month."""

from __future__ import annotations

from datetime import datetime

import click

from sms_service.cli.options import MONTH, as_anybody, subtree, why

month_option = click.option("--month", metavar="MONTH", type=MONTH, help="As 2026-12. Without it: the present one.")
every_month = click.option("--month", metavar="MONTH", type=MONTH, help="As 2026-12. Without it: every month.")


@click.group("quota")
def quota() -> None:
    """How many people, parts and how much money the runs of a unit may take in a month."""


@quota.command("list")
@subtree
@month_option
@as_anybody
def list_(code: str, month: datetime | None, login: str | None) -> None:
    """List the quotas of the unit and of all below it, with what is planned, used and left."""
    from sqlalchemy import func

    from sms_service.campaigns.quotas import find_month, find_quotas, read_standing
    from sms_service.cli.acting import acting, find_unit_id
    from sms_service.cli.context import open_session
    from sms_service.directory.models import Unit
    from sms_service.directory.units import get_unit
    from sms_service.ledger.quotas import QuotaKind

    with open_session() as session:
        unit = get_unit(session, acting(session, login), find_unit_id(session, code))
        day = month.date() if month else find_month(session, unit)
        rows = session.execute(find_quotas([unit.path], day).order_by(func.length(Unit.path), Unit.path)).all()
        for one in map(read_standing, rows):
            click.echo(f"{one.unit}, {one.month:%Y-%m}{' (every month)' if one.standing else ''}:")
            for kind, most, planned, used in zip(QuotaKind, one.most, one.planned, one.used, strict=True):
                left = "no limit" if most is None else f"{one.left(kind):,} of {most:,} left"
                over = f", {one.over(kind):,} over" if one.over(kind) else ""
                click.echo(f"  {kind}: {planned:,} planned, {used:,} used, {left}{over}")
        if not rows:
            click.echo("no quota")


@quota.command("set")
@subtree
@every_month
@click.option("--people", type=click.IntRange(0), help="People who get a text.")
@click.option("--parts", type=click.IntRange(0), help="Parts of texts.")
@click.option("--fen", type=click.IntRange(0), help="Money, in fen.")
@click.option(
    "--level", type=click.Choice(["district", "street", "branch"]), help="For each unit of it below the unit."
)
@why
@as_anybody
def set_(
    code: str,
    month: datetime | None,
    people: int | None,
    parts: int | None,
    fen: int | None,
    level: str | None,
    why: str,
    login: str | None,
) -> None:
    """Set a quota; a limit that is not given is none. It takes the right to manage the unit above."""
    from sms_service.campaigns.quota_setting import set_quota
    from sms_service.cli.acting import acting, find_unit_id
    from sms_service.cli.context import open_session

    with open_session() as session:
        limits = {"people": people, "parts": parts, "fen": fen}
        actor = acting(session, login)
        day = month.date() if month else None
        number = set_quota(session, actor, find_unit_id(session, code), day, limits, why, level)
    click.echo("the quota is set" if level is None else f"the quota is set for {number:,} units")


@quota.command("remove")
@subtree
@every_month
@why
@as_anybody
def remove(code: str, month: datetime | None, why: str, login: str | None) -> None:
    """Remove the quota of a month, so that that of every month counts; or that of every month."""
    from sms_service.campaigns.quota_setting import remove_quota
    from sms_service.cli.acting import acting, find_unit_id
    from sms_service.cli.context import open_session

    with open_session() as session:
        actor = acting(session, login)
        remove_quota(session, actor, find_unit_id(session, code), month.date() if month else None, why)
    click.echo("the quota is removed")
