"""A receiver of POSTs on a real socket, which answers as it is told: well, badly, slowly, never."""

from __future__ import annotations

import gzip
import json
import socket
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType


def http(status: str, body: bytes, *headers: str) -> bytes:
    """A whole answer."""
    head = "".join(f"{one}\r\n" for one in (f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}"))
    return f"{head}\r\n".encode() + body


@dataclass
class Taken:
    """A request that arrived whole."""

    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> object:
        return json.loads(self.body)


@dataclass
class HostileReceiver:
    """`with HostileReceiver() as receiver:`; `manner` says how it answers the next requests.

    `ok`, `status` (answer `answer`), `redirect`, `garbage`, `huge`, `packed` (a small answer that unpacks to a huge
    one), `hang` (reads and says nothing), `drip` (a byte a moment, for ever), `cut` (reads and closes), `deaf` (closes
    without reading).
    """

    manner: str = "ok"
    answer: bytes = field(default=http("200 OK", b'{"errcode":0,"errmsg":"ok"}', "Content-Type: application/json"))
    taken: list[Taken] = field(default_factory=list)
    connections: int = 0

    def __enter__(self) -> HostileReceiver:
        self._ended = threading.Event()
        self.arrived = threading.Condition()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ended.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    @property
    def host(self) -> str:
        """What PRIVATE_RECEIVERS names."""
        return f"127.0.0.1:{self.port}"

    def address(self, target: str = "/hook?key=k") -> str:
        return f"http://{self.host}{target}"

    def wait_for(self, number: int, timeout_s: float = 20) -> list[Taken]:
        """What arrived, once there are so many."""
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.taken) >= number, timeout_s), f"only {len(self.taken)} came"
        return self.taken

    def _accept(self) -> None:
        while not self._ended.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            if self.manner == "deaf":
                return
            if (taken := self._read(connection)) is None:
                return
            with self.arrived:
                self.taken.append(taken)
                self.arrived.notify_all()
            self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        match self.manner:
            case "redirect":
                connection.sendall(http("302 Found", b"", f"Location: {self.address('/inner')}"))
            case "garbage":
                connection.sendall(b"\x00\x01 what is this\r\n\r\n")
            case "huge":
                connection.sendall(http("200 OK", b"x" * 2_000_000))
            case "packed":
                connection.sendall(http("200 OK", gzip.compress(b" " * 30_000_000), "Content-Encoding: gzip"))
            case "hang":
                self._ended.wait(60)
            case "drip":
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
                while not self._ended.wait(0.05):
                    connection.sendall(b" ")
            case "cut":
                pass
            case _:
                connection.sendall(self.answer)

    @staticmethod
    def _read(connection: socket.socket) -> Taken | None:
        received = b""
        while b"\r\n\r\n" not in received:
            if not (chunk := connection.recv(65536)):
                return None
            received += chunk
        head, _, body = received.partition(b"\r\n\r\n")
        first, *rest = head.decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in rest)}
        while len(body) < int(headers.get("content-length", 0)):
            body += connection.recv(65536)
        return Taken(first.split(" ")[1], headers, body)
