"""Twilio's adapter, with the official client, against a stand-in of Twilio's API in a process of its own."""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator
from twilio_stand_in import ACCOUNT_SID, AUTH_TOKEN, PATH, TwilioStandIn, error

from sms_service.gateways.base import (
    BadCallback,
    CallbackRequest,
    ErrorClass,
    Group,
    NotTaken,
    Outcome,
    OutcomeKind,
    ReceiptStatus,
    Text,
)
from sms_service.gateways.twilio import Options, TwilioAdapter, create

CALLBACK = "https://sms.example.gov.cn/callbacks/twilio"
PHONE = "+8613800138000"


@pytest.fixture(scope="module")
def twilio() -> Iterator[TwilioStandIn]:
    with TwilioStandIn() as twilio:
        yield twilio


@pytest.fixture
def adapter(twilio: TwilioStandIn) -> Iterator[TwilioAdapter]:
    adapter = make(twilio.url)
    yield adapter
    adapter.close()


def make(url: str, **options: Any) -> TwilioAdapter:
    given = {"account_sid": ACCOUNT_SID, "auth_token": AUTH_TOKEN, "messaging_service_sid": "MG1", "api_base": url}
    return create("twilio", Options(**given | options), CALLBACK)


_phones = iter(range(10_000, 99_999))


def texts(count: int) -> list[Text]:
    """Texts to numbers that no other test uses, so that each test gives its numbers answers of their own."""
    return [
        Text(f"202601-{n}", f"+86138000{n}", "【学习】你好", 1) for n, _ in zip(_phones, range(count), strict=False)
    ]


def submit_one(adapter: TwilioAdapter, twilio: TwilioStandIn, **answer: Any) -> Outcome:
    """The outcome of a text to a number that gets this answer; it is asked exactly once."""
    [text] = texts(1)
    twilio.answer(text.phone, **answer)
    [outcome] = adapter.submit(Group("g", [text]))
    assert outcome.reference == text.reference
    assert len([form for form in twilio.requests() if form["To"] == text.phone]) == 1, "never repeated by itself"
    assert text.phone not in str(outcome)
    return outcome


def test_a_text_reaches_twilio_with_everything_it_needs(twilio: TwilioStandIn, adapter: TwilioAdapter) -> None:
    [text] = texts(1)
    [outcome] = adapter.submit(Group("g", [text], validity_s=7200))
    form = twilio.requests()[-1]
    assert outcome.kind is OutcomeKind.accepted
    assert outcome.provider_id is not None
    assert outcome.provider_id.startswith("SM")
    form.pop("connection")
    assert form == {
        "path": PATH,
        "To": text.phone,
        "Body": text.body,
        "MessagingServiceSid": "MG1",
        "StatusCallback": f"{CALLBACK}?reference={text.reference}",
        "ValidityPeriod": "7200",
    }


def test_a_number_can_send_instead_of_a_messaging_service(twilio: TwilioStandIn) -> None:
    adapter = make(twilio.url + "/", messaging_service_sid="", from_number="+15005550006")
    adapter.submit(Group("g", texts(1), validity_s=1_000_000))
    form = twilio.requests()[-1]
    assert (form["From"], form["ValidityPeriod"]) == ("+15005550006", "36000")
    assert "MessagingServiceSid" not in form


def test_a_group_goes_out_in_order_over_a_pool_of_connections(twilio: TwilioStandIn) -> None:
    before = len(twilio.requests())
    group = Group("g", texts(60))
    outcomes = make(twilio.url, connections=8).submit(group)
    forms = twilio.requests()[before:]
    assert [outcome.reference for outcome in outcomes] == [text.reference for text in group.texts]
    assert {outcome.kind for outcome in outcomes} == {OutcomeKind.accepted}
    assert sorted(form["To"] for form in forms) == sorted(text.phone for text in group.texts)
    assert len({form["connection"] for form in forms}) <= 8


@pytest.mark.parametrize(
    ("status", "code", "kind", "error_class"),
    [
        (400, 21211, OutcomeKind.refused, ErrorClass.bad_number),
        (400, 21408, OutcomeKind.refused, ErrorClass.carrier),
        (400, 21610, OutcomeKind.refused, ErrorClass.blocked),
        (400, 21614, OutcomeKind.refused, ErrorClass.bad_number),
        (400, 21617, OutcomeKind.refused, ErrorClass.request),
        (401, 20003, OutcomeKind.refused, ErrorClass.credentials),
        (400, 21611, OutcomeKind.throttled, ErrorClass.rate),
        (429, 20429, OutcomeKind.throttled, ErrorClass.rate),
        (429, 99999, OutcomeKind.throttled, ErrorClass.rate),
        (400, 99999, OutcomeKind.refused, ErrorClass.unclassified),
    ],
)
def test_every_error_code_has_its_class(
    twilio: TwilioStandIn, adapter: TwilioAdapter, status: int, code: int, kind: OutcomeKind, error_class: ErrorClass
) -> None:
    body = error(status, code, f"The 'To' number {PHONE} is not good enough")
    outcome = submit_one(adapter, twilio, status=status, body=body)
    assert (outcome.kind, outcome.error, outcome.raw_code) == (kind, error_class, str(code))


