"""Sends many requests at once from synchronous code, each only once, and says exactly how each one ended.

One background thread per process runs an asyncio loop; every HttpClient keeps a pool of open connections on it. A
request ends in one of three ways: `HttpAnswer`, `NotWritten` (no byte of the request left this machine, for certain) or
`NoAnswer` (it may have arrived). This module exists to tell the last two apart.
"""

from __future__ import annotations

import asyncio
import atexit
import ctypes
import logging
import math
import os
import threading
import time
import traceback
import weakref
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import aiohttp

from sms_service.keepalive import open_keepalive_socket

LARGEST_ANSWER = 64 * 1024  # bytes; a gateway's answer to one text has a few hundred
T = TypeVar("T")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HttpAnswer:
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


Result = HttpAnswer | NotWritten | NoAnswer


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request. `query` is added to the query that `url` itself has."""

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    query: Mapping[str, str] | None = field(default=None, repr=False)
    body: bytes | None = field(default=None, repr=False)


Job = Callable[[], Coroutine[Any, Any, T]]


class _Lost(Exception):
    """The connection broke while a request was written or its answer awaited; the text says how."""


class _TooLate(Exception):
    """The connection was ready only after the time by which the request had to be written."""


def boot_clock() -> float:
    """Seconds of a clock that goes on while the machine sleeps, so that a process notices how long it was stopped."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class HttpClient:
    """Connections to one provider. `post_all` and `get_all` use `url` and `headers`.

    `in_flight` is the most requests under way at once, over all threads of the process. `connect_timeout_s` covers name
    look-up, TCP and TLS. `total_timeout_s` is the time for a whole `post_all`, `get_all`, `send_all` or `run_all`; no
    request starts in its second half, so each has at least half of it to be answered. An answer of more than
    `largest_answer` bytes is not read, nor, unless it `decompresses`, one that is compressed. `connector` opens the
    connections. `clock` is `boot_clock`, except in tests.
    """

    def __init__(
        self,
        url: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        in_flight: int,
        total_timeout_s: float,
        connect_timeout_s: float = 5.0,
        largest_answer: int = LARGEST_ANSWER,
        decompresses: bool = True,
        connector: Callable[[], aiohttp.BaseConnector] | None = None,
        clock: Callable[[], float] = boot_clock,
    ) -> None:
        self._url, self._headers = url, dict(headers or {})
        self._in_flight = in_flight
        self._total_timeout_s = total_timeout_s
        self._timeout = aiohttp.ClientTimeout(total=None, connect=min(connect_timeout_s, total_timeout_s / 4))
        self._largest_answer, self._decompresses = largest_answer, decompresses
        self._connector = connector or _open_connector
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None
        self._places = asyncio.Semaphore(in_flight)
        _clients.add(self)

    def post_all(self, bodies: Sequence[bytes]) -> list[Result]:
        """POST every body; returns one result for each, in order and within the total time-out."""
        return self.send_all([HttpRequest("POST", self._url, self._headers, body=body) for body in bodies])

    def get_all(self, queries: Sequence[Mapping[str, str]]) -> list[Result]:
        """GET the URL with every query; returns one result for each, in order and within the total time-out."""
        return self.send_all([HttpRequest("GET", self._url, self._headers, query) for query in queries])

    def send_all(self, requests: Sequence[HttpRequest]) -> list[Result]:
        """Send every request, once; returns one result for each, in order and within the total time-out."""
        jobs: list[Job[Result]] = [partial(self.send, request) for request in requests]
        return self.run_all(jobs)

    def run_all(self, jobs: Sequence[Job[T]]) -> list[T | NotWritten | NoAnswer]:
        """Run every job as `send_all` runs a request, and return what each returned: NotWritten if it was not started,
        NoAnswer if it was cut off or raised. A job writes only by `send`, which checks the clock right before it
        writes.
        """
        start_by = self._clock() + self._total_timeout_s / 2
        return asyncio.run_coroutine_threadsafe(self._run_all(jobs, start_by), _background_loop()).result()

    async def send(self, request: HttpRequest) -> Result:
        """Send one request, within a job; it is never repeated."""
        try:
            async with self._open_session().request(
                request.method,
                request.url,
                params=request.query,
                data=request.body,
                headers=request.headers,
                allow_redirects=False,
            ) as response:
                read = b""
                while chunk := await response.content.readany():
                    read += chunk
                    if len(read) > self._largest_answer:
                        return NoAnswer("the answer is too large to read")
                return HttpAnswer(response.status, response.headers, read)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL) as error:
            return NotWritten(_reason(error))
        except _TooLate:
            return NotWritten(_NOT_IN_TIME)
        except _Lost as error:
            return NoAnswer(str(error))
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            return NoAnswer(_reason(error))

    def close(self) -> None:
        """Close the connections; a later request opens new ones."""
        session, self._session = self._session, None
        if session is not None and _loop is not None and not session.closed:
            asyncio.run_coroutine_threadsafe(session.close(), _loop).result(timeout=5)

    def forget(self) -> object:
        """Drop the connections, and everybody who waits for them, without closing them; returns the object that holds
        them.
        """
        held = self._session, self._places
        self._session, self._places = None, asyncio.Semaphore(self._in_flight)
        return held

    async def _run_all(self, jobs: Sequence[Job[T]], start_by: float) -> list[T | NotWritten | NoAnswer]:
        results: list[T | NotWritten | NoAnswer]
        results = [NotWritten(_NOT_IN_TIME)] * len(jobs)
        todo = iter(enumerate(jobs))

        async def work() -> None:
            _write_by.set(start_by)
            for place, job in todo:
                async with self._places:
                    if self._clock() >= start_by:
                        return
                    results[place] = NoAnswer("no answer before the time-out")
                    try:
                        results[place] = await job()
                    except Exception as error:  # noqa: BLE001 - whatever it is, the others go on
                        results[place] = NoAnswer(type(error).__name__)
                        # Log the place and not the error's text, which may contain what was sent.
                        where = "".join(traceback.format_tb(error.__traceback__))
                        _log.error("a request ended in an unexpected %s\n%s", type(error).__name__, where)

        tasks = [asyncio.create_task(work()) for _ in range(min(self._in_flight, len(jobs)))]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=self._total_timeout_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return results

    def _open_session(self) -> aiohttp.ClientSession:
        # This runs only on the loop, so it needs no lock.
        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession(
                connector=self._connector(),
                timeout=self._timeout,
                auto_decompress=self._decompresses,
                cookie_jar=aiohttp.DummyCookieJar(),
                middlewares=(_once,),
                request_class=_InTime.by(self._clock),
            )
        return self._session


