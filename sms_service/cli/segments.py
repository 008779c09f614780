"""`python -m sms_service segment …`: the API's acts on segments from the shell."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from sms_service.cli.options import as_anybody

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from sms_service.accounts.actors import Actor

segment_id = click.argument("segment_id", metavar="ID", type=click.IntRange(1))


@click.group()
def segment() -> None:
    """Say who gets a text: rules that find people."""


@segment.command()
@click.argument("rule")
@click.option("--unit", "code", metavar="CODE", required=True, help="The unit whose subtree bounds it.")
@as_anybody
def find(rule: str, code: str, login: str | None) -> None:
    """Print whom RULE, which is JSON, finds now: in words, counted, and the first ten by name. Keeps nothing."""
    from sms_service.cli.acting import acting, find_unit_id
    from sms_service.cli.context import open_session

    with open_session() as session:
        _print_found(session, acting(session, login), find_unit_id(session, code), _read_rule(rule))


@segment.command()
@click.argument("name")
@click.argument("rule")
@click.option("--unit", "code", metavar="CODE", required=True, help="The code of the unit that keeps it.")
@as_anybody
def keep(name: str, rule: str, code: str, login: str | None) -> None:
    """Keep RULE, which is JSON, under NAME: a new segment of the unit, or the new rule of the one of this name."""
    from sqlalchemy import select

    from sms_service.audience import segments
    from sms_service.audience.models import Segment
    from sms_service.cli.acting import acting, find_unit_id
    from sms_service.cli.context import open_session

    read = _read_rule(rule)
    with open_session() as session:
        actor, unit_id = acting(session, login), find_unit_id(session, code)
        found = session.scalar(select(Segment.id).where(Segment.unit_id == unit_id, Segment.name == name))
        if found is None:
            found = segments.create_segment(session, actor, unit_id, name, read).id
        else:
            segments.change_segment(session, actor, found, rule=read)
        click.echo(f"segment {found} {name}")


@segment.command("list")
@click.option("--unit", "code", metavar="CODE", help="What this unit and those below it can use.")
@as_anybody
def list_(code: str | None, login: str | None) -> None:
    """List segments by name, each with its rule in words."""
    from sms_service.audience.models import Segment
    from sms_service.audience.segments import find_segments
    from sms_service.audience.wording import describe_rules
    from sms_service.cli.acting import acting, scope_of
    from sms_service.cli.context import open_session
    from sms_service.directory.models import Unit

    with open_session() as session:
        actor = acting(session, login)
        statement = find_segments(scope_of(session, actor, code)).order_by(Segment.name, Segment.id)
        found = session.scalars(statement).all()
        pairs = [(session.get_one(Unit, one.unit_id), one.rule) for one in found]
        words = describe_rules(session, actor, pairs) if pairs else []
        lines = [f"segment {one.id} {one.name}: {said}" for one, said in zip(found, words, strict=True)]
    click.echo("\n".join(lines) if lines else "there is no segment")


@segment.command()
@segment_id
@as_anybody
def uses(segment_id: int, login: str | None) -> None:
    """Print which segments and campaigns use a segment."""
    from sms_service.audience.segments import get_segment
    from sms_service.campaigns.uses import list_segment_uses
    from sms_service.cli.acting import acting
    from sms_service.cli.context import open_session

    with open_session() as session:
        actor = acting(session, login)
        found = list_segment_uses(session, actor, get_segment(session, actor, segment_id))
    lines = [f"segment {one.id} {one.name}" for one in found.segments]
    lines += [f"campaign {one['id']} {one['name']} ({one['status']})" for one in found.campaigns]
    if found.hidden:
        lines.append(f"segments of other units: {found.hidden}")
    click.echo("\n".join(lines) if lines else "nothing uses it")


def _read_rule(text: str) -> dict[str, Any]:
    from sms_service.audience.grammar import parse_rule
    from sms_service.errors import Invalid

    try:
        rule = json.loads(text)
    except (ValueError, RecursionError):
        raise Invalid("rule", None, "is not JSON") from None
    parse_rule(rule)
    return dict(rule)


def _print_found(session: Session, actor: Actor, unit_id: int, rule: dict[str, Any]) -> None:
    from sms_service.audience.cautions import find_cautions
    from sms_service.audience.segments import preview_audience
    from sms_service.audience.wording import describe_rule
    from sms_service.directory.models import Unit
    from sms_service.masking import mask_text

    found = preview_audience(session, actor, unit_id, rule)
    click.echo(describe_rule(session, actor, unit_id, rule))
    names = "、".join(mask_text(one.person.name) for one in found.sample)
    click.echo(f"people: {found.count}, texts: {found.phones}" + (f" ({names})" if names else ""))
    for caution in find_cautions(session, rule, session.get_one(Unit, unit_id)):
        click.echo(f"warning: {caution}", err=True)
