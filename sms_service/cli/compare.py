"""`python -m sms_service compare`: units beside each other from the shell."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from sms_service.cli.options import DAY

if TYPE_CHECKING:
    from sms_service.reports.comparison import ComparedUnit

_RATES = {  # by the heads of their columns, which stand where some unit has a number
    "delivery_rate": "delivery",
    "reach_rate": "reach",
    "reply_rate": "reply",
    "yes_rate": "come",
    "came_rate": "came",
    "quiz_rate": "quiz",
    "right_rate": "right",
}


@click.command()
@click.option("--unit", "code", metavar="CODE", help="Compare the units below this one.")
@click.option("--since", type=DAY, metavar="DAY", help="Only runs launched on this local day or later.")
@click.option("--until", type=DAY, metavar="DAY", help="Only runs launched on this local day or earlier.")
@click.option("--campaign", "campaign_id", type=click.IntRange(1), metavar="N", help="Only this campaign.")
@click.option("--class", "class_", help="Only texts of this class.")
@click.option("--branches", is_flag=True, help="Every unit below by itself, not those right below with all theirs.")
@click.option("--order", default="attention", show_default=True, help="Which units come first.")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Only so many units.")
@click.option("--as", "login", metavar="LOGIN", help="The account that reads; by default the service.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def compare(
    code: str | None,
    since: datetime | None,
    until: datetime | None,
    campaign_id: int | None,
    class_: str | None,
    branches: bool,
    order: str,
    limit: int | None,
    login: str | None,
    as_json: bool,
) -> None:
    """Units beside each other: delivery, replies, quizzes, invitations; the silent and the unreachable first.

    Without days and campaign it is about the last 30 days. "-" stands where there is nothing of which to have a share.
    """
    from rich.console import Console
    from rich.table import Table
    from sqlalchemy import func, select

    from sms_service.cli.acting import acting, find_unit_id
    from sms_service.cli.context import open_session
    from sms_service.errors import Invalid
    from sms_service.reports.comparison import ComparisonOrder
    from sms_service.vocabulary import TextClass
    from sms_service.web.comparing_units import fetch_compared_units, find_compared_unit

    for option, value, known in (("--order", order, ComparisonOrder), ("--class", class_, TextClass)):
        if value is not None and value not in list(known):
            raise Invalid(option, value, f"must be one of {', '.join(known)}")
    with open_session() as session:
        query: dict[str, Any] = {
            "units": "branches" if branches else "below",
            "order": order,
            "since": since.date() if since else None,
            "until": until.date() if until else None,
            "class_": class_,
            "campaign": campaign_id,
        }
        now = session.scalars(select(func.sms_now())).one()
        actor = acting(session, login)
        scope = find_compared_unit(session, actor, None if code is None else find_unit_id(session, code))
        found = fetch_compared_units(session, actor, scope.units[0], query, now, whole=True).comparison
    lines = [*found.lines[:limit], found.total]
    if as_json:
        flat = [_flat(line) for line in lines]
        click.echo(json.dumps({"items": flat[:-1], "total": flat[-1]}, ensure_ascii=False))
        return
    rates = {name: word for name, word in _RATES.items() if any(_rate(line, name) is not None for line in lines)}
    table = Table("unit")
    for word in ("people", "not reached", "texts", *rates.values(), *(f"{kind} {found.year}" for kind in found.kinds)):
        table.add_column(word, justify="right")
    for line in lines:
        if line is found.total:
            table.add_section()
        numbers = [f"{line.people:,}", f"{line.unreachable:,}", f"{line.messages:,}"]
        targets = [
            f"{line.done[kind]:,} of {line.targets[kind]:,}" if kind in line.targets else "-" for kind in found.kinds
        ]
        table.add_row(_name(line), *numbers, *(_percent(_rate(line, name)) for name in rates), *targets)
    Console().print(table)


def _name(line: ComparedUnit) -> str:
    marks = [word for word, is_so in (("unreachable", line.is_unreachable), ("silent", line.is_silent)) if is_so]
    return f"{line.code} {line.unit}" + (f" ({', '.join(marks)})" if marks else "")


def _rate(line: ComparedUnit, name: str) -> float | None:
    found: float | None = getattr(line if hasattr(line, name) else line.answers, name, None)
    return found


def _percent(rate: float | None) -> str:
    return "-" if rate is None else f"{100 * rate:.1f} %"


def _flat(line: ComparedUnit) -> dict[str, Any]:
    names = ("code", "unit", "people", "unreachable", "messages", "left", "delivered", "is_unreachable", "is_silent")
    return (
        {name: getattr(line, name) for name in names}
        | {name: _rate(line, name) for name in _RATES}
        | {"answers": None if line.answers is None else line.answers._asdict()}
        | {"targets": {kind: {"target": target, "done": line.done[kind]} for kind, target in line.targets.items()}}
    )
