"""Every message that people may read stands in Chinese, as the sources say it now."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from enum import Enum
from pathlib import Path

import pytest
from marshmallow import Schema, fields

from sms_service import api, console
from sms_service.accounts.models import LANGUAGES, ROLES
from sms_service.campaigns.states import CampaignStatus
from sms_service.catalogues import FOLDER, BadCatalogue, get_catalogue, read_catalogue
from sms_service.directory.models import GUEST, LEVELS
from sms_service.directory.people import KINDS
from sms_service.ledger.models import KINDS as RUN_KINDS
from sms_service.ledger.states import RUN_TRANSITIONS, MessageStatus, RunStatus
from sms_service.reports.filters import DIMENSIONS
from sms_service.said import Said, as_said, read_places, say, translate
from sms_service.vocabulary import TextClass, Words
from sms_service.web.schemas import In
from sms_service.web.words import WORDS, name_of, name_word
from wording.catalogue import format_catalogue
from wording.extracting import PACKAGE, call_name, find_messages, python_messages, template_messages

CHINESE = FOLDER / "zh_Hans" / "messages.po"
_HAN = r"[\u3400-\u9fff]"
_HALF_WIDTH = re.compile(rf"{_HAN}[,;:?!]|[,;:?!]{_HAN}|{_HAN}\.(?![a-z]|$)|\.{_HAN}")
# Nobody is shown these: where a worker is, what a lock is for, what a stand-in does, what the clock is at.
NOT_SHOWN = {"Own", "Point", "LockKey", "LockedName", "AddressKind", "PartState", "AnswerKind", "AddressFault"}
NOT_SHOWN |= {"Redacted", "Ends", "FaultKind", "ArchiveState"}


@pytest.fixture(scope="module")
def entries():
    return [entry for entry in read_catalogue(CHINESE) if entry.id]


@pytest.fixture(scope="module")
def found():
    return find_messages()


def test_the_catalogue_holds_what_the_sources_say(entries, found):
    assert {entry.id for entry in entries} == set(found), "run `make messages`, then translate what is new"
    known = {entry.id: entry.string for entry in entries}
    assert CHINESE.read_bytes() == format_catalogue("zh_Hans", found, known), "run `make messages`"


def test_everything_is_translated_and_nothing_guessed(entries):
    assert [entry.id for entry in entries if not entry.string or entry.fuzzy] == []


def test_a_translation_has_the_places_of_its_message(entries):
    def names(message: str) -> list[str]:
        return sorted({name for name, _ in read_places(message)})

    assert [entry.id for entry in entries if names(entry.id) != names(entry.string)] == []


def test_punctuation_is_chinese_between_chinese_words(entries):
    assert [entry.string for entry in entries if _HALF_WIDTH.search(re.sub(r"\{[^{}]*\}", "", entry.string))] == []


def test_english_needs_no_catalogue():
    assert set(LANGUAGES) == {"zh", "en"}
    assert get_catalogue("en") == {}


def test_a_sentence_of_a_room_in_chinese():
    chinese = get_catalogue("zh")
    refused = say(
        "run {run} is {status}; only {sources: or } ones can become {target}",
        run=5,
        status=RunStatus.held,
        sources=(RunStatus.running, RunStatus.paused),
        target=RunStatus.cancelled,
    )
    assert refused == "run 5 is held; only running or paused ones can become cancelled"
    assert translate(refused, chinese) == "批次 5 为“已挂起”，只有发送中或已暂停的批次才能变为“已取消”"
    assert translate(say("must be one of {words}", words=[*TextClass]), chinese) == (
        "须为以下之一：学习、通知、邀请、调查、答复"
    )
    assert translate("is empty", chinese) == "内容为空"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "cannot be read: No such file"),
        (b"\xff\xfe", "cannot be used"),
        (b'msgid "a"\nmsgstr "b"\nmsgid "a"\nmsgid "c"\n', "cannot be used"),
    ],
)
def test_a_broken_catalogue_is_named(tmp_path, content, why):
    path = tmp_path / "zh_Hans" / "messages.po"
    path.parent.mkdir()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadCatalogue, match=why) as caught:
        read_catalogue(path)
    assert str(path) in str(caught.value)


def test_the_extraction_sees_what_is_said():
    source = """
_OVER = "it is over"
class A:
    default_error_messages = {"invalid": "must be odd"}
def f(x):
    reason = "has {number}" if x else "has none"
    raise Invalid("f", x, say(reason, number=3))
def g(x):
    raise NotFound("role of account {account} with the id", x, account=x)
def h(kind):
    raise Conflict(_OVER if kind else as_said("is {odd}"))
