"""查询: people, texts and parts by whatever is asked; each number leads to its rows, each line one step down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from flask import g, url_for
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.console.languages import say_here, translate_here, write_day, write_year_month
from sms_service.console.ledger_query import (
    describe_filters,
    name_filter,
    read_ledger_query,
    word_or_none,
    write_ledger_query,
)
from sms_service.console.pages import page_view
from sms_service.console.rendering import name_here, name_reason_here, render_page
from sms_service.console.unit_choice import choose_unit
from sms_service.ledger.archived import find_archived_months
from sms_service.ledger.models import KINDS
from sms_service.ledger.states import MessageStatus
from sms_service.reports.counts import Count, count_other_kinds, drill_down, tabulate_counts
from sms_service.reports.filters import DIMENSIONS, Filter
from sms_service.reports.identity import sum_identity
from sms_service.reports.sealed_days import count_amendments
from sms_service.reports.sources import NO_ROLL_UPS, choose_source
from sms_service.vocabulary import Carrier, MessageReason, TextClass
from sms_service.web.context import current_context
from sms_service.web.definitions import MEANINGS, Definition, list_definitions
from sms_service.web.ledger_rows import MessageFilter, scope_messages
from sms_service.web.rates import read_prices
from sms_service.web.validators import OneOfWords
from sms_service.web.words import name_word

# What one goes on by below a line of the first.
_NEXT = dict(
    pair.split()
    for pair in (
        *("unit unit", "sender campaign", "campaign status", "item status", "run status", "template campaign"),
        *("category template", "status reason", "reason code", "kind status", "class campaign", "year month"),
        *("month day", "week day", "day campaign", "account status", "carrier status"),
    )
)
_IN_ORDER = ("day", "week", "month", "year", "item")  # the others by size
_OF_OUTCOMES = ("status", "reason", "code")  # a rate says nothing of these
_IN_FORM = ("unit", "since", "until", "status", "kind", "class", "reason", "carrier", "sender")
MOST_LINES = 100  # on a page; who needs more narrows the question or asks the API


class CountsQuery(MessageFilter):
    """What to count by, and the filters of the rows."""

    by = fields.String(load_default="unit", validate=OneOfWords(DIMENSIONS))
    order = fields.String(load_default="size", validate=OneOfWords(["size", "reach"]))


@page_view("/counts", Permission.read)
def show_counts() -> str:
    """The table, its total, and where each line leads."""
    query = read_ledger_query(CountsQuery)
    by, order = query.pop("by"), query.pop("order")
    scope, rows = scope_messages(g.session, g.actor, query)
    source = choose_source(g.session, rows, (by,)) or NO_ROLL_UPS
    others, asked = dict[str, int](), write_ledger_query(query)
    told = describe_filters(g.session, asked, ("unit",))  # the scope says it
    if query["kind"] is None and query["run"] is None and query["of_campaign"] is None:
        others = count_other_kinds(g.session, rows, source)  # shown apart; the numbers below are those of campaigns
        rows, query = replace(rows, kind="campaign"), query | {"kind": "campaign"}
    table = tabulate_counts(g.session, rows, (by,), read_prices(), source)
    given = write_ledger_query(query)
    lines = _sort(table.lines, by, order)
    choice = choose_unit(g.session, g.actor, Permission.read, query["unit"], top=True)
    return render_page(
        "counts.html",
        by=by,
        order=order,
        dimensions=[(name, name_filter(name)) for name in DIMENSIONS],
        query=query,
        asked=asked,
        given=given,
        set=[one for one in told if one.key not in _IN_FORM],
        told=told,
        as_of=current_context().clock(),
        scope=scope.units,
        choice=choice,
        options=_options(choice.options, query["sender"]),
        others=[
            (kind, number, url_for("console.show_counts", **{**given, "by": by, "kind": kind}))
            for kind, number in others.items()
        ],
        total=table.total,
        why_more=table.explain_people(),
        untold=any(line.people is None for line in [*table.lines, table.total]),
        rates=by not in _OF_OUTCOMES and not any(query[name] is not None for name in _OF_OUTCOMES),
        priced=any(line.cost_fen is not None for line in [*table.lines, table.total] if line.parts),
        lines=[_line(line, by, rows, given, table.total) for line in lines[:MOST_LINES]],
        hidden=max(0, len(lines) - MOST_LINES),
        identity=sum_identity(g.session, rows, source),
        archived=find_archived_months(g.session, *rows.of_runs()),
        amendments=count_amendments(g.session, rows.since, rows.until) if rows.since and rows.until else None,
        definitions=[*list_definitions("number"), *_define(by)],
        rows=url_for("console.list_rows", **given),
    )


def _sort(lines: Sequence[Count], by: str, order: str) -> Sequence[Count]:
    """By size, or whom fewest texts reach on top: the list that an office works from."""
    if order == "reach":
        return sorted(lines, key=lambda line: (line.reach_rate or 0.0, -line.messages))
    return lines if by in _IN_ORDER else sorted(lines, key=lambda line: -line.messages)


def _define(by: str) -> list[Definition]:
    """The dimension, and what may stand in it."""
    of_dimension = [one for one in list_definitions("dimension") if one.word == by]
    return of_dimension + (list_definitions(by) if by in MEANINGS else [])


def _options(units: Sequence[tuple[int, str]], sender: int | None) -> dict[str, list[tuple[Any, str]]]:
    """What each field of the form offers."""
    known = sender is None or any(unit_id == sender for unit_id, _ in units)
    none = ("-", say_here("none"))
    return {
        "status": [(status, name_here(status)) for status in MessageStatus],
        "kind": [(kind, translate_here(name_word("run", kind))) for kind in KINDS],
        "class": [(one, name_here(one)) for one in TextClass],
        "reason": [none, *((one, name_reason_here(one)) for one in MessageReason)],
        "carrier": [*((one, name_here(one)) for one in Carrier), none],
        "sender": [*units, *([] if known else [(sender, say_here("the unit chosen"))])],
    }


def _line(line: Count, by: str, rows: Filter, given: dict[str, Any], total: Count) -> dict[str, Any]:
    value = line.by[by]
    wanted = write_ledger_query({**given, **drill_down(rows, line)})
    below = url_for("console.show_counts", **wanted, by=_NEXT[by]) if by in _NEXT else None
    if by == "unit" and "subtree" in wanted:
        below = None  # what is the unit's own has no units below
    return {
        "label": line.names.get(by) or _label(by, value),
        "line": line,
        "share": line.messages / total.messages if total.messages else None,
        "below": below,
        "rows": url_for("console.list_rows", **wanted),
    }


def _label(by: str, value: Any) -> str:
    if value is None or value == "":
        return say_here("none")
    if isinstance(value, dict):
        return str(value["name"])
    match by:
        case "reason":
            return name_reason_here(value)
        case "status" | "class" | "carrier":
            return word_or_none(value)
        case "kind":
            return translate_here(name_word("run", value))
        case "day":
            return write_day(value)
        case "week":
            return say_here("week from {day}", day=write_day(value))
        case "month":
            return write_year_month(value)
        case "year":
            return str(value.year)
        case "item":
            return say_here("text {number}", number=value)
        case "run":
            return say_here("run {id}", id=value)
    return str(value)
