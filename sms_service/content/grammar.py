"""Which constructs of Jinja2 a template may use: an allow-list over the syntax tree.

template  := (text | {{ wording }} | {% if condition %} … {% elif %} … {% else %} … {% endif %} | loop)*
loop      := {% for name in list %} … {% else %} … {% endfor %}, no loop within a loop
name      := variable | list.column, such as 地点 or venue.address: one variable either way
list      := name | name | default('text')
wording   := name | loop.index | "text" | number | wording ~ wording | wording or wording
           | wording if condition else wording | wording | filter
condition := wording | loop.first | loop.last | comparison | not/and/or of conditions
comparison := wording (== != < <= > >= in, not in) (wording | list of constants)
"""

from __future__ import annotations

import math
import re
import unicodedata
from dataclasses import dataclass, field

from jinja2 import nodes

from sms_service.content.filters import FILTERS
from sms_service.errors import Invalid
from sms_service.said import as_said, say

LONGEST_PART = 40  # characters of what stands on either side of the dot of a name
MAX_DEPTH = 20  # nested constructs; not far above this, Python's own compiler and Jinja2's parser fail
ALLOWED = as_said(
    "allowed are text, {{ name }}, {{ list.column }}, {% if %} {% elif %} {% else %}, {% for one in list %}, "
    "comparisons, and, or, not, in, 'a' if b else 'c', ~, and the filters default, lower, replace, trim, truncate, "
    "upper, 日期, 星期, 时间, 日期时间, 数字, 中文数字, 列表, 称呼, 姓"
)

# Jinja2 gives these names a meaning of its own.
_RESERVED = frozenset({"self", "super", "loop", "caller", "varargs", "kwargs"})
# Braces that a Chinese keyboard types, and closing braces without an opening: they would be sent as plain text.
_STRAY = ("}}", "%}", "｛｛", "｝｝", "｛%", "%｝")
_LOOP = "{% for one in list %} … {% endfor %}"
_CONSTRUCTS = {
    "Assign": "{% set %}", "AssignBlock": "{% set %}", "Macro": "{% macro %}",
    "Include": "{% include %}", "Import": "{% import %}", "FromImport": "{% from %}", "Extends": "{% extends %}",
    "Block": "{% block %}", "CallBlock": "{% call %}", "FilterBlock": "{% filter %}", "With": "{% with %}",
    "Scope": "{% autoescape %}",
    "Call": as_said("a call"), "Test": "is …", "Getattr": as_said("an attribute of a value"),
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
    member: str | None = None  # the name of a list's member, within a loop

    def find_below(self, name: str) -> str | None:
        """A variable that is a column of the list of this name: venue.address of venue."""
        return next((one for one in sorted(self.all) if one.startswith(f"{name}.")), None)


def narrow_braces(body: str) -> str:
    """The body with the braces that a Chinese keyboard types, such as ｛｛ name ｝｝, as those of the language."""
    return re.sub("｛[｛%]|[｝%]｝", lambda found: unicodedata.normalize("NFKC", found[0]), body)


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
        elif isinstance(node, nodes.For):
            _deeper(node, depth)
            _loop(node, names, depth)
        else:
            raise _refused(node)


def _loop(node: nodes.For, names: Names, depth: int) -> None:
    """Through the entries of one list: how many there are is bounded when the text is made."""
    source = node.iter
    listed = _is_variable(source) or (
        isinstance(source, nodes.Filter)
        and source.name == "default"
        and source.node is not None
        and _is_variable(source.node)
    )
    if names.member is not None or node.recursive or node.test is not None or not listed:
        raise Invalid(
            "body",
            "{% for %}",
            say("line {line}: write a loop as {form}, not within another loop", line=node.lineno, form=_LOOP),
        )
    if not isinstance(node.target, nodes.Name):
        raise _refused(node.target)
    _wording(source, names, depth + 1)
    _name(node.target, Names())  # refuses what no variable may be called
    member = node.target.name
    if member in names.all or names.find_below(member):
        reason = say("line {line}: {name} is a variable already; choose another name", line=node.lineno, name=member)
        raise Invalid("body", member, reason)
    names.member = member
    _body(node.body, names, depth + 1)
    names.member = None
    _body(node.else_, names, depth + 1)


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
        case nodes.Name() if node.name == names.member:
            pass
        case nodes.Getattr(node=nodes.Name(name="loop"), attr="index") if names.member is not None:
            pass
        case nodes.Name() | nodes.Getattr(node=nodes.Name()):
            names.required.add(_variable(node, names))
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
        case nodes.Getattr(node=nodes.Name(name="loop"), attr="first" | "last") if names.member is not None:
            pass
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
    rule = FILTERS.get(node.name)
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
    if node.name == "default" and _is_variable(node.node) and read_variable(node.node) != names.member:
        _variable(node.node, names)  # used, but not required
    else:
        _wording(node.node, names, depth + 1)


def read_variable(node: nodes.Node) -> str | None:
    """The variable that an expression is, such as 地点 or venue.address; None: it is none."""
    match node:
        case nodes.Name():
            return node.name
        case nodes.Getattr(node=nodes.Name(name=list_)) if list_ != "loop":
            return f"{list_}.{node.attr}"
    return None


def _is_variable(node: nodes.Node) -> bool:
    return read_variable(node) is not None


def _variable(node: nodes.Node, names: Names) -> str:
    """Note that a variable is used, whole or by a column; returns its name."""
    if isinstance(node, nodes.Name):
        _name(node, names)
        if dotted := names.find_below(node.name):
            raise _refused_twice(node, node.name, dotted)
        return node.name
    name = read_variable(node)
    assert isinstance(node, nodes.Getattr)
    list_ = node.node
    if name is None or not isinstance(list_, nodes.Name) or list_.name == names.member:
        raise _refused(node)
    _name(list_, Names())  # refuses what no variable may be called
    _name(nodes.Name(node.attr, "load", lineno=node.lineno), Names())
    for part in (list_.name, node.attr):
        if part.startswith("_") or len(part) > LONGEST_PART:
            message = "line {line}: {part} must have at most {most} characters and not begin with _"
            raise Invalid("body", name, say(message, line=node.lineno, part=part, most=LONGEST_PART))
    if list_.name in names.all:
        raise _refused_twice(node, list_.name, name)
    names.all.add(name)
    return name


def _refused_twice(node: nodes.Node, whole: str, dotted: str) -> Invalid:
    message = "line {line}: {whole} cannot be a value of its own and a list with {dotted} at once; rename one of them"
    return Invalid("body", dotted, say(message, line=node.lineno, whole=whole, dotted=dotted))


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
    number = isinstance(node.value, (int, float)) and math.isfinite(node.value) and not isinstance(node.value, bool)
    if not number and not isinstance(node.value, str):
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
    line = node.lineno or next((one.lineno for one in node.find_all(nodes.Node) if one.lineno), 1)
    return Invalid(
        "body",
        construct,
        say("line {line}: {construct} is not allowed; {allowed}", line=line, construct=construct, allowed=ALLOWED),
    )
