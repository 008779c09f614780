"""Reads what a provider sends, in any format, into one kind of document: objects, lists and texts, as in JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import parse_qsl
from xml.etree import ElementTree

from sms_service.gateways.http import paths

Format = Literal["json", "xml", "form", "text"]

LONGEST = 200  # characters of an id or a code; a longer one is refused
_UNUSABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


class Unreadable(Exception):
    """The document cannot be read; the message contains nothing of its content."""


def read_document(body: bytes, form: Format, charset: str, pattern: re.Pattern[str] | None = None) -> Any:
    """The document in `body`: the value of JSON, the content of XML's root element, the fields of a form, or the named
    groups of `pattern` in a text. Raises Unreadable.
    """
    try:
        if form == "xml":
            return _element(_root(body))
        text = body.decode(charset)
        if form == "json":
            return json.loads(text.removeprefix("\ufeff"))
        if form == "form":
            fields = parse_qsl(text, keep_blank_values=True, encoding=charset, errors="strict", max_num_fields=10_000)
            return dict(fields)
        found = pattern.search(text) if pattern else None
    except (ValueError, RecursionError, ElementTree.ParseError):
        raise Unreadable(f"it is not {form} in {charset}") from None
    if found is None:
        raise Unreadable("the text does not match the pattern")
    return {name: value for name, value in found.groupdict().items() if value is not None}


def field(document: Any, path: paths.Path | None, longest: int = LONGEST) -> str | None:
    """The text, number or truth value at `path` as a text; None if there is none, or an empty one.

    Raises Unreadable if it is something else, too long, or holds a character that is no text.
    """
    value = paths.MISSING if path is None else paths.find_path(document, path)
    if value is None or value is paths.MISSING:
        return None
    return scalar(value, longest)


def scalar(value: Any, longest: int = LONGEST) -> str | None:
    """One value as `field` has it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        value = str(value) if abs(value) < 10**30 else ""
    if not isinstance(value, str) or len(value) > longest or _UNUSABLE.search(value):
        raise Unreadable("a field holds something else than a short text")
    return value.strip() or None


def raw(item: Any) -> str:
    """A part of a document as it is stored; in ASCII if it contains half a character."""
    text = json.dumps(item, ensure_ascii=False)
    return json.dumps(item) if _UNUSABLE.search(text) else text


def headers_of(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers by their name in lower case."""
    return {name.lower(): value for name, value in headers.items()}


def _root(body: bytes) -> ElementTree.Element:
    # Refuse a document type: nobody needs what it can declare, and attacks on XML readers use it.
    if b"<!" in body.replace(b"<![CDATA[", b"").replace(b"<!--", b""):
        raise ValueError
    return ElementTree.fromstring(body)  # noqa: S314


def _element(element: ElementTree.Element) -> Any:
    """An element's text, or its attributes and children by name; several with the same name become a list."""
    found: dict[str, Any] = {f"@{name}": value for name, value in element.attrib.items()}
    for child in element:
        name, value = child.tag.rpartition("}")[2], _element(child)
        if name not in found:
            found[name] = value
        elif isinstance(found[name], list):
            found[name].append(value)
        else:
            found[name] = [found[name], value]
    return found or (element.text or "")
