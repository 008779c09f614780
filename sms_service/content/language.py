"""The language of templates: a part of Jinja2 without calls, rendered as plain text.

A body is checked against an allow-list over its syntax tree when a version is saved and again when it is compiled.
Rendering an allowed body always ends: there are no calls, assignments or arithmetic, a loop goes through at most 50
entries and holds no other, `replace` never makes a text longer, and rendering stops at 2,000 UTF-16 units.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from jinja2 import StrictUndefined, Template, TemplateSyntaxError, UndefinedError, nodes, pass_context
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import missing
from jinja2.visitor import NodeTransformer

from sms_service.content.comparing import CannotRender, Items, compare_values, split_items, write_plain
from sms_service.content.filters import MADE
from sms_service.content.grammar import Names, read_variable, walk_template
from sms_service.errors import Invalid
from sms_service.said import say

MAX_BODY = 2_000  # characters of a template
MAX_VALUE = 2_000  # characters of one value
MAX_TEXT = 1_000  # UTF-16 code units of a rendered text: 15 parts
MAX_RENDERED = 2_000  # UTF-16 code units at which rendering stops, white space at the ends included

Values = Mapping[str, object]  # texts, numbers and lists of them by the variable's name; None counts as missing

# Characters that a text message must not have: controls other than the line break, halves of surrogate pairs, U+2028
# and U+2029.
_UNWANTED = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


# What a value must not hold: a place for another value, which would be sent as it stands.
_PLACE = re.compile(r"\{[{%#]|｛[｛%#]")
# Filters that only `_Exact` writes; no body can name them.
_COMPARE, _MEMBERS, _DOTTED = "compare_values", "split_items", "find_dotted"


@pass_context
def _find_dotted(context: Context, name: str) -> object:
    """The value under a name with a dot, as one variable: nothing is ever looked up in a value."""
    value = context.resolve_or_missing(name)
    return context.environment.undefined(name=name) if value is missing else value


class _Exact(NodeTransformer):
    """Writes a walked body in terms of our own comparison, lists and dotted names, in place of Jinja2's."""

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:
        self.generic_visit(node)
        arguments: list[nodes.Expr] = []
        for operand in node.ops:
            arguments += [nodes.Const(operand.op, lineno=node.lineno), operand.expr]
        return nodes.Filter(node.expr, _COMPARE, arguments, [], None, None, lineno=node.lineno)

    def visit_For(self, node: nodes.For) -> nodes.Node:
        self.generic_visit(node)
        node.iter = nodes.Filter(node.iter, _MEMBERS, [], [], None, None, lineno=node.lineno)
        return node

    def visit_Getattr(self, node: nodes.Getattr) -> nodes.Node:
        name = read_variable(node)
        if name is None:  # of the loop
            return node
        return nodes.Filter(nodes.Const(name), _DOTTED, [], [], None, None, lineno=node.lineno)

    def visit_Const(self, node: nodes.Const) -> nodes.Node:
        if isinstance(node.value, float):
            return nodes.Const(_number(node.value), lineno=node.lineno)
        return node


def _environment() -> ImmutableSandboxedEnvironment:
    # No autoescape: an SMS is not HTML. A block on a line of its own leaves no empty line in the text.
    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, autoescape=False, trim_blocks=True, lstrip_blocks=True, cache_size=0
    )
    environment.globals.clear()
    environment.filters = {"default": environment.filters["default"], **MADE}
    environment.filters |= {_COMPARE: compare_values, _MEMBERS: split_items, _DOTTED: _find_dotted}
    return environment


_ENVIRONMENT = _environment()


@dataclass(frozen=True, slots=True)
class CompiledTemplate:
    """A checked body, ready to render from any thread.

    `variables` are all names in it, sorted, those with a dot (venue.address) as they are; `required` those that are
    used somewhere without a `default`.
    """

    variables: tuple[str, ...]
    required: tuple[str, ...]
    _template: Template = field(repr=False)

    def render(self, values: Values) -> str:
        """The text with `values` filled in: `\\n` line breaks, no other control characters, no white space at its ends.

        Values that the template does not name are ignored. Raises CannotRender if a value is missing, is neither text
        nor number nor a list of at most 50, has over 2,000 characters or holds {{ or {%, or cannot be compared or
        written as the template says, or if the text comes out empty or over 1,000 UTF-16 code units.
        """
        text = self.fill(values).strip()
        if not text:
            raise CannotRender("the text is empty")
        # A character outside the BMP takes two units, so a text below half the limit cannot exceed it.
        if len(text) > MAX_TEXT // 2 and (units := len(text.encode("utf-16-le")) // 2) > MAX_TEXT:
            raise CannotRender(
                say("the text has {units} characters (UTF-16); at most {most} are allowed", units=units, most=MAX_TEXT)
            )
        return text

    def fill(self, values: Values) -> str:
        """The same before its ends are trimmed and its length is looked at: a piece of a text, which may be empty.

        Raises CannotRender as `render` does but for what the text as a whole comes out as.
        """
        given = {}
        for name in self.variables:
            value = values.get(name)
            if value is not None:
                given[name] = _check_value(name, value)
        try:
            text = self._make(given)
        except UndefinedError as error:
            raise CannotRender(say("a value is missing: {fault}", fault=error.message)) from None
        if not text.isprintable():  # a quick check; most texts of one line are printable and need no more
            text = _UNWANTED.sub(" ", text.replace("\r\n", "\n").replace("\r", "\n"))
        return text

    def _make(self, given: Mapping[str, object]) -> str:
        chunks, units = [], 0
        for chunk in self._template.generate(given):
            chunks.append(chunk)
            units += len(chunk) + sum(character > "\uffff" for character in chunk)
            if units > MAX_RENDERED:
                raise CannotRender(say("the text has more than {most} characters (UTF-16)", most=MAX_RENDERED))
        return "".join(chunks)


