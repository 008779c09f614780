"""Reads and checks the options of an account in `gateways.toml`; each adapter declares them as a frozen dataclass.

An option is a text, a number, a truth value, one of several words (`Literal`), a file (`Path`), a table of further
options (another such dataclass), a list (`tuple[X, ...]`), a table with names of its own (`Mapping[str, X]`), or one of
these or nothing (`X | None`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, field, fields, is_dataclass
from pathlib import Path
from types import MappingProxyType, NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

T = TypeVar("T")
Check = Callable[[Any], str | None]
Keys = tuple[str, ...]  # the path to an option: the keys of the tables around it, then its own key


class BadOption(Exception):
    """An option cannot be used. `keys` is the path to it, `key` the same as one text; `reason` says what would be
    right, and never shows the value.
    """

    def __init__(self, key: str | Keys, reason: str) -> None:
        self.keys = (key,) if isinstance(key, str) else key
        self.key, self.reason = ".".join(self.keys), reason
        super().__init__(f"{self.key} {reason}")


class UnknownOption(BadOption):
    """There is no option of this name."""


def option(*, default: Any = MISSING, secret: bool = False, check: Check | None = None, template: bool = False) -> Any:
    """One option of an adapter: a dataclass field.

    `secret` keeps its value out of every repr and makes the file name it, or each text in it, as `${NAME}`. `check`
    gets the value and returns None, or what would be right ("must be …"). A `template` cannot hold `${NAME}`, whose
    value would be read as a part of the template.
    """
    marks = {"secret": secret, "check": check, "template": template}
    if isinstance(default, Mapping):  # a dataclass refuses such a default, since an instance could change it
        return field(default_factory=lambda: default, repr=not secret, metadata=marks)
    return field(default=default, repr=not secret, metadata=marks)


def marked(mark: Literal["secret", "template"], kind: type, values: Mapping[str, Any]) -> Iterator[tuple[Keys, Any]]:
    """The values of options of `kind` that have this mark, also in tables within it, each with the path to it."""
    types = get_type_hints(kind)
    for declared in fields(kind):
        if declared.name not in values:
            continue
        value, table = values[declared.name], _table(types[declared.name])
        if declared.metadata.get(mark):
            yield from _leaves((declared.name,), value)
        elif table is not None and isinstance(value, dict):
            yield from (((declared.name, *keys), found) for keys, found in marked(mark, table, value))


def read_options(kind: type[T], values: Mapping[str, Any], folder: Path = Path()) -> T:
    """`values` as an instance of the option dataclass `kind`; files are named relative to `folder`.

    Raises BadOption for a key that `kind` does not have, a missing one, one of another type or outside its bounds.
    """
    known = {f.name: f for f in fields(kind)}  # type: ignore[arg-type]
    for key in values:
        if key not in known:
            raise UnknownOption(key, f"is not known here; known are {', '.join(sorted(known))}")
    types = get_type_hints(kind)
    found = {}
    for name, declared in known.items():
        if name not in values:
            if declared.default is MISSING and declared.default_factory is MISSING:
                raise BadOption(name, "is missing")
            continue
        found[name] = _read((name,), types[name], values[name], folder)
        if (check := declared.metadata.get("check")) and (reason := check(found[name])):
            raise BadOption(name, reason)
    return kind(**found)


def _read(keys: Keys, wanted: Any, value: Any, folder: Path) -> Any:
    if isinstance(wanted, UnionType) or get_origin(wanted) is Union:
        wanted = next(one for one in get_args(wanted) if one is not NoneType)
    match get_origin(wanted), get_args(wanted):
        case _, _ if is_dataclass(wanted) and isinstance(wanted, type):
            if not isinstance(value, dict):
                raise BadOption(keys, "must be a table")
            try:
                return read_options(wanted, value, folder)
            except BadOption as error:
                raise type(error)((*keys, *error.keys), error.reason) from None
        case origin, words if origin is Literal:
            if not isinstance(value, str) or value not in words:
                raise BadOption(keys, f"must be one of {', '.join(words)}")
            return value
        case origin, (item, *_) if origin is tuple:
            if not isinstance(value, list):
                raise BadOption(keys, "must be a list")
            return tuple(_read(keys, item, one, folder) for one in value)
        case origin, (_, item) if origin is Mapping:
            if not isinstance(value, dict):
                raise BadOption(keys, "must be a table")
            return MappingProxyType({key: _read((*keys, key), item, one, folder) for key, one in value.items()})
    if wanted is Path:
        return folder / _read(keys, str, value, folder)
    # To Python a bool is an int, but `connections = true` is a mistake. An int is accepted for a float: 30 seconds.
    fits = isinstance(value, int | float) if wanted is float else isinstance(value, wanted)
    if not fits or (isinstance(value, bool) and wanted is not bool):
        raise BadOption(keys, f"must be {_NAMES.get(wanted, 'text')}")
    return value


def _table(wanted: Any) -> type | None:
    """The dataclass if an option's type is one, alone or together with None."""
    for one in (wanted, *get_args(wanted)):
        if isinstance(one, type) and is_dataclass(one):
            return one
    return None


def _leaves(keys: Keys, value: Any) -> Iterator[tuple[Keys, Any]]:
    if isinstance(value, dict):
        for key, one in value.items():
            yield from _leaves((*keys, key), one)
    elif isinstance(value, list):
        for one in value:
            yield from _leaves(keys, one)
    else:
        yield keys, value


def look_up_after() -> Any:
    """The option `look_up_after` of every adapter that can look up: seconds from the beginning of a hand-over until its
    text is looked up. Ten minutes are longer than any hand-over may take, and long enough for a provider to complete
    its records.
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
