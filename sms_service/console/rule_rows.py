"""A segment's rule as rows of a form: each is one thing that people are or are not, and all or any of them must hold.

A row's choice is the rule itself as JSON, so that what is shown and what is kept cannot differ; `text.N` fills in what
cannot be chosen, such as a date.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sms_service.audience.choices import RuleValues
from sms_service.audience.grammar import parse_rule
from sms_service.console.languages import say_here
from sms_service.console.rendering import name_here
from sms_service.errors import Invalid
from sms_service.said import say

MOST_ROWS = 20
EVERYONE: dict[str, Any] = {"everyone": True}
_SIMPLE = ("unit", "level", "role", "tag", "kind", "suspect", "attribute", "people")
_WRITTEN = ("is", "before", "after")


@dataclass(frozen=True, slots=True)
class RuleRow:
    """One row: what people are, or with `negated` are not; `text` where the choice leaves something to be written."""

    choice: str
    negated: bool = False
    text: str = ""


Options = list[tuple[str, list[tuple[str, str]]]]


def list_options(values: RuleValues, rows: Sequence[RuleRow]) -> Options:
    """What a row can be: headings with pairs of value and label, each with how many people it has."""
    groups: Options = [
        (say_here("In unit"), [_option({"unit": one.id}, one.name, one.people) for one in values.units]),
        (say_here("Role"), [_option({"role": one.name}, one.name, one.people) for one in values.roles]),
        (say_here("Tag"), [_option({"tag": one.name}, one.name, one.people) for one in values.tags]),
        (say_here("Kind"), [_option({"kind": one.name}, name_here(one.name), one.people) for one in values.kinds]),
    ]
    if values.suspect:
        seems = say_here("Number seems dead")
        groups.append((say_here("Phone number"), [_option({"suspect": True}, seems, values.suspect)]))
    for attribute in values.attributes:
        name, options = attribute.name, []
        for value, people in attribute.values or ():
            options.append(_option({"attribute": {"name": name, "is": value}}, f"{name}：{value}", people))
        options.append(
            _option(
                {"attribute": {"name": name, "exists": True}}, say_here("has a {name}", name=name), attribute.people
            )
        )
        if attribute.values is None:
            written = (
                ("is", say_here("{name} is …", name=name)),
                ("before", say_here("{name} before …", name=name)),
                ("after", say_here("{name} after …", name=name)),
            )
            options += [(_as_json({"attribute": {"name": name, one: None}}), label) for one, label in written]
        groups.append((name, options))
    known = {value for _, options in groups for value, _ in options}
    others = {row.choice: row.choice[:60] for row in rows if row.choice and row.choice not in known}
    return [group for group in [*groups, (say_here("Other"), list(others.items()))] if group[1]]


def read_rows(form: Mapping[str, str]) -> list[RuleRow]:
    """The rows that a form sent, the empty ones too."""
    count = min(int(form["count"]) if form.get("count", "").isdecimal() and len(form["count"]) < 4 else 1, MOST_ROWS)
    return [
        RuleRow(form.get(f"row-{n}", ""), form.get(f"not-{n}") == "true", form.get(f"text-{n}", "").strip())
        for n in range(1, count + 1)
    ]


def make_rules(rows: Sequence[RuleRow]) -> list[dict[str, Any]]:
    """The rule of each row that is filled in. Raises Invalid, whose field is the row's."""
    return [_rule(f"row-{n}", row) for n, row in enumerate(rows, 1) if row.choice]


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
    if key == "attribute":
        comparison = next(one for one in value if one != "name")
        if comparison in ("before", "after") and isinstance(value[comparison], str):
            choice = {"attribute": {"name": value["name"], comparison: None}}
            return RuleRow(_as_json(choice), negated, str(value[comparison]))
    return RuleRow(_as_json(rule), negated)


def _rule(field: str, row: RuleRow) -> dict[str, Any]:
    try:
        rule = json.loads(row.choice)
    except (ValueError, RecursionError):
        raise Invalid(field, None, "choose one of the list") from None
    found = rule.get("attribute") if isinstance(rule, dict) else None
    attribute: dict[str, Any] = found if isinstance(found, dict) else {}
    for comparison in _WRITTEN:
        if comparison in attribute and attribute[comparison] is None:
            if not row.text:
                raise Invalid(field, None, "write the value beside it")
            attribute[comparison] = row.text
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
