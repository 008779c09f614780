"""Properties of what the generic HTTP adapter is made of: paths, digests, templates, numbers."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_service.gateways.http import documents, paths, signing
from sms_service.gateways.http.phones import Phones
from sms_service.gateways.http.templates import BadTemplate, CannotRenderRequest, RequestTemplates

_scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
_documents = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=20,
)


def everywhere(document: Any, steps: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    """Every value in a document, with the way to it."""
    inner: list[tuple[str, Any]] = []
    if isinstance(document, dict):
        inner = list(document.items())
    elif isinstance(document, list):
        inner = [(str(place), value) for place, value in enumerate(document)]
    found = [(steps, document)]
    for step, value in inner:
        found += everywhere(value, (*steps, step))
    return found


@given(_documents)
def test_a_pointer_leads_to_every_value_and_dots_to_those_with_plain_names(document: Any) -> None:
    for steps, value in everywhere(document):
        pointer = "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in steps)
        assert paths.find_path(document, paths.parse_path(pointer)) is value
        if steps and all(step and "." not in step for step in steps) and not steps[0].startswith("/"):
            assert paths.find_path(document, paths.parse_path(".".join(steps))) is value


@given(_documents, st.lists(st.text(max_size=3), max_size=5))
def test_a_path_finds_what_is_there_or_nothing(document: Any, steps: list[str]) -> None:
    found = paths.find_path(document, tuple(steps))
    there = dict(everywhere(document))
    assert found is there.get(tuple(steps), paths.MISSING)


@pytest.mark.parametrize("written", ["a..b", ".a", "a.", ".", "/~2", "/a~"])
def test_a_bad_path_is_none(written: str) -> None:
    assert paths.check_path(written)


@given(st.binary(max_size=64), st.binary(max_size=64))
def test_digests_are_those_of_the_standard_library(key: bytes, message: bytes) -> None:
    assert signing.compute_digest("md5", key, message) == hashlib.md5(message).digest()
    assert signing.compute_digest("sha256", key, message) == hashlib.sha256(message).digest()
    assert signing.compute_digest("hmac-sha1", key, message) == hmac.new(key, message, "sha1").digest()
    assert signing.compute_digest("hmac-sha256", key, message) == hmac.new(key, message, "sha256").digest()
    assert signing.write_digest(message, "HEX") == message.hex().upper()
    assert base64.b64decode(signing.write_digest(message, "base64")) == message


_texts = st.text(st.characters(blacklist_categories=("Cs",)), max_size=40)


@given(_texts, _texts)
def test_a_value_is_only_a_value_in_a_template(text: str, name: str) -> None:
    """Whatever a text holds, template signs too, it arrives as it is, in JSON and in what is signed."""
    templates = RequestTemplates("utf-8")
    body = templates.compile('{"text": {{ text | json }}, "list": {{ [text, name] | json }}}', {"text", "name"})
    values = {"text": text, "name": name}
    assert json.loads(body.render(values)) == {"text": text, "list": [text, name]}
    over = templates.compile("{{ name }}{{ text }}", {"text", "name"})
    assert over.render(values) == name + text
    mac = templates.compile("{{ (name ~ text) | md5 }}{{ text | b64 }}{{ text | hmac(name) }}", {"text", "name"})
    assert mac.render(values) == (
        hashlib.md5((name + text).encode()).hexdigest()
        + base64.b64encode(text.encode()).decode()
        + hmac.new(name.encode(), text.encode(), "sha256").hexdigest()
    )


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("{{ texxt }}", "texxt is not known here; known are phone, text"),
        ("{% if text %}", "line 1: "),
        ("{{ text | nothing }}", "nothing"),
        ("{% for one in range(9) %}{% endfor %}", "range is not known"),
        ("{% include 'x' %}{{ a }}", "a is not known"),
    ],
)
def test_a_bad_template_says_why(source: str, reason: str) -> None:
    with pytest.raises(BadTemplate, match=reason.replace("(", r"\(")):
        RequestTemplates("utf-8").compile(source, {"text", "phone"})


@pytest.mark.parametrize(
    "source",
    ["{{ text.__class__.__mro__ }}", "{{ text.nothing }}", "{% include 'x' %}", "{{ 1 / 0 }}", "{{ 'x' * 9000000 }}"],
)
def test_a_template_gets_at_nothing_else(source: str) -> None:
    template = RequestTemplates("utf-8").compile(source, {"text"})
    with pytest.raises(CannotRenderRequest) as caught:
        template.render({"text": "hush-hush"})
    assert "hush" not in str(caught.value)


@given(st.integers(min_value=13_000_000_000, max_value=19_999_999_999))
def test_a_number_comes_back_as_it_went(number: int) -> None:
    for form in ("e164", "digits", "national"):
        phones = Phones(form, 86)  # type: ignore[arg-type]
        written = phones.write(f"+86{number}")
        assert written is not None
        assert phones.read(written) == f"+86{number}"


@pytest.mark.parametrize("phone", ["+85291234567", "+12025550123", "+8675512345", "+861234"])
def test_what_has_no_national_form_gets_none(phone: str) -> None:
    written = Phones("national", 86).write(phone)
    assert written is None or Phones("national", 86).read(written) == phone


@given(st.text(st.characters(min_codepoint=32, blacklist_categories=("Cs", "Cn", "Co")), min_size=1, max_size=20))
def test_xml_is_read_as_json_would_be(text: str) -> None:
    body = f'<r a="1"><x>{escape(text)}</x><x><y/></x><z>1</z></r>'.encode()
    assert documents.read_document(body, "xml", "utf-8") == {"@a": "1", "x": [text, {"y": ""}], "z": "1"}