def test_an_error_in_the_form_of_rfc_9457_is_read_too(twilio: TwilioStandIn, adapter: TwilioAdapter) -> None:
    body = {"type": "https://twilio.com/e", "title": "Invalid", "status": 400, "code": 21211, "detail": PHONE}
    outcome = submit_one(adapter, twilio, status=400, body=body)
    assert (outcome.kind, outcome.error) == (OutcomeKind.refused, ErrorClass.bad_number)


def test_throttled_says_when_to_come_back(twilio: TwilioStandIn, adapter: TwilioAdapter) -> None:
    outcome = submit_one(adapter, twilio, status=429, raw="slow down", headers={"Retry-After": "3"})
    assert (outcome.kind, outcome.raw_code, outcome.retry_after_s) == (OutcomeKind.throttled, "20429", 3)


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 500, "body": error(500, 20500, "Internal Server Error")},
        {"status": 503, "raw": "upstream"},
        {"status": 502, "body": error(502, 21211, "a code does not make a 5xx a refusal")},
        {"status": 403, "raw": "<html>some firewall</html>"},
        {"status": 400, "body": {"code": "21211"}},
        {"status": 307, "raw": "", "headers": {"Location": "/again"}},
        {"status": 201, "raw": "{"},
        {"status": 201, "body": []},
        {"status": 201, "body": {"sid": None}},
        {"do": "reset"},
    ],
)
def test_whatever_is_not_clear_is_unknown(
    twilio: TwilioStandIn, adapter: TwilioAdapter, answer: dict[str, Any]
) -> None:
    outcome = submit_one(adapter, twilio, **answer)
    assert (outcome.kind, outcome.error) == (OutcomeKind.unknown, None)
    assert outcome.detail


def test_no_answer_in_time_is_unknown_and_what_had_no_turn_is_not_taken(twilio: TwilioStandIn) -> None:
    group = Group("g", texts(6))
    for text in group.texts:
        twilio.answer(text.phone, do="hang")
    outcomes = make(twilio.url, connections=2, total_timeout_s=1.2).submit(group)
    handed = {form["To"] for form in twilio.requests()}
    assert len(handed & {text.phone for text in group.texts}) == 2
    for text, outcome in zip(group.texts, outcomes, strict=True):
        written = text.phone in handed
        assert outcome.kind is (OutcomeKind.unknown if written else OutcomeKind.refused)
        assert outcome.error is (None if written else ErrorClass.later)


def test_nobody_listening_is_not_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(NotTaken, match="cannot be reached"):
        make(f"http://127.0.0.1:{port}").submit(Group("g", texts(3)))


def test_a_host_without_an_address_is_not_taken() -> None:
    with pytest.raises(NotTaken):
        make("http://api.invalid").submit(Group("g", texts(1)))


