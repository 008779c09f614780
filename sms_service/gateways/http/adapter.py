"""Adapter of any provider with an HTTP interface, as its account in `gateways.toml` describes it.

The adapter assumes that no provider's interface is idempotent: a request is written once or not at all, and without a
clear answer the outcome is unknown.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sms_service.gateways.base import (
    Acknowledgement,
    BadCallback,
    CallbackRequest,
    Capabilities,
    ErrorClass,
    Group,
    NotTaken,
    Outcome,
    OutcomeKind,
    Pulled,
    Receipt,
    Reply,
    Text,
    without_template,
)
from sms_service.gateways.codes import list_meanings
from sms_service.gateways.extensions import write_extension
from sms_service.gateways.http import documents, plan, pulling, records
from sms_service.gateways.http.account import HttpAccount
from sms_service.gateways.http.documents import Unreadable
from sms_service.gateways.http.options import MOST
from sms_service.gateways.http.templates import CannotRenderRequest
from sms_service.gateways.http_client import HttpClient, HttpRequest, NotWritten, Result

RATE = 10  # parts a second, if gateways.toml has no `rate`; the smallest contracts allow this much
LARGEST_PULL = 8 * 1024 * 1024  # bytes of an answer with receipts, which a provider may give only once


@dataclass(frozen=True, slots=True)
class Options(HttpAccount):
    """An account whose tables fit together; making a plan of them shows whether they do. Raises BadOption."""

    def __post_init__(self) -> None:
        plan.make_plan(self)


class HttpAdapter:
    """One account; see `base.Adapter` and `base.Pulls` for what its methods promise. `clock` is `time.time`."""

    def __init__(self, options: Options, callback_url: str, clock: Callable[[], float] = time.time) -> None:
        self._plan = plan.make_plan(options)
        self._submission, self._clock = options.request, clock
        proof = self._plan.proof
        self._constants: dict[str, Any] = {
            **self._plan.constants,
            "receipts_url": f"{callback_url}/{proof.path('receipts')}" if proof else "",
            "replies_url": f"{callback_url}/{proof.path('replies')}" if proof else "",
        }
        acknowledge = options.callbacks.acknowledge if options.callbacks else None
        self.capabilities = Capabilities(
            # A group fits into one request: if it is refused as a whole, it is halved until the bad text is alone.
            largest_group=options.request.recipients
            if options.request.recipients > 1 and not options.answer.each
            else MOST,
            total_timeout_s=options.total_timeout_s,
            echoes_reference=options.receipts is not None and options.receipts.reference is not None,
            sends_receipts=options.receipts is not None,
            rate=RATE,
            names_groups=self._plan.names_groups,
            one_text=options.request.one_text,
            needs_templates=self._plan.needs_templates,
            pull_every_s=options.pull_every_s,
            acknowledgement=Acknowledgement(acknowledge.status, acknowledge.body, acknowledge.content_type)
            if acknowledge
            else Acknowledgement(),
            meanings=list_meanings(self._plan.codes),
        )
        self._pushes_receipts = options.receipts is not None and options.receipts.pushed
        self._pushes_replies = options.replies is not None and options.replies.pushed
        self._client = HttpClient(in_flight=options.connections, total_timeout_s=options.total_timeout_s)
        # Pulls have their own connections, so that no text ever waits for a pull.
        self._pulls = HttpClient(in_flight=2, total_timeout_s=options.total_timeout_s, largest_answer=LARGEST_PULL)

    def submit(self, group: Group) -> list[Outcome]:
        """Hand over the texts, in as few requests as the account allows."""
        outcomes: dict[str, Outcome] = {}
        requests: list[HttpRequest] = []
        batches: list[Sequence[Text]] = []
        for batch in self._batches([text for text in group.texts if not self._is_out(text, outcomes)]):
            try:
                requests.append(self._plan.composer.request(self._values(batch, group)))
                batches.append(batch)
            except CannotRenderRequest as error:
                for text in batch:
                    outcomes[text.reference] = Outcome(
                        text.reference,
                        OutcomeKind.refused,
                        error=ErrorClass.request,
                        detail=str(error),
                        whole_group=len(batch) > 1,
                    )
        results: list[Result] = self._client.send_all(requests)
        if results and not outcomes and all(isinstance(result, NotWritten) for result in results):
            raise NotTaken(f"the provider cannot be reached: {results[0].reason}")  # type: ignore[union-attr]
        for batch, result in zip(batches, results, strict=True):
            outcomes |= {outcome.reference: outcome for outcome in self._plan.answers.outcomes(batch, result)}
        return [outcomes[text.reference] for text in group.texts]

    def verify(self, request: CallbackRequest) -> bool:
        """Whether the request passes every check in the account's `callbacks`."""
        pushed = self._pushes_replies if request.is_of_replies else self._pushes_receipts
        return pushed and self._plan.proof is not None and self._plan.proof.holds(request, self._clock())

    def parse_receipts(self, request: CallbackRequest) -> list[Receipt]:
        """The receipts in a verified request."""
        reading = self._plan.receipts
        if request.is_of_replies or reading is None:
            return []
        document, whole = _pushed(request, reading.reader)
        return records.all_of(document, reading.reader, reading.of, whole)

    def parse_replies(self, request: CallbackRequest) -> list[Reply]:
        """The replies in a verified request."""
        reading = self._plan.replies
        if not request.is_of_replies or reading is None:
            return []
        document, whole = _pushed(request, reading.reader)
        return records.all_of(document, reading.reader, reading.of, whole)

    def pull(self) -> Pulled:
        """Ask for receipts and replies that are new."""
        now = datetime.fromtimestamp(self._clock(), self._plan.zone)
        return pulling.pull_records(self._plan, self._pulls, {**self._constants, "now": now})

    def close(self) -> None:
        """Close the connections."""
        self._client.close()
        self._pulls.close()

    def _is_out(self, text: Text, outcomes: dict[str, Outcome]) -> bool:
        """Whether the text lacks a registered template or its phone cannot be written as the provider wants it; if so,
        adds its outcome to `outcomes`.
        """
        if self._plan.needs_templates and text.template_id is None:
            outcomes[text.reference] = without_template(text.reference)
            return True
        if self._plan.phones.write(text.phone) is not None:
            return False
        detail = "a number of another country, which the provider does not serve"
        outcomes[text.reference] = Outcome(
            text.reference, OutcomeKind.refused, error=ErrorClass.bad_number, detail=detail
        )
        return True

    def _batches(self, texts: Sequence[Text]) -> Iterator[Sequence[Text]]:
        """The texts of each request, in order."""
        alike: dict[object, list[Text]] = {}
        for text in texts:
            words = (text.body, *text.parameters.items()) if self._submission.one_text else ()
            alike.setdefault((text.template_id, *words), []).append(text)
        size = self._submission.recipients
        for those in alike.values():
            yield from (those[at : at + size] for at in range(0, len(those), size))

    def _values(self, batch: Sequence[Text], group: Group) -> dict[str, Any]:
        """The values of the names that a request's templates can use."""
        texts = [self._value(text) for text in batch]
        return {
            **self._constants,
            "parameters": [],
            "named_parameters": {},
            **texts[0],
            "template": batch[0].template_id,
            "texts": texts,
            "phones": [text["phone"] for text in texts],
            "validity_s": group.validity_s,
            "extension": write_extension(group.question_id, self._plan.extension_digits),
            "now": datetime.fromtimestamp(self._clock(), self._plan.zone),
        }

    def _value(self, text: Text) -> dict[str, Any]:
        """A text as templates see it."""
        value = {"reference": text.reference, "phone": self._plan.phones.write(text.phone), "text": text.body}
        if not self._plan.needs_templates:  # a provider that gets all of `texts` gets nothing new
            return value
        named = dict(text.parameters)
        return {**value, "parameters": list(named.values()), "named_parameters": named}


def create(name: str, options: Options, callback_url: str) -> HttpAdapter:
    """The adapter of one account; receipts come back to `/receipts`, replies to `/replies` behind `callback_url`."""
    return HttpAdapter(options, callback_url)


def _pushed(request: CallbackRequest, reader: records.RecordReader) -> tuple[Any, str]:
    """The document in a callback, and the text to store as its raw record. Raises BadCallback."""
    if reader.format == "query":
        return dict(request.query), documents.raw(dict(request.query))
    try:
        document = documents.read_document(request.body, reader.format, reader.charset)
        return document, request.body.decode(reader.charset)
    except (Unreadable, UnicodeError) as error:
        raise BadCallback(str(error) if isinstance(error, Unreadable) else "it is no text") from None
