"""An SMSC that costs next to nothing: it reads the heads of PDUs, takes every text, and sends receipts if asked to.

`python -m benchmarks.smsc --port 0 [--receipts]`. A codec and a real SMSC's bookkeeping would take processor time from
the service on the same two cores.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import struct

_HEAD = struct.Struct(">4L")
_SUBMIT, _DELIVER, _BIND, _UNBIND, _ENQUIRE = 0x04, 0x05, 0x09, 0x06, 0x15
_RESPONSE = 0x80000000
_IN_FLIGHT = 500  # the most receipts of one session that wait for an answer at once


class Smsc(asyncio.Protocol):
    """One session. Ids count from 1 over all sessions of the process."""

    last_id = 0

    def __init__(self, receipts: bool) -> None:
        self._receipts, self._buffer = receipts, bytearray()
        self._due: list[bytes] = []
        self._unanswered = self._sequence = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        buffer, place, out = self._buffer, 0, []
        buffer += data
        while len(buffer) - place >= 16:
            length, command, _, sequence = _HEAD.unpack_from(buffer, place)
            if len(buffer) - place < length:
                break
            if command == _SUBMIT:
                Smsc.last_id += 1
                name = b"%d" % Smsc.last_id
                out.append(_HEAD.pack(17 + len(name), _SUBMIT | _RESPONSE, 0, sequence) + name + b"\0")
                if self._receipts:
                    self._due.append(self._receipt(buffer, place, name))
            elif command == _DELIVER | _RESPONSE:
                self._unanswered -= 1
            elif command in (_BIND, _ENQUIRE, _UNBIND):
                body = b"\0" if command == _BIND else b""
                out.append(_HEAD.pack(16 + len(body), command | _RESPONSE, 0, sequence) + body)
            place += length
        del buffer[:place]
        free = _IN_FLIGHT - self._unanswered
        if self._due and free > 0:
            out += self._due[:free]
            self._unanswered += len(self._due[:free])
            del self._due[:free]
        if out:
            self._transport.write(b"".join(out))

    def _receipt(self, buffer: bytearray, place: int, name: bytes) -> bytes:
        """A deliver_sm from the recipient: service type, source, destination, then what a receipt has."""
        at = buffer.index(0, place + 16) + 1  # behind service_type
        at = buffer.index(0, at + 2) + 1  # behind source
        end = buffer.index(0, at + 2)
        phone = bytes(buffer[at + 2 : end])
        text = b"id:%b sub:001 dlvrd:001 submit date:2611261200 done date:2611261200 stat:DELIVRD err:000 text:" % name
        self._sequence += 1
        body = b"\0\1\1" + phone + b"\0\0\0001069\0\x04\0\0\0\0\0\0\0\0" + bytes([len(text)]) + text
        return _HEAD.pack(16 + len(body), _DELIVER, 0, self._sequence) + body


async def _serve(port: int, receipts: bool) -> None:
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    server = await loop.create_server(lambda: Smsc(receipts), "127.0.0.1", port)
    print(f"listening on {server.sockets[0].getsockname()[1]}", flush=True)
    await stopped.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--receipts", action="store_true", help="send a receipt for every part")
    options = parser.parse_args()
    asyncio.run(_serve(options.port, options.receipts))
