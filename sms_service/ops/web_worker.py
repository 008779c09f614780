"""gunicorn's worker for the web process: it reads every request whole before it takes a thread for it.

gunicorn's own threaded worker gives a thread to everybody who connects, so 40 callers who send half a request and then
nothing hold all threads (docs/performance.md compares the candidates). Here waitress reads in one loop, with limits of
size and time; gunicorn does what it is good at: processes, signals, the socket.

There are pools of threads for different requests (`POOLS`), so that many log-ins do not delay callbacks and slow pages
do not delay log-ins.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from gunicorn.workers.base import Worker
from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.server import TcpWSGIServer
from waitress.task import ErrorTask, ThreadedTaskDispatcher, WSGITask

from sms_service.keepalive import set_keepalive
from sms_service.web.bodies import LARGEST_CALLBACK, LARGEST_FILE, LARGEST_JSON

# Threads of one process. The request's path decides for which of them it waits; `pages` serve all other paths.
POOLS: Mapping[str, int] = {"callbacks": 12, "log-ins": 2, "health": 1, "pages": 12}

SILENCE_S = 30  # a connection on which nothing happens for so long is closed, even if it is to be kept alive
READING_S = 120  # a request has to be complete within this time, however steadily it trickles in
LARGEST_HEAD = 32 * 1024  # bytes of request line and headers
# Bytes; a little more than the doors take, so that the doors can answer in their own words that a body is too large.
IMPORTS = ("/api/v1/imports", "/imports")
LARGEST_BODY = max(LARGEST_JSON, LARGEST_CALLBACK) + 64 * 1024
_CONNECTIONS = 1000  # open at once in one process; more wait in the kernel's queue
_IN_MEMORY = 256 * 1024  # bytes of a body; the rest is in a temporary file
_LOOK_S = 1.0
# Seconds that the loop waits for more answers if several have come since it last looked.
_GATHER_S = 0.002

_BOUNDS: Mapping[str, Any] = {
    "connection_limit": _CONNECTIONS,
    "channel_timeout": SILENCE_S,
    "cleanup_interval": 5,
    "max_request_header_size": LARGEST_HEAD,
    "inbuf_overflow": _IN_MEMORY,
    "clear_untrusted_proxy_headers": False,  # the application counts proxies itself (TRUSTED_PROXIES)
    "asyncore_use_poll": True,  # select() ends at file number 1024
    "ident": None,
}
_SMALL = Adjustments(**_BOUNDS, max_request_body_size=LARGEST_BODY)
_LARGE = Adjustments(**_BOUNDS, max_request_body_size=LARGEST_FILE)


def choose_pool(method: str, path: str) -> str:
    """Which of `POOLS` serves a request for this path."""
    if path.startswith("/callbacks/"):
        return "callbacks"
    if path == "/health":
        return "health"
    return "log-ins" if method == "POST" and path in ("/api/v1/tokens", "/log-in") else "pages"


class BufferingWorker(Worker):  # type: ignore[misc]
    """`gunicorn --worker-class sms_service.ops.web_worker.BufferingWorker`, as gunicorn.conf.py says."""

    _notified = 0.0  # when this worker last told gunicorn that it lives (seconds, monotonic)

    def run(self) -> None:
        """Serve until gunicorn asks for the end; then answer what has been read, for at most gunicorn's grace time."""
        # Every request waits a moment for a thread, so waitress need not log that.
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)
        pools = _Pools()
        sockets: dict[int, Any] = {}
        servers = [_Server(self.wsgi, sockets, listener.sock, pools) for listener in self.sockets]
        while self.alive and os.getppid() == self.ppid:
            self._turn(servers, sockets)
        for server in servers:
            server.stop_accepting()
        give_up = time.monotonic() + self.cfg.graceful_timeout
        while sum(server.close_idle() for server in servers) and time.monotonic() < give_up:
            self._turn(servers, sockets)
        pools.shutdown()

    def _turn(self, servers: Sequence[_Server], sockets: dict[int, Any]) -> None:
        # Each turn asks every connection what it waits for, so under load one turn should serve several answers.
        if sum(server.count_answers() for server in servers) > 1:
            time.sleep(_GATHER_S)
        if time.monotonic() - self._notified >= _LOOK_S:
            self._notified = time.monotonic()
            self.notify()
        wasyncore.poll2(_LOOK_S, sockets)