field = Range(error="must be {1}", error_messages={"required": "is missing"})
title = _("Send to {count} people", count=3)
log.info("not for people")
"""
    assert set(python_messages(source)) == {
        "it is over", "must be odd", "has {number}", "has none", "is {{odd}}", "must be {{1}}", "is missing",
        "there is no role of account {account} with the id {name}", "Send to {count} people",
    }  # fmt: skip


def test_the_extraction_reads_templates(tmp_path):
    page = tmp_path / "page.html"
    page.write_text(
        '<a>{{ _("Send to {count} people", count=n) }}</a>{% if x %}{{ _("发") }}{% endif %}', encoding="utf-8"
    )
    assert list(template_messages(page)) == ["Send to {count} people", "发"]


def _enums(kind: type[Enum]) -> Iterator[type[Enum]]:
    for below in kind.__subclasses__():
        yield from _enums(below)
        if below.__module__.startswith("sms_service.") and list(below):
            yield below


def test_every_member_of_every_enum_has_words():
    shown = {
        kind
        for kind in _enums(Enum)
        if kind.__name__ not in NOT_SHOWN and not kind.__module__.startswith("sms_service.gateways.conformance")
    }
    assert {kind for kind in shown if issubclass(kind, Words)} <= set(WORDS)
    assert shown - set(WORDS) == set()
    for kind, words in WORDS.items():
        if isinstance(kind, type):
            assert set(words) == {member.value for member in kind}, kind
    assert (set(WORDS["role"]), set(WORDS["level"]), set(WORDS["person"])) == (set(ROLES), set(LEVELS), {*KINDS, GUEST})
    assert (set(WORDS["run"]), set(WORDS["dimension"])) == (set(RUN_KINDS), set(DIMENSIONS))


def test_a_name_is_a_message_of_its_own(found):
    names = [name for words in WORDS.values() for name in words.values()]
    assert [name for name in names if name.message not in found] == []
    assert (name_of(RunStatus.held), name_word("RunStatus", "held"), name_word("role", "officer")) == (
        "Held",
        "Held",
        "Officer",
    )
    assert (name_of("a name"), name_word("act", "no.such")) == ("a name", "no.such")


@pytest.mark.parametrize("kind", [CampaignStatus, RunStatus, MessageStatus])
def test_a_status_out_of_a_column_has_its_own_name_not_that_of_another_enum(kind):
    assert {member: name_of(str(member.value)) for member in kind} == {member: name_of(member) for member in kind}


RECORDERS = ("record_act", "record_acts", "record_personal_act", "record_for_holders", "record_for_phones")


def _acts() -> Iterator[str]:
    """The act of each entry of the trail, as far as the sources write it out."""
    for path in PACKAGE.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for call in ast.walk(tree):
            if isinstance(call, ast.Call) and call_name(call) in RECORDERS:
                match call.args[2]:
                    case ast.Constant(value=str(act)):
                        yield act
                    case ast.JoinedStr(values=[*_, ast.Constant(value=str(rest))]):
                        yield f"*{rest}"
                    case ast.JoinedStr(values=[ast.Constant(value=str(room)), _]):
                        yield f"{room}*"
        for literal in ast.walk(tree):
            match literal:
                case ast.Constant(value=str(text)) if re.fullmatch(
                    r"(account|campaign|cluster)\.(?!html|id)[a-z_]+", text
                ):
                    yield text


MADE = {
    "run.*": {f"run.{status}" for targets in RUN_TRANSITIONS.values() for status in targets} & {
        "run.paused", "run.planned", "run.running", "run.cancelled", "run.held"
    },
    "gateway.*": {"gateway.open", "gateway.paused"},
    "*.import": {"units.import", "people.import", "recipients.import"},
}  # fmt: skip


def test_every_act_of_the_trail_has_words():
    acts = set(_acts())
    assert {act for act in acts if "*" in act} == set(MADE)
    assert {act for act in acts if "*" not in act}.union(*MADE.values()) == set(WORDS["act"])


def _all_fields(schema: Schema) -> Iterator[fields.Field]:
    for field in schema.fields.values():
        yield field
        if isinstance(field, fields.List):
            yield field.inner
        if isinstance(field, fields.Nested):
            yield from _all_fields(field.schema)


def _inputs(kind: type[Schema]) -> Iterator[type[Schema]]:
    for below in kind.__subclasses__():
        yield from _inputs(below)
        yield below


def test_what_fields_say_by_themselves_is_known(found):
    """No sentence has places that marshmallow fills: what has some is said by a validator of `web.validators`."""
    assert api.RESOURCES  # what is defined there is looked at here
    assert console.blueprint
    inputs = [kind for kind in _inputs(In) if kind.__module__.startswith("sms_service.")]
    assert len(inputs) > 20
    for kind in inputs:
        for field in _all_fields(kind()):
            for key, message in field.error_messages.items():
                if key != "format":
                    said = message.format(awareness="aware", obj_type=getattr(field, "OBJ_TYPE", ""))
                    assert as_said(said).message in found, (kind, field.name, said)
            for validator in field.validators:
                own = type(validator).__module__ == "sms_service.web.validators"
                error = getattr(validator, "error", None) or ""
                assert own or as_said(error).message in found, (kind, field.name, validator)


def test_said_is_what_translate_gives():
    assert isinstance(translate(say("is {odd}", odd=RunStatus.held), get_catalogue("zh")), Said)
    assert Path(CHINESE).read_text(encoding="utf-8").startswith("#")
