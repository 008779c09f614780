"""`python -m chaos.receiver --port PORT --ledger FILE`: a program that webhooks tell what happens, in a process of its
own, which misbehaves when it is told to (`PUT /behaviour`).

Each POST that arrives whole is a line of its ledger, written before it is answered: what was acknowledged is there
after a `kill -9` too. The line has the path, the headers of the signature, the body word for word, and the status of
the answer; null if there is none.
"""

from __future__ import annotations

import argparse
import json
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

TAKES, TAKEN = "takes", 200
# What it answers by its manner: `hangs` and `closes` answer nothing, the one by silence.
_ANSWERS: Mapping[str, int | None] = {TAKES: TAKEN, "refuses": 500, "hangs": None, "closes": None}
_HANGS_S = 60.0  # longer than anybody waits for it
_NAMED = ("webhook-id", "webhook-timestamp", "webhook-signature")


class Receiver(ThreadingHTTPServer):
    """Receives on 127.0.0.1; `manner` says how it answers the next requests."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, port: int, ledger: Path) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.manner = TAKES
        self._ledger = ledger.open("ab", buffering=0)
        self._writing = threading.Lock()

    def write(self, line: Mapping[str, object]) -> None:
        """Append a line to the ledger, whole."""
        with self._writing:
            self._ledger.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Receiver

    def do_GET(self) -> None:
        self._answer(200)

    def do_PUT(self) -> None:
        manner = json.loads(self._read())["manner"]
        self.server.manner = manner if manner in _ANSWERS else TAKES
        self._answer(200)

    def do_POST(self) -> None:
        body, manner = self._read().decode(), self.server.manner
        headers = {name: self.headers.get(name, "") for name in _NAMED}
        line = {"time": time.time(), "path": self.path, "headers": headers, "body": body}
        self.server.write({**line, "answer": _ANSWERS[manner]})
        if (status := _ANSWERS[manner]) is not None:
            self._answer(status)
            return
        if manner == "hangs":
            time.sleep(_HANGS_S)
        self.close_connection = True

    def _read(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *_: object) -> None:
        """The ledger says it all."""


def main() -> None:
    """Receive until somebody ends the process."""
    parser = argparse.ArgumentParser(prog="python -m chaos.receiver", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--ledger", type=Path, required=True)
    options = parser.parse_args()
    Receiver(options.port, options.ledger).serve_forever()


if __name__ == "__main__":
    main()
