"""Asks Twilio's own records about a text: whether Twilio took it, and how it arrived.

A message does not show the URL of its status callback, so the records do not have our reference. A text is recognised
by recipient, sender, words and the moment it was created; if two messages fit, it is not recognised.
Source: https://www.twilio.com/docs/messaging/api/message-resource#read-multiple-message-resources
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from twilio.rest.api.v2010.account.message import MessageInstance, MessageList

from sms_service.gateways.base import Finding, Question, Receipt, ReceiptStatus
from sms_service.gateways.http_client import HttpClient, NoAnswer, NotWritten
from sms_service.gateways.twilio.pushed import make_receipt
from sms_service.gateways.twilio.transport import LONGEST_VALIDITY_S

IN_FLIGHT = 4
PER_S = 10  # questions; Twilio names no rate, but refuses requests when too many are under way at once (20429)
LARGEST_ANSWER = 1 << 20  # bytes; a message of 1,600 Chinese characters is about 10,000, escaped
PAGE_SIZE = 50
MOST_PAGES = 10
# Allows for the difference between our clock and Twilio's, and for a request's way; Twilio's times are whole seconds.
_SKEW = timedelta(seconds=60)
# Records are listed by the moment of sending, which comes before the longest validity ends.
_LONGEST_QUEUE = timedelta(seconds=LONGEST_VALIDITY_S)


class LookUps:
    """Asks about texts that `sender` (a messaging service's SID or a number) sent, each at most `hand_over_s` after
    its hand-over began.
    """

    def __init__(self, messages: MessageList, http: HttpClient, sender: str, hand_over_s: float) -> None:
        self._messages, self._http, self._sender = messages, http, sender
        self._late = timedelta(seconds=hand_over_s) + _SKEW

    def ask(self, questions: Sequence[Question]) -> list[Finding | None]:
        """One answer per question; None where Twilio cannot be asked, or its answer does not tell."""
        found = self._http.run_all([partial(self._ask, question) for question in questions])
        findings = [None if isinstance(one, NotWritten | NoAnswer) else one for one in found]
        # A message that fits two questions may belong to either, unless one of them asks for it by its id.
        claims = Counter(one.provider_id for one in findings if one is not None and one.provider_id is not None)
        return [
            None if question.provider_id is None and one and one.provider_id and claims[one.provider_id] > 1 else one
            for question, one in zip(questions, findings, strict=True)
        ]

    async def _ask(self, question: Question) -> Finding | None:
        try:
            if question.provider_id is not None:
                message = await self._messages(question.provider_id).fetch_async()
                ours = message.sid == question.provider_id and message.to == question.phone
                return _finding(message) if ours else None
            return await self._search(question)
        except Exception:  # noqa: BLE001 - Failed, the client's own base class, or whatever reading nonsense raises
            return None

    async def _search(self, question: Question) -> Finding | None:
        began_at = question.began_at.astimezone(UTC)  # the client writes any time as if it were UTC
        first, last = began_at - _SKEW, began_at + self._late
        page = await self._messages.page_async(
            to=question.phone,
            date_sent_after=first,
            date_sent_before=last + _LONGEST_QUEUE,
            page_size=PAGE_SIZE,
        )
        taken = []
        for _ in range(MOST_PAGES):
            taken += [message for message in page if self._is_of(message, question, first, last)]
            page = await page.next_page_async()
            if page is None:
                break
        if page is not None or len(taken) > 1:
            return None
        return _finding(taken[0]) if taken else Finding(None)

    def _is_of(self, message: MessageInstance, question: Question, first: datetime, last: datetime) -> bool:
        return (
            message.to == question.phone
            and message.body == question.body
            and self._sender in (message.messaging_service_sid, message.from_)
            and message.date_created is not None
            and first <= message.date_created <= last
        )


def _finding(message: MessageInstance) -> Finding | None:
    if not isinstance(message.sid, str) or not message.sid:
        return None
    return Finding(message.sid, _arrival(message))


def _arrival(message: MessageInstance) -> Receipt | None:
    """The receipt, if the message has its final status."""
    if not isinstance(message.status, str):
        return None
    code = None if message.error_code is None else str(message.error_code)
    raw: dict[str, Any] = {"sid": message.sid, "status": message.status, "error_code": code, "to": message.to}
    found = make_receipt(
        message.sid,
        message.status,
        code,
        raw=json.dumps(raw),
        phone=message.to,
        occurred_at=message.date_updated,
    )
    return found if found.status in (ReceiptStatus.delivered, ReceiptStatus.undelivered) else None
