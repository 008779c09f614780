"""The language of templates: a part of Jinja2 without loops and calls, rendered as plain text.

A body is checked against an allow-list over its syntax tree when a version is saved and again when it is compiled.
Rendering an allowed body always ends, and the text is never larger than the size of the body times that of its values:
there are no loops, calls, assignments or arithmetic, and `replace` never makes a text longer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from jinja2 import StrictUndefined, Template, TemplateSyntaxError, UndefinedError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from sms_service.content.grammar import Names, walk_template
from sms_service.errors import Invalid, ServiceError
from sms_service.said import say

MAX_BODY = 2_000  # characters of a template
MAX_VALUE = 2_000  # characters of one value
MAX_TEXT = 1_000  # UTF-16 code units of a rendered text: 15 parts

Values = Mapping[str, object]  # texts and numbers by the variable's name; None counts as missing

# Characters that a text message must not have: controls other than the line break, halves of surrogate pairs, U+2028
# and U+2029.
_UNWANTED = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


class CannotRender(ServiceError):
    """This text cannot be made from these values. The message names variables, never values."""


def _truncate(value: object, length: int) -> str:
    """At most `length` characters, the last of them `…` if something was cut. (Jinja2's own cuts at spaces.)"""
    text = str(value)
    return text if len(text) <= length else text[: length - 1] + "…"


def _environment() -> ImmutableSandboxedEnvironment:
    # No autoescape: an SMS is not HTML. A block on a line of its own leaves no empty line in the text.
    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, autoescape=False, trim_blocks=True, lstrip_blocks=True, cache_size=0
    )
    environment.globals.clear()
    environment.filters["truncate"] = _truncate
    return environment


_ENVIRONMENT = _environment()


@dataclass(frozen=True, slots=True)
class CompiledTemplate:
    """A checked body, ready to render from any thread.

    `variables` are all names in it, sorted; `required` those that are used somewhere without a `default`.
    """

    variables: tuple[str, ...]
    required: tuple[str, ...]
    _template: Template = field(repr=False)

    def render(self, values: Values) -> str:
        """The text with `values` filled in: `\\n` line breaks, no other control characters, no white space at its ends.

        Values that the template does not name are ignored. Raises CannotRender if a value is missing, is neither text
        nor number or has over 2,000 characters, or if the text comes out empty or over 1,000 UTF-16 code units.
        """
        given = {}
        for name in self.variables:
            value = values.get(name)
            if type(value) is str:
                if len(value) > MAX_VALUE:
                    raise CannotRender(
                        say(
                            "the value of {name} has {number} characters; at most {most} are allowed",
                            name=name,
                            number=len(value),
                            most=MAX_VALUE,
                        )
                    )
            elif value is None:
                continue
            elif isinstance(value, bool) or not isinstance(value, (str, int, float)):
                raise CannotRender(
                    say(
                        "the value of {name} is a {type}; it must be a text or a number",
                        name=name,
                        type=type(value).__name__,
                    )
                )
            given[name] = value
        try:
            text = self._template.render(given)
        except UndefinedError as error:
            raise CannotRender(say("a value is missing: {fault}", fault=error.message)) from None
        except TypeError:
            raise CannotRender("a comparison in the template mixes texts and numbers") from None
        if not text.isprintable():  # a quick check; most texts of one line are printable and need no more
            text = _UNWANTED.sub(" ", text.replace("\r\n", "\n").replace("\r", "\n"))
        text = text.strip()
        if not text:
            raise CannotRender("the text is empty")
        # A character outside the BMP takes two units, so a text below half the limit cannot exceed it.
        if len(text) > MAX_TEXT // 2 and (units := len(text.encode("utf-16-le")) // 2) > MAX_TEXT:
            raise CannotRender(
                say("the text has {units} characters (UTF-16); at most {most} are allowed", units=units, most=MAX_TEXT)
            )
        return text


def check_template(body: str) -> list[str]:
    """The names of a body's variables, sorted. Raises Invalid("body", …) naming line, construct and what is allowed."""
    return list(compile_template(body).variables)


def compile_template(body: str) -> CompiledTemplate:
    """Check a body and compile it. Raises Invalid("body", …) as `check` does."""
    if not body.strip():
        raise Invalid("body", body, "is empty; write the text of the message")
    if len(body) > MAX_BODY:
        raise Invalid(
            "body",
            f"{len(body)} characters",
            say("has {number} characters; at most {most:,} are allowed", number=len(body), most=MAX_BODY),
        )
    if found := _UNWANTED.search(body.replace("\r", "\n").replace("\t", " ")):
        raise Invalid(
            "body",
            repr(found[0]),
            say("line {line}: holds a control character", line=body.count(chr(10), 0, found.start()) + 1),
        )
    names = Names()
    try:
        tree = _ENVIRONMENT.parse(body)
        walk_template(tree, names)
        template = _ENVIRONMENT.from_string(tree)
    except TemplateSyntaxError as error:
        raise Invalid(
            "body", _line(body, error.lineno), say("line {line}: {fault}", line=error.lineno, fault=error.message)
        ) from None
    except RecursionError:
        raise Invalid("body", body[:40], "is nested too deeply") from None
    return CompiledTemplate(tuple(sorted(names.all)), tuple(sorted(names.required)), template)


@lru_cache(maxsize=512)
def get_compiled(version_id: int, body: str) -> CompiledTemplate:
    """The compiled template of a saved version, kept for the 512 versions used last.

    The body is part of the key, so that an id can never return another version's text. Raises CannotRender if the body
    is not allowed any more (it was saved under an older, wider allow-list).
    """
    try:
        return compile_template(body)
    except Invalid as error:
        raise CannotRender(
            say("template version {version} cannot be used: {error}", version=version_id, error=error.said)
        ) from None


def _line(body: str, number: int) -> str:
    lines = body.splitlines()
    return lines[number - 1][:80] if 0 < number <= len(lines) else ""
