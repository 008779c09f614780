"""Reads what Twilio pushes: status callbacks and inbound texts. Twilio adds fields without notice, so unknown ones are
ignored.

Sources: https://www.twilio.com/docs/messaging/guides/track-outbound-message-status,
https://www.twilio.com/docs/messaging/guides/webhook-request, https://www.twilio.com/docs/usage/security
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from urllib.parse import parse_qs, parse_qsl, urlsplit

from multidict import MultiDict

from sms_service.gateways import codes
from sms_service.gateways.base import (
    BadCallback,
    CallbackRequest,
    ErrorClass,
    Receipt,
    ReceiptStatus,
    Reply,
)
from sms_service.gateways.numbers import e164

_FORM = "application/x-www-form-urlencoded"
CODES = codes.load_code_table(Path(__file__).with_name("codes.csv"))


def read_pushed_receipts(request: CallbackRequest) -> list[Receipt]:
    """The one report of a status callback. Raises BadCallback."""
    form = _form_of(request, "a status callback")
    if "MessageStatus" not in form and "Body" in form:
        raise BadCallback("it is an inbound text, whose webhook must be the address for replies")
    _need(form, "a status callback", "MessageSid", "MessageStatus")
    return [
        make_receipt(
            form["MessageSid"],
            form["MessageStatus"],
            form.get("ErrorCode") or None,
            raw=request.body.decode(),
            reference=request.query.get("reference") or None,
            phone=form.get("To") or None,
        )
    ]


def read_pushed_replies(request: CallbackRequest) -> list[Reply]:
    """The one inbound text of a webhook; Twilio has joined its parts. Raises BadCallback."""
    form = _form_of(request, "an inbound text")
    if "MessageStatus" in form:
        raise BadCallback("it has a MessageStatus; a status callback does not come to the address for replies")
    _need(form, "an inbound text", "MessageSid", "From", "To")
    if "Body" not in form:
        raise BadCallback("Body is missing; an inbound text has it")
    return [
        Reply(
            # Twilio writes E.164 with its "+"; a sender without it is a short code or a name.
            phone=_phone(form["From"]),
            text=form["Body"],
            raw=request.body.decode(),
            provider_id=form["MessageSid"],
            to=_phone(form["To"]),
            stop=form.get("OptOutType", "").upper() == "STOP",
        )
    ]


def make_receipt(
    sid: str,
    status: str,
    error_code: str | None,
    *,
    raw: str,
    reference: str | None = None,
    phone: str | None = None,
    occurred_at: datetime | None = None,
) -> Receipt:
    """The receipt that a message's status and error code make, whether pushed or looked up."""
    known = None if status.isdecimal() else CODES.receipts.get(status)  # words and error codes share the table
    error = known.error if known else None
    if error is not None and error_code is not None:
        reason = CODES.receipts.get(error_code) or CODES.answers.get(error_code)
        error = (reason.error if reason else None) or ErrorClass.unclassified
    return Receipt(
        status=known.result if known else ReceiptStatus.unclassified,
        provider_id=sid,
        raw=raw,
        reference=reference,
        phone=phone,
        error=error,
        raw_code=error_code or status,
        occurred_at=occurred_at,
    )


def signed(request: CallbackRequest) -> MultiDict[str] | str:
    """What Twilio signs besides the URL: the fields of a form, also repeated ones; or, if the body is not a form, the
    text of the body, whose hash is in the URL. Raises BadCallback.
    """
    is_form = request.headers.get("Content-Type", _FORM).partition(";")[0].strip().lower() == _FORM
    if is_form or "bodySHA256" not in parse_qs(urlsplit(request.public_url).query):
        return MultiDict(_fields(request.body))
    try:
        return request.body.decode()
    except ValueError:
        raise BadCallback("the body must be in UTF-8") from None


def _form_of(request: CallbackRequest, what: str) -> dict[str, str]:
    if request.method != "POST":
        raise BadCallback(f"{what} is a POST")
    return dict(_fields(request.body))


def _fields(body: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=200)
    except ValueError:
        raise BadCallback("the body must be a form in UTF-8") from None


def _need(form: Mapping[str, str], what: str, *names: str) -> None:
    for name in names:
        if not form.get(name):
            raise BadCallback(f"{name} is missing; {what} has it")


def _phone(written: str) -> str:
    return (e164(written) if written.startswith("+") else None) or written