def _open_connector() -> aiohttp.BaseConnector:
    # The semaphore is the limit. With the connector's limit, waiting for a place would count as connecting.
    return aiohttp.TCPConnector(limit=0, keepalive_timeout=15, socket_factory=open_keepalive_socket)


class _InTime(aiohttp.ClientRequest):
    """A request that checks the clock when its connection is ready, which may take seconds: a process that was stopped
    in between must not send texts that others have given up. Nothing is awaited between this check and the write.
    """

    clock: Callable[[], float]

    @classmethod
    def by(cls, clock: Callable[[], float]) -> type[_InTime]:
        """The class for a client with this clock."""
        return type(cls.__name__, (cls,), {"clock": staticmethod(clock)})

    async def send(self, conn: aiohttp.connector.Connection) -> aiohttp.ClientResponse:
        """Write it, or raise _TooLate; its connection is closed then."""
        if self.clock() >= _write_by.get():
            raise _TooLate
        return await super().send(conn)


async def _once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Turns the error of a broken connection into one that aiohttp does not know. Otherwise aiohttp would write a GET a
    second time, and many providers take texts by GET.
    """
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _Lost(_reason(error)) from None


def _reason(error: BaseException) -> str:
    """Only the kind of error: its text may contain the address and what was sent."""
    cause = getattr(error, "os_error", None)
    return type(error).__name__ if cause is None else f"{type(error).__name__} ({type(cause).__name__})"


_NOT_IN_TIME = "its turn did not come before the time-out"
# The time by which this task's request has to be written, in seconds of its client's clock.
_write_by: ContextVar[float] = ContextVar("_write_by", default=math.inf)
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
    """Drop everything in the child: it does not have the thread and must not use the parent's connections."""
    global _loop, _lock
    # Keep them alive: freeing them, even when the child ends, would remove the parent's sockets from the shared epoll.
    for inherited in (_loop, *(client.forget() for client in _clients)):
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(inherited))
    _loop, _lock = None, threading.Lock()


def _close_all() -> None:
    for client in list(_clients):
        client.close()


os.register_at_fork(after_in_child=_after_fork)
atexit.register(_close_all)
