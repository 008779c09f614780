"""Comparing units: the question that console and API ask alike, and the pages of the list."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from marshmallow import fields
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor
from sms_service.accounts.permissions import Permission
from sms_service.directory.models import Unit
from sms_service.errors import Invalid, NotFound
from sms_service.reports.compared_answers import AnswerSums, AskedQuestion, list_compared_questions
from sms_service.reports.comparison import (
    ComparedUnit,
    ComparedUnits,
    Comparison,
    ComparisonOrder,
    compare_units,
    complete_lines,
    place_line,
)
from sms_service.reports.filters import Filter
from sms_service.reports.messages import check_named
from sms_service.vocabulary import TextClass
from sms_service.web.paging import PageQuery, Scope, decode_cursor, encode_cursor, scope_filter
from sms_service.web.schemas import Id
from sms_service.web.validators import OneOfWords

DAYS = 30  # that are compared where no day is given, today the last of them


class ComparisonQuery(PageQuery):
    """What is compared; all filters that are given must hold."""

    unit = Id(
        load_default=None,
        metadata={"description": "The unit below which units are compared; by default the first one of the caller's"},
    )
    units = fields.String(
        load_default=ComparedUnits.below.value,
        validate=OneOfWords([*ComparedUnits]),
        metadata={
            "description": "`below`: the units right below it, each with its whole subtree; `branches`: every unit in "
            "its subtree by itself, with all its rows, wherever it stood then"
        },
    )
    order = fields.String(
        load_default=ComparisonOrder.attention.value,
        validate=OneOfWords([*ComparisonOrder]),
        metadata={
            "description": "Which units come first. `attention`: those of which no text arrived, then those of which "
            "nobody answered, then by the lower one of reach rate and reply rate. `unreachable`: most people whom no "
            "text reached. `delivery`, `reach`, `reply`, `quiz` (right answers of all), `rsvp` (yes of all invited), "
            "`target`: the lowest. `name`. Units that have no such number come last"
        },
    )
    since = fields.Date(
        load_default=None,
        metadata={
            "description": "Only runs launched on this local day or later. Without `since` and `until`, the last "
            f"{DAYS} days"
        },
    )
    until = fields.Date(load_default=None, metadata={"description": "Only runs launched on this local day or earlier"})
    class_ = fields.String(
        data_key="class",
        load_default=None,
        validate=OneOfWords([*TextClass]),
        metadata={"description": "Only texts of this class"},
    )
    campaign = Id(load_default=None, metadata={"description": "Only this campaign, of any day if none is given"})


class ComparedPage(NamedTuple):
    """A page of the list, the cursor of the next one, and what the campaign is called that is asked for."""

    comparison: Comparison
    lines: Sequence[ComparedUnit]
    following: str | None
    campaign: str | None


class QuestionsPage(NamedTuple):
    """The questions that people of a unit were asked, None if there is too much to read; with all of them together."""

    rows: Filter
    questions: Sequence[AskedQuestion] | None
    total: AnswerSums
    campaign: str | None


def fetch_compared_units(
    session: Session, actor: Actor, unit: Unit, query: Mapping[str, Any], now: datetime, *, whole: bool = False
) -> ComparedPage:
    """What a ComparisonQuery asks for of a unit that the actor may read; with `whole`, all lines as one page.

    Raises NotFound or Forbidden for a campaign that it names, and Invalid (`until`, `cursor`).
    """
    order = ComparisonOrder(query["order"])
    rows, year = _rows(unit, query, now)
    campaign = check_named(session, actor, rows)
    comparison = compare_units(session, unit, rows, ComparedUnits(query["units"]), order, year)
    lines, following = (comparison.lines, None) if whole else _cut(comparison.lines, order, query)
    complete_lines(session, comparison, lines)
    return ComparedPage(comparison, lines, following, campaign)


def fetch_compared_questions(
    session: Session, actor: Actor, unit: Unit, query: Mapping[str, Any], now: datetime, *, subtree: bool
) -> QuestionsPage:
    """The questions behind a unit's answers: of its whole subtree, or of its own people. Raises as above."""
    rows, _ = _rows(unit, query, now)
    campaign = check_named(session, actor, rows)
    asked = rows if subtree else replace(rows, each=[unit.id])
    return QuestionsPage(rows, *list_compared_questions(session, asked), campaign)


def find_compared_unit(session: Session, actor: Actor, unit_id: int | None) -> Scope:
    """The scope of a comparison: the unit; without one, the first of those that the actor may read.

    Raises NotFound or Forbidden.
    """
    scope = scope_filter(session, actor, Permission.read, unit_id)
    if not scope.units:
        raise NotFound("unit", unit_id)
    return Scope((scope.units[0].path,), scope.units[:1])


def _rows(unit: Unit, query: Mapping[str, Any], now: datetime) -> tuple[Filter, int]:
    """The rows that are asked for, and the year of their last day."""
    today: date = now.astimezone(ZoneInfo(unit.timezone)).date()
    since, until = query["since"], query["until"]
    if since is None and until is None and query["campaign"] is None:
        since, until = today - timedelta(days=DAYS - 1), today
    rows = Filter(
        (unit.path,),
        since=since,
        until=until,
        class_=query["class_"],
        campaign_id=query["campaign"],
        kind="campaign",
    )
    return rows, (until or today).year


def _cut(
    lines: Sequence[ComparedUnit], order: ComparisonOrder, query: Mapping[str, Any]
) -> tuple[Sequence[ComparedUnit], str | None]:
    """The lines behind the cursor's. It holds the place of the last one that was shown, not how many there were: what
    comes in meanwhile moves nothing to a page that was read already.
    """
    rest, limit = lines, query["limit"]
    if query["cursor"] is not None:
        key, unit_id = decode_cursor(query["cursor"], order.value, str)
        try:
            lacks, number, size, name = json.loads(key)
            last = bool(lacks), float(number), int(size), str(name), unit_id
        except (TypeError, ValueError):
            raise Invalid("cursor", None, "is not the `next` of a page of this list") from None
        rest = [line for line in lines if place_line(line, order) > last]
    page = rest[:limit]
    if len(rest) <= limit:
        return page, None
    place = place_line(page[-1], order)
    return page, encode_cursor(order.value, json.dumps(place[:-1], ensure_ascii=False), place[-1])


def name_compared_rows(
    comparison: Comparison, line: ComparedUnit | None, *, whole_subtree: bool = True
) -> dict[str, str]:
    """The filters, as lists of the ledger's rows take them, of a line's texts; of the total without one. Without
    `whole_subtree` they stand as they are asked of a comparison.
    """
    rows, found = comparison.rows, {"unit": str(line.unit_id if line else comparison.unit.id)}
    wanted = {"since": rows.since, "until": rows.until, "class": rows.class_, "campaign": rows.campaign_id}
    found |= {name: str(value) for name, value in wanted.items() if value is not None}
    if not whole_subtree:
        return found
    found["kind"] = "campaign"
    if line is None:
        return found
    if comparison.compared == ComparedUnits.branches or line.is_own:
        found["subtree"] = "false"
    elif not line.path.startswith(comparison.unit.path):
        found["under"] = str(comparison.unit.id)  # it has moved out since
    return found