def _check_value(name: str, value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, (str, int, float, list, tuple)):
        kind = type(value).__name__
        raise CannotRender(
            say("the value of {name} is a {type}; it must be a text, a number or a list of them", name=name, type=kind)
        )
    if isinstance(value, (int, float)):
        return _number(value)
    if not isinstance(value, str):
        if not all(type(one) in (str, int, float) for one in value):
            raise CannotRender(say("the value of {name} is a list of more than texts and numbers", name=name))
        value = Items([one if isinstance(one, str) else write_plain(one) for one in value])
    if len(value) > MAX_VALUE:
        message = "the value of {name} has {number} characters; at most {most} are allowed"
        raise CannotRender(say(message, name=name, number=len(value), most=MAX_VALUE))
    if mark := find_place(value):
        raise CannotRender(say("the value of {name} holds {mark}; it would be sent as it stands", name=name, mark=mark))
    return value


def find_place(value: str) -> str | None:
    """The beginning of a place for another value that a value holds, such as {{; it would be sent as it stands."""
    found = _PLACE.search(value)
    return found[0] if found else None


def _number(value: float) -> int | float | str:
    """As people write it: 100, not 100.0."""
    if isinstance(value, int):
        return value
    if not math.isfinite(value):
        raise CannotRender("a number is not finite")
    return int(value) if value.is_integer() else value if "e" not in repr(value) else write_plain(value)


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
        template = _ENVIRONMENT.from_string(_Exact().visit(tree))
    except TemplateSyntaxError as error:
        raise Invalid(
            "body", _line(body, error.lineno), say("line {line}: {fault}", line=error.lineno, fault=error.message)
        ) from None
    except RecursionError:
        raise Invalid("body", body[:40], "is nested too deeply") from None
    return CompiledTemplate(tuple(sorted(names.all)), tuple(sorted(names.required)), template)


def compile_places(body: str) -> dict[str, CompiledTemplate]:
    """By variable, in the order of their places, what an allowed body writes there: {{ date | 日期 }} is a place of
    `date`, and what stands in it is 11月28日. A condition or a loop of one variable is a place of it too, with all that
    is written within.

    Raises Invalid("body", …) where fixed words with places cannot say the same, so that no provider can register it: a
    place of several variables, one variable in places that write it differently.
    """
    found: dict[str, nodes.Node] = {}
    for node in _ENVIRONMENT.parse(body).body:
        for part in node.nodes if isinstance(node, nodes.Output) else [node]:
            names = Names()
            walk_template(_make_tree(part), names)
            if len(names.all) > 1:
                message = "line {line}: a place of a registered template has one variable, not {names}"
                raise Invalid("body", None, say(message, line=part.lineno, names=sorted(names.all)))
            for name in names.all:
                if found.setdefault(name, part) != part:
                    differs = "line {line}: {name} is written differently in another place"
                    raise Invalid("body", name, say(differs, line=part.lineno, name=name))
    return {name: _compile_place(name, place) for name, place in found.items()}


def _compile_place(name: str, place: nodes.Node) -> CompiledTemplate:
    return CompiledTemplate((name,), (name,), _ENVIRONMENT.from_string(_Exact().visit(_make_tree(place))))


def _make_tree(part: nodes.Node) -> nodes.Template:
    """A piece of a body as a template of its own."""
    written = nodes.Output([part], lineno=part.lineno) if isinstance(part, nodes.Expr) else part
    tree = nodes.Template([written], lineno=1)
    tree.set_environment(_ENVIRONMENT)
    return tree


def find_adjacent(body: str) -> tuple[list[tuple[str, str]], bool, str]:
    """Of an allowed body: the variables that stand next to each other with nothing between, whether it has words of its
    own, and these words.
    """
    tree = _ENVIRONMENT.parse(body)
    pairs = []
    for output in tree.find_all(nodes.Output):
        before: nodes.Node | None = None
        for part in output.nodes:
            if isinstance(part, nodes.TemplateData):
                before = None if part.data.strip() else before
            else:
                names = [name for node in (before, part) if node is not None and (name := _find_first(node))]
                if len(names) == 2:
                    pairs.append((names[0], names[1]))
                before = part
    plain = "".join(data.data for data in tree.find_all(nodes.TemplateData))
    return pairs, bool(plain.strip("，。、；：！？,.;:!? \n\t")), plain


def _find_first(node: nodes.Node) -> str | None:
    """The first variable in an expression."""
    parts: Iterator[nodes.Node] = itertools.chain([node], node.find_all((nodes.Name, nodes.Getattr)))
    return next((name for part in parts if (name := read_variable(part))), None)


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
