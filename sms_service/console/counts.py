"""查询: people, texts and parts by whatever is asked; each number leads to its rows, each line one step down."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

from flask import g, url_for
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.campaigns.models import Campaign
from sms_service.console.forms import read_query
from sms_service.console.languages import translate_here
from sms_service.console.pages import page_view
from sms_service.console.rendering import name_here, render_page
from sms_service.console.unit_choice import choose_unit
from sms_service.ledger.models import KINDS, Run
from sms_service.ledger.states import MessageStatus
from sms_service.reports.counts import Count, count_other_kinds, drill_down, tabulate_counts
from sms_service.reports.filters import Filter
from sms_service.web.ledger_rows import MessageFilter, scope_messages
from sms_service.web.rates import read_prices
from sms_service.web.validators import OneOfWords
from sms_service.web.words import name_word

# What a person counts by; the API knows more.
DIMENSIONS = ("unit", "status", "reason", "campaign", "day", "account", "class")
# By what one goes on below a line of the first.
_NEXT = {"unit": "unit", "campaign": "status", "day": "campaign", "account": "status", "class": "campaign"}
MOST_LINES = 500  # on a page; who needs more narrows the question or asks the API


class CountsQuery(MessageFilter):
    """What to count by, and the filters of the rows."""

    by = fields.String(load_default="unit", validate=OneOfWords(DIMENSIONS))


@page_view("/counts", Permission.read)
def show_counts() -> str:
    """The table, its total, and where each line leads."""
    query = read_query(CountsQuery)
    by = query.pop("by")
    scope, rows = scope_messages(g.session, g.actor, query)
    others, asked = dict[str, int](), _given(query)
    if query["kind"] is None and query["run"] is None and query["of_campaign"] is None:
        others = count_other_kinds(g.session, rows)  # shown apart; the numbers below are those of campaigns
        rows, query = replace(rows, kind="campaign"), query | {"kind": "campaign"}
    table = tabulate_counts(g.session, rows, (by,), read_prices())
    given = _given(query)
    lines = sorted(table.lines, key=lambda line: -line.messages) if by != "day" else table.lines
    names = _campaign_names(lines) if by == "campaign" else {}
    most = max((line.messages for line in lines), default=1)
    return render_page(
        "counts.html",
        by=by,
        query=query,
        asked=asked,
        given=given,
        scope=scope.units,
        choice=choose_unit(g.session, g.actor, Permission.read, query["unit"], top=True),
        statuses=[(status, name_here(status)) for status in MessageStatus],
        kinds=[(kind, translate_here(name_word("run", kind))) for kind in KINDS],
        others=[
            (kind, number, url_for("console.show_counts", **{**given, "by": by, "kind": kind}))
            for kind, number in others.items()
        ],
        total=table.total,
        priced=any(line.cost_fen is not None for line in [*table.lines, table.total] if line.parts),
        lines=[_line(line, by, rows, given, names, most) for line in lines[:MOST_LINES]],
        hidden=max(0, len(lines) - MOST_LINES),
        campaign=g.session.get(Campaign, query["campaign"]) if query["campaign"] else None,
        run=g.session.get(Run, query["run"]) if query["run"] else None,
        rows=url_for("console.list_rows", **given),
    )


def _given(query: dict[str, Any]) -> dict[str, Any]:
    """The filters as an address has them; what says nothing is left out."""
    names = {"class_": "class"}
    given = {names.get(name, name): value for name, value in query.items() if value is not None}
    if given.get("subtree") is True:
        del given["subtree"]
    return {name: value.isoformat() if isinstance(value, date) else value for name, value in given.items()}


def _line(
    line: Count, by: str, rows: Filter, given: dict[str, Any], names: dict[int, str], most: int
) -> dict[str, Any]:
    value = line.by[by]
    wanted = {**given, **drill_down(rows, line)}
    label = value["name"] if isinstance(value, dict) else names.get(value, value) if by == "campaign" else value
    below = url_for("console.show_counts", **wanted, by=_NEXT[by]) if by in _NEXT else None
    if by == "unit" and isinstance(value, dict) and "subtree" in wanted:
        below = None  # what is the unit's own has no units below
    return {
        "label": label,
        "people": line.people,
        "messages": line.messages,
        "parts": line.parts,
        "cost": line.cost_fen,
        "share": round(100 * line.messages / most, 2) if most else 0,
        "below": below,
        "rows": url_for("console.list_rows", **wanted),
    }


def _campaign_names(lines: list[Count]) -> dict[int, str]:
    """The names of the campaigns of these lines, in one statement."""
    ids = [line.by["campaign"] for line in lines]
    found = g.session.query(Campaign.id, Campaign.name).filter(Campaign.id.in_(ids))
    return {row.id: row.name for row in found}
