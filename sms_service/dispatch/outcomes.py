"""Reads what an adapter answered: one outcome for each text. Some adapters are other people's code. If one word of an
answer is wrong, the rest of it is still used, above all the provider's id, which a receipt will name.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from sms_service.gateways.base import ErrorClass, Outcome, OutcomeKind

_KINDS = {kind.value: kind for kind in OutcomeKind}
_ERRORS = {error.value: error for error in ErrorClass}


def outcomes_of(references: Sequence[str], answered: Iterable[Outcome]) -> list[Outcome]:
    """One outcome for each text, in order; a text without an answer is unknown."""
    said = {outcome.reference: outcome for outcome in answered if isinstance(outcome, Outcome)}
    return [_readable(said[name]) if name in said else Outcome(name, OutcomeKind.unknown) for name in references]


def _readable(outcome: Outcome) -> Outcome:
    """The outcome with known words only. An unknown kind proves nothing, so the outcome is unknown, and the word is
    kept as its raw code.
    """
    kind, error, asked, parts = outcome.kind, outcome.error, outcome.retry_after_s, outcome.part_ids
    asks_well = asked is None or type(asked) in (int, float)
    speaks_well = type(kind) is OutcomeKind and (error is None or type(error) is ErrorClass)
    if speaks_well and asks_well and type(parts) is tuple:
        return outcome
    known_kind, known_error = _word(_KINDS, kind), _word(_ERRORS, error)
    unheard = next((word for word, known in ((kind, known_kind), (error, known_error)) if known is None), None)
    return replace(
        outcome,
        kind=known_kind or OutcomeKind.unknown,
        error=known_error or (None if error is None else ErrorClass.unclassified),
        raw_code=outcome.raw_code or unheard,
        retry_after_s=asked if asks_well else None,
        part_ids=tuple(parts) if isinstance(parts, list | tuple) else (),
    )


def _word(words: dict[str, Any], said: object) -> Any:
    return words.get(said) if isinstance(said, str) else None
