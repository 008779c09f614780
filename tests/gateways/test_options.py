"""Options of adapters: tables within tables, lists and tables with names of their own, each checked and named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import pytest

from sms_service.gateways.options import BadOption, UnknownOption, between, marked, option, read_options

NONE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Inner:
    kind: Literal["a", "b"]
    seconds: float = option(default=3.0, check=between(1, 9))
    key: str = option(default="", secret=True)
    body: str | None = option(default=None, template=True)

    def __post_init__(self) -> None:
        if self.kind == "b" and not self.key:
            raise BadOption("key", "is missing; b needs it")


@dataclass(frozen=True, slots=True)
class Outer:
    inner: Inner
    other: Inner | None = None
    names: tuple[str, ...] = option(default=())
    words: Mapping[str, str] = option(default=NONE, template=True)
    secrets: Mapping[str, str] = option(default=NONE, secret=True)
    file: Path | None = None
    on: bool = False


def test_everything_is_read_as_what_it_is_declared_to_be(tmp_path: Path) -> None:
    written = {
        "inner": {"kind": "b", "key": "k", "seconds": 5},
        "other": {"kind": "a"},
        "names": ["x", "y"],
        "words": {"hello": "{{ text }}"},
        "file": "codes.csv",
        "on": True,
    }
    found = read_options(Outer, written, tmp_path)
    assert found.inner == Inner("b", 5, "k")
    assert found.other == Inner("a")
    assert (found.names, dict(found.words), found.on) == (("x", "y"), {"hello": "{{ text }}"}, True)
    assert found.file == tmp_path / "codes.csv"
    assert read_options(Outer, {"inner": {"kind": "a"}}) == Outer(Inner("a"))


@pytest.mark.parametrize(
    ("written", "keys", "reason"),
    [
        ({}, ("inner",), "is missing"),
        ({"inner": 3}, ("inner",), "must be a table"),
        ({"inner": {}}, ("inner", "kind"), "is missing"),
        ({"inner": {"kind": "c"}}, ("inner", "kind"), "must be one of a, b"),
        ({"inner": {"kind": ["a"]}}, ("inner", "kind"), "must be one of a, b"),
        ({"inner": {"kind": "b"}}, ("inner", "key"), "b needs it"),
        ({"inner": {"kind": "a", "seconds": 10}}, ("inner", "seconds"), "must be from 1 to 9"),
        ({"inner": {"kind": "a", "seconds": True}}, ("inner", "seconds"), "must be a number"),
        ({"inner": {"kind": "a"}, "other": {"kind": "a", "body": 3}}, ("other", "body"), "must be text"),
        ({"inner": {"kind": "a"}, "names": "x"}, ("names",), "must be a list"),
        ({"inner": {"kind": "a"}, "names": ["x", 3]}, ("names",), "must be text"),
        ({"inner": {"kind": "a"}, "words": ["x"]}, ("words",), "must be a table"),
        ({"inner": {"kind": "a"}, "words": {"x": 3}}, ("words", "x"), "must be text"),
        ({"inner": {"kind": "a"}, "file": 3}, ("file",), "must be text"),
        ({"inner": {"kind": "a"}, "on": 1}, ("on",), "must be true or false"),
    ],
)
def test_a_mistake_is_named_by_the_way_to_it(written: dict[str, Any], keys: tuple[str, ...], reason: str) -> None:
    with pytest.raises(BadOption, match=reason) as caught:
        read_options(Outer, written)
    assert caught.value.keys == keys
    assert caught.value.key == ".".join(keys)


@pytest.mark.parametrize("written", [{"kind": "a", "kye": "hush"}, {"kind": "a", "": "hush"}])
def test_a_key_that_is_not_known_is_named_without_its_value(written: dict[str, Any]) -> None:
    with pytest.raises(UnknownOption, match="known are body, key, kind, seconds") as caught:
        read_options(Outer, {"inner": written})
    assert caught.value.keys == ("inner", list(written)[1])
    assert "hush" not in str(caught.value)


def test_marks_are_found_in_tables_lists_and_names_of_their_own() -> None:
    written = {
        "inner": {"kind": "a", "key": "1", "body": "2"},
        "other": {"kind": "a", "key": ["3", "4"]},
        "words": {"x": "5"},
        "secrets": {"y": "6", "z": 7},
        "unknown": {"key": "8"},
    }
    assert list(marked("secret", Outer, written)) == [
        (("inner", "key"), "1"),
        (("other", "key"), "3"),
        (("other", "key"), "4"),
        (("secrets", "y"), "6"),
        (("secrets", "z"), 7),
    ]
    assert list(marked("template", Outer, written)) == [(("inner", "body"), "2"), (("words", "x"), "5")]


def test_no_secret_is_in_a_repr() -> None:
    found = read_options(Outer, {"inner": {"kind": "b", "key": "hush"}, "secrets": {"y": "hush"}})
    assert "hush" not in repr(found)
