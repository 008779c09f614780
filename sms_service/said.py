"""What the service says to people: a message with named places, and the values that stand in them.

A sentence is English in the log, on the command line and in the API, and it has with it what a catalogue needs to say
it in another language. A constant without places needs nothing more: it is its own message (`as_said`).
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from enum import EnumType, StrEnum
from typing import Any

Value = str | int | float | tuple[str, ...]  # a text may be Said itself
JOINER = ", "  # between the members of a list whose place has no format; the key under which a catalogue has its own


class Said(str):
    """An English sentence that knows how it was made; as a text it is that sentence.

    `message` is the sentence with named places, the key of a catalogue. A place may have a format, `{most:,}`. For a
    list, the format is put between its members, `{words: or }`; without a format, a comma and a blank.
    """

    __slots__ = ("message", "values")
    message: str
    values: Mapping[str, Value]

    def __new__(cls, message: str, values: Mapping[str, Value]) -> Said:
        said = super().__new__(cls, _FILLING.vformat(message, (), values))
        said.message, said.values = message, values
        return said

    def __getnewargs__(self) -> tuple[str, Mapping[str, Value]]:  # type: ignore[override]  # how it is copied
        return self.message, self.values


class Word(Said):
    """A member of an enum within a sentence: the word itself is its message, and in JSON it is a plain text."""

    __slots__ = ()


class _Filling(string.Formatter):
    def format_field(self, value: Any, format_spec: str) -> str:
        if isinstance(value, tuple):
            return (format_spec or JOINER).join(map(str, value))
        return str(super().format_field(value, format_spec))


_FILLING = _Filling()


def say(message: str, /, **values: object) -> Said:
    """The English sentence of `message`, with `values` in its places.

    Numbers stay numbers, lists become tuples of texts, and everything else becomes text, so that all can be stored as
    JSON. A member of an enum is a word that a catalogue may have.
    """
    return Said(message, {name: _plain(value) for name, value in values.items()})


def as_said(text: str) -> Said:
    """The text as Said. A text that is not Said yet, such as a constant sentence, is a message without places."""
    return text if isinstance(text, Said) else Said(text.replace("{", "{{").replace("}", "}}"), {})


def translate(said: str, catalogue: Mapping[str, str]) -> str:
    """The sentence in the language of `catalogue`, which maps messages to messages; in English if it has no entry."""
    said = as_said(said)
    values = {name: _translated(value, catalogue) for name, value in said.values.items()}
    message = catalogue.get(said.message, said.message)
    if JOINER in catalogue and any(isinstance(value, tuple) for value in values.values()):
        message = _joined_by(catalogue[JOINER], message, values)
    return Said(message, values)


def read_places(message: str) -> list[tuple[str, str]]:
    """The places of a message, in its order: their names and formats."""
    return [(name, spec or "") for _, name, spec, _ in _FILLING.parse(message) if name is not None]


def to_json(said: str) -> dict[str, Any]:
    """`message` and `values` for JSON. A value that is Said itself becomes such a pair too."""
    said = as_said(said)
    return {"message": said.message, "values": {name: _to_json(value) for name, value in said.values.items()}}


def from_json(message: str, values: Mapping[str, Any]) -> Said:
    """The sentence from the pair that `to_json` made."""
    return Said(message, {name: _from_json(value) for name, value in values.items()})


def read_said(sentence: str, pair: Mapping[str, Any] | None) -> Said:
    """A stored sentence with the pair of `to_json` stored beside it; by itself where that does not make this sentence,
    as after a process of an older release, which writes the sentence alone.
    """
    said = None if pair is None else from_json(**pair)
    return said if said is not None and said == sentence else as_said(sentence)


def _joined_by(joiner: str, message: str, values: Mapping[str, Value]) -> str:
    """The message, with the joiner of its language as the format of each place that a list without one stands in."""
    made = []
    for text, name, spec, conversion in _FILLING.parse(message):
        made.append(text.replace("{", "{{").replace("}", "}}"))
        if name is not None:
            shown = spec or (joiner if isinstance(values.get(name), tuple) else "")
            made.append("{" + name + (f"!{conversion}" if conversion else "") + (f":{shown}" if shown else "") + "}")
    return "".join(made)


def _plain(value: object) -> Value:
    match value:
        case int() | float():
            return value
        case list() | tuple() | set() | frozenset() | EnumType():
            return tuple(_plain_text(member) for member in value)
    return _plain_text(value)


def _plain_text(value: object) -> str:
    match value:
        case StrEnum():
            return Word(value.value, {})
        case Said():
            return value
    return str(value)


def _translated(value: Value, catalogue: Mapping[str, str]) -> Value:
    match value:
        case Said():
            return translate(value, catalogue)
        case tuple():
            return tuple(translate(member, catalogue) if isinstance(member, Said) else member for member in value)
    return value


def _to_json(value: Value) -> Any:
    match value:
        case Word():
            return str(value)
        case Said():
            return to_json(value)
        case tuple():
            return [_to_json(member) for member in value]
    return value


def _from_json(value: Any) -> Value:
    match value:
        case {"message": str(message), "values": dict(values)}:
            return from_json(message, values)
        case list():
            return tuple(_plain_text(_from_json(member)) for member in value)
    return value  # type: ignore[no-any-return]