class _Pools:
    """A waitress dispatcher made of several pools, each with its own queue and threads."""

    def __init__(self) -> None:
        self._pools = {name: ThreadedTaskDispatcher() for name in POOLS}
        for name, pool in self._pools.items():
            pool.set_thread_count(POOLS[name])

    def add_task(self, channel: _Channel) -> None:
        request = channel.requests[0]
        # A request that could not be read only needs an error as its answer.
        name = "health" if request.error else choose_pool(request.command, request.path)
        self._pools[name].add_task(channel)

    def shutdown(self) -> None:
        for pool in self._pools.values():
            pool.shutdown(timeout=1)


class _Request(HTTPRequestParser):  # type: ignore[misc]
    """Only imports may be large."""

    def parse_header(self, header_plus: bytes) -> None:
        super().parse_header(header_plus)
        if self.path in IMPORTS:
            self.adj = _LARGE


class _Answer(WSGITask):  # type: ignore[misc]
    def set_close_on_finish(self) -> None:
        """Waitress closes the connection after every answer without Content-Length. An answer without a body needs no
        Content-Length (RFC 9110 §8.6), and providers keep their connections open for the next receipt.
        """
        if self.has_body or self.request.version != "1.1" or self.request.connection_close:
            super().set_close_on_finish()


class _Refusal(ErrorTask):  # type: ignore[misc]
    """The answer to a request that waitress itself refuses, in the API's form for errors: RFC 9457."""

    def execute(self) -> None:
        error = self.request.error
        problem = {"type": "about:blank", "title": HTTPStatus(error.code).phrase, "status": error.code}
        body = json.dumps(problem | {"detail": f"{error.reason}: {error.body}."}).encode()
        self.status = f"{error.code} {HTTPStatus(error.code).phrase}"
        self.response_headers.append(("Content-Type", "application/problem+json"))
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


class _Channel(HTTPChannel):  # type: ignore[misc]
    """A connection that knows when it began to read the present request (seconds, monotonic)."""

    parser_class = _Request
    task_class = _Answer
    error_task_class = _Refusal
    reading_since = 0.0

    def received(self, data: bytes) -> bool:
        if self.request is None:
            self.reading_since = time.monotonic()
        return bool(super().received(data))

    def is_late(self) -> bool:
        """Whether its request should be complete by now."""
        return self.request is not None and time.monotonic() - self.reading_since > READING_S


class _Server(TcpWSGIServer):  # type: ignore[misc]
    """Serves on a socket that gunicorn opened; gunicorn's other workers listen on it too."""

    channel_class = _Channel
    _answers = 0  # approximate: threads count without a lock
    _is_woken = False

    def __init__(self, application: Any, sockets: dict[int, Any], socket: Any, pools: _Pools) -> None:
        place = (socket.family, socket.type, socket.proto, socket.getsockname())
        super().__init__(
            application, sockets, _sock=socket, dispatcher=pools, adj=_SMALL, sockinfo=place, bind_socket=False
        )

    def set_socket_options(self, connection: Any) -> None:
        """Set an accepted connection's options, so that a client that vanishes during an answer is noticed too."""
        super().set_socket_options(connection)
        set_keepalive(connection)

    def pull_trigger(self) -> None:
        """Wake the loop, unless it was woken since it last looked. Every thread calls this after an answer."""
        self._answers += 1
        if not self._is_woken:
            self._is_woken = True
            super().pull_trigger()

    def count_answers(self) -> int:
        """About how many answers there were since the last call. The caller then looks at all connections."""
        answers, self._answers, self._is_woken = self._answers, 0, False
        return answers

    def maintenance(self, now: float) -> None:
        """Close connections that are silent, and those whose request is late."""
        super().maintenance(now)
        for channel in self.active_channels.values():
            if channel.is_late():
                channel.will_close = True

    def stop_accepting(self) -> None:
        """Accept no new connection."""
        self.accepting = False
        self.del_channel(self._map)

    def close_idle(self) -> int:
        """Close the connections on which no answer is under way; returns how many are left."""
        for channel in self.active_channels.values():
            if not channel.requests and not channel.total_outbufs_len:
                channel.will_close = True
        return len(self.active_channels)
