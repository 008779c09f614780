"""A small SMPP client for tests: a socket and struct, so that it can also send what no proper client would."""

from __future__ import annotations

import socket
import struct
from typing import Any, NamedTuple

from simulator_process import SECRET

BIND_RECEIVER, BIND_TRANSMITTER, BIND_TRANSCEIVER = 1, 2, 9
SUBMIT, DELIVER, UNBIND, ENQUIRE = 4, 5, 6, 0x15
RESPONSE, NACK = 0x80000000, 0x80000000


class Pdu(NamedTuple):
    """One PDU as it came."""

    command: int
    status: int
    sequence: int
    body: bytes

    @property
    def identifier(self) -> str:
        """The message id of a submit_sm_resp."""
        return self.body.partition(b"\0")[0].decode()

    def delivered(self) -> dict[str, Any]:
        """The fields of a deliver_sm: source, dest, esm_class, data_coding, message, tlvs."""
        at = self.body.index(b"\0") + 3
        source, _, rest = self.body[at:].partition(b"\0")
        dest, _, rest = rest[2:].partition(b"\0")
        esm_class, _, _, _, _, _, _, data_coding, _, length = rest[:10]
        message, rest = rest[10 : 10 + length], rest[10 + length :]
        tlvs = {}
        while rest:
            tag, size = struct.unpack_from("!HH", rest)
            tlvs[tag], rest = rest[4 : 4 + size], rest[4 + size :]
        return {
            "source": source.decode(),
            "dest": dest.decode(),
            "esm_class": esm_class,
            "data_coding": data_coding,
            "message": message,
            "tlvs": tlvs,
        }


def submit_body(
    dest: str = "8613800138000",
    text: str | bytes = "你好",
    *,
    udh: tuple[int, int, int] | bytes | None = None,
    source: str = "10690001",
    dest_ton: int = 1,
    dest_npi: int = 1,
    esm_class: int = 0,
    validity: str = "",
    registered_delivery: int = 1,
    data_coding: int = 8,
    sm_length: int | None = None,
    tlvs: bytes = b"",
) -> bytes:
    """The body of a submit_sm. `udh`: reference, total and number of the part, or a whole header."""
    message = text if isinstance(text, bytes) else text.encode("utf-16-be", "surrogatepass")
    if udh is not None:
        message = (udh if isinstance(udh, bytes) else bytes((5, 0, 3, *udh))) + message
        esm_class |= 0x40
    return b"".join(
        (
            b"\0\0\0",
            source.encode() + b"\0",
            bytes((dest_ton, dest_npi)) + dest.encode() + b"\0",
            bytes((esm_class, 0, 0)),
            b"\0" + validity.encode() + b"\0",
            bytes((registered_delivery, 0, data_coding, 0)),
            bytes((len(message) if sm_length is None else sm_length,)),
            message,
            tlvs,
        )
    )


class RawSmpp:
    """`with RawSmpp(port) as client`: bound as a transceiver, unless `bind` says otherwise (None: not bound)."""

    def __init__(self, port: int, bind: int | None = BIND_TRANSCEIVER, password: str = SECRET[:8]) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self._received = b""
        self._sequence = 0
        if bind is not None:
            self.bound = self.ask(bind, b"simulator\0" + password.encode() + b"\0\0\x34\0\0\0")

    def __enter__(self) -> RawSmpp:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, command: int, body: bytes = b"", status: int = 0, sequence: int | None = None) -> int:
        """Write a PDU; returns its sequence number."""
        if sequence is None:
            self._sequence = sequence = self._sequence + 1
        self.raw(struct.pack("!IIII", 16 + len(body), command, status, sequence) + body)
        return sequence

    def raw(self, data: bytes) -> None:
        """Write bytes."""
        self._socket.sendall(data)

    def next(self) -> Pdu | None:
        """The next PDU; None if the connection is over."""
        head = self._read(16)
        if head is None:
            return None
        length, *words = struct.unpack("!IIII", head)
        body = self._read(length - 16)
        return None if body is None else Pdu(*words, body)

    def ask(self, command: int, body: bytes = b"") -> Pdu:
        """Send a request and return the next PDU, which must be its answer or a generic_nack."""
        sequence = self.send(command, body)
        answer = self.next()
        assert answer is not None
        assert answer.command in (command | RESPONSE, NACK)
        assert answer.sequence == sequence
        return answer

    def submit(self, *arguments: Any, **fields: Any) -> Pdu:
        """Send a submit_sm (see `submit_body`) and return the next PDU."""
        return self.ask(SUBMIT, submit_body(*arguments, **fields))

    def delivery(self, status: int | None = 0) -> dict[str, Any]:
        """The next PDU, which must be a deliver_sm, answered with `status`; None: not answered."""
        pdu = self.next()
        assert pdu is not None
        assert pdu.command == DELIVER
        if status is not None:
            self.send(DELIVER | RESPONSE, b"\0", status, pdu.sequence)
        return pdu.delivered()

    def _read(self, count: int) -> bytes | None:
        while len(self._received) < count:
            try:
                data = self._socket.recv(65536)
            except ConnectionResetError:
                return None
            if not data:
                return None
            self._received += data
        found, self._received = self._received[:count], self._received[count:]
        return found
