"""What a provider answers to a hand-over: the outcome of each text of one request."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sms_service.gateways.base import ErrorClass, Outcome, OutcomeKind, Text, unwritten
from sms_service.gateways.codes import CodeTable
from sms_service.gateways.http import documents, options, paths
from sms_service.gateways.http.documents import Unreadable
from sms_service.gateways.http.phones import Phones
from sms_service.gateways.http_client import HttpAnswer, NotWritten, Result

LONGEST_PAUSE_S = 3600.0


@dataclass(frozen=True, slots=True)
class _Said:
    """What an answer says about one text, or about all texts of the request."""

    code: str | None
    id: str | None


class AnswerReader:
    """Reads the answers of one account."""

    def __init__(self, answer: options.AnswerForm, codes: CodeTable, phones: Phones, charset: str) -> None:
        self._format, self._charset = answer.format, charset
        self._pattern = re.compile(answer.pattern) if answer.pattern else None
        self._code = None if answer.code is None else paths.parse_path(answer.code)
        self._id = None if answer.id is None else paths.parse_path(answer.id)
        self._each = answer.each
        self._codes, self._phones = codes, phones

    def outcomes(self, texts: Sequence[Text], result: Result) -> list[Outcome]:
        """How the hand-over of the texts of one request ended, in their order."""
        if isinstance(result, NotWritten):
            # Other texts of the group may have been written; these were not, for certain.
            return [unwritten(text.reference, result.reason) for text in texts]
        if not isinstance(result, HttpAnswer):
            return [Outcome(text.reference, OutcomeKind.unknown, detail=result.reason) for text in texts]
        try:
            document = documents.read_document(result.body, self._format, self._charset, self._pattern)
            code = documents.field(document, self._code)
        except Unreadable:
            document, code = None, None
        if self._each is None or (code is not None and self._kind(code) is not OutcomeKind.accepted):
            said = _Said(code, self._field(document, self._id))
            return [self._outcome(text, said, result, together=len(texts) > 1) for text in texts]
        return self._of_each(texts, document, result)

    def _of_each(self, texts: Sequence[Text], document: Any, result: HttpAnswer) -> list[Outcome]:
        """The outcome of each text by the answer's list; unknown if the list leaves it out or contradicts itself."""
        assert self._each is not None
        items = paths.find_path(document, paths.parse_path(self._each.list))
        listed: dict[str, _Said | None] = {}
        by_phone = {text.phone: text.reference for text in texts}
        for item in items if isinstance(items, list) else [items]:
            if (reference := self._text_of(item, by_phone)) is None:
                continue
            code = self._field(item, paths.parse_path(self._each.code))
            entry = _Said(code, self._field(item, None if self._each.id is None else paths.parse_path(self._each.id)))
            listed[reference] = entry if listed.get(reference, entry) == entry else None
        if not listed and result.status not in range(200, 300):
            return [self._outcome(text, _Said(None, None), result, together=len(texts) > 1) for text in texts]
        return [
            self._outcome(text, found, result, together=False)
            if (found := listed.get(text.reference)) is not None
            else Outcome(text.reference, OutcomeKind.unknown, detail="the answer does not say what became of it")
            for text in texts
        ]

    def _text_of(self, item: Any, by_phone: Mapping[str, str]) -> str | None:
        assert self._each is not None
        if self._each.reference is not None:
            return self._field(item, paths.parse_path(self._each.reference))
        written = self._field(item, paths.parse_path(self._each.phone or ""))
        phone = self._phones.read(written) if written else None
        return by_phone.get(phone) if phone else None

    def _outcome(self, text: Text, said: _Said, result: HttpAnswer, *, together: bool) -> Outcome:
        """The outcome of one text; `together`: the answer is about several texts at once."""
        code = said.code
        known = self._codes.answers.get(code) if code is not None else None
        if known is None and code is None:
            # An error may come without a body; then only the account's own table can say that nothing was taken.
            code = f"HTTP {result.status}"
            known = self._codes.answers.get(code)
        if known is None and result.status == 429:
            return Outcome(
                text.reference,
                OutcomeKind.throttled,
                error=ErrorClass.rate,
                raw_code=code,
                retry_after_s=_seconds(result.headers.get("Retry-After")),
            )
        if known is None:
            unclear = "HTTP answer without a readable code" if said.code is None else "a code that no table knows"
            return Outcome(text.reference, OutcomeKind.unknown, raw_code=code, detail=unclear)
        if known.result is OutcomeKind.accepted:
            identifier = text.reference if self._names_nothing else said.id
            if identifier is None or not 200 <= result.status < 300:
                return Outcome(text.reference, OutcomeKind.unknown, raw_code=code, detail="taken, but without an id")
            return Outcome(text.reference, OutcomeKind.accepted, provider_id=identifier)
        failed = known.result in (OutcomeKind.refused, OutcomeKind.throttled)
        return Outcome(
            text.reference,
            known.result,
            provider_id=said.id if not failed else None,
            error=ErrorClass.partial if known.result is OutcomeKind.partial else known.error,
            raw_code=code,
            detail=known.meaning or None,
            retry_after_s=_seconds(result.headers.get("Retry-After")) if failed else None,
            whole_group=together and known.result is OutcomeKind.refused,
        )

    @property
    def _names_nothing(self) -> bool:
        """Whether the provider gives no ids, so that our own reference has to serve as the id."""
        return (self._each.id if self._each else self._id) is None

    def _kind(self, code: str) -> OutcomeKind | None:
        known = self._codes.answers.get(code)
        return known.result if known else None

    def _field(self, document: Any, path: paths.Path | None) -> str | None:
        """A field; None if it is missing or unusable."""
        try:
            return documents.field(document, path)
        except Unreadable:
            return None


def _seconds(header: str | None) -> float | None:
    """The seconds that Retry-After names; None if it names no seconds."""
    if not header or not re.fullmatch(r"[0-9]{1,6}", header):
        return None
    return min(float(header), LONGEST_PAUSE_S)
