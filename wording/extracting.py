"""Finds what the sources of sms_service say to people: each message, the key of a catalogue, and the files that say it.

Python is read as a tree, since a message is often a constant that an error is raised with, by another name or one of
two; templates of pages by Jinja's own extraction; statements, since a few write the reason of a run.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from jinja2.ext import babel_extract
from marshmallow import Schema, fields
from webargs.fields import DelimitedList
from werkzeug import exceptions

from sms_service.campaigns.outlook import Caution
from sms_service.channels.models import ChannelState
from sms_service.channels.robots.base import ChannelKind, PostReason
from sms_service.dispatch.waits import WaitReason
from sms_service.reports.tasks import TaskKind
from sms_service.reports.timeline import EventKind
from sms_service.reports.unknowns import UnknownAge
from sms_service.said import JOINER, as_said
from sms_service.web.words import WORDS

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "sms_service"

# Whoever raises or notes something for people, and which argument of it they read.
MESSAGES: Mapping[str, int] = {
    **dict.fromkeys(("Conflict", "ChannelTaken", "Forbidden", "NotFound", "NotAuthenticated", "TooManyHashes"), 0),
    **dict.fromkeys(("CannotRender", "BadTemplateFile", "BadRequest", "UnsupportedMediaType", "ServiceError"), 0),
    **dict.fromkeys(("ValidationError", "_unusable", "refuse_file"), 0),
    **dict.fromkeys(("Invalid", "field_error"), 2),
    **dict.fromkeys(("refuse", "note"), 3),
    **dict.fromkeys(("pause_account", "pause_link", "hold_unfreezable"), 2),
    "problem": 1,
}
# Functions that return a message, or end with one.
MADE_IN = frozenset({"_misplaced", "_nobody", "_launched_before", "_outside", "_obstacle"})
# The line of a command, a log or another program; adapters' words are for the log only.
NOT_READ = ("gateways/", "simulator/", "cli/", "ops/", "embedded/", "db/")
# Each comes with a sentence of its own, or needs none.
_NOT_IN_SENTENCES = (WaitReason, Caution, EventKind, UnknownAge, TaskKind, ChannelKind, ChannelState, PostReason)
_SAYING = ("say", "_", "say_here")  # what names a message with places
_IN_SQL = re.compile(r"'message',((?:\s*'[^']*')+)")

# What marshmallow says of fields by itself, and Werkzeug of a request that reaches no page.
_FIELDS = (
    fields.Field, fields.Boolean, fields.Integer, fields.Float, fields.String, fields.List, fields.Dict, fields.Nested,
    fields.Date, fields.DateTime, fields.AwareDateTime, fields.Time, DelimitedList,
)  # fmt: skip
_REFUSALS = (
    exceptions.BadRequest, exceptions.NotFound, exceptions.MethodNotAllowed, exceptions.RequestEntityTooLarge,
    exceptions.UnsupportedMediaType,
)  # fmt: skip


def find_messages() -> dict[str, set[str]]:
    """Every message that people may read, with the files that say it, named as seen from the root of the project."""
    found: dict[str, set[str]] = {JOINER: {"sms_service/said.py"}}
    for path in sorted(PACKAGE.rglob("*")):
        if path.suffix not in (".py", ".sql", ".html", ".txt"):
            continue
        name = path.relative_to(ROOT).as_posix()
        for message in _read_file(path, path.relative_to(PACKAGE).as_posix()):
            found.setdefault(message, set()).add(name)
    for kind, words in WORDS.items():
        if kind in _NOT_IN_SENTENCES:
            continue
        if isinstance(kind, type):
            name = Path(inspect.getfile(kind)).relative_to(ROOT).as_posix()
        elif kind == "level":  # no enum, and yet stands in sentences
            name = "sms_service/directory/models.py"
        else:
            continue
        for word in words:
            found.setdefault(str(word), set()).add(name)
    for message in others_messages():
        found.setdefault(message, set()).add("requirements.txt")
    return found


def others_messages() -> Iterator[str]:
    """What the libraries say to people, with their places filled as far as they fill them themselves."""
    for kind in _FIELDS:
        for above in kind.__mro__:
            for key, message in vars(above).get("default_error_messages", {}).items():
                if key != "format":  # of what we write, never of what is sent
                    yield _plain(message.format(awareness="aware", obj_type=getattr(kind, "OBJ_TYPE", "")))
    yield from map(_plain, Schema().error_messages.values())
    yield from (_plain(refusal.description.strip()) for refusal in _REFUSALS if refusal.description)


def _read_file(path: Path, name: str) -> Iterator[str]:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py" and not name.startswith(NOT_READ):
        yield from python_messages(text)
    elif path.suffix == ".sql":
        for literals in _IN_SQL.findall(text):
            yield "".join(re.findall(r"'([^']*)'", literals))
    elif name.startswith(("console/templates/", "web/papers/")):
        yield from template_messages(path)


def template_messages(path: Path) -> Iterator[str]:
    """What a Jinja template says by `_("…")`. Raises jinja2.TemplateSyntaxError."""
    with path.open("rb") as file:
        for _, _, given, _ in babel_extract(file, ("_",), [], {"silent": "false", "encoding": "utf-8"}):
            message = given[0] if isinstance(given, tuple) else given
            if message:  # a name, say, was said elsewhere
                yield message


def python_messages(source: str) -> Iterator[str]:
    """What a module says to people."""
    tree = ast.parse(source)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    for scope in [tree, *functions]:
        for node in ast.walk(scope):
            match node:
                case ast.Call():
                    yield from _of_call(node, (scope, tree))
                case ast.Assign(targets=[ast.Name(id="default_error_messages")]):
                    yield from map(_plain, _texts_of(node.value, (scope, tree)))
                case ast.Return(value=ast.expr() as value) if getattr(scope, "name", "") in MADE_IN:
                    yield from map(_plain, _texts_of(value, (scope, tree)))


def call_name(call: ast.Call) -> str:
    """The name that is called, without what stands before its dot."""
    return getattr(call.func, "id", None) or getattr(call.func, "attr", "")


def _of_call(call: ast.Call, scopes: tuple[ast.AST, ...]) -> Iterator[str]:
    name = call_name(call)
    if name in _SAYING and call.args:
        yield from _texts_of(call.args[0], scopes)
    elif name == "as_said" and call.args:
        yield from map(_plain, _texts_of(call.args[0], scopes))
    elif len(call.args) > MESSAGES.get(name, len(call.args)):
        for text in _texts_of(call.args[MESSAGES[name]], scopes):
            yield f"there is no {text} {{name}}" if name == "NotFound" else _plain(text)
    for keyword in call.keywords:
        if keyword.arg in ("error", "error_messages"):
            yield from map(_plain, _texts_of(keyword.value, scopes))


def _texts_of(node: ast.AST, scopes: tuple[ast.AST, ...]) -> Iterator[str]:
    """The constants that this expression may be; what is made by a call says itself what it is."""
    match node:
        case ast.Constant(value=str(text)):
            if text:
                yield text
        case ast.IfExp():
            yield from _texts_of(node.body, scopes)
            yield from _texts_of(node.orelse, scopes)
        case ast.BoolOp() | ast.Dict():
            for value in node.values:
                yield from _texts_of(value, scopes)
        case ast.Subscript():  # one of a table of messages
            yield from _texts_of(node.value, scopes)
        case ast.Tuple():
            yield from _texts_of(node.elts[-1], scopes)  # of what such a function returns, the message stands last
        case ast.Name():
            for value in _assigned_to(node.id, scopes):
                yield from _texts_of(value, scopes)


def _assigned_to(name: str, scopes: tuple[ast.AST, ...]) -> Iterator[ast.AST]:
    for scope in scopes:
        for node in ast.walk(scope):
            match node:
                case ast.Assign(targets=[ast.Name(id=found)], value=value) if found == name:
                    yield value


def _plain(text: str) -> str:
    """The message of a constant, in which a brace is only a brace."""
    return as_said(text).message
