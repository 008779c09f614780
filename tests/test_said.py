"""Messages and their values, and that what people read is made of them."""

from __future__ import annotations

import ast
import copy
import json
import pickle
import string
from collections.abc import Iterator

import pytest

from sms_service.errors import Conflict, Invalid, NotFound
from sms_service.masking import mask_said, mask_text
from sms_service.said import from_json, read_said, say, to_json, translate
from sms_service.vocabulary import TextClass
from wording.extracting import MADE_IN, MESSAGES, NOT_READ, PACKAGE, call_name

# Raised for whoever wrote the caller, the settings or the provider's callback.
NOT_FOR_PEOPLE = {"TypeError", "ValueError", "RuntimeError", "BadSetting", "BadCatalogue", "Refused", "NotStored"}
NOT_FOR_PEOPLE |= {"InvalidRequest"}  # takes entries of `field_error`, each of which is looked at


def test_a_sentence_is_its_text_and_knows_how_it_was_made():
    said = say("gives more than {most:,} lines: {words: or }", most=2500, words=["a", "b"])
    assert said == "gives more than 2,500 lines: a or b"
    assert (said.message, said.values) == (
        "gives more than {most:,} lines: {words: or }",
        {"most": 2500, "words": ("a", "b")},
    )
    assert say("one of {words}, not {word!r}", words=TextClass, word=TextClass.study).values["word"] == "study"


@pytest.mark.parametrize("way", [copy.copy, copy.deepcopy, lambda said: pickle.loads(pickle.dumps(said))])
def test_a_copy_knows_it_too(way):
    said = say("cannot be used: {error}", error=say("must be {most}", most=3))
    other = way(said)
    assert (other, to_json(other)) == (said, to_json(said))


def test_json_holds_message_and_values():
    said = say("{field}: {reason}, {words:、}", field="a", reason=say("has {number}", number=3), words=("x", "y"))
    pair = json.loads(json.dumps(to_json(said)))
    assert pair["values"]["reason"] == {"message": "has {number}", "values": {"number": 3}}
    assert to_json(from_json(**pair)) == pair
    assert from_json(**pair) == said


def test_a_stored_message_is_believed_while_it_makes_the_stored_sentence():
    said = say("{bad} of {texts}", bad=3, texts=5)
    assert to_json(read_said(said, to_json(said))) == to_json(said)
    for pair in (None, to_json(say("{bad} of {texts}", bad=4, texts=5))):
        assert (read_said("3 of {5}", pair), read_said("3 of {5}", pair).values) == ("3 of {5}", {})


def test_a_catalogue_says_it_in_another_language():
    said = say(
        "{field}: {reason}", field="name", reason=say("must be {most} of {words: or }", most=3, words=("a", "b"))
    )
    catalogue = {
        "{field}: {reason}": "{field}：{reason}",
        "must be {most} of {words: or }": "须为{words:或}中的{most}个",
    }
    assert translate(said, catalogue) == "name：须为a或b中的3个"
    assert translate(said, {}) == said
    assert translate("is empty", {"is empty": "为空"}) == "为空"
    assert translate('{"code": …}', {}) == '{"code": …}'


def test_lists_are_joined_as_the_language_joins_them():
    said = say("{a} of {words}, not {odd} {{x}}", a=1, words=("x", "y"), odd="b")
    assert said == "1 of x, y, not b {x}"
    catalogue = {said.message: "{words}中的{a}个，不是{odd} {{x}}", ", ": "、"}
    translated = translate(said, catalogue)
    assert translated == "x、y中的1个，不是b {x}"
    assert copy.deepcopy(translated) == translated
    assert translate(say("one of {words: or }", words=["x", "y"]), catalogue) == "one of x or y"


def test_a_member_of_an_enum_is_a_word_of_the_catalogue_and_a_text_in_json():
    said = say("{kind} is one of {kinds}, said by {login}", kind=TextClass.study, kinds=TextClass, login="study")
    assert said == "study is one of study, notice, invitation, survey, answer, said by study"
    assert translate(said, {"study": "学习"}) == (
        "学习 is one of 学习, notice, invitation, survey, answer, said by study"  # a login is no word of ours
    )
    assert json.loads(json.dumps(to_json(said)))["values"] == {
        "kind": "study",
        "kinds": ["study", "notice", "invitation", "survey", "answer"],
        "login": "study",
    }
    assert translate(mask_said(said, mask_text), {"study": "学习"}).startswith("学习 is one of 学习, ")


def test_errors_carry_what_they_say():
    assert NotFound("role of account {account} with the id", 3, account=5).said.message == (
        "there is no role of account {account} with the id {name}"
    )
    assert str(NotFound("unit", 3)) == "there is no unit 3"
    assert Conflict("is {odd}").said == "is {odd}"
    invalid = Invalid("name", "x", say("must have {least}", least=2))
    assert (str(invalid), invalid.said.values["reason"].message) == ("name: must have 2", "must have {least}")


