"""Checks an account's tables against each other and builds from them the parts that do the work."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from types import MappingProxyType

from sms_service.gateways import codes
from sms_service.gateways.codes import CodeTable
from sms_service.gateways.http import answers, options, records
from sms_service.gateways.http.account import HttpAccount
from sms_service.gateways.http.calls import Composer
from sms_service.gateways.http.phones import Phones
from sms_service.gateways.http.proof import NAMES, Proof
from sms_service.gateways.http.templates import CannotRenderRequest, RequestTemplates
from sms_service.gateways.options import BadOption

# The names that the templates of every request may use, and those that only a request with texts may use.
OF_EVERY_CALL = frozenset({"now", "receipts_url", "replies_url"})
OF_TEXTS = frozenset({"texts", "phones", "validity_s", "template", "extension"})
OF_ONE_TEXT = frozenset({"reference", "phone", "text", "parameters", "named_parameters"})
_OF_THE_WORDS = frozenset({"text", "parameters", "named_parameters"})
_SAMPLE = {"reference": "202601-1", "phone": "13800138000", "text": '【学习】"你好"\n'}
_PARAMETERS = {"parameters": ["王芳", '"你好"'], "named_parameters": {"name": "王芳", "事": '"你好"'}}


@dataclass(frozen=True, slots=True)
class Pulling:
    """One kind of records that the service pulls: the request, and how its answer is read."""

    composer: Composer
    pull: options.Pull
    reader: records.ReceiptRecords | records.ReplyRecords


@dataclass(frozen=True, slots=True)
class Plan:
    """How one account works. `names_groups`: one id stands for all texts of a request. `needs_templates`: requests name
    a registered template.
    """

    constants: Mapping[str, str]
    zone: tzinfo
    phones: Phones
    codes: CodeTable
    composer: Composer
    answers: answers.AnswerReader
    names_groups: bool
    needs_templates: bool
    extension_digits: int
    receipts: records.ReceiptRecords | None
    replies: records.ReplyRecords | None
    pulls: tuple[Pulling, ...]
    proof: Proof | None


def make_plan(account: HttpAccount) -> Plan:
    """The plan of `account`. Raises BadOption for what does not fit together."""
    request, answer, charset, zone = account.request, account.answer, account.charset, account.time_zone()
    templates, phones = RequestTemplates(charset), Phones(account.phone, account.country)
    constants = _constants(account)
    names_groups = request.recipients > 1 and answer.each is None and answer.id is not None
    _check_push(account)
    if names_groups and account.receipts is not None and account.receipts.phone is None:
        raise BadOption(("receipts", "phone"), "is missing; the answer's id names a whole group")
    named = (answer.each.id if answer.each else answer.id) is not None
    if account.receipts is not None and account.receipts.reference is None and not named:
        keys = ("answer", "each", "id") if answer.each else ("answer", "id")
        raise BadOption(keys, "is missing; receipts are found by it, or by an echoed reference")
    known = {*constants, *OF_EVERY_CALL, *OF_TEXTS, *_of_the_words(request)}
    composer = _composer(("request",), request, templates, known, charset)
    _try(composer, request, constants, zone)
    echoed = account.receipts is not None and account.receipts.reference is not None
    if echoed and not composer.names & {"reference", "texts"}:
        raise BadOption(("receipts", "reference"), "is echoed only if the request has the reference or the texts")
    if composer.names & set(_PARAMETERS) and "template" not in composer.names:
        raise BadOption(("request",), "uses parameters of a registered template, and nowhere its name, template")
    _check_extension(account, composer)
    table = _codes(account.codes)
    receipts = replies = None
    pulls = []
    if account.receipts is not None:
        reader = records.RecordReader(account.receipts, phones, zone, charset)
        receipts = records.ReceiptRecords(account.receipts, table, reader, needs_phone=names_groups)
    if account.replies is not None:
        reader = records.RecordReader(account.replies, phones, zone, charset)
        replies = records.ReplyRecords(reader, account.number, account.extension_digits)
    for key, table_of, found in (("receipts", account.receipts, receipts), ("replies", account.replies, replies)):
        if table_of is not None and found is not None and table_of.pull is not None:
            names = {*constants, "now"}
            puller = _composer((key, "pull"), table_of.pull, templates, names, charset)
            _try(puller, table_of.pull, constants, zone, (key, "pull"))
            pulls.append(Pulling(puller, table_of.pull, found))
    return Plan(
        constants=constants,
        zone=zone,
        phones=phones,
        codes=table,
        composer=composer,
        answers=answers.AnswerReader(answer, table, phones, charset),
        names_groups=names_groups,
        needs_templates="template" in composer.names,
        extension_digits=account.extension_digits,
        receipts=receipts,
        replies=replies,
        pulls=tuple(pulls),
        proof=_proof(account, templates, constants),
    )


def _constants(account: HttpAccount) -> Mapping[str, str]:
    """The account's own names: variables and secrets."""
    taken = OF_EVERY_CALL | OF_TEXTS | OF_ONE_TEXT | NAMES | {"signature"}
    for kind in ("variables", "secrets"):
        for name in getattr(account, kind):
            if not name.isidentifier() or name in taken or (kind == "secrets" and name in account.variables):
                raise BadOption((kind, name), "must be a name of letters, digits and _ that means nothing else here")
    return MappingProxyType({**account.variables, **account.secrets})


