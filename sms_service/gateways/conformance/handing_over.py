"""Scenarios: how a hand-over can end."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from sms_service.gateways.base import Adapter, ErrorClass, Group, NotTaken, Outcome, OutcomeKind
from sms_service.gateways.conformance.provider import Answer, Provider
from sms_service.gateways.conformance.scenarios import Scenarios, long_text, texts, using

HANG_S = 1.5  # total time-out of an adapter whose provider does not answer
REFUSALS = (
    ErrorClass.bad_number,
    ErrorClass.blocked,
    ErrorClass.blacklisted,
    ErrorClass.content,
    ErrorClass.signature,
    ErrorClass.credentials,
    ErrorClass.balance,
    ErrorClass.carrier,
    ErrorClass.later,
    ErrorClass.request,
)


class HandingOver(Scenarios):
    """From `submit` to its outcomes."""

    def test_accepted(self, provider: Provider, adapter: Adapter) -> None:
        """One text is taken once, unchanged, and has the provider's own id."""
        given = texts(1)
        [outcome] = self.hand_over(provider, adapter, given)
        assert outcome.kind is OutcomeKind.accepted

    def test_order_and_references(self, provider: Provider, adapter: Adapter) -> None:
        """A whole group comes back in its order, and every text was taken once."""
        given = texts(min(12, adapter.capabilities.largest_group))
        outcomes = self.hand_over(provider, adapter, given)
        assert {outcome.kind for outcome in outcomes} == {OutcomeKind.accepted}

    def test_without_template(self, adapter: Adapter) -> None:
        """Where the provider takes registered templates alone, a text without one is refused and not taken."""
        if not adapter.capabilities.needs_templates:
            pytest.skip("the provider takes any text")
        given = texts(min(2, adapter.capabilities.largest_group))
        for outcome in adapter.submit(Group("202601-g", given)):
            assert (outcome.kind, outcome.error) == (OutcomeKind.refused, ErrorClass.request)

    def test_wrong_template(self, provider: Provider, adapter: Adapter) -> None:
        """A template that the provider has not registered is a refusal, and never unknown."""
        if not adapter.capabilities.needs_templates:
            pytest.skip("the provider takes any text")
        [text] = texts(1)
        before = len(provider.taken())
        [outcome] = adapter.submit(Group("202601-g", [replace(text, template_id="no-such", parameters={})]))
        assert outcome.kind is OutcomeKind.refused
        assert outcome.raw_code, "the provider's own code is kept"
        assert len(provider.taken()) == before

    @pytest.mark.parametrize("error", REFUSALS, ids=str)
    def test_refused(self, provider: Provider, adapter: Adapter, error: ErrorClass) -> None:
        """Each class of refusal that the provider can make becomes that error class, with the provider's code."""
        outcome = self._alone(provider, adapter, Answer.refuse, error)
        assert (outcome.kind, outcome.error) == (OutcomeKind.refused, error)
        assert outcome.raw_code, "the provider's own code is kept"

    def test_unknown_code(self, provider: Provider, adapter: Adapter) -> None:
        """A code that is in no table is kept as it came, and its meaning is not guessed."""
        outcome = self._alone(provider, adapter, Answer.unknown_code)
        assert outcome.kind in (OutcomeKind.refused, OutcomeKind.unknown)
        assert outcome.error in (ErrorClass.unclassified, None)
        assert outcome.raw_code == provider.unknown_code

    def test_throttled(self, provider: Provider, adapter: Adapter) -> None:
        """A text that came too fast was not taken, and may come again."""
        outcome = self._alone(provider, adapter, Answer.throttle)
        assert (outcome.kind, outcome.error) == (OutcomeKind.throttled, ErrorClass.rate)
        assert outcome.retry_after_s is None or outcome.retry_after_s >= 0

    def test_whole_group_refused(self, provider: Provider, adapter: Adapter) -> None:
        """No text of a request was taken, and any of its texts may be the reason: the dispatcher halves the group."""
        given = self.three(adapter)
        provider.answer(given[1].phone, Answer.whole_group, _some_refusal(provider))
        outcomes = self.hand_over(provider, adapter, given)
        assert {outcome.kind for outcome in outcomes} == {OutcomeKind.refused}
        assert all(outcome.whole_group for outcome in outcomes), "each says that the group was refused as a whole"

    def test_one_bad_number(self, provider: Provider, adapter: Adapter) -> None:
        """A bad number in a group harms no other text of it."""
        given = self.three(adapter)
        provider.answer(given[1].phone, Answer.refuse, ErrorClass.bad_number)
        outcomes = self.hand_over(provider, adapter, given)
        accepted, refused = OutcomeKind.accepted, OutcomeKind.refused
        assert [outcome.kind for outcome in outcomes] == [accepted, refused, accepted]
        assert outcomes[1].error is ErrorClass.bad_number
        assert not outcomes[1].whole_group, "the provider named the text that it refused"

    def test_answer_lists_only_some(self, provider: Provider, adapter: Adapter) -> None:
        """A text that the answer leaves out is unknown; the texts that it lists have their own outcomes."""
        given = self.three(adapter)
        provider.answer(given[1].phone, Answer.not_listed)
        outcomes = self.hand_over(provider, adapter, given)
        accepted, unknown = OutcomeKind.accepted, OutcomeKind.unknown
        assert [outcome.kind for outcome in outcomes] == [accepted, unknown, accepted]

    def test_some_parts_taken(self, provider: Provider, adapter: Adapter) -> None:
        """A text of which some parts were taken is never sent again as a whole."""
        text = long_text()
        provider.answer(text.phone, Answer.part_refused)
        [outcome] = self.hand_over(provider, adapter, [text])
        assert (outcome.kind, outcome.error) == (OutcomeKind.partial, ErrorClass.partial)

    def test_time_out_after_write(self, provider: Provider) -> None:
        """Without an answer the outcome is unknown, and `submit` returns in time."""
        with using(provider, HANG_S) as adapter:
            assert adapter.capabilities.total_timeout_s <= HANG_S
            self._unclear(provider, adapter, Answer.hang)

    def test_connection_refused(self, provider: Provider) -> None:
        """Nobody listens, so nothing was taken, for certain. Any other outcome would leave texts unknown for no
        reason.
        """
        given = texts(2)
        with using(provider, HANG_S) as adapter:
            provider.stop()
            try:
                outcomes = self.hand_over(provider, adapter, given[: adapter.capabilities.largest_group])
            except NotTaken:
                outcomes = []
            finally:
                provider.start()
        for outcome in outcomes:
            assert (outcome.kind, outcome.error) == (OutcomeKind.refused, ErrorClass.later)

    def test_reset(self, provider: Provider) -> None:
        """The connection broke after the request was written."""
        with using(provider, HANG_S) as adapter:
            self._unclear(provider, adapter, Answer.reset)

    def test_server_error(self, provider: Provider, adapter: Adapter) -> None:
        """The provider failed after it took the text: a 5xx may mean this too."""
        self._unclear(provider, adapter, Answer.server_error)

    def test_garbage(self, provider: Provider) -> None:
        """There was an answer that nobody can read."""
        with using(provider, HANG_S) as adapter:
            self._unclear(provider, adapter, Answer.garbage)

    def test_several_groups_at_once(self, provider: Provider, adapter: Adapter) -> None:
        """An adapter is shared by threads, each with a group of its own."""
        groups = [texts(min(5, adapter.capabilities.largest_group)) for _ in range(8)]
        with ThreadPoolExecutor(len(groups)) as pool:
            ended = list(pool.map(lambda group: self.hand_over(provider, adapter, group), groups))
        assert {outcome.kind for outcomes in ended for outcome in outcomes} == {OutcomeKind.accepted}

    def test_long_text_arrives_whole(self, provider: Provider, adapter: Adapter) -> None:
        """Characters outside the Basic Multilingual Plane lie on both boundaries between parts, and none is cut."""
        [outcome] = self.hand_over(provider, adapter, [long_text()])
        assert outcome.kind is OutcomeKind.accepted

    def _alone(self, provider: Provider, adapter: Adapter, answer: Answer, error: ErrorClass | None = None) -> Outcome:
        """The outcome of one text that gets this answer."""
        [text] = texts(1)
        provider.answer(text.phone, answer, error)
        [outcome] = self.hand_over(provider, adapter, [text])
        return outcome

    def _unclear(self, provider: Provider, adapter: Adapter, answer: Answer) -> None:
        """The text was taken, but the answer does not say so: the outcome is unknown."""
        before = len(provider.taken())
        outcome = self._alone(provider, adapter, answer)
        assert outcome.kind is OutcomeKind.unknown, "nothing proves that it was taken, or that it was not"
        assert len(provider.taken()) > before, "the stand-in takes it, or this scenario shows nothing"


def _some_refusal(provider: Provider) -> ErrorClass:
    """An error class that concerns one text only and with which the provider can refuse."""
    return next(error for error in REFUSALS if f"refused[{error}]" not in provider.cannot)
