"""One COMMIT for what many threads of a process wait to have stored."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from sqlalchemy.exc import OperationalError

# How long it waits for company while more comes in than it stores, in seconds.
GATHER_S = 0.005

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Waiting(Generic[T]):
    """Something to be stored, and the answer that its thread waits for."""

    what: T
    stored: Future[None] = field(default_factory=Future)


class Gatherer(Generic[T]):
    """Hands what the threads of one process want stored to `store`, all that waits at once, in the order in which it
    came, by a thread of its own.

    What comes while it stores is stored next. Under load it also waits GATHER_S for more, since a statement costs the
    process several times as much as one more row in it. What comes alone does not wait.

    `store` returns, for what could not be stored, the errors by place. If it raises, each is stored alone, so that only
    the bad one fails; not where the database is away: asking again for each would keep everybody waiting.
    """

    def __init__(self, name: str, store: Callable[[Sequence[T]], dict[int, Exception]]) -> None:
        self._name, self._store_all = name, store
        self._arrived: SimpleQueue[_Waiting[T] | None] = SimpleQueue()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def put(self, what: T) -> Future[None]:
        """Have it stored; the future has a result once it is, or the error."""
        self._ensure_running()
        waiting = _Waiting(what)
        self._arrived.put(waiting)
        return waiting.stored

    def close(self) -> None:
        """Return when everything that was put has been stored or has failed."""
        with self._starting:
            thread, self._thread = self._thread, None
        if thread is not None:
            self._arrived.put(None)
            thread.join()

    def _ensure_running(self) -> None:
        """Start the thread at the first use: none of before gunicorn's fork would be there."""
        if self._thread is None:
            with self._starting:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                    self._thread.start()

    def _run(self) -> None:
        crowded = False
        while (first := self._arrived.get()) is not None:
            all_ = [first]
            if crowded:
                time.sleep(GATHER_S)
            ends = False
            with suppress(Empty):
                while (more := self._arrived.get_nowait()) is not None:
                    all_.append(more)
                ends = True
            crowded = len(all_) > 1
            self._store(all_)
            if ends:
                return

    def _store(self, all_: Sequence[_Waiting[T]]) -> None:
        """Store all of them and answer each thread; never raises."""
        try:
            failed = self._store_all([one.what for one in all_])
        except Exception as error:  # noqa: BLE001 - raised again in the threads that wait
            if len(all_) > 1 and not isinstance(error, OperationalError):
                for one in all_:
                    self._store([one])
            else:
                for one in all_:
                    one.stored.set_exception(error)
        else:
            for place, one in enumerate(all_):
                if (refused := failed.get(place)) is not None:
                    one.stored.set_exception(refused)
                else:
                    one.stored.set_result(None)
