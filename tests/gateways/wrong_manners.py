"""More adapters of Pigeon that are wrong: with the texts themselves, with forks, with their end, as links."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import replace

from pigeon_gateway.adapter import PigeonAdapter
from wrong_adapters import WRONG, found_by

from sms_service.gateways.base import ErrorClass, Group, Keep, LinkState, NotTaken, Outcome, OutcomeKind

__all__ = ["WRONG"]


@found_by("each_its_own_text")
class OneTextForAll(PigeonAdapter):
    def submit(self, group: Group) -> list[Outcome]:
        body = group.texts[0].body
        return super().submit(replace(group, texts=[replace(text, body=body) for text in group.texts]))


@found_by("special_characters")
class Escapes(PigeonAdapter):
    def submit(self, group: Group) -> list[Outcome]:
        texts = [replace(text, body=text.body.replace("&", "&amp;")) for text in group.texts]
        return super().submit(replace(group, texts=texts))


@found_by("group_never_answered")
class OneAfterTheOther(PigeonAdapter):
    def submit(self, group: Group) -> list[Outcome]:
        outcomes = super().submit(group)
        threading.Event().wait(0.15 * len(group.texts))
        return outcomes


@found_by("group_never_answered")
class CallsItNotBegun(PigeonAdapter):
    def submit(self, group: Group) -> list[Outcome]:
        outcomes = super().submit(group)
        late = Outcome(group.texts[-1].reference, OutcomeKind.refused, error=ErrorClass.later)
        return [*outcomes[:-1], late] if outcomes[-1].kind is OutcomeKind.unknown else outcomes


@found_by("closed")
class HangsOnceClosed(PigeonAdapter):
    _closed = False

    def submit(self, group: Group) -> list[Outcome]:
        if self._closed:
            time.sleep(4)  # past the kit's patience, which the test makes short
        return super().submit(group)

    def close(self) -> None:
        self._closed = True
        super().close()


@found_by("forked")
class IsBoundToItsProcess(PigeonAdapter):
    _process = os.getpid()

    def submit(self, group: Group) -> list[Outcome]:
        if os.getpid() != self._process:
            threading.Event().wait()
        return super().submit(group)


class _Link(PigeonAdapter):
    """A link in name only: its session is up until it is closed."""

    _up = True

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]
        self.capabilities = replace(self.capabilities, link=True)

    def open(self, keep: Keep) -> None: ...

    def state(self, wait_s: float = 0.0) -> LinkState:
        return LinkState(self._up)

    def close(self) -> None:
        self._up = False
        super().close()


@found_by("link_closed")
class HandsOverWithoutASession(_Link): ...


@found_by("link_comes_back")
class StaysDown(_Link):
    def state(self, wait_s: float = 0.0) -> LinkState:
        try:
            self.submit(Group("202601-g", []))
        except NotTaken:
            self._up = False
        return LinkState(self._up)
