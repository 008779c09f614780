"""Changing a behaviour by values from outside: a command line, or PUT /behaviour."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, NoReturn, get_type_hints

from sms_service.simulator.behaviour import ANSWERS, CHOICES, Behaviour, PhoneRule

_TIMES = (tuple[float, float], tuple[float, float] | None)
_ONE_OR_MORE = ("receipts_batch", "smpp_window")


class BadBehaviour(ValueError):
    """A behaviour cannot be used; the message names the field and says what would be right."""


def change_behaviour(behaviour: Behaviour, values: Mapping[str, Any]) -> Behaviour:
    """`behaviour` with the fields in `values` (as JSON has them) replaced. Raises BadBehaviour."""
    hints = get_type_hints(Behaviour)
    unknown = values.keys() - hints.keys()
    if unknown:
        raise BadBehaviour(f"{min(unknown)} is not known here; known are {', '.join(sorted(hints))}")
    changed = replace(behaviour, **{name: _value(name, hints[name], value) for name, value in values.items()})
    shares = [f"{answer}_share" for answer in ANSWERS if answer != "accept"]
    if sum(getattr(changed, share) for share in shares) > 1:
        raise BadBehaviour(f"the shares {', '.join(shares)} add up to more than 1")
    return changed


def _value(name: str, hint: Any, value: Any) -> Any:
    if name == "by_phone":
        return tuple(_rule(item) for item in value) if isinstance(value, list) else _bad(name, "a list of rules")
    if name == "templates":
        texts = isinstance(value, Mapping) and all(
            isinstance(one, str) and one for pair in value.items() for one in pair
        )
        return dict(value) if texts else _bad(name, "an object of texts by id")
    if hint in _TIMES:
        if not (isinstance(value, list | tuple) and len(value) == 2 and all(map(_is_number, value))):
            return _bad(name, "two numbers, the shortest and the longest time in seconds")
        return (float(value[0]), float(value[1])) if 0 <= value[0] <= value[1] else _bad(name, "from short to long")
    if hint is bool:
        return value if isinstance(value, bool) else _bad(name, "true or false")
    if hint is str:
        if name in CHOICES and value not in CHOICES[name]:
            return _bad(name, f"one of {', '.join(CHOICES[name])}")
        return value if isinstance(value, str) and value else _bad(name, "text that is not empty")
    if not _is_number(value) or (hint is int and not isinstance(value, int)):
        return _bad(name, "a whole number" if hint is int else "a number")
    if name.endswith("_share") and not 0 <= value <= 1:
        return _bad(name, "from 0 to 1")
    low = 1 if name in _ONE_OR_MORE else 0
    return value if value >= low or name == "seed" else _bad(name, f"{low} or more")


def _rule(item: Any) -> PhoneRule:
    names = {f.name for f in fields(PhoneRule)}
    if not (isinstance(item, dict) and "match" in item and item.keys() <= names):
        return _bad("by_phone", f"a list of objects with match, and with some of {', '.join(sorted(names))}")
    if not isinstance(item["match"], str):
        return _bad("by_phone", "rules whose match is text")
    if item.get("answer", "accept") not in ANSWERS:
        return _bad("by_phone", f"rules whose answer is one of {', '.join(ANSWERS)}")
    hints = get_type_hints(PhoneRule)
    # A rule as GET /behaviour shows it is accepted: with an empty reply, and with no delay of its own.
    unsaid = {"reply": "", "receipt_delay_s": None}
    said = {
        name: _value(f"by_phone.{name}", hints[name], value)
        for name, value in item.items()
        if name != "match" and not (name in unsaid and value == unsaid[name])
    }
    try:
        return PhoneRule(match=re.compile(item["match"]), **said)
    except re.error as error:
        return _bad("by_phone", f"rules whose match is a regular expression ({error})")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _bad(name: str, wanted: str) -> NoReturn:
    raise BadBehaviour(f"{name} must be {wanted}")
