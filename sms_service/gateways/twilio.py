"""Adapter of Twilio's Programmable Messaging, on the official client.

Twilio's create is not idempotent: whatever is not clearly answered is unknown, and nothing here ever repeats a request.
Our reference travels in the status callback's URL, which Twilio signs and echoes.
Sources: https://www.twilio.com/docs/messaging/api/message-resource, https://www.twilio.com/docs/usage/security
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

from multidict import MultiDict
from twilio.base import values
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from sms_service.gateways import codes
from sms_service.gateways.base import (
    BadCallback,
    CallbackRequest,
    Capabilities,
    ErrorClass,
    Group,
    NotTaken,
    Outcome,
    OutcomeKind,
    Receipt,
    ReceiptStatus,
    Text,
)
from sms_service.gateways.http_client import boot_clock
from sms_service.gateways.options import BadOption, between, http_url, not_empty, option
from sms_service.gateways.twilio_transport import NotSent, Refusal, Transport, Unclear

CODES = codes.load(Path(__file__).with_name("twilio_codes.csv"))
SIGNATURE_HEADER = "X-Twilio-Signature"
LONGEST_VALIDITY_S = 36_000  # https://www.twilio.com/docs/api/errors/90007
# Message segments per second of a US short code behind a messaging service; a US long code makes 1, so an account that
# sends from one needs its own `rate`. https://www.twilio.com/docs/api/errors/30001
RATE = 100
_NOT_STARTED = "its turn did not come before the time-out"


@dataclass(frozen=True, slots=True)
class Options:
    """`account_sid`, `auth_token`: the account. Exactly one of `messaging_service_sid` and `from_number` (E.164) sends.

    `api_base`: where the API is; another region or a proxy. `connections`: requests under way at once.
    `total_timeout_s`: no hand-over of a group takes longer, in seconds.
    """

    account_sid: str = option(check=not_empty)
    auth_token: str = option(secret=True, check=not_empty)
    messaging_service_sid: str = option(default="")
    from_number: str = option(default="")
    api_base: str = option(default="https://api.twilio.com", check=http_url)
    connections: int = option(default=20, check=between(1, 200))
    total_timeout_s: float = option(default=30.0, check=between(1, 300))

    def __post_init__(self) -> None:
        if bool(self.messaging_service_sid) == bool(self.from_number):
            raise BadOption("messaging_service_sid", "or from_number must be given, and not both")


class TwilioAdapter:
    """One Twilio account; see `base.Adapter` for what its methods promise."""

    def __init__(self, options: Options, callback_url: str) -> None:
        self.capabilities = Capabilities(
            largest_group=500,
            total_timeout_s=options.total_timeout_s,
            echoes_reference=True,
            sends_receipts=True,
            rate=RATE,
        )
        self._options, self._callback_url = options, callback_url
        self._transport = Transport(options.api_base, options.connections, options.total_timeout_s)
        self._messages = Client(options.account_sid, options.auth_token, http_client=self._transport).messages
        self._validator = RequestValidator(options.auth_token)
        self._pool = ThreadPoolExecutor(options.connections, thread_name_prefix="twilio")

    def submit(self, group: Group) -> list[Outcome]:
        """Hand over each text in a request of its own, `connections` at once; none is started late."""
        start_by = boot_clock() + self._transport.start_within_s
        futures = [self._pool.submit(self._create, text, group.validity_s, start_by) for text in group.texts]
        wait(futures, timeout=self._options.total_timeout_s)
        outcomes = [_outcome(text.reference, future) for text, future in zip(group.texts, futures, strict=True)]
        if outcomes and all(outcome.error is ErrorClass.later for outcome in outcomes):
            raise NotTaken(f"Twilio cannot be reached: {outcomes[0].detail}")
        return outcomes

    def verify(self, request: CallbackRequest) -> bool:
        """Whether Twilio signed the public URL and every form field, those that we do not know included."""
        signature = request.headers.get(SIGNATURE_HEADER, "")
        try:
            fields = MultiDict(_form(request.body))
        except BadCallback:
            return False
        return bool(self._validator.validate(request.public_url, fields, signature))

    def parse_receipts(self, request: CallbackRequest) -> list[Receipt]:
        """The one report of a status callback. Unknown fields are ignored: Twilio adds some without notice."""
        if request.method != "POST":
            raise BadCallback("a status callback is a POST")
        form = dict(_form(request.body))
        for name in ("MessageSid", "MessageStatus"):
            if not form.get(name):
                raise BadCallback(f"{name} is missing; a status callback has it")
        status, error_code = form["MessageStatus"], form.get("ErrorCode") or None
        known = None if status.isdecimal() else CODES.receipts.get(status)  # words and error codes share the table
        error = known.error if known else None
        if error is not None and error_code is not None:
            reason = CODES.receipts.get(error_code) or CODES.answers.get(error_code)
            error = (reason.error if reason else None) or ErrorClass.unclassified
        receipt = Receipt(
            status=known.result if known else ReceiptStatus.unclassified,
            provider_id=form["MessageSid"],
            raw=request.body.decode(),
            reference=request.query.get("reference") or None,
            phone=form.get("To") or None,
            error=error,
            raw_code=error_code or status,
        )
        return [receipt]

    def close(self) -> None:
        """Close the connections and let the threads end."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._transport.close()

    def _create(self, text: Text, validity_s: int | None, start_by: float) -> str:
        """Ask Twilio to send one text; returns its SID. Raises NotSent, Refusal or Unclear."""
        # The last look at the clock before the request is written; see http_client.
        if boot_clock() >= start_by:
            raise NotSent(_NOT_STARTED)
        message = self._messages.create(
            to=text.phone,
            body=text.body,
            messaging_service_sid=self._options.messaging_service_sid or values.unset,
            from_=self._options.from_number or values.unset,
            status_callback=f"{self._callback_url}?{urlencode({'reference': text.reference})}",
            validity_period=values.unset if validity_s is None else max(1, min(validity_s, LONGEST_VALIDITY_S)),
        )
        if not isinstance(message.sid, str) or not message.sid:
            raise Unclear("the answer has no sid")
        return message.sid


