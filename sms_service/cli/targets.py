"""`python -m sms_service targets …`: what units are to reach in a year."""

from __future__ import annotations

import click

from sms_service.cli.options import as_anybody, subtree, why

year_argument = click.argument("year", metavar="YEAR", type=click.IntRange(2000, 2999))


@click.group("targets")
def targets() -> None:
    """Yearly targets of units, and how far they are."""


@targets.command("list")
@subtree
@year_argument
@as_anybody
def list_(code: str, year: int, login: str | None) -> None:
    """List the unit and those right below it: what was done of each target; the silent first."""
    from sms_service.cli.acting import acting, find_unit_id
    from sms_service.cli.context import open_session
    from sms_service.reports.target_models import TargetKind
    from sms_service.reports.targets import list_targets

    with open_session() as session:
        own, below = list_targets(session, acting(session, login), find_unit_id(session, code), year)
        for line in (own, *below):
            shown = []
            for kind in TargetKind:
                target = line.targets.get(kind)
                shown.append(f"{kind} {line.done[kind]:,}{'' if target is None else f' of {target:,}'}")
            click.echo(f"{line.unit}: {', '.join(shown)}{' (silent)' if line.is_silent else ''}")


@targets.command("set")
@subtree
@year_argument
@click.argument("kind", type=click.Choice(["texts", "theme_days", "participation"]))
@click.argument("target", metavar="N", type=click.IntRange(0))
@click.option(
    "--level", type=click.Choice(["district", "street", "branch"]), help="For each unit of it below the unit."
)
@why
@as_anybody
def set_(code: str, year: int, kind: str, target: int, level: str | None, why: str, login: str | None) -> None:
    """Set a target of a year; 0 takes it away."""
    from sms_service.cli.acting import acting, find_unit_id
    from sms_service.cli.context import open_session
    from sms_service.reports.targets import set_targets

    with open_session() as session:
        actor = acting(session, login)
        number = set_targets(session, actor, find_unit_id(session, code), year, {kind: target or None}, why, level)
    click.echo("the target is set" if level is None else f"the target is set for {number:,} units")