def _of_the_words(request: options.Submission) -> frozenset[str]:
    """Which of the names of one text the templates may use although a request has several texts."""
    if request.recipients == 1:
        return OF_ONE_TEXT
    return _OF_THE_WORDS if request.one_text else frozenset()


def _composer(
    keys: tuple[str, ...], call: options.Call, templates: RequestTemplates, names: set[str], charset: str
) -> Composer:
    try:
        return Composer(call, templates, names, charset)
    except BadOption as error:
        raise BadOption((*keys, *error.keys), error.reason) from None


def _try(
    composer: Composer,
    call: options.Call,
    constants: Mapping[str, str],
    zone: tzinfo,
    keys: tuple[str, ...] = ("request",),
) -> None:
    """Make a request from sample values: a template that fails for every text then fails when the service starts."""
    one = {**_SAMPLE, **(_PARAMETERS if "template" in composer.names else {})}
    values = {"texts": [one], "phones": [one["phone"]], "template": "SMS_1", **_PARAMETERS, **one, **constants}
    values |= {"receipts_url": "https://example.org/r", "replies_url": "https://example.org/a"}
    values["extension"] = ""
    values["now"] = datetime(2026, 1, 1, tzinfo=UTC).astimezone(zone)
    for validity_s in (3600, None):
        try:
            body = composer.request({**values, "validity_s": validity_s}).body or b""
        except CannotRenderRequest as error:
            raise BadOption(keys, f"cannot be made: {error}") from None
        try:
            if body.lstrip().startswith((b"{", b"[")):
                json.loads(body)
        except ValueError:
            reason = "is no JSON for every text; a value in it is written {{ text | json }}, which has the quotes too"
            raise BadOption((*keys, "body"), reason) from None


def _check_push(account: HttpAccount) -> None:
    """Pushed records need `callbacks`, pulled ones `pull_every_s`; without such records, neither may be given."""
    tables = [table for table in (account.receipts, account.replies) if table is not None]
    if any(table.pushed for table in tables) != (account.callbacks is not None):
        raise BadOption("callbacks", "must be there if, and only if, receipts or replies are pushed: what proves them")
    if any(table.pull for table in tables) != (account.pull_every_s is not None):
        raise BadOption("pull_every_s", "must be there if, and only if, receipts or replies are pulled")


def _check_extension(account: HttpAccount, composer: Composer) -> None:
    """Extension numbers need a place in the request, and one in replies."""
    if account.extension_digits == 0:
        return
    if "extension" not in composer.names:
        raise BadOption("extension_digits", "is of no use: the request has no {{ extension }}")
    if account.replies is None or account.replies.to is None:
        raise BadOption(("replies", "to"), "is missing; the number that a reply was sent to has the extension")


def _codes(written: options.Codes) -> CodeTable:
    table = CodeTable({}, {})
    if written.file is not None:
        try:
            table = codes.load_code_table(written.file)
        except (OSError, ValueError, KeyError) as error:
            raise BadOption(("codes", "file"), f"cannot be used: {error}") from None
    answered, reported = dict(table.answers), dict(table.receipts)
    for code, meaning in written.answers.items():
        try:
            answered[code] = codes.answer_code(code, meaning)
        except ValueError as error:
            raise BadOption(("codes", "answers", code), f"cannot be used: {error}") from None
    for code, meaning in written.receipts.items():
        try:
            reported[code] = codes.receipt_code(code, meaning)
        except ValueError as error:
            raise BadOption(("codes", "receipts", code), f"cannot be used: {error}") from None
    if not any(code.error is None for code in answered.values()):
        raise BadOption(("codes", "answers"), "must call at least one code accepted")
    return CodeTable(answered, reported)


def _proof(account: HttpAccount, templates: RequestTemplates, constants: Mapping[str, str]) -> Proof | None:
    if account.callbacks is None:
        return None
    try:
        return Proof(account.callbacks, templates, constants, account.charset)
    except BadOption as error:
        raise BadOption(("callbacks", *error.keys), error.reason) from None
