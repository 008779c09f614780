"""Twilio's adapter, with the official client, against a stand-in of Twilio's API in a process of its own."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from twilio_stand_in import AUTH_TOKEN, CALLBACK, PATH, TwilioStandIn, account, error

from sms_service.gateways.base import ErrorClass, Group, NotTaken, Outcome, OutcomeKind, Text
from sms_service.gateways.twilio.adapter import TwilioAdapter

PHONE = "+8613800138000"


@pytest.fixture(scope="module")
def twilio() -> Iterator[TwilioStandIn]:
    with TwilioStandIn() as twilio:
        yield twilio


@pytest.fixture
def adapter(twilio: TwilioStandIn) -> Iterator[TwilioAdapter]:
    with account(twilio.url) as adapter:
        yield adapter


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
    with account(twilio.url + "/", messaging_service_sid="", from_number="+15005550006") as adapter:
        adapter.submit(Group("g", texts(1), validity_s=1_000_000))
    form = twilio.requests()[-1]
    assert (form["From"], form["ValidityPeriod"]) == ("+15005550006", "36000")
    assert "MessagingServiceSid" not in form


def test_a_group_goes_out_in_order_over_a_pool_of_connections(twilio: TwilioStandIn) -> None:
    before = len(twilio.requests())
    group = Group("g", texts(60))
    with account(twilio.url, connections=8) as adapter:
        outcomes = adapter.submit(group)
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
        (400, 21610, OutcomeKind.refused, ErrorClass.blacklisted),
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
    with account(twilio.url, connections=2, total_timeout_s=1.2) as adapter:
        outcomes = adapter.submit(group)
    handed = {form["To"] for form in twilio.requests()}
    assert len(handed & {text.phone for text in group.texts}) == 2
    for text, outcome in zip(group.texts, outcomes, strict=True):
        written = text.phone in handed
        assert outcome.kind is (OutcomeKind.unknown if written else OutcomeKind.refused)
        assert outcome.error is (None if written else ErrorClass.later)


def test_nobody_listening_is_not_taken_and_later_it_is(twilio: TwilioStandIn, adapter: TwilioAdapter) -> None:
    group = Group("g", texts(3))
    assert adapter.submit(Group("g", texts(1)))[0].kind is OutcomeKind.accepted
    twilio.stop()
    try:
        with pytest.raises(NotTaken, match="cannot be reached") as raised:
            adapter.submit(group)
        assert twilio.url.rpartition(":")[2] not in str(raised.value)
    finally:
        twilio.start()
    assert {outcome.kind for outcome in adapter.submit(group)} == {OutcomeKind.accepted}
    taken = [message["to"] for message in twilio.messages()]
    assert [taken.count(text.phone) for text in group.texts] == [1, 1, 1]


def test_a_host_without_an_address_is_not_taken() -> None:
    with account("http://api.invalid") as adapter, pytest.raises(NotTaken):
        adapter.submit(Group("g", texts(1)))


def test_a_server_that_closes_a_kept_connection_is_never_asked_twice() -> None:
    """As a proxy does that tires of a connection at the moment of the next request: whether it was read is unknown."""
    created = b'{"sid": "SM1", "status": "accepted"}'
    head = b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(created)
    asked: list[bytes] = []

    def serve(listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection:
                    asked.append(connection.recv(65536))
                    connection.sendall(head + created)
                    asked.append(connection.recv(65536))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        with account(f"http://127.0.0.1:{listener.getsockname()[1]}", connections=1) as adapter:
            first, second = adapter.submit(Group("g", texts(2)))
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(10)
    assert (first.kind, second.kind) == (OutcomeKind.accepted, OutcomeKind.unknown)
    assert len([one for one in asked if one.startswith(b"POST")]) == 2


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
