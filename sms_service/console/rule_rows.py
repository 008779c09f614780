"""A segment's rule as rows of a form: each is one thing that people are or are not, and all or any of them must hold.

A row's choice is the rule itself as JSON, so that what is shown and what is kept cannot differ; `text.N` fills in what
cannot be chosen, such as a date (`rule_texts.py`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sms_service.audience.choices import AttributeChoice, RuleValues
from sms_service.audience.grammar import OUTCOMES, parse_rule
from sms_service.console.languages import say_here
from sms_service.console.rendering import name_here
from sms_service.console.rule_texts import fill_rule, take_out
from sms_service.errors import Invalid
from sms_service.said import say

MOST_ROWS = 20
EVERYONE: dict[str, Any] = {"everyone": True}
_SIMPLE = ("unit", "level", "role", "tag", "kind", "suspect", "attribute", "people", "segment", "list", "campaign")


@dataclass(frozen=True, slots=True)
class RuleRow:
    """One row: what people are, or with `negated` are not; `text` where the choice leaves something to be written."""

    choice: str
    negated: bool = False
    text: str = ""


Options = list[tuple[str, list[tuple[str, str]]]]


def list_options(
    values: RuleValues, rows: Sequence[RuleRow], usable: Sequence[tuple[int, str]], words: Mapping[str, str]
) -> Options:
    """What a row can be: headings with pairs of value and label, most with how many people it has.

    `usable`: the segments that may be used, ids and names. `words`: what rows say that no list offers.
    """
    anywhere = (_as_json({"unit": None}), say_here("a unit below, by name or code: …"))
    groups: Options = [
        (
            say_here("In unit"),
            [
                *(_option({"unit": one.id}, one.name, one.people) for one in values.units),
                *([anywhere] * bool(values.units)),
            ],
        ),
        (say_here("Level"), [_option({"level": one.name}, name_here(one.name), one.people) for one in values.levels]),
        (say_here("Role"), [_option({"role": one.name}, one.name, one.people) for one in values.roles]),
        (say_here("Tag"), [_option({"tag": one.name}, one.name, one.people) for one in values.tags]),
        (say_here("Kind"), [_option({"kind": one.name}, name_here(one.name), one.people) for one in values.kinds]),
    ]
    if values.suspect:
        seems = say_here("Number seems dead")
        groups.append((say_here("Phone number"), [_option({"suspect": True}, seems, values.suspect)]))
    groups += [(attribute.name, _attribute_options(attribute)) for attribute in values.attributes]
    groups.append((say_here("Segment"), [(_as_json({"segment": id_}), name) for id_, name in usable]))
    groups.append((say_here("Earlier campaign"), _campaign_options()))
    known = {value for _, options in groups for value, _ in options}
    others = {row.choice: words.get(row.choice, row.choice[:60]) for row in rows if row.choice not in known | {""}}
    return [group for group in [*groups, (say_here("Other"), list(others.items()))] if group[1]]


def _attribute_options(attribute: AttributeChoice) -> list[tuple[str, str]]:
    name = attribute.name

    def rule(**comparison: Any) -> str:
        return _as_json({"attribute": {"name": name, **comparison}})

    options = [
        _option({"attribute": {"name": name, "is": value}}, f"{name}：{value}", people)
        for value, people in attribute.values or ()
    ]
    has = say_here("has a {name}", name=name)
    options.append(_option({"attribute": {"name": name, "exists": True}}, has, attribute.people))
    if attribute.values is None:
        options.append((rule(**{"is": None}), say_here("{name} is …", name=name)))
    if attribute.numbers:
        options += [
            (rule(at_least=None), say_here("{name} is at least …", name=name)),
            (rule(at_most=None), say_here("{name} is at most …", name=name)),
            (rule(more=None), say_here("{name} is more than …", name=name)),
            (rule(less=None), say_here("{name} is less than …", name=name)),
        ]
    if attribute.dates:
        options += [
            (rule(before=None), say_here("{name} before …", name=name)),
            (rule(after=None), say_here("{name} after …", name=name)),
            (rule(before={"years_ago": None}), say_here("{name} more than … years ago", name=name)),
            (rule(after={"years_ago": None}), say_here("{name} less than … years ago", name=name)),
            (rule(before={"days_ago": None}), say_here("{name} more than … days ago", name=name)),
            (rule(after={"days_ago": None}), say_here("{name} less than … days ago", name=name)),
            (rule(age={"at_least": None}), say_here("whole years since {name}: at least …", name=name)),
            (rule(age={"less": None}), say_here("whole years since {name}: less than …", name=name)),
            (rule(anniversary="today"), say_here("{name} today, of whatever year", name=name)),
            (rule(anniversary="tomorrow"), say_here("{name} tomorrow, of whatever year", name=name)),
            (rule(anniversary="this_month"), say_here("{name} this month, of whatever year", name=name)),
            (rule(anniversary="next_month"), say_here("{name} next month, of whatever year", name=name)),
        ]
    return options


def _campaign_options() -> list[tuple[str, str]]:
    labels = {
        "in_audience": say_here("in the audience of …"),
        "texted": say_here("texted by …"),
        "delivered": say_here("got the text of …"),
        "not_delivered": say_here("texted in vain by …"),
        "not_texted": say_here("in the audience, but not texted by …"),
        "answered": say_here("answered …"),
        "not_answered": say_here("texted, but did not answer …"),
        "accepted": say_here("said yes to …"),
        "declined": say_here("said no to …"),
        "unanswered": say_here("asked by …, and said nothing"),
        "came": say_here("came to the event of …"),
    }
    return [(_as_json({"campaign": {"id": None, "outcome": outcome}}), labels[outcome]) for outcome in OUTCOMES]


def read_rows(form: Mapping[str, str]) -> list[RuleRow]:
    """The rows that a form sent, the empty ones too."""
    count = min(int(form["count"]) if form.get("count", "").isdecimal() and len(form["count"]) < 4 else 1, MOST_ROWS)
    return [
        RuleRow(form.get(f"row-{n}", ""), form.get(f"not-{n}") == "true", form.get(f"text-{n}", "").strip())
        for n in range(1, count + 1)
    ]


def make_rules(rows: Sequence[RuleRow], path: str) -> list[dict[str, Any]]:
    """The rule of each row that is filled in, for the unit at `path`. Raises Invalid, whose field is the row's."""
    return [_rule(f"row-{n}", row, path) for n, row in enumerate(rows, 1) if row.choice]


