"""What an account in `gateways.toml` can set: each adapter declares a frozen dataclass, read and checked here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, field, fields
from typing import Any, TypeVar, get_type_hints
from urllib.parse import urlsplit

T = TypeVar("T")
Check = Callable[[Any], str | None]


class BadOption(Exception):
    """An option cannot be used; `key` is its name and `reason` says what would be right, never what the value was."""

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(f"{key} {reason}")
        self.key, self.reason = key, reason


def option(*, default: Any = MISSING, secret: bool = False, check: Check | None = None) -> Any:
    """One option of an adapter: a dataclass field.

    `secret` keeps its value out of every repr and makes the file name it as `${NAME}`. `check` gets the value and
    returns None, or what would be right ("must be …").
    """
    return field(default=default, repr=not secret, metadata={"secret": secret, "check": check})


def secrets_of(kind: type) -> frozenset[str]:
    """The names of the options of `kind` that are secrets."""
    return frozenset(f.name for f in fields(kind) if f.metadata.get("secret"))


def read(kind: type[T], values: Mapping[str, Any]) -> T:
    """`values` as an instance of the option dataclass `kind`.

    Raises BadOption for a key that `kind` does not have, a missing one, one of another type or outside its bounds.
    """
    known = {f.name: f for f in fields(kind)}  # type: ignore[arg-type]
    for key in values:
        if key not in known:
            raise BadOption(key, f"is not known here; known are {', '.join(sorted(known))}")
    types = get_type_hints(kind)
    for name, declared in known.items():
        if name not in values:
            if declared.default is MISSING:
                raise BadOption(name, "is missing")
            continue
        value, wanted = values[name], types[name]
        # bool is an int to Python, but `connections = true` is a mistake; 30 is a fine number of seconds for a float.
        fits = isinstance(value, int | float) if wanted is float else isinstance(value, wanted)
        if not fits or (isinstance(value, bool) and wanted is not bool):
            raise BadOption(name, f"must be {_NAMES.get(wanted, 'text')}")
        if (check := declared.metadata.get("check")) and (reason := check(value)):
            raise BadOption(name, reason)
    return kind(**values)


def look_up_after() -> Any:
    """The option `look_up_after` of every adapter that can look up: seconds after a hand-over began before its text is
    looked up. Ten minutes are more than any hand-over may take, and what a provider needs to have its records in order.
    """
    return option(default=600, check=between(600, 86_400))


def http_url(value: str) -> str | None:
    """A check: an absolute http or https URL without query, fragment or log-in."""
    try:
        parts = urlsplit(value)
        valid = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        valid = False
    if not valid or parts.query or parts.fragment or parts.username:
        return "must be an absolute http:// or https:// URL without a query or a log-in"
    return None


def between(low: float, high: float) -> Check:
    """A check: a number from `low` to `high`, both included."""
    return lambda value: None if low <= value <= high else f"must be from {low:g} to {high:g}"


def not_empty(value: str) -> str | None:
    """A check: text with something in it."""
    return None if value.strip() else "must not be empty"


_NAMES = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
