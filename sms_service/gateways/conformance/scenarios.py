"""What all scenarios share: fresh phones, hand-overs, and checks that hold for every hand-over."""

from __future__ import annotations

import itertools
import secrets
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from sms_service import parts
from sms_service.gateways.base import Adapter, Group, Link, LooksUp, Outcome, OutcomeKind, Pulls, Text
from sms_service.gateways.conformance.provider import Provider, Taken

BODY = "【学习】今天的学习内容已经发出，请查收。"

# Chinese mobile numbers, different ones in each run, since a stand-in may keep what it took.
_phones = (f"+8613{number:09}" for number in itertools.count(secrets.randbelow(800_000_000) + 100_000_000))


def texts(count: int, body: str = BODY) -> list[Text]:
    """Texts to phones that no other scenario uses."""
    measured = parts.measure_text(body).parts
    return [Text(f"202601-{phone[-9:]}", phone, body, measured) for phone in itertools.islice(_phones, count)]


def long_text() -> Text:
    """A text of three parts, with a rare character at the first boundary and an emoji at the second."""
    room = parts.MULTI["UCS-2"]
    first = f"【学习】{'学' * room}"[: room - 1]
    second = f"𠮷{'习' * room}"[: room - 2]  # 𠮷 takes two units, so one is left at the end
    [text] = texts(1, f"{first}{second}🎉完，请回复收到。")
    assert [part[0] for part in parts.split_text(text.body)] == ["【", "𠮷", "🎉"]
    return text


class Scenarios:
    """The base of all scenarios. `grace_s`: how much longer than `total_timeout_s` a `submit` may be waited for before
    it counts as one that never ends.
    """

    grace_s = 10.0

    @pytest.fixture(scope="class")
    @classmethod
    def provider(cls) -> Provider:
        """The driver of the stand-in; a subclass gives its own."""
        raise NotImplementedError("a subclass of Conformance has a fixture `provider`")

    @pytest.fixture(autouse=True)
    def _only_what_it_can(self, request: pytest.FixtureRequest, provider: Provider) -> None:
        """Skip the scenario if the provider says that it cannot do it."""
        name = request.node.name.removeprefix("test_")
        for key in (name, name.partition("[")[0]):
            if key in provider.cannot:
                pytest.skip(provider.cannot[key])

    @pytest.fixture
    def adapter(self, provider: Provider) -> Iterator[Adapter]:
        """An adapter with its default options."""
        with using(provider) as adapter:
            yield adapter

    @staticmethod
    def three(adapter: Adapter) -> list[Text]:
        """A group of three; skips the scenario if the adapter takes no groups."""
        if adapter.capabilities.largest_group < 3:
            pytest.skip("the adapter takes no groups")
        return texts(3)

    def hand_over(self, provider: Provider, adapter: Adapter, given: Sequence[Text]) -> list[Outcome]:
        """The outcomes of these texts as one group; fails unless `submit` returned in time and told the truth."""
        group = Group("202601-g", give_templates(provider, adapter, given), validity_s=7200)
        outcomes: list[Outcome] = within(adapter.capabilities.total_timeout_s + self.grace_s, adapter.submit, group)
        check(adapter, given, outcomes, provider.taken())
        return outcomes


def give_templates(provider: Provider, adapter: Adapter, given: Sequence[Text]) -> Sequence[Text]:
    """The texts, with a registered template each where the provider takes no others."""
    if not adapter.capabilities.needs_templates:
        return given
    name = provider.template_id
    assert name, "a provider that takes registered templates alone has a `template_id`"
    return [replace(text, template_id=name, parameters={"text": text.body}) for text in given]


@contextmanager
def using(provider: Provider, total_timeout_s: float | None = None) -> Iterator[Any]:
    """An adapter, closed afterwards. Beside Adapter it has the methods that its capabilities declare."""
    adapter: Adapter | LooksUp | Pulls | Link = provider.adapter(total_timeout_s)
    try:
        yield adapter
    finally:
        adapter.close()


def within(limit_s: float, function: Any, *arguments: Any) -> Any:
    """What the function returns or raises; fails if it takes longer than `limit_s` seconds."""
    ended: Future[Any] = Future()

    def run() -> None:
        try:
            ended.set_result(function(*arguments))
        except BaseException as error:  # noqa: BLE001  # whatever it is, it belongs to who waits
            ended.set_exception(error)

    # A daemon thread: a thread of an executor that never ends would keep pytest from ending.
    threading.Thread(target=run, name="conformance", daemon=True).start()
    try:
        return ended.result(limit_s)
    except TimeoutError:
        if ended.done():
            raise
        raise AssertionError(f"{function.__name__} has not come back after {limit_s:g} s") from None


def check(adapter: Adapter, given: Sequence[Text], outcomes: Sequence[Outcome], taken: Sequence[Taken]) -> None:
    """Checks that hold for every hand-over: each text has one outcome, and every outcome is true."""
    assert [outcome.reference for outcome in outcomes] == [text.reference for text in given], (
        "one outcome for each text, in the group's order"
    )
    for text, outcome in zip(given, outcomes, strict=True):
        times = [one for one in taken if one.phone == text.phone]
        assert len(times) <= 1, "a text was submitted twice"
        match outcome.kind:
            case OutcomeKind.accepted:
                assert outcome.provider_id, "an accepted text has a provider id"
                assert outcome.error is None
                assert times, "it is called accepted, and the provider does not have it"
                assert outcome.provider_id == times[0].provider_id, "the provider calls it by another id"
                assert times[0].text == text.body, "the text arrived as another one"
                if adapter.capabilities.names_parts and text.parts > 1:
                    assert len(set(outcome.part_ids)) == text.parts, "each part has a name of its own"
            case OutcomeKind.refused | OutcomeKind.throttled:
                assert outcome.error is not None, "whatever is refused has an error class"
                assert not times, f"it is called {outcome.kind}, and the provider has it"
            case OutcomeKind.partial:
                assert outcome.provider_id or any(outcome.part_ids), "nothing would tie a receipt to the parts taken"
        assert not outcome.whole_group or outcome.kind in (OutcomeKind.refused, OutcomeKind.throttled)