def join_rules(rules: Sequence[dict[str, Any]], joined: str) -> dict[str, Any]:
    """One rule of them; of none, everybody. `joined`: "all" or "any"."""
    if not rules:
        return EVERYONE
    return rules[0] if len(rules) == 1 else {"any" if joined == "any" else "all": list(rules)}


def split_rule(rule: Mapping[str, Any]) -> tuple[str, list[RuleRow]] | None:
    """A rule as "all" or "any" and its rows; None for one that no rows can say."""
    [(key, value)] = rule.items()
    if key == "everyone":
        return "all", []
    parts = value if key in ("all", "any") else [rule]
    rows = [_row(part) for part in parts]
    if len(rows) > MOST_ROWS or any(row is None for row in rows):
        return None
    return ("any" if key == "any" else "all"), [row for row in rows if row is not None]


def read_raw(text: str) -> dict[str, Any]:
    """A rule that was written as JSON. Raises Invalid (`raw`)."""
    try:
        rule = json.loads(text)
    except (ValueError, RecursionError):
        raise Invalid("raw", None, "is not JSON") from None
    _check(rule, "raw")
    return dict(rule)


def _row(rule: Any) -> RuleRow | None:
    [(key, value)] = rule.items()
    negated = key == "not"
    if negated:
        [(key, inner)] = value.items()
        rule, value = value, inner
    if key not in _SIMPLE:
        return None
    open_, text = take_out(rule)
    return RuleRow(_as_json(open_), negated, text)


def _rule(field: str, row: RuleRow, path: str) -> dict[str, Any]:
    try:
        rule = json.loads(row.choice)
        fill_rule(rule, row.text, field, path)
    except (ValueError, RecursionError, AttributeError, TypeError, KeyError, StopIteration):
        raise Invalid(field, None, "choose one of the list") from None
    _check(rule, field)
    return {"not": rule} if row.negated else dict(rule)


def _check(rule: Any, field: str) -> None:
    try:
        parse_rule(rule)
    except Invalid as error:
        raise Invalid(field, None, say("{place}: {reason}", place=error.field, reason=error.reason)) from None


def _option(rule: dict[str, Any], name: str, people: int) -> tuple[str, str]:
    return _as_json(rule), f"{name} ({people})"


def _as_json(rule: Any) -> str:
    return json.dumps(rule, ensure_ascii=False, sort_keys=True)
