"""Scenarios: whole texts, each to its own phone, and an adapter's life: a fork, its end, a session that comes back."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import cast

import pytest

from sms_service.gateways.base import Adapter, Group, Link, NotTaken, OutcomeKind
from sms_service.gateways.conformance.handing_over import HANG_S
from sms_service.gateways.conformance.provider import Answer, Provider
from sms_service.gateways.conformance.scenarios import BODY, Scenarios, give_templates, texts, using, within

PATIENCE_S = 30.0
FORKED_S = 5.0  # total time-out of an adapter in a child process
SPECIAL = '【学习】他说："好" {{ x }} {% y %} ${Z} %41+&=?#;\\n \\ / <b>&amp;</b> \'😀\n第二行'


class Manners(Scenarios):
    """What a worker relies on besides the outcomes."""

    def test_each_its_own_text(self, provider: Provider, adapter: Adapter) -> None:
        """All texts of a group belong to one run, but names and places differ from text to text."""
        given = [
            replace(text, body=f"{name}{text.body}") for name, text in zip("王李王", self.three(adapter), strict=True)
        ]
        outcomes = self.hand_over(provider, adapter, given)
        assert {outcome.kind for outcome in outcomes} == {OutcomeKind.accepted}

    def test_special_characters(self, provider: Provider, adapter: Adapter) -> None:
        """Characters with a meaning in JSON, forms, templates or XML arrive unchanged."""
        [outcome] = self.hand_over(provider, adapter, texts(1, SPECIAL))
        assert outcome.kind is OutcomeKind.accepted

    def test_group_never_answered(self, provider: Provider) -> None:
        """However many texts wait, `submit` ends in time, and reports as refused only texts that it never began."""
        with using(provider, HANG_S) as adapter:
            given = texts(min(30, adapter.capabilities.largest_group))
            for text in given:
                provider.answer(text.phone, Answer.hang)
            outcomes = self.hand_over(provider, adapter, given)
        assert {outcome.kind for outcome in outcomes} <= {OutcomeKind.unknown, OutcomeKind.refused}

    def test_closed(self, provider: Provider) -> None:
        """`close` works while a text is under way, and twice. A hand-over afterwards does not hang."""
        with using(provider, HANG_S) as adapter:
            limit_s = adapter.capabilities.total_timeout_s + self.grace_s
            [waits], [late] = texts(1), texts(1)
            provider.answer(waits.phone, Answer.hang)
            pool = ThreadPoolExecutor(1, "conformance")
            under_way = pool.submit(adapter.submit, Group("202601-g", give_templates(provider, adapter, [waits])))
            _until(lambda: any(taken.phone == waits.phone for taken in provider.taken()), "the provider has the text")
            within(limit_s + 10, adapter.close)
            under_way.exception(limit_s)
            within(limit_s, adapter.close)
            within(limit_s, _tried, adapter, Group("202601-g", [late]))
            pool.shutdown(wait=False)

    def test_forked(self, provider: Provider) -> None:
        """A process that is forked after an adapter was used has adapters of its own, and they work."""
        with using(provider, FORKED_S) as adapter:
            if adapter.capabilities.link:
                pytest.skip("a link lives in a process of its own")
            self.hand_over(provider, adapter, texts(1))
            self._fork(provider)

    def _fork(self, provider: Provider) -> None:
        [text] = texts(1)
        readable, writable = os.pipe()
        child = os.fork()
        if child == 0:
            said = "an exception"
            try:
                adapter = provider.adapter(FORKED_S)
                said = adapter.submit(Group("202601-g", give_templates(provider, adapter, [text])))[0].kind
            finally:
                os.write(writable, said.encode())
                os._exit(0)
        os.close(writable)
        try:
            ready, _, _ = select.select([readable], [], [], FORKED_S + self.grace_s)
            answer = os.read(readable, 100).decode() if ready else "nothing"
        finally:
            os.close(readable)
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        assert answer == OutcomeKind.accepted, "the child's adapter does not work"

    def test_link_closed(self, provider: Provider, adapter: Adapter) -> None:
        """A link without a session hands nothing over, and says so."""
        _only_links(adapter)
        adapter.close()
        with pytest.raises(NotTaken):
            within(PATIENCE_S, adapter.submit, Group("202601-g", texts(1, BODY)))
        assert not cast(Link, adapter).state().up

    def test_link_comes_back(self, provider: Provider, adapter: Adapter) -> None:
        """A link opens a new session by itself as soon as the provider is there again."""
        _only_links(adapter)
        link = cast(Link, adapter)
        provider.stop()
        try:
            _until(lambda: not link.state().up, "the link says that it is down")
        finally:
            provider.start()
        assert link.state(PATIENCE_S).up, "the link does not come back"
        [outcome] = self.hand_over(provider, adapter, texts(1))
        assert outcome.kind is OutcomeKind.accepted


def _tried(adapter: Adapter, group: Group) -> None:
    with suppress(Exception):
        adapter.submit(group)


def _only_links(adapter: Adapter) -> None:
    if not adapter.capabilities.link:
        pytest.skip("it is not a link")


def _until(condition: Callable[[], bool], what: str) -> None:
    give_up = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < give_up, f"{what}: not within {PATIENCE_S:g} s"
        time.sleep(0.02)