def test_no_number_text_or_token_reaches_a_log(
    twilio: TwilioStandIn, adapter: TwilioAdapter, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    [text] = texts(1)
    twilio.answer(text.phone, status=400, body=error(400, 21211, f"{text.phone} is bad"))
    adapter.submit(Group("g", [text]))
    assert AUTH_TOKEN not in caplog.text
    assert text.phone.removeprefix("+") not in caplog.text
    assert AUTH_TOKEN not in repr(adapter._options)


def callback(fields: dict[str, str], *, query: str = "reference=202601-7", **changes: Any) -> CallbackRequest:
    """A status callback as Twilio sends and signs it; `changes` are made after the signing."""
    url = f"{CALLBACK}?{query}" if query else CALLBACK
    signature = RequestValidator(AUTH_TOKEN).compute_signature(url, fields)
    parts: dict[str, Any] = {
        "method": "POST",
        "public_url": url,
        "headers": {"X-Twilio-Signature": signature},
        "query": {"reference": "202601-7"} if query else {},
        "body": urlencode(fields).encode(),
        "remote_address": "203.0.113.7",
    }
    return CallbackRequest(**parts | changes)


FIELDS = {
    "AccountSid": ACCOUNT_SID,
    "ApiVersion": "2010-04-01",
    "From": "+15005550006",
    "MessageSid": "SM1",
    "MessageStatus": "delivered",
    "SmsSid": "SM1",
    "SmsStatus": "delivered",
    "To": PHONE,
}


@pytest.fixture(scope="module")
def reader() -> TwilioAdapter:
    return make("http://127.0.0.1:1")


def test_a_status_callback_is_verified_and_read(reader: TwilioAdapter) -> None:
    request = callback(FIELDS)
    assert reader.verify(request)
    [receipt] = reader.parse_receipts(request)
    assert (receipt.status, receipt.provider_id, receipt.reference) == (ReceiptStatus.delivered, "SM1", "202601-7")
    assert (receipt.phone, receipt.part, receipt.error) == (PHONE, 0, None)
    assert receipt.raw == request.body.decode()
    assert PHONE not in repr(receipt)


def test_fields_that_came_without_notice_are_signed_and_do_no_harm(reader: TwilioAdapter) -> None:
    request = callback(FIELDS | {"RawDlrDoneDate": "2601311205", "新": "值", "Empty": ""})
    assert reader.verify(request)
    assert len(reader.parse_receipts(request)) == 1


def test_a_field_that_comes_twice_is_signed_with_both_values(reader: TwilioAdapter) -> None:
    class Twice(dict[str, str]):
        def getlist(self, name: str) -> list[str]:
            return ["b", "a"] if name == "Tag" else [self[name]]

    signature = RequestValidator(AUTH_TOKEN).compute_signature(CALLBACK, Twice(FIELDS | {"Tag": "b"}))
    body = urlencode([*FIELDS.items(), ("Tag", "b"), ("Tag", "a")]).encode()
    assert reader.verify(callback(FIELDS, query="", body=body, headers={"X-Twilio-Signature": signature}))


def test_what_was_changed_on_the_way_is_refused(reader: TwilioAdapter) -> None:
    assert not reader.verify(callback(FIELDS, public_url=f"{CALLBACK}?reference=202601-8"))
    assert not reader.verify(callback(FIELDS, public_url=CALLBACK.replace("https", "http") + "?reference=202601-7"))
    assert not reader.verify(callback(FIELDS, body=urlencode(FIELDS | {"MessageStatus": "failed"}).encode()))
    assert not reader.verify(callback(FIELDS, body=b"\xff=%ff"))
    for signature in ("", "x", "é" * 28):
        assert not reader.verify(callback(FIELDS, headers={"X-Twilio-Signature": signature}))
    assert not reader.verify(callback(FIELDS, headers={}))
    assert not make("http://127.0.0.1:1", auth_token="another").verify(callback(FIELDS))


@pytest.mark.parametrize(
    ("status", "code", "found", "error_class", "raw_code"),
    [
        ("queued", None, ReceiptStatus.interim, None, "queued"),
        ("sent", None, ReceiptStatus.interim, None, "sent"),
        ("delivered", None, ReceiptStatus.delivered, None, "delivered"),
        ("undelivered", "30003", ReceiptStatus.undelivered, ErrorClass.unreachable, "30003"),
        ("undelivered", "30005", ReceiptStatus.undelivered, ErrorClass.bad_number, "30005"),
        ("undelivered", "30007", ReceiptStatus.undelivered, ErrorClass.content, "30007"),
        ("failed", "21610", ReceiptStatus.undelivered, ErrorClass.blocked, "21610"),
        ("failed", "99999", ReceiptStatus.undelivered, ErrorClass.unclassified, "99999"),
        ("undelivered", "", ReceiptStatus.undelivered, ErrorClass.unclassified, "undelivered"),
        ("sent", "30003", ReceiptStatus.interim, None, "30003"),
        ("teleported", None, ReceiptStatus.unclassified, None, "teleported"),
        ("30003", None, ReceiptStatus.unclassified, None, "30003"),
    ],
)
def test_statuses_and_error_codes_are_read_by_the_table(
    reader: TwilioAdapter,
    status: str,
    code: str | None,
    found: ReceiptStatus,
    error_class: ErrorClass | None,
    raw_code: str,
) -> None:
    fields = FIELDS | {"MessageStatus": status} | ({} if code is None else {"ErrorCode": code})
    [receipt] = reader.parse_receipts(callback(fields))
    assert (receipt.status, receipt.error, receipt.raw_code) == (found, error_class, raw_code)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"method": "GET"}, "a status callback is a POST"),
        ({"body": b""}, "MessageSid is missing"),
        ({"body": b"MessageSid=SM1"}, "MessageStatus is missing"),
        ({"body": b"MessageSid=SM1&MessageStatus="}, "MessageStatus is missing"),
        ({"body": b"\xff\xfe"}, "a form in UTF-8"),
        ({"body": json.dumps(FIELDS).encode()}, "MessageSid is missing"),
        ({"body": b"a=1&" * 500}, "a form in UTF-8"),
    ],
)
def test_what_is_no_status_callback_is_named(reader: TwilioAdapter, changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadCallback, match=reason):
        reader.parse_receipts(callback(FIELDS, **changes))


@given(st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=8), st.text(st.characters(codec="utf-8"))))
def test_whatever_twilio_signs_is_verified_and_read_or_named(fields: dict[str, str]) -> None:
    adapter = make("http://127.0.0.1:1")
    request = callback(fields)
    assert adapter.verify(request)
    try:
        adapter.parse_receipts(request)
    except BadCallback:
        pass
    finally:
        adapter.close()
