"""Adapter of Twilio's Programmable Messaging, on the official client.

Twilio's create is not idempotent: without a clear answer the outcome is unknown, and nothing here ever repeats a
request. Our reference is in the status callback's URL, which Twilio signs and sends back.
Sources: https://www.twilio.com/docs/messaging/api/message-resource, https://www.twilio.com/docs/usage/security
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlencode

from twilio.base import values
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from sms_service.gateways.base import (
    Acknowledgement,
    BadCallback,
    CallbackRequest,
    Capabilities,
    ErrorClass,
    Finding,
    Group,
    NotTaken,
    Outcome,
    OutcomeKind,
    Question,
    Receipt,
    Reply,
    Text,
    unwritten,
)
from sms_service.gateways.codes import list_meanings
from sms_service.gateways.http_client import HttpClient, NoAnswer, NotWritten
from sms_service.gateways.options import BadOption, between, http_url, look_up_after, not_empty, option
from sms_service.gateways.twilio import look_ups, pushed
from sms_service.gateways.twilio.pushed import CODES
from sms_service.gateways.twilio.transport import LONGEST_VALIDITY_S, Failed, Refusal, Transport

SIGNATURE_HEADER = "X-Twilio-Signature"
# Message segments per second of a US short code behind a messaging service; a US long code makes 1, so an account that
# sends from one needs its own `rate`. https://www.twilio.com/docs/api/errors/30001
RATE = 100
# Tells Twilio to send no answer to the person who sent a text. https://www.twilio.com/docs/messaging/twiml
NO_ANSWER = Acknowledgement(200, "<Response/>", "text/xml; charset=utf-8")


@dataclass(frozen=True, slots=True)
class Options:
    """`account_sid`, `auth_token`: the account. Exactly one of `messaging_service_sid` and `from_number` (E.164) sends.

    `api_base`: where the API is, for another region or a proxy. `connections`: requests under way at once.
    `total_timeout_s`: seconds that a hand-over of a group may take. `look_up_after`: see `options.look_up_after`.
    """

    account_sid: str = option(check=not_empty)
    auth_token: str = option(secret=True, check=not_empty)
    messaging_service_sid: str = option(default="")
    from_number: str = option(default="")
    api_base: str = option(default="https://api.twilio.com", check=http_url)
    connections: int = option(default=20, check=between(1, 200))
    total_timeout_s: float = option(default=30.0, check=between(1, 300))
    look_up_after: float = look_up_after()

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
            look_up_after_s=options.look_up_after,
            look_up_receipts=True,
            look_up_per_s=look_ups.PER_S,
            acknowledgement=NO_ANSWER,
            known_codes=frozenset({*CODES.answers, *CODES.receipts}),
            meanings=list_meanings(CODES),
        )
        self._options, self._callback_url = options, callback_url
        self._http = HttpClient(in_flight=options.connections, total_timeout_s=options.total_timeout_s)
        # Questions have their own connections, so that no text ever waits for a question.
        self._look_ups_http = HttpClient(
            in_flight=look_ups.IN_FLIGHT,
            total_timeout_s=options.total_timeout_s,
            largest_answer=look_ups.LARGEST_ANSWER,
        )
        self._messages, asked = (
            Client(options.account_sid, options.auth_token, http_client=Transport(http, options.api_base)).messages
            for http in (self._http, self._look_ups_http)
        )
        sender = options.messaging_service_sid or options.from_number
        self._look_ups = look_ups.LookUps(asked, self._look_ups_http, sender, options.total_timeout_s)
        self._validator = RequestValidator(options.auth_token)

    def submit(self, group: Group) -> list[Outcome]:
        """Hand over each text in a request of its own, `connections` at once."""
        results = self._http.run_all([partial(self._create, text, group.validity_s) for text in group.texts])
        if results and all(isinstance(result, NotWritten) for result in results):
            raise NotTaken(f"Twilio cannot be reached: {results[0].reason}")  # type: ignore[union-attr]
        return [_outcome(text.reference, result) for text, result in zip(group.texts, results, strict=True)]

    def look_up(self, questions: Sequence[Question]) -> list[Finding | None]:
        """Ask Twilio's records; see `look_ups`."""
        return self._look_ups.ask(questions)

    def verify(self, request: CallbackRequest) -> bool:
        """Whether Twilio signed the public URL and every form field, also those that we do not know. If the body is not
        a form, Twilio signs the URL with the body's hash in it.
        """
        signature = request.headers.get(SIGNATURE_HEADER, "")
        try:
            signed = pushed.signed(request)
        except BadCallback:
            return False
        return bool(self._validator.validate(request.public_url, signed, signature))

    def parse_receipts(self, request: CallbackRequest) -> list[Receipt]:
        """The one report of a status callback; see `pushed`."""
        return [] if request.is_of_replies else pushed.read_pushed_receipts(request)

    def parse_replies(self, request: CallbackRequest) -> list[Reply]:
        """The one text of an inbound webhook; see `pushed`."""
        return pushed.read_pushed_replies(request) if request.is_of_replies else []

    def close(self) -> None:
        """Close the connections."""
        self._http.close()
        self._look_ups_http.close()

    async def _create(self, text: Text, validity_s: int | None) -> str | Refusal | NotWritten | NoAnswer:
        """Ask Twilio to send one text; returns its SID, or the reason why there is none."""
        try:
            message = await self._messages.create_async(
                to=text.phone,
                body=text.body,
                messaging_service_sid=self._options.messaging_service_sid or values.unset,
                from_=self._options.from_number or values.unset,
                status_callback=f"{self._callback_url}?{urlencode({'reference': text.reference})}",
                validity_period=values.unset if validity_s is None else max(1, min(validity_s, LONGEST_VALIDITY_S)),
            )
        except Failed as failed:
            return failed.reason
        except Exception as error:  # noqa: BLE001 - whatever the client makes of an answer that is none
            return NoAnswer(f"the answer cannot be read ({type(error).__name__})")
        if not isinstance(message.sid, str) or not message.sid:
            return NoAnswer("the answer has no sid")
        return message.sid


def create(name: str, options: Options, callback_url: str) -> TwilioAdapter:
    """The adapter of one Twilio account; status callbacks come to `callback_url`."""
    return TwilioAdapter(options, callback_url)


def _outcome(reference: str, result: str | Refusal | NotWritten | NoAnswer) -> Outcome:
    match result:
        case str():
            return Outcome(reference, OutcomeKind.accepted, provider_id=result)
        case NotWritten():
            return unwritten(reference, result.reason)
        case Refusal():
            return _refused(reference, result)
        case NoAnswer():
            return Outcome(reference, OutcomeKind.unknown, detail=result.reason)


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
