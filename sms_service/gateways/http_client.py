"""Many requests at once from synchronous code, and for each of them the truth about what became of it.

One background thread per process runs an asyncio loop; every HttpClient keeps a pool of live connections on it. Each
request ends in one of three ways, and telling the last two apart is the point of this module: `Answer`, `NotWritten`
(surely not one byte of the request left this machine) and `NoAnswer` (it may have arrived).
"""

from __future__ import annotations

import asyncio
import atexit
import ctypes
import logging
import os
import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import aiohttp

LARGEST_ANSWER = 64 * 1024  # bytes; what a gateway answers to one text is a few hundred

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server answered: status, headers (names in any case) and the whole body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class NotWritten:
    """Nothing of the request was written; `reason` says why, without address or content."""

    reason: str


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """The request was, or may have been, written, and no readable answer came."""

    reason: str


Result = Answer | NotWritten | NoAnswer


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    query: Mapping[str, str] | None = None
    body: bytes | None = None


def boot_clock() -> float:
    """Seconds on a clock that runs while the machine sleeps, so that a stopped process notices how long it was away."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class HttpClient:
    """Connections to one server's one URL.

    `in_flight` bounds the requests under way at once, over all threads of the process. `connect_timeout_s` covers name
    look-up, TCP and TLS. `total_timeout_s` bounds a whole `post_all` or `get_all`; no request is started in its second
    half, so that each has at least that long to be answered. `clock` is `boot_clock` but in tests.
    """

    def __init__(
        self,
        url: str,
        *,
        headers: Mapping[str, str],
        in_flight: int,
        total_timeout_s: float,
        connect_timeout_s: float = 5.0,
        clock: Callable[[], float] = boot_clock,
    ) -> None:
        self._url = url
        self._headers = dict(headers)
        self._in_flight = in_flight
        self._total_timeout_s = total_timeout_s
        self._timeout = aiohttp.ClientTimeout(total=None, connect=min(connect_timeout_s, total_timeout_s / 4))
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None
        self._places: asyncio.Semaphore
        _clients.add(self)

    def post_all(self, bodies: Sequence[bytes]) -> list[Result]:
        """POST every body; returns one result for each, in order and within the total time-out."""
        return self._all([_Request("POST", body=body) for body in bodies])

    def get_all(self, queries: Sequence[Mapping[str, str]]) -> list[Result]:
        """GET the URL with every query; returns one result for each, in order and within the total time-out."""
        return self._all([_Request("GET", query=query) for query in queries])

    def close(self) -> None:
        """Close the connections; a later `post_all` or `get_all` opens new ones."""
        session, self._session = self._session, None
        if session is not None and _loop is not None and not session.closed:
            asyncio.run_coroutine_threadsafe(session.close(), _loop).result(timeout=5)

    def forget(self) -> object:
        """Let go of the connections without closing them; returns what holds them."""
        session, self._session = self._session, None
        return session

    def _all(self, requests: Sequence[_Request]) -> list[Result]:
        start_by = self._clock() + self._total_timeout_s / 2
        return asyncio.run_coroutine_threadsafe(self._send_all(requests, start_by), _background_loop()).result()

    async def _send_all(self, requests: Sequence[_Request], start_by: float) -> list[Result]:
        session = self._open_session()
        results: list[Result] = [NotWritten("its turn did not come before the time-out")] * len(requests)
        todo = iter(enumerate(requests))

        async def work() -> None:
            for place, request in todo:
                async with self._places:
                    # The last look at the clock before the request is written: a process that was stopped in between
                    # must not send what others have meanwhile given up.
                    if self._clock() >= start_by:
                        return
                    results[place] = NoAnswer("no answer before the time-out")
                    results[place] = await self._send(session, request)

        tasks = [asyncio.create_task(work()) for _ in range(min(self._in_flight, len(requests)))]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=self._total_timeout_s)
            for task in late:
                task.cancel()
            for outcome in await asyncio.gather(*tasks, return_exceptions=True):
                if isinstance(outcome, Exception):
                    _log.error("a request ended in an unexpected way", exc_info=outcome)
        return results

    async def _send(self, session: aiohttp.ClientSession, request: _Request) -> Result:
        try:
            async with session.request(
                request.method,
                self._url,
                params=request.query,
                data=request.body,
                headers=self._headers,
                allow_redirects=False,
            ) as response:
                read = b""
                while chunk := await response.content.readany():
                    read += chunk
                    if len(read) > LARGEST_ANSWER:
                        return NoAnswer("the answer is too large to read")
                return Answer(response.status, response.headers, read)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL) as error:
            return NotWritten(_reason(error))
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            return NoAnswer(_reason(error))

    def _open_session(self) -> aiohttp.ClientSession:
        # Runs on the loop only, so it needs no lock.
        if self._session is None or self._session.closed:
            self._places = asyncio.Semaphore(self._in_flight)
            self._session = aiohttp.ClientSession(
                # The semaphore is the limit. Were it the connector's, waiting for a place would count as connecting.
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=15),
                timeout=self._timeout,
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session


def _reason(error: BaseException) -> str:
    """The kind of error alone: its text may hold the address and what was sent."""
    cause = getattr(error, "os_error", None)
    return type(error).__name__ if cause is None else f"{type(error).__name__} ({type(cause).__name__})"


_loop: asyncio.AbstractEventLoop | None = None
_lock = threading.Lock()
_clients: weakref.WeakSet[HttpClient] = weakref.WeakSet()


def _background_loop() -> asyncio.AbstractEventLoop:
    global _loop
    with _lock:
        if _loop is None:
            _loop = asyncio.new_event_loop()
            threading.Thread(target=_loop.run_forever, name="gateway-http", daemon=True).start()
        return _loop


def _after_fork() -> None:
    """The child has neither the thread nor a right to the parent's connections."""
    global _loop, _lock
    # Freeing them, even at the child's end, would take the parent's sockets out of the epoll instance that both share.
    for inherited in (_loop, *(client.forget() for client in _clients)):
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(inherited))
    _loop, _lock = None, threading.Lock()


def _close_all() -> None:
    for client in list(_clients):
        client.close()


os.register_at_fork(after_in_child=_after_fork)
atexit.register(_close_all)
