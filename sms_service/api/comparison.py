"""`/comparison`: units beside each other, the silent and the unreachable first."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from flask import g
from flask.views import MethodView
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.reports.comparison import ComparedUnit, ComparedUnits, Comparison
from sms_service.web.comparing_units import (
    ComparisonQuery,
    fetch_compared_units,
    find_compared_unit,
    name_compared_rows,
)
from sms_service.web.context import current_context
from sms_service.web.schemas import Out, ScopeUnit, list_of

blueprint = Blueprint(
    "comparison",
    description="Units beside each other: whom texts reach, who answers, and what was done of the targets; those that "
    "nothing reaches or that say nothing first. `/api/v1/reports/definitions` says what each word means.",
)


class AnswerSumsOut(Out):
    """Of each question and each person whom it asked: asked = answered + silent + unreached."""

    asked = fields.Integer(metadata={"description": "So often was somebody asked; two questions ask a person twice"})
    answered = fields.Integer(metadata={"description": "So often the person answered in time, and it counts"})
    silent = fields.Integer(metadata={"description": "So often a person who was reached, or may be, said nothing"})
    unreached = fields.Integer(metadata={"description": "So often the text did not reach the person"})
    reply_rate = fields.Float(allow_none=True, metadata={"description": "answered / asked; null if nobody was asked"})
    invited = fields.Integer(
        metadata={"description": "Of those asked, those who were asked whether they come: yes, no, silent, or others"}
    )
    yes = fields.Integer(metadata={"description": "Those who come"})
    no = fields.Integer(metadata={"description": "Those who do not"})
    invited_silent = fields.Integer(metadata={"description": "Those who were reached, or may be, and said nothing"})
    invited_unreached = fields.Integer(metadata={"description": "Those whom the invitation did not reach"})
    yes_rate = fields.Float(allow_none=True, metadata={"description": "yes / invited; null if nobody was invited"})
    expected = fields.Integer(metadata={"description": "People of events of which somebody ticked off who came"})
    came = fields.Integer(metadata={"description": "Those of them who came"})
    came_rate = fields.Float(allow_none=True, metadata={"description": "came / expected; null if none was ticked off"})
    quizzed = fields.Integer(metadata={"description": "Of those asked, those whom a quiz asked"})
    quiz_answered = fields.Integer(metadata={"description": "Those who named an option in time"})
    quiz_right = fields.Integer(metadata={"description": "Those who were right by that"})
    quiz_rate = fields.Float(allow_none=True, metadata={"description": "quiz_answered / quizzed; null without a quiz"})
    right_rate = fields.Float(allow_none=True, metadata={"description": "quiz_right / quiz_answered; null if none"})


class ComparedTargetOut(Out):
    """A yearly target."""

    kind = fields.String(metadata={"description": "`texts`, `theme_days` or `participation`"})
    target = fields.Integer(metadata={"description": "What the unit is to reach in the year"})
    done = fields.Integer(metadata={"description": "What it and all below it did in the year so far"})
    share = fields.Float(metadata={"description": "done / target"})


class ComparedNumbersOut(Out):
    """What came of the texts to people of a unit."""

    messages = fields.Integer(metadata={"description": "Rows of the ledger, of runs of campaigns"})
    left = fields.Integer(metadata={"description": "Of these, texts that a gateway took or may have taken"})
    delivered = fields.Integer(metadata={"description": "Of these, texts that arrived"})
    delivery_rate = fields.Float(allow_none=True, metadata={"description": "delivered / left; null if none left"})
    reach_rate = fields.Float(allow_none=True, metadata={"description": "delivered / messages; null if there is none"})
    people = fields.Integer(metadata={"description": "Distinct persons for whom there were texts"})
    unreachable = fields.Integer(metadata={"description": "Those of them to whom no text was delivered"})
    is_unreachable = fields.Boolean(metadata={"description": "Whether there were texts, and none was delivered"})
    is_silent = fields.Boolean(metadata={"description": "Whether people were asked, and nobody answered"})
    answers = fields.Nested(
        AnswerSumsOut,
        allow_none=True,
        metadata={
            "description": "What people answered to questions that were asked in the period. Null if more than a "
            "million rows would have to be read to tell; ask for fewer days or one campaign"
        },
    )
    targets = fields.List(
        fields.Nested(ComparedTargetOut), metadata={"description": "The unit's targets of `year`; empty: it has none"}
    )
    rows = fields.String(metadata={"description": "The request that lists the rows of its texts"})


class ComparedUnitOut(ComparedNumbersOut):
    """A unit with its numbers."""

    unit = fields.Nested(ScopeUnit, metadata={"description": "The unit"})
    own = fields.Boolean(metadata={"description": "Whether it is only what is the unit's own, of one with units below"})
    below = fields.String(
        allow_none=True,
        metadata={
            "description": "The request that compares the units below it; null where there is nothing below to compare"
        },
    )


class ComparisonOut(list_of(ComparedUnitOut, "ComparisonList")):  # type: ignore[misc]
    """A page of the list, and the total."""

    since = fields.Date(allow_none=True, metadata={"description": "The first day that is counted; null: any"})
    until = fields.Date(allow_none=True, metadata={"description": "The last one; null: any"})
    year = fields.Integer(metadata={"description": "The year of the targets: that of `until`, or this one"})
    total = fields.Nested(
        ComparedNumbersOut,
        metadata={
            "description": "The unit with all below it, as the tree was when lists were made. Units right below add up "
            "to it, people too unless somebody is in two; `branches` do while no unit has moved in or out"
        },
    )


@blueprint.route("/comparison")
class UnitComparison(MethodView):
    """The comparison."""

    @endpoint(Permission.read)
    @blueprint.arguments(ComparisonQuery, location="query")
    @blueprint.response(200, ComparisonOut)
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """Compare units: delivery, replies, quizzes, invitations and targets, the silent and unreachable first"""
        scope = find_compared_unit(g.session, g.actor, query["unit"])
        page = fetch_compared_units(g.session, g.actor, scope.units[0], query, current_context().clock())
        comparison = page.comparison
        return scope.answer([_line(comparison, line) for line in page.lines], page.following) | {
            "since": comparison.rows.since,
            "until": comparison.rows.until,
            "year": comparison.year,
            "total": _numbers(comparison, comparison.total, None),
        }


def _line(comparison: Comparison, line: ComparedUnit) -> dict[str, Any]:
    leaf = line.unit_id == comparison.unit.id or comparison.compared == ComparedUnits.branches
    wanted = name_compared_rows(comparison, line, whole_subtree=False)
    return _numbers(comparison, line, line) | {
        "unit": {"id": line.unit_id, "code": line.code, "name": line.unit},
        "own": line.is_own,
        "below": None if leaf else f"/api/v1/comparison?{urlencode(wanted)}",
    }


def _numbers(comparison: Comparison, line: ComparedUnit, of_rows: ComparedUnit | None) -> dict[str, Any]:
    names = ("messages", "left", "delivered", "delivery_rate", "reach_rate", "people", "unreachable")
    return {name: getattr(line, name) for name in (*names, "is_unreachable", "is_silent")} | {
        "answers": line.answers,
        "targets": [
            {"kind": kind, "target": target, "done": line.done[kind], "share": line.share_of(kind)}
            for kind, target in line.targets.items()
        ],
        "rows": f"/api/v1/messages?{urlencode(name_compared_rows(comparison, of_rows))}",
    }
