"""Which constructs of Jinja2 a template may use: an allow-list over the syntax tree.

template  := (text | {{ wording }} | {% if condition %} … {% elif %} … {% else %} … {% endif %})*
wording   := name | "text" | number | wording ~ wording | wording or wording
           | wording if condition else wording | wording | filter
condition := wording | comparison | not/and/or of conditions
comparison := wording (== != < <= > >= in, not in) (wording | list of constants)
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field

from jinja2 import nodes

from sms_service.errors import Invalid
from sms_service.said import Said, as_said, say

MAX_DEPTH = 20  # nested constructs; not far above this, Python's own compiler and Jinja2's parser fail
ALLOWED = as_said(
    "allowed are text, {{ name }}, {% if %} {% elif %} {% else %}, comparisons, and, or, not, in, 'a' if b else 'c', "
    "~, and the filters default, lower, replace, trim, truncate, upper"
)

# Jinja2 gives these names a meaning of its own.
_RESERVED = frozenset({"self", "super", "loop", "caller", "varargs", "kwargs"})
# Braces that a Chinese keyboard types, and closing braces without an opening: they would be sent as plain text.
_STRAY = ("}}", "%}", "｛｛", "｝｝", "｛%", "%｝")
_CONSTRUCTS = {
    "For": "{% for %}", "Assign": "{% set %}", "AssignBlock": "{% set %}", "Macro": "{% macro %}",
    "Include": "{% include %}", "Import": "{% import %}", "FromImport": "{% from %}", "Extends": "{% extends %}",
    "Block": "{% block %}", "CallBlock": "{% call %}", "FilterBlock": "{% filter %}", "With": "{% with %}",
    "Call": as_said("a call"), "Test": "is …", "Getattr": as_said("an attribute (name.attribute)"),
    "Getitem": as_said("a subscript (name[…])"),
    "Add": "+", "Sub": "-", "Mul": "*", "Div": "/", "FloorDiv": "//", "Mod": "%", "Pow": "**", "Neg": "-", "Pos": "+",
    "Dict": "{…}", "List": "[…]", "Tuple": "(…, …)", "Compare": as_said("a comparison outside {% if %}"),
    "Not": as_said("not outside {% if %}"), "And": as_said("and outside {% if %}"),
}  # fmt: skip


@dataclass(slots=True)
class Names:
    """The variables found: `all` of them, and those that are `required` because at least one use has no default."""

    all: set[str] = field(default_factory=set)
    required: set[str] = field(default_factory=set)


def walk_template(tree: nodes.Template, names: Names) -> None:
    """Check a whole tree and collect its variables. Raises Invalid("body", construct, reason)."""
    _body(tree.body, names, 0)


def _body(body: list[nodes.Node], names: Names, depth: int) -> None:
    for node in body:
        if isinstance(node, nodes.Output):
            for part in node.nodes:
                if isinstance(part, nodes.TemplateData):
                    _data(part)
                else:
                    _wording(part, names, depth)
        elif isinstance(node, nodes.If):
            _deeper(node, depth)
            for branch in (node, *node.elif_):
                _condition(branch.test, names, depth + 1)
                _body(branch.body, names, depth + 1)
            _body(node.else_, names, depth + 1)
        else:
            raise _refused(node)


def _data(node: nodes.TemplateData) -> None:
    for stray in _STRAY:
        if stray in node.data:
            line = node.lineno + node.data.count("\n", 0, node.data.index(stray))
            raise Invalid(
                "body",
                stray,
                say("line {line}: {stray} stands alone; write variables as {{{{ name }}}}", line=line, stray=stray),
            )


def _wording(node: nodes.Node, names: Names, depth: int) -> None:
    """An expression that makes text."""
    _deeper(node, depth)
    match node:
        case nodes.Name():
            _name(node, names)
            names.required.add(node.name)
        case nodes.Const():
            _constant(node)
        case nodes.Concat():
            for part in node.nodes:
                _wording(part, names, depth + 1)
        case nodes.Or():
            _wording(node.left, names, depth + 1)
            _wording(node.right, names, depth + 1)
        case nodes.CondExpr():
            if node.expr2 is None:
                raise Invalid(
                    "body", "if", say("line {line}: 'a' if b needs an else: 'a' if b else 'c'", line=node.lineno)
                )
            _condition(node.test, names, depth + 1)
            _wording(node.expr1, names, depth + 1)
            _wording(node.expr2, names, depth + 1)
        case nodes.Filter():
            _filter(node, names, depth)
        case _:
            raise _refused(node)


def _condition(node: nodes.Node, names: Names, depth: int) -> None:
    """An expression that decides."""
    _deeper(node, depth)
    match node:
        case nodes.And() | nodes.Or():
            _condition(node.left, names, depth + 1)
            _condition(node.right, names, depth + 1)
        case nodes.Not():
            _condition(node.node, names, depth + 1)
        case nodes.Compare():
            _wording(node.expr, names, depth + 1)
            for operand in node.ops:
                if operand.op in ("in", "notin") and isinstance(operand.expr, (nodes.List, nodes.Tuple)):
                    for item in operand.expr.items:
                        _constant(item)
                else:
                    _wording(operand.expr, names, depth + 1)
        case _:
            _wording(node, names, depth)


def _filter(node: nodes.Filter, names: Names, depth: int) -> None:
    rule = _FILTERS.get(node.name)
    if rule is None:
        raise Invalid(
            "body",
            node.name,
            say("line {line}: there is no filter {name}; {allowed}", line=node.lineno, name=node.name, allowed=ALLOWED),
        )
    if node.node is None or node.kwargs or node.dyn_args or node.dyn_kwargs:
        raise Invalid(
            "body", node.name, say("line {line}: write the filter as {form}", line=node.lineno, form=rule.form)
        )
    arguments = [argument.value if isinstance(argument, nodes.Const) else None for argument in node.args]
    if not rule.fits(arguments):
        raise Invalid(
            "body", node.name, say("line {line}: write the filter as {form}", line=node.lineno, form=rule.form)
        )
    if node.name == "default" and isinstance(node.node, nodes.Name):
        _name(node.node, names)  # used, but not required
    else:
        _wording(node.node, names, depth + 1)


@dataclass(frozen=True, slots=True)
class _FilterRule:
    form: Said  # how it is written, for the error
    fits: Callable[[list[object]], bool]  # whether these constants may be its arguments; None is no constant


def _default_fits(arguments: list[object]) -> bool:
    match arguments:
        case [str() | int() | float() as value] | [str() | int() | float() as value, bool()]:
            return not isinstance(value, bool)
    return False


def _replace_fits(arguments: list[object]) -> bool:
    match arguments:
        case [str(old), str(new)]:  # never longer, so that a chain of them cannot grow
            return len(old) > 0 and len(new) <= len(old)
    return False


def _truncate_fits(arguments: list[object]) -> bool:
    match arguments:
        case [int(length)]:
            return not isinstance(length, bool) and 1 <= length <= 1_000
    return False


_FILTERS = {
    "default": _FilterRule(as_said("default('text') or default('text', true)"), _default_fits),
    "lower": _FilterRule(as_said("lower, without arguments"), lambda arguments: not arguments),
    "replace": _FilterRule(as_said("replace('old', 'new'), the new text not longer than the old"), _replace_fits),
    "trim": _FilterRule(as_said("trim, without arguments"), lambda arguments: not arguments),
    "truncate": _FilterRule(as_said("truncate(n), n from 1 to 1000"), _truncate_fits),
    "upper": _FilterRule(as_said("upper, without arguments"), lambda arguments: not arguments),
}


def _name(node: nodes.Name, names: Names) -> None:
    plain = unicodedata.normalize("NFKC", node.name)
    if plain != node.name:  # Python would take the two spellings for one variable
        raise Invalid(
            "body",
            node.name,
            say("line {line}: write {name} as {plain}", line=node.lineno, name=node.name, plain=plain),
        )
    if node.name in _RESERVED:
        raise Invalid(
            "body",
            node.name,
            say("line {line}: {name} cannot be a variable; choose another name", line=node.lineno, name=node.name),
        )
    names.all.add(node.name)


def _constant(node: nodes.Node) -> None:
    if not isinstance(node, nodes.Const):
        raise _refused(node)
    if isinstance(node.value, bool) or not isinstance(node.value, (str, int, float)):
        raise Invalid(
            "body",
            str(node.value),
            say("line {line}: {value} is neither text nor number", line=node.lineno, value=node.value),
        )


def _deeper(node: nodes.Node, depth: int) -> None:
    if depth >= MAX_DEPTH:
        raise Invalid(
            "body", "nesting", say("line {line}: nested more than {most} deep", line=node.lineno, most=MAX_DEPTH)
        )


def _refused(node: nodes.Node) -> Invalid:
    construct = _CONSTRUCTS.get(type(node).__name__, type(node).__name__)
    return Invalid(
        "body",
        construct,
        say(
            "line {line}: {construct} is not allowed; {allowed}", line=node.lineno, construct=construct, allowed=ALLOWED
        ),
    )
