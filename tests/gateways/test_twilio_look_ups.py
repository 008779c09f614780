"""What Twilio's records say of texts whose hand-over, or arrival, is unknown."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from twilio_stand_in import TwilioStandIn, account, error

from sms_service.gateways.base import ErrorClass, Finding, Group, OutcomeKind, Question, ReceiptStatus, Text
from sms_service.gateways.twilio.adapter import TwilioAdapter

BODY = "【学习】𠮷田同志，你好🎉"


@pytest.fixture(scope="module")
def twilio() -> Iterator[TwilioStandIn]:
    with TwilioStandIn() as twilio:
        yield twilio


@pytest.fixture
def adapter(twilio: TwilioStandIn) -> Iterator[TwilioAdapter]:
    with account(twilio.url) as adapter:
        yield adapter


_phones = iter(range(10_000, 99_999))


def new_text(body: str = BODY) -> Text:
    number = next(_phones)
    return Text(f"202601-{number}", f"+86139000{number}", body, 1)


def question(text: Text, provider_id: str | None = None, **changes: Any) -> Question:
    return Question(text.reference, text.phone, text.body, changes.get("began_at", datetime.now(UTC)), provider_id)


def lost(adapter: TwilioAdapter, twilio: TwilioStandIn, text: Text) -> str:
    """Hand over a text that Twilio takes and whose answer is lost; its SID."""
    twilio.answer(text.phone, do="reset", take=True)
    [outcome] = adapter.submit(Group("g", [text]))
    assert outcome.kind is OutcomeKind.unknown
    return next(message["sid"] for message in reversed(twilio.messages()) if message["to"] == text.phone)


def test_what_was_taken_is_found_and_what_was_not_is_not(twilio: TwilioStandIn, adapter: TwilioAdapter) -> None:
    taken, never = new_text(), new_text()
    sid = lost(adapter, twilio, taken)
    assert adapter.look_up([question(never), question(taken)]) == [Finding(None), Finding(sid)]
    assert adapter.capabilities.look_up_after_s == 600
    assert not adapter.capabilities.look_up_complete, "Twilio does not state when its list is complete"


def test_twilio_is_asked_for_recipient_and_time_in_utc(twilio: TwilioStandIn, adapter: TwilioAdapter) -> None:
    text = new_text()
    adapter.look_up([question(text, began_at=datetime(2026, 1, 31, 8, 0, tzinfo=timezone(timedelta(hours=8))))])
    asked = parse_qs(urlsplit(twilio.reads()[-1]).query)
    assert asked["To"] == [text.phone]
    assert asked["DateSent>"] == ["2026-01-30T23:59:00Z"]
    assert asked["DateSent<"] == ["2026-01-31T10:01:30Z"]


def test_a_number_that_sends_is_compared_too(twilio: TwilioStandIn) -> None:
    text = new_text()
    with account(twilio.url, messaging_service_sid="", from_number="+15005550006") as adapter:
        sid = lost(adapter, twilio, text)
        assert adapter.look_up([question(text)]) == [Finding(sid)]
        twilio.amend(sid, **{"from": "+15005550007"})
        assert adapter.look_up([question(text)]) == [Finding(None)]


@pytest.mark.parametrize(
    "other",
    [
        {"body": BODY + " "},
        {"body": BODY.replace("𠮷", "吉")},
        {"messaging_service_sid": "MG2"},
        {"date_created": format_datetime(datetime.now(UTC) - timedelta(minutes=10))},
        {"date_created": None},
        {"to": "+8613900000001"},
    ],
)
def test_another_text_is_not_taken_for_it(twilio: TwilioStandIn, adapter: TwilioAdapter, other: dict[str, Any]) -> None:
    text = new_text()
    twilio.amend(lost(adapter, twilio, text), **other)
    assert adapter.look_up([question(text)]) == [Finding(None)]


def test_two_that_fit_cannot_be_told_apart(twilio: TwilioStandIn, adapter: TwilioAdapter) -> None:
    text, alike = new_text(), new_text()
    for _ in range(2):
        lost(adapter, twilio, text)
    assert adapter.look_up([question(text)]) == [None]
    sid = lost(adapter, twilio, alike)
    both = adapter.look_up([question(alike), question(alike)])
    assert both == [None, None], "it may be either's"
    assert adapter.look_up([question(alike, sid), question(alike)]) == [Finding(sid), None], "it has its own name"


def test_all_pages_are_read(twilio: TwilioStandIn, adapter: TwilioAdapter) -> None:
    first = new_text()
    sid = lost(adapter, twilio, first)
    twilio.answer(first.phone)
    others = Group("g", [Text("202601-1", first.phone, "another text", 1)] * 120)
    assert {outcome.kind for outcome in adapter.submit(others)} == {OutcomeKind.accepted}
    before = len(twilio.reads())
    assert adapter.look_up([question(first)]) == [Finding(sid)]
    assert len(twilio.reads()) - before == 3


def test_more_pages_than_are_read_tell_nothing(twilio: TwilioStandIn, adapter: TwilioAdapter) -> None:
    text = new_text()
    endless = {"messages": [], "next_page_uri": f"/2010-04-01/Accounts/AC1/Messages.json?To=%2B{text.phone[1:]}&Page=1"}
    twilio.answer(f"GET {text.phone}", status=200, body=endless)
    before = len(twilio.reads())
    assert adapter.look_up([question(text)]) == [None]
    assert len(twilio.reads()) - before <= 11


def next_page(url: str) -> dict[str, Any]:
    """A page as Twilio's newer APIs write it, which the client reads as well."""
    return {"messages": [], "meta": {"key": "messages", "next_page_url": url}}


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 500, "raw": "upstream"},
        {"status": 429, "body": error(429, 20429, "Too Many Requests"), "headers": {"Retry-After": "1"}},
        {"status": 401, "body": error(401, 20003, "Authenticate")},
        {"status": 200, "raw": "{"},
        {"status": 200, "body": {"unexpected": [], "as well": []}},
        {"status": 200, "body": {"messages": [{"sid": 7}], "some": 1}},
        {"status": 200, "body": {"messages": ["text"]}},
        {"status": 200, "body": next_page("https://elsewhere.invalid/")},
        {"status": 200, "body": next_page("https://api.twilio.com@elsewhere.invalid/")},
        {"status": 302, "raw": "", "headers": {"Location": "/again"}},
        {"do": "reset"},
    ],
)
def test_an_answer_that_cannot_be_read_tells_nothing(
    twilio: TwilioStandIn, adapter: TwilioAdapter, answer: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    text, other = new_text(), new_text()
    sid = lost(adapter, twilio, other)
    twilio.answer(f"GET {text.phone}", **answer)
    before = len(twilio.reads())
    assert adapter.look_up([question(text), question(other)]) == [None, Finding(sid)]
    assert len(twilio.reads()) - before == 2, "never repeated by itself"
    assert text.phone[1:] not in caplog.text


def test_questions_are_answered_in_time(twilio: TwilioStandIn) -> None:
    text = new_text()
    twilio.answer(f"GET {text.phone}", do="hang")
    with account(twilio.url, total_timeout_s=1) as adapter:
        assert adapter.look_up([question(text)] * 6) == [None] * 6


@pytest.mark.parametrize(
    ("record", "status", "error_class"),
    [
        ({"status": "delivered"}, ReceiptStatus.delivered, None),
        ({"status": "read"}, ReceiptStatus.delivered, None),
        ({"status": "undelivered", "error_code": 30003}, ReceiptStatus.undelivered, ErrorClass.unreachable),
        ({"status": "failed", "error_code": 21610}, ReceiptStatus.undelivered, ErrorClass.blacklisted),
        ({"status": "failed", "error_code": 99999}, ReceiptStatus.undelivered, ErrorClass.unclassified),
        ({"status": "sent"}, None, None),
        ({"status": "teleported"}, None, None),
        ({"status": None}, None, None),
    ],
)
def test_an_accepted_text_is_asked_for_by_its_name(
    twilio: TwilioStandIn,
    adapter: TwilioAdapter,
    record: dict[str, Any],
    status: ReceiptStatus | None,
    error_class: ErrorClass | None,
) -> None:
    text = new_text()
    [outcome] = adapter.submit(Group("g", [text]))
    sid = outcome.provider_id
    assert sid is not None
    twilio.amend(sid, date_updated="Sat, 31 Jan 2026 08:00:00 +0000", **record)
    [found] = adapter.look_up([question(text, sid)])
    assert found is not None
    assert found.provider_id == sid
    if status is None:
        assert found.receipt is None, "its arrival is not settled"
    else:
        assert found.receipt is not None
        assert (found.receipt.status, found.receipt.error) == (status, error_class)
        assert (found.receipt.provider_id, found.receipt.phone) == (sid, text.phone)
        assert found.receipt.occurred_at == datetime(2026, 1, 31, 8, tzinfo=UTC)
        assert text.phone not in repr(found)


def test_a_name_that_twilio_does_not_know_or_another_phone_has_tells_nothing(
    twilio: TwilioStandIn, adapter: TwilioAdapter
) -> None:
    text, other = new_text(), new_text()
    [outcome] = adapter.submit(Group("g", [other]))
    assert adapter.look_up([question(text, "SM404"), question(text, outcome.provider_id)]) == [None, None]
