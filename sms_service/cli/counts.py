"""`python -m sms_service counts`: delivery counts from the shell."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any, Unpack

import click

from sms_service.cli.ledger_rows import RowsAsked, asks_rows, find_rows
from sms_service.cli.options import DAY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sms_service.reports.counts import Count, CountsTable

# Those of reports.filters; a test compares them.
_DIMENSIONS = (
    *("unit", "sender", "status", "reason", "code", "campaign", "item", "run", "template", "category"),
    *("day", "week", "month", "year", "account", "carrier", "class", "kind"),
)


@click.group(invoke_without_command=True)
@click.option("--by", default="unit,status", show_default=True, help=f"With commas, some of {', '.join(_DIMENSIONS)}.")
@asks_rows
@click.option("--as", "login", metavar="LOGIN", help="The account that reads; by default the service.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with the names that the API has.")
@click.pass_context
def counts(context: click.Context, by: str, login: str | None, as_json: bool, **asked: Unpack[RowsAsked]) -> None:
    """People, texts and parts; by default by unit and status."""
    if context.invoked_subcommand is not None:
        return
    from sms_service.cli.acting import acting
    from sms_service.cli.context import open_session, read_gateways, running_settings
    from sms_service.reports.counts import tabulate_counts
    from sms_service.reports.identity import sum_identity
    from sms_service.reports.sealed_days import count_amendments

    prices = read_gateways(running_settings()).prices()
    names = [name for name in by.split(",") if name]
    with open_session() as session:
        rows, _ = find_rows(session, acting(session, login), asked)
        found = tabulate_counts(session, rows, names, prices)
        identity = sum_identity(session, rows)
        amendments = count_amendments(session, rows.since, rows.until) if rows.since and rows.until else None
    people = found.explain_people()
    if as_json:
        answer = {
            "items": [{"by": line.by, "names": line.names, **_flat(line)} for line in found.lines],
            "total": _flat(found.total),
            "people": people,
            "amendments": amendments,
            "identity": identity and {**asdict(identity), "holds": identity.holds},
        }
        click.echo(json.dumps(answer, ensure_ascii=False, default=str))
        return
    _print_table(names, found)
    if people is not None:
        click.echo(people)
    if identity is not None:
        holds = "=" if identity.holds else "is not"
        click.echo(f"{identity.runs:,} runs: {identity.audience:,} recipients {holds} {identity.messages:,} texts")
    if amendments is not None:
        click.echo(f"all days are sealed; amendments since: {amendments:,}")


@counts.command()
@click.option("--since", type=DAY, metavar="DAY", help="Only this day and later ones.")
def verify(since: datetime | None) -> None:
    """Check every seal against the ledger and its amendments, and every roll-up line by line.

    Digests are checked from the first sealed day on.
    Of an archived month the roll-up stands for the ledger. It ends with 1 if anything is wrong.
    """
    from sqlalchemy import select

    from sms_service.cli.context import open_database
    from sms_service.ledger.archived import list_archived_months
    from sms_service.reports.roll_up_models import DaySeal
    from sms_service.reports.roll_ups import exact_days, find_drift
    from sms_service.reports.seals import verify_seals

    first = since.date() if since else None
    faults = 0
    with open_database() as database, database.one_snapshot() as connection:
        seals = connection.scalars(select(DaySeal.day)).all()
        for fault in verify_seals(connection, first):
            faults += 1
            click.echo(f"seal: {fault.said}")
        archived = list_archived_months(connection)
        exact = [day for day in connection.scalars(exact_days()) if first is None or day >= first]
        days = [day for day in exact if day.replace(day=1) not in archived]
        for day in sorted(days):
            for one in find_drift(connection, day):
                faults += 1
                click.echo(f"drift: {day}: the roll-up has {one.rolled}, the ledger {one.counted}: {_key(one.line)}")
    for month in archived:
        click.echo(f"{month:%Y-%m} is archived: its seals were checked against the roll-ups of then")
    click.echo(f"{len(seals):,} sealed days and the roll-ups of {len(days):,} days were checked: {faults:,} faults")
    if faults:
        context = click.get_current_context()
        context.exit(1)


@counts.command()
@click.argument("days", type=DAY, nargs=-1, required=True, metavar="DAY…")
def rebuild(days: tuple[datetime, ...]) -> None:
    """Add these days up again from the ledger."""
    from sms_service.cli.context import open_database
    from sms_service.reports.reconciling import rebuild_day

    with open_database() as database:
        for day in days:
            rebuild_day(database, day.date())
            click.echo(f"{day:%Y-%m-%d} is added up")


def _key(line: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in line.items() if value not in (None, False) and name != "day")


def _print_table(names: Sequence[str], found: CountsTable) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(*names)
    for number in ("people", "messages", "left", "delivered", "parts", "yuan"):
        table.add_column(number, justify="right")
    for line in found.lines:
        cells = (line.names.get(name) or _word(line.by[name]) for name in names)
        table.add_row(*cells, *_numbers(line))
    table.add_section()
    blanks = [""] * (len(names) - 1)
    table.add_row(*(["total", *blanks] if names else []), *_numbers(found.total))
    Console().print(table)


def _flat(line: Count) -> dict[str, Any]:
    names = ("people", "messages", "left", "delivered", "delivery_rate", "reach_rate", "parts", "cost_fen")
    return {name: getattr(line, name) for name in names}


def _numbers(line: Count) -> list[str]:
    yuan = "–" if line.cost_fen is None else f"{line.cost_fen / 100:,.2f}"
    people = "–" if line.people is None else str(line.people)
    return [people, *(str(number) for number in (line.messages, line.left, line.delivered, line.parts)), yuan]


def _word(value: Any) -> str:
    if isinstance(value, dict):
        return f"{value['code']} {value['name']}"
    return "none" if value is None else str(value)
