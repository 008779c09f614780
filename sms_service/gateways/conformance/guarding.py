"""Scenarios: callbacks that must be refused, data that must not leak, and what an adapter says about itself."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from sms_service.gateways.base import (
    Adapter,
    BadCallback,
    CallbackRequest,
    ErrorClass,
    Finding,
    NotTaken,
    Question,
    ReceiptStatus,
    Replayed,
)
from sms_service.gateways.conformance.handing_over import HANG_S, REFUSALS
from sms_service.gateways.conformance.provider import Answer, Provider
from sms_service.gateways.conformance.reading import pushed
from sms_service.gateways.conformance.scenarios import Scenarios, texts, using

# The scenarios that every provider must pass.
ALWAYS = frozenset(
    {
        "accepted",
        "order_and_references",
        "time_out_after_write",
        "connection_refused",
        "reset",
        "garbage",
        "several_groups_at_once",
        "long_text_arrives_whole",
        "nothing_gets_out",
        "capabilities",
    }
)
_OF_A_PUSH = frozenset({"forged", "replayed", "malformed"})
_OF_RECEIPTS = frozenset({"receipt", "receipt[delivered]", "receipts_early", "receipts_late", "receipts_twice"})
_OF_PARTS = frozenset({"some_parts_taken", "receipts_per_part", "receipt_of_one_part_only"})

_PARAMETERS = {f"refused[{error}]" for error in REFUSALS} | {f"receipt[{status}]" for status in ReceiptStatus}


class Guarding(Scenarios):
    """False callbacks, secrets and phones, and the adapter's declaration of what it can do."""

    def test_forged(self, provider: Provider, adapter: Adapter) -> None:
        """Nobody but the provider is believed."""
        requests = provider.forged()
        assert requests, "the driver makes at least one forged callback"
        for request in requests:
            assert not _is_believed(adapter, request)

    def test_replayed(self, provider: Provider, adapter: Adapter) -> None:
        """A callback of a week ago is refused, or does nothing that it has not done before."""
        requests = provider.replayed()
        assert requests, "the driver makes at least one replayed callback"
        for request in requests:
            if not _is_believed(adapter, request):
                continue
            found = pushed(adapter, request)
            for receipt in found.receipts:
                assert receipt.reference or receipt.provider_id, "a receipt that is replayed must say of which text"
            for reply in found.replies:
                assert reply.provider_id, "a reply that can be replayed needs a name, by which it is known again"

    def test_malformed(self, provider: Provider, adapter: Adapter) -> None:
        """A callback that cannot be read raises BadCallback and no other exception."""
        requests = provider.malformed()
        assert requests, "the driver makes at least one malformed callback"
        for request in requests:
            assert adapter.verify(request), "the driver proves that malformed callbacks are the provider's"
            with pytest.raises(BadCallback):
                pushed(adapter, request)

    def test_nothing_gets_out(self, provider: Provider, caplog: pytest.LogCaptureFixture) -> None:
        """No secret and no whole phone is in a log, an error, a repr or a detail, whatever happens."""
        caplog.set_level(logging.DEBUG)
        said: list[str] = []
        phones: list[str] = []
        with using(provider, HANG_S) as adapter:
            said.append(repr(adapter))
            for answer, error in _answers(provider):
                [text] = texts(1)
                phones.append(text.phone)
                provider.answer(text.phone, answer, error)
                try:
                    outcomes = self.hand_over(provider, adapter, [text])
                except NotTaken as reason:  # a link that has not come back yet
                    said.append(_told(reason))
                else:
                    said += map(repr, outcomes)
            for request in (*provider.forged(), *provider.replayed(), *provider.malformed()):
                said += _heard(adapter.verify, request)
                said += _heard(adapter.parse_receipts, request)
                said += _heard(adapter.parse_replies, request)
            provider.stop()
            try:
                given = texts(1)
                phones.append(given[0].phone)
                said += map(repr, self.hand_over(provider, adapter, given))
            except NotTaken as reason:
                said.append(_told(reason))
            finally:
                provider.start()
        everything = "\n".join([*said, caplog.text])
        for number, secret in enumerate(provider.secrets):
            assert secret not in everything, f"secret {number} got out"
        for phone in phones:
            # Search for it without the country code, since providers are given numbers in several forms.
            assert phone.removeprefix("+86") not in everything, "a whole phone got out"

    def test_capabilities(self, provider: Provider, adapter: Adapter) -> None:
        """The adapter's declaration fits its methods, and fits what the driver says the provider cannot do."""
        can = adapter.capabilities
        assert can.largest_group >= 1
        assert can.total_timeout_s > 0
        assert can.rate > 0
        assert can.look_up_after_s is None or can.look_up_after_s >= 600, "at least ten minutes"
        assert not can.look_up_complete or can.look_up_after_s is not None
        assert not can.look_up_receipts or can.look_up_after_s is not None
        assert not (can.names_groups and can.names_parts), "a provider id names a group, or a text"
        assert 200 <= can.acknowledgement.status < 300
        for declared, needs in (
            (can.look_up_after_s is not None, ("look_up",)),
            (can.pull_every_s is not None, ("pull",)),
            (can.link, ("open", "state")),
        ):
            assert not declared or all(callable(getattr(adapter, name, None)) for name in needs)
        unknown = {name for name in provider.cannot if name not in _PARAMETERS and not hasattr(self, f"test_{name}")}
        assert not unknown, f"the driver's `cannot` names scenarios that there are not: {sorted(unknown)}"
        must = self._must(adapter) | ({"reply_spellings"} if "reply" not in provider.cannot else set())
        excused = provider.cannot.keys() & must
        assert not excused, f"this adapter, as it declares itself, is not excused from {sorted(excused)}"

    def test_look_up(self, provider: Provider, adapter: Any) -> None:
        """A look-up finds a text that the provider took, and not one that it never had. One answer may be None, not
        both.
        """
        if adapter.capabilities.look_up_after_s is None:
            pytest.skip("the adapter declares no look-up")
        there, missing = texts(2)
        began_at = datetime.now(UTC)
        provider.answer(there.phone, Answer.server_error)
        self.hand_over(provider, adapter, [there])
        [taken] = [one for one in provider.taken() if one.phone == there.phone]
        questions = [Question(text.reference, text.phone, text.body, began_at) for text in (there, missing)]
        found, not_found = adapter.look_up(questions)
        assert isinstance(found, Finding), "the provider has it, under this reference, phone and text"
        assert found.provider_id == taken.provider_id
        assert not_found in (None, Finding(None)), "the provider never had it"

    @staticmethod
    def _must(adapter: Adapter) -> set[str]:
        """The scenarios that an adapter with these capabilities must pass."""
        can = adapter.capabilities
        must = set(ALWAYS)
        if can.sends_receipts:
            must |= _OF_RECEIPTS
            must |= _OF_A_PUSH if can.pull_every_s is None and not can.link else set()
        if can.names_parts:
            must |= _OF_PARTS
        if can.needs_templates:
            must |= {"without_template", "wrong_template"}
        if can.look_up_after_s is not None:
            must.add("look_up")
        return must


def _answers(provider: Provider) -> Iterator[tuple[Answer, ErrorClass | None]]:
    """Every answer that the provider can give to one text. The time-out is last, since after it a link has a new
    session.
    """
    scenarios = {
        Answer.unknown_code: "unknown_code",
        Answer.throttle: "throttled",
        Answer.server_error: "server_error",
        Answer.garbage: "garbage",
        Answer.reset: "reset",
        Answer.hang: "time_out_after_write",
    }
    yield Answer.accept, None
    for error in REFUSALS:
        if f"refused[{error}]" not in provider.cannot:
            yield Answer.refuse, error
    for answer, scenario in scenarios.items():
        if scenario not in provider.cannot:
            yield answer, None


def _is_believed(adapter: Adapter, request: CallbackRequest) -> bool:
    try:
        return adapter.verify(request)
    except Replayed:
        return False


def _heard(function: Callable[[CallbackRequest], Any], request: CallbackRequest) -> list[str]:
    """What the exception says if the call raises one."""
    try:
        function(request)
    except Exception as reason:  # noqa: BLE001
        return [_told(reason)]
    return []


def _told(reason: BaseException) -> str:
    """What an exception says in a log, with all its causes."""
    return "".join(traceback.format_exception(reason))
