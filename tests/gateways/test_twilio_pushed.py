"""What Twilio pushes: status callbacks and inbound texts, signed by a stand-in of its own process or made by hand."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from receipt_sink import ReceiptSink
from twilio.rest.api.v2010.account.message import MessageInstance
from twilio_stand_in import ACCOUNT_SID, CALLBACK, TwilioStandIn, account, received, signature

from sms_service.gateways.base import (
    BadCallback,
    CallbackRequest,
    ErrorClass,
    Group,
    OutcomeKind,
    ReceiptStatus,
    Text,
)
from sms_service.gateways.twilio.adapter import TwilioAdapter

PHONE = "+8613800138000"
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
REPLY = {
    "AccountSid": ACCOUNT_SID,
    "Body": "收到",
    "From": PHONE,
    "MessageSid": "SM2",
    "NumMedia": "0",
    "SmsStatus": "received",
    "To": "+15005550006",
}


@pytest.fixture(scope="module")
def reader() -> Iterator[TwilioAdapter]:
    with account("http://127.0.0.1:1") as adapter:
        yield adapter


def callback(fields: dict[str, str], *, query: str = "reference=202601-7", **changes: Any) -> CallbackRequest:
    """A status callback as Twilio sends and signs it; `changes` are made after the signing."""
    url = f"{CALLBACK}?{query}" if query else CALLBACK
    parts: dict[str, Any] = {
        "method": "POST",
        "public_url": url,
        "headers": {"X-Twilio-Signature": signature(url, fields)},
        "query": dict(parse_qsl(query)),
        "body": urlencode(fields).encode(),
        "remote_address": "203.0.113.7",
    }
    return CallbackRequest(**parts | changes)


def inbound(fields: dict[str, str], **changes: Any) -> CallbackRequest:
    """An inbound text as Twilio sends and signs it."""
    url = f"{CALLBACK}/replies"
    own = {"public_url": url, "path": "replies", "headers": {"X-Twilio-Signature": signature(url, fields)}}
    return callback(fields, query="", **own | changes)


def test_what_twilio_itself_pushes_is_verified_and_read() -> None:
    with (
        TwilioStandIn() as twilio,
        ReceiptSink() as sink,
        account(twilio.url, f"{sink.base}/callbacks/twilio") as adapter,
    ):
        text = Text("202601-1", PHONE, "【学习】你好", 1)
        [outcome] = adapter.submit(Group("g", [text]))
        assert outcome.kind is OutcomeKind.accepted
        assert outcome.provider_id is not None
        assert twilio.report(outcome.provider_id, MessageStatus="undelivered", ErrorCode="30005", 新="值 &=") == 204
        request = received(sink.next(), sink.base)
        assert adapter.verify(request)
        assert adapter.parse_replies(request) == []
        [receipt] = adapter.parse_receipts(request)
        assert (receipt.provider_id, receipt.reference, receipt.phone) == (outcome.provider_id, "202601-1", PHONE)
        assert (receipt.status, receipt.error) == (ReceiptStatus.undelivered, ErrorClass.bad_number)
        # A secret behind the address, and a target that decoding would change.
        url = f"{sink.base}/callbacks/twilio/replies/s%C3%A9cret%2F?a=%7e+b"
        assert twilio.inbound(url, From=PHONE, Body="收到 𠮷 & 谢谢🎉", MessageSid="SM9") == 204
        request = received(sink.next(), sink.base)
        assert adapter.verify(request)
        assert adapter.parse_receipts(request) == []
        [reply] = adapter.parse_replies(request)
        assert (reply.phone, reply.text, reply.provider_id) == (PHONE, "收到 𠮷 & 谢谢🎉", "SM9")
        assert (reply.to, reply.stop, reply.part, reply.parts) == ("+15005550006", False, 1, 1)
        twilio.inbound(url, token="another", From=PHONE, Body="收到", MessageSid="SM9")
        assert not adapter.verify(received(sink.next(), sink.base))


def test_a_stored_callback_is_answered_with_an_empty_response(reader: TwilioAdapter) -> None:
    answer = reader.capabilities.acknowledgement
    assert (answer.status, answer.body, answer.content_type.partition(";")[0]) == (200, "<Response/>", "text/xml")


def test_an_opt_out_that_twilio_took_is_a_stop(reader: TwilioAdapter) -> None:
    for kind, stop in (("STOP", True), ("START", False), ("HELP", False), ("", False)):
        [reply] = reader.parse_replies(inbound(REPLY | {"OptOutType": kind, "Body": "TD"}))
        assert (reply.stop, reply.text) == (stop, "TD")
    assert PHONE not in repr(reply)
    assert "TD" not in repr(reply)


@pytest.mark.parametrize("sender", ["10086", "ALIPAY", "whatsapp:+8613800138000", "+86138"])
def test_a_sender_that_is_no_whole_number_is_kept_as_it_came(reader: TwilioAdapter, sender: str) -> None:
    [reply] = reader.parse_replies(inbound(REPLY | {"From": sender}))
    assert reply.phone == sender


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"method": "GET"}, "an inbound text is a POST"),
        ({"body": urlencode(REPLY | {"From": ""}).encode()}, "From is missing"),
        ({"body": b"MessageSid=SM1&From=%2B8613800138000&To=1"}, "Body is missing"),
        ({"body": urlencode(FIELDS | {"Body": ""}).encode()}, "MessageStatus"),
        ({"body": urlencode(FIELDS).encode()}, "a status callback does not come to the address for replies"),
        ({"body": b"\xff\xfe"}, "a form in UTF-8"),
    ],
)
def test_what_is_no_inbound_text_is_named(reader: TwilioAdapter, changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadCallback, match=reason) as raised:
        reader.parse_replies(inbound(REPLY, **changes))
    assert PHONE not in str(raised.value)


def test_an_inbound_text_at_the_address_for_receipts_is_named(reader: TwilioAdapter) -> None:
    with pytest.raises(BadCallback, match="must be the address for replies"):
        reader.parse_receipts(callback(REPLY))


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
    # https://www.twilio.com/docs/usage/security: names in order, and the different values of one name in order
    signed = signature(CALLBACK, FIELDS | {"Tag": "aTagb"})
    body = urlencode([*FIELDS.items(), ("Tag", "b"), ("Tag", "a")]).encode()
    assert reader.verify(callback(FIELDS, query="", body=body, headers={"X-Twilio-Signature": signed}))


def test_what_is_no_form_is_signed_by_its_hash_in_the_url(reader: TwilioAdapter) -> None:
    body = json.dumps({"text": "收到"}, ensure_ascii=False).encode()
    url = f"{CALLBACK}?bodySHA256={hashlib.sha256(body).hexdigest()}"
    headers = {"Content-Type": "application/json", "X-Twilio-Signature": signature(url, {})}
    request = callback({}, public_url=url, headers=headers, body=body)
    assert reader.verify(request)
    with pytest.raises(BadCallback, match="MessageSid is missing"):
        reader.parse_receipts(request)
    for changes in (
        {"body": body + b" "},
        {"body": b"\xff"},
        {"headers": headers | {"Content-Type": "application/x-www-form-urlencoded"}},
        {"public_url": CALLBACK},
        {"public_url": CALLBACK, "headers": headers | {"X-Twilio-Signature": signature(CALLBACK, {})}},
    ):
        assert not reader.verify(replace(request, **changes))


def test_what_was_changed_on_the_way_is_refused(reader: TwilioAdapter) -> None:
    assert not reader.verify(callback(FIELDS, public_url=f"{CALLBACK}?reference=202601-8"))
    assert not reader.verify(callback(FIELDS, public_url=CALLBACK.replace("https", "http") + "?reference=202601-7"))
    assert not reader.verify(callback(FIELDS, body=urlencode(FIELDS | {"MessageStatus": "failed"}).encode()))
    assert not reader.verify(callback(FIELDS, body=b"\xff=%ff"))
    for other in ("", "x", "é" * 28):
        assert not reader.verify(callback(FIELDS, headers={"X-Twilio-Signature": other}))
    assert not reader.verify(callback(FIELDS, headers={}))
    with account("http://127.0.0.1:1", auth_token="another") as stranger:
        assert not stranger.verify(callback(FIELDS))


@pytest.mark.parametrize(
    ("status", "code", "found", "error_class", "raw_code"),
    [
        ("queued", None, ReceiptStatus.interim, None, "queued"),
        ("sent", None, ReceiptStatus.interim, None, "sent"),
        ("delivered", None, ReceiptStatus.delivered, None, "delivered"),
        ("undelivered", "30003", ReceiptStatus.undelivered, ErrorClass.unreachable, "30003"),
        ("undelivered", "30005", ReceiptStatus.undelivered, ErrorClass.bad_number, "30005"),
        ("undelivered", "30007", ReceiptStatus.undelivered, ErrorClass.content, "30007"),
        ("failed", "21610", ReceiptStatus.undelivered, ErrorClass.blacklisted, "21610"),
        ("failed", "99999", ReceiptStatus.undelivered, ErrorClass.unclassified, "99999"),
        ("undelivered", "", ReceiptStatus.undelivered, ErrorClass.unclassified, "undelivered"),
        ("sent", "30003", ReceiptStatus.interim, None, "30003"),
        ("receiving", None, ReceiptStatus.interim, None, "receiving"),
        ("received", None, ReceiptStatus.interim, None, "received"),
        ("partially_delivered", None, ReceiptStatus.interim, None, "partially_delivered"),
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
    with account("http://127.0.0.1:1") as adapter:
        for request, read in ((callback(fields), adapter.parse_receipts), (inbound(fields), adapter.parse_replies)):
            assert adapter.verify(request)
            with suppress(BadCallback):
                read(request)


def test_every_status_of_twilios_own_client_is_known(reader: TwilioAdapter) -> None:
    words = [value for name, value in vars(MessageInstance.Status).items() if name.isupper()]
    assert len(words) >= 13
    assert set(words) <= reader.capabilities.known_codes
    for word in words:
        [receipt] = reader.parse_receipts(callback(FIELDS | {"MessageStatus": word}))
        assert receipt.status is not ReceiptStatus.unclassified