def test_masked_values_show_no_more_than_the_masked_sentence():
    said = mask_said(say("{a} was read as {b}", a="13800138000", b="x"), mask_text)
    assert (said, said.values) == ("138****8000 was read as x", {"a": "138****8000", "b": "x"})
    between = mask_said(say("{a} {b}", a="1380013", b="8000"), mask_text)
    assert between.values == {}
    assert between == mask_text("1380013 8000")
    number = mask_said(say("is {number}", number=13800138000), mask_text)
    assert "13800138000" not in json.dumps(to_json(number))


def _modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        if not name.startswith(NOT_READ):
            yield name, ast.parse(path.read_text(encoding="utf-8"))


def _put_together(node: ast.AST) -> bool:
    """Whether a text is made here by an f-string, +, %, join or format, outside the values of a `say`."""
    match node:
        case ast.Call() if call_name(node) == "say":
            return not isinstance(node.args[0], ast.Constant | ast.Name)
        case ast.Call(func=ast.Attribute(attr="join" | "format")) | ast.JoinedStr():
            return True
        case ast.BinOp(op=ast.Add() | ast.Mod()):
            return True
    return any(_put_together(inner) for inner in ast.iter_child_nodes(node))


def _assigned(function: ast.AST, name: str) -> Iterator[ast.AST]:
    for node in ast.walk(function):
        match node:
            case ast.Assign(targets=[ast.Name(id=found)], value=value) if found == name:
                yield value
            case ast.AugAssign(target=ast.Name(id=found)) if found == name:
                yield ast.BinOp(node.target, ast.Add(), node.value)


def _glued(tree: ast.Module) -> Iterator[int]:
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    for function in [*functions, tree]:
        for call in ast.walk(function):
            read: list[ast.AST] = []
            if (
                isinstance(call, ast.Call)
                and call_name(call) in MESSAGES
                and len(call.args) > MESSAGES[call_name(call)]
            ):
                read = [call.args[MESSAGES[call_name(call)]]]
            elif isinstance(call, ast.Return) and getattr(function, "name", "") in MADE_IN and call.value is not None:
                read = [call.value]
            if isinstance(call, ast.Call) and call_name(call) != "say":
                read += [given.value for given in call.keywords if given.arg in ("error", "reason")]
            elif isinstance(call, ast.Raise) and isinstance(call.exc, ast.Call):
                raised = call_name(call.exc)
                read += call.exc.args[:1] if raised not in MESSAGES and raised not in NOT_FOR_PEOPLE else []
            for text in read:
                parts = list(_assigned(function, text.id)) if isinstance(text, ast.Name) else [text]
                if any(map(_put_together, parts)):
                    yield text.lineno  # type: ignore[attr-defined]


def test_no_message_that_people_read_is_put_together():
    assert sorted({(name, line) for name, tree in _modules() for line in _glued(tree)}) == []


def test_the_search_sees_what_it_forbids():
    bad = """
def a(x):
    reason = f"is {x}"
    raise Invalid("f", x, reason)
def b(x):
    raise Conflict("is " + x)
def c(x):
    raise Forbidden("is %s" % x)
def d(x):
    note = "a"
    note += x
    raise CannotRender(note)
def e(x):
    raise Conflict(say(f"is {x}"))
def f(x):
    raise NeverHeardOf(f"is {x}")
g = Range(1, 2, error=f"must be from 1 to {x}")
def h(x):
    why = f"is {x}"
    pause_account(connection, x, why)
def fine(x):
    raise Conflict(say("is {x}", x=f"{x:02}", error=f"{x}"))
"""
    assert sorted(set(_glued(ast.parse(bad)))) == [4, 6, 8, 12, 14, 16, 17, 20]


def _said() -> Iterator[tuple[str, str, set[str]]]:
    """Where, the message and the names of the values of each `say` whose message is a constant, in place or by name."""
    for name, tree in _modules():
        for function in [tree, *(node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))]:
            for call in ast.walk(function):
                if not (isinstance(call, ast.Call) and call_name(call) == "say" and call.args):
                    continue
                given = call.args[0]
                if isinstance(given, ast.Name):
                    found = [] if function is tree else list(_assigned(function, given.id))
                else:
                    found = [given]
                for message in found:
                    if isinstance(message, ast.Constant) and not any(value.arg is None for value in call.keywords):
                        yield f"{name}:{call.lineno}", str(message.value), {str(value.arg) for value in call.keywords}


def test_the_places_of_every_message_are_the_values_given():
    said = list(_said())
    assert len(said) > 80
    wrong = [
        (where, message)
        for where, message, values in said
        if {place for _, place, _, _ in string.Formatter().parse(message) if place is not None} != values
    ]
    assert wrong == []
