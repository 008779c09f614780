"""The group that a gateway is handed, and what it answers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from sms_service.content.comparing import CannotRender
from sms_service.dispatch.outcomes import outcomes_of
from sms_service.gateways.base import Adapter, ErrorClass, Group, NotTaken, Outcome, OutcomeKind, Text, unwritten
from sms_service.gateways.words import bound_word
from sms_service.ledger.protocol import Claim, Passed
from sms_service.ledger.receipts import attempt_reference

Unfilled = Mapping[str, Outcome]

log = logging.getLogger(__name__)


def build_group(
    claim: Claim, passed: Sequence[Passed], fill: Callable[[Passed], Mapping[str, str]]
) -> tuple[Group, Unfilled]:
    """What the gateway is handed, and the outcomes of texts whose places in a registered template cannot be filled. A
    text is known to the gateway by its attempt's name. `fill`: what stands in the places of a row.
    """
    texts, unfilled = [], {}
    for row in passed:
        name = attempt_reference(claim.month, row.attempt_id)
        parameters: Mapping[str, str] = {}
        if row.template_id is not None:
            try:
                parameters = fill(row)
            except CannotRender as error:
                unfilled[name] = Outcome(name, OutcomeKind.refused, error=ErrorClass.render, detail=bound_word(error))
        texts.append(Text(name, row.phone, row.text, row.parts, row.template_id, parameters))
    validity_s = max(1, int(min(row.validity_s for row in passed)))
    return Group(claim.token, texts, validity_s, passed[0].question_id), unfilled


def submit_group(adapter: Adapter, group: Group, unfilled: Unfilled) -> list[Outcome]:
    """Call the gateway, without the texts in `unfilled`; whatever it does, each text of the group has an outcome."""
    names = [text.reference for text in group.texts]
    texts = [text for text in group.texts if text.reference not in unfilled]
    if not texts:
        return [unfilled[name] for name in names]
    handed = replace(group, texts=texts) if unfilled else group
    try:
        return outcomes_of(names, [*unfilled.values(), *adapter.submit(handed)])
    except NotTaken as error:
        detail = bound_word(error)
        return [unfilled.get(name) or unwritten(name, detail) for name in names]
    except Exception as error:  # noqa: BLE001 - any other exception proves nothing, so nothing is sent again
        log.error("a hand-over failed with %s; its %s texts are unknown", type(error).__name__, len(texts))
        return outcomes_of(names, unfilled.values())
