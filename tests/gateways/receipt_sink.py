"""A callback receiver for tests: keeps every POST and answers as it is told."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from typing import Any, NamedTuple

from sms_service.gateways.base import CallbackRequest


class Pushed(NamedTuple):
    """One POST as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    def receipts(self) -> list[dict[str, Any]]:
        return json.loads(self.body)["receipts"]

    def as_request(self, base: str) -> CallbackRequest:
        return CallbackRequest("POST", base + self.path, self.headers, {}, self.body, "127.0.0.1")


class ReceiptSink:
    """`with ReceiptSink() as sink`: `sink.url` takes POSTs; `sink.next()` waits for one.

    `sink.statuses` are the next answers; after them every answer is 204.
    """

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self._pushed: Queue[Pushed] = Queue()
        sink = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = sink.statuses.pop(0) if sink.statuses else 204
                self.send_response(status)
                if status != 204:
                    self.send_header("Content-Length", "0")
                self.end_headers()
                sink._pushed.put(Pushed(self.path, dict(self.headers), body))

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.base = f"http://127.0.0.1:{self._server.server_port}"
        self.url = f"{self.base}/callbacks/simulator"

    def __enter__(self) -> ReceiptSink:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def next(self) -> Pushed:
        return self._pushed.get(timeout=20)

    def receipts(self, count: int) -> list[dict[str, Any]]:
        """The next `count` receipts, in the order of their arrival."""
        found: list[dict[str, Any]] = []
        while len(found) < count:
            found += self.next().receipts()
        return found

    def empty(self) -> bool:
        return self._pushed.empty()