def create(name: str, options: Options, callback_url: str) -> TwilioAdapter:
    """The adapter of one Twilio account; status callbacks come to `callback_url`."""
    return TwilioAdapter(options, callback_url)


def _outcome(reference: str, future: Future[str]) -> Outcome:
    if not future.done():
        if future.cancel():
            return Outcome(reference, OutcomeKind.refused, error=ErrorClass.later, detail=_NOT_STARTED)
        return Outcome(reference, OutcomeKind.unknown, detail="no answer before the time-out")
    match future.exception():
        case None:
            return Outcome(reference, OutcomeKind.accepted, provider_id=future.result())
        case NotSent() as error:
            return Outcome(reference, OutcomeKind.refused, error=ErrorClass.later, detail=str(error))
        case Refusal() as error:
            return _refused(reference, error)
        case error:
            # Twilio's own messages quote the number, so an error that is not ours is named by its kind only.
            detail = str(error) if isinstance(error, Unclear) else type(error).__name__
            return Outcome(reference, OutcomeKind.unknown, detail=detail)


def _refused(reference: str, refusal: Refusal) -> Outcome:
    known = CODES.answers.get(refusal.code)
    if known is None and refusal.status == 429:
        known = CODES.answers["20429"]
    return Outcome(
        reference,
        known.result if known else OutcomeKind.refused,
        error=known.error if known else ErrorClass.unclassified,
        raw_code=refusal.code,
        detail=known.meaning if known else None,
        retry_after_s=refusal.retry_after_s,
    )


def _form(body: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=200)
    except ValueError:
        raise BadCallback("the body must be a form in UTF-8") from None
