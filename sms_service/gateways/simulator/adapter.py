"""Adapter of the simulator gateway: one text per POST, or as many as `batch` says; our reference in every receipt."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sms_service.gateways.base import (
    CallbackRequest,
    Capabilities,
    Finding,
    Group,
    NotTaken,
    Outcome,
    Question,
    Receipt,
    Reply,
    Text,
    without_template,
)
from sms_service.gateways.codes import list_meanings
from sms_service.gateways.http_client import HttpClient, NotWritten
from sms_service.gateways.options import between, http_url, look_up_after, not_empty, option
from sms_service.gateways.simulator import answers, pushed
from sms_service.gateways.simulator.signature import is_genuine

LOOK_UPS_IN_FLIGHT = 4


@dataclass(frozen=True, slots=True)
class Options:
    """`url`: the simulator's address. `secret`: shared with it, both ways. `connections`: requests under way at once.

    `total_timeout_s`: seconds that a hand-over of a group may take. `batch`: how many texts go in one POST.
    `look_up_after`: see `options.look_up_after`. `templates`: it takes only registered templates, as the simulator does
    while its behaviour has `templates`.
    """

    url: str = option(check=http_url)
    secret: str = option(secret=True, check=not_empty)
    connections: int = option(default=50, check=between(1, 1000))
    total_timeout_s: float = option(default=30.0, check=between(0.2, 300))
    batch: int = option(default=1, check=between(1, 1000))
    look_up_after: float = look_up_after()
    templates: bool = False


class SimulatorAdapter:
    """One account at a simulator; see `base.Adapter` for what its methods promise. `clock` is `time.time`."""

    def __init__(self, options: Options, callback_url: str, clock: Callable[[], float] = time.time) -> None:
        self.capabilities = Capabilities(
            largest_group=1000,
            total_timeout_s=options.total_timeout_s,
            echoes_reference=True,
            sends_receipts=True,
            rate=100_000,  # as fast as it can
            simulated=True,
            look_up_after_s=options.look_up_after,
            look_up_complete=True,  # it writes a text down before it answers
            look_up_receipts=True,
            look_up_per_s=1000,
            needs_templates=options.templates,
            meanings=list_meanings(answers.CODES),
        )
        self._secret, self._batch, self._templates = options.secret, options.batch, options.templates
        self._callback_url = callback_url
        self._clock = clock
        url = options.url.rstrip("/")
        # Questions have their own connections, so that no text ever waits for a question.
        self._client, self._look_ups = (
            HttpClient(
                target,
                headers={"Authorization": f"Bearer {options.secret}", "Content-Type": "application/json"},
                in_flight=in_flight,
                total_timeout_s=options.total_timeout_s,
            )
            for target, in_flight in (
                (f"{url}/batches" if options.batch > 1 else f"{url}/messages", options.connections),
                (f"{url}/messages", LOOK_UPS_IN_FLIGHT),
            )
        )

    def submit(self, group: Group) -> list[Outcome]:
        """Hand over the texts, `batch` of them in each POST."""
        if self._templates and (lacking := [text for text in group.texts if text.template_id is None]):
            refused = {text.reference: without_template(text.reference) for text in lacking}
            others = [text for text in group.texts if text.reference not in refused]
            if others:
                handed = self.submit(Group(group.reference, others, group.validity_s))
                refused |= {outcome.reference: outcome for outcome in handed}
            return [refused[text.reference] for text in group.texts]
        documents = [self._document(text, group.validity_s) for text in group.texts]
        if self._batch == 1:
            results = self._client.post_all([_encoded(document) for document in documents])
        else:
            batches = [documents[at : at + self._batch] for at in range(0, len(documents), self._batch)]
            results = self._client.post_all([_encoded({"messages": batch}) for batch in batches])
        if results and all(isinstance(result, NotWritten) for result in results):
            raise NotTaken(f"the simulator cannot be reached: {results[0].reason}")  # type: ignore[union-attr]
        if self._batch == 1:
            return [answers.outcome(text.reference, result) for text, result in zip(group.texts, results, strict=True)]
        return [
            outcome
            for place, result in enumerate(results)
            for outcome in answers.outcomes(group.texts[place * self._batch :][: self._batch], result)
        ]

    def verify(self, request: CallbackRequest) -> bool:
        """Whether it has a recent signature that only holders of the secret can make."""
        return is_genuine(self._secret, request.headers, request.body, self._clock())

    def parse_receipts(self, request: CallbackRequest) -> list[Receipt]:
        """The reports of a callback; see `pushed`."""
        return [] if request.is_of_replies else pushed.read_pushed_receipts(request.body)

    def parse_replies(self, request: CallbackRequest) -> list[Reply]:
        """The replies of a callback; see `pushed`."""
        return pushed.read_pushed_replies(request.body) if request.is_of_replies else []

    def look_up(self, questions: Sequence[Question]) -> list[Finding | None]:
        """Ask for each text by our reference."""
        results = self._look_ups.get_all([{"reference": question.reference} for question in questions])
        now = self._clock()
        return [answers.finding(question, result, now) for question, result in zip(questions, results, strict=True)]

    def close(self) -> None:
        """Close the connections."""
        self._client.close()
        self._look_ups.close()

    def _document(self, text: Text, validity_s: int | None) -> dict[str, Any]:
        return {
            "reference": text.reference,
            "to": text.phone,
            "text": text.body,
            "callback_url": self._callback_url,
            "validity_s": validity_s,
            **(
                {"template_id": text.template_id, "parameters": list(text.parameters.values())}
                if self._templates
                else {}
            ),
        }


def create(name: str, options: Options, callback_url: str) -> SimulatorAdapter:
    """The adapter of one simulator; receipts come back to `callback_url`, replies to `/replies` behind it."""
    return SimulatorAdapter(options, callback_url)


def _encoded(document: dict[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode()
