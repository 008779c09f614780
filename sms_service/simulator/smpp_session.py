"""One SMPP connection, as the SMSC sees it: turns bytes into PDUs, checks what the client may do, and answers."""

from __future__ import annotations

import asyncio
import hmac
import logging
import socket
import struct
import time
from collections.abc import Callable
from typing import Any, Protocol

from sms_service.keepalive import set_keepalive
from sms_service.simulator import smpp_pdus as pdus
from sms_service.simulator.behaviour import Behaviour
from sms_service.simulator.smpp_deliveries import Deliveries, Delivery
from sms_service.simulator.smpp_pdus import BadPdu

ABORT = struct.pack("ii", 1, 0)  # SO_LINGER on, 0 s: closing resets the connection

_MODES = {pdus.BIND_RECEIVER: "receiver", pdus.BIND_TRANSMITTER: "transmitter", pdus.BIND_TRANSCEIVER: "transceiver"}
_BIND_REFUSALS = {"fail": pdus.RBINDFAIL, "password": pdus.RINVPASWD}
_BIND_TIMEOUT_S = 30.0  # a client that connects and does not bind in this time is cut

_log = logging.getLogger(__name__)


class Takes(Protocol):
    """Takes a submit_sm of a session, and answers it there."""

    def __call__(self, session: SmscSession, sequence: int, body: bytes) -> None: ...


class SmscSession(asyncio.Protocol):
    """A connection from its beginning to its end. `sessions` is the SMSC's list of those that are open."""

    def __init__(
        self,
        *,
        system_id: str,
        password: str,
        behaviour: Callable[[], Behaviour],
        deliveries: Deliveries,
        take: Takes,
        sessions: list[SmscSession],
    ) -> None:
        self._system_id, self._password = system_id, password
        self._behaviour, self._deliveries, self._take, self._sessions = behaviour, deliveries, take, sessions
        self._received = bytearray()
        self._out: list[bytes] = []
        self._flushing = False
        self._sequence = 0
        self._transport: asyncio.Transport
        self._timers: list[asyncio.TimerHandle] = []
        self.mode: str | None = None  # None while nobody is logged in
        self.outstanding: dict[int, Delivery] = {}
        self.writable = True
        self.closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client connected."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        set_keepalive(self.socket)
        self._sessions.append(self)
        self._later(_BIND_TIMEOUT_S, self._cut_if_nobody)
        self._later(0.1, self._tick, time.monotonic())

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is over; receipts that it did not acknowledge go over other sessions."""
        self.closed = True
        for timer in self._timers:
            timer.cancel()
        if self in self._sessions:
            self._sessions.remove(self)
        self._deliveries.gone(self)

    def pause_writing(self) -> None:
        """The client reads too slowly."""
        self.writable = False

    def resume_writing(self) -> None:
        """It has caught up."""
        self.writable = True
        self._deliveries.pump()

    def data_received(self, data: bytes) -> None:
        """Answer every complete PDU."""
        if self._behaviour().smpp_delay_acks:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)
        received = self._received
        received += data
        at = 0
        while len(received) - at >= 16 and not self.closed:
            head = pdus.header(received, at)
            if not 16 <= head.length <= pdus.LARGEST_PDU:
                self.write(pdus.pack(pdus.GENERIC_NACK, pdus.RINVCMDLEN, head.sequence))
                self.close()
                return
            if len(received) - at < head.length:
                break
            body = bytes(received[at + 16 : at + head.length])
            at += head.length
            try:
                self._answer(head, body)
            except BadPdu as error:
                _log.warning("PDU 0x%08x refused with 0x%02x: %s", head.command, error.status, error)
                self.respond(head.command, error.status, head.sequence)
        del received[:at]

    @property
    def socket(self) -> Any:
        """The connection's socket."""
        return self._transport.get_extra_info("socket")

    def respond(self, command: int, status: int, sequence: int, body: bytes = b"") -> None:
        """Answer the request `command`."""
        self.write(pdus.pack(command | pdus.RESPONSE, status, sequence, body))

    def write(self, data: bytes) -> None:
        """Write, together with everything that is written in the same turn of the loop."""
        self._out.append(data)
        if not self._flushing:
            self._flushing = True
            asyncio.get_running_loop().call_soon(self.flush)

    def flush(self) -> None:
        """Write what has been collected."""
        self._flushing = False
        data, self._out = b"".join(self._out), []
        if not self.closed:
            self._transport.write(data)

    def deliver(self, delivery: Delivery) -> None:
        """Send a deliver_sm."""
        sequence = self.request(pdus.DELIVER_SM, delivery.body())
        delivery.tries += 1
        delivery.sent_at = time.monotonic()
        self.outstanding[sequence] = delivery

    def request(self, command: int, body: bytes = b"") -> int:
        """Send a request of the SMSC's own; returns its sequence number."""
        self._sequence = self._sequence % 0x7FFFFFFF + 1
        self.write(pdus.pack(command, pdus.OK, self._sequence, body))
        return self._sequence

    def close(self) -> None:
        """End the connection when everything is written."""
        self.flush()
        self._transport.close()

    def cut(self) -> None:
        """Reset the connection; what was written may be lost with it."""
        self.flush()
        self.closed = True
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
        self._transport.abort()

    def read(self, go_on: bool) -> None:
        """Read from the connection or, with `go_on` False, let it fill up."""
        if go_on:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    def _answer(self, head: pdus.PduHeader, body: bytes) -> None:
        match head.command:
            case pdus.SUBMIT_SM:
                if self.mode not in ("transmitter", "transceiver"):
                    raise BadPdu(pdus.RINVBNDSTS, "the session is not bound to transmit")
                self._take(self, head.sequence, body)
            case pdus.DELIVER_SM_RESP | pdus.GENERIC_NACK:
                delivery = self.outstanding.pop(head.sequence, None)
                if delivery is not None:
                    refused = head.command == pdus.GENERIC_NACK and head.status == pdus.OK
                    self._deliveries.answered(delivery, pdus.RSYSERR if refused else head.status)
            case pdus.ENQUIRE_LINK:
                if self._behaviour().smpp_answer_enquire:
                    self.respond(head.command, pdus.OK, head.sequence)
            case pdus.BIND_RECEIVER | pdus.BIND_TRANSMITTER | pdus.BIND_TRANSCEIVER:
                self._bind(head, pdus.parse_bind(body))
            case pdus.UNBIND:
                if self.mode is None:
                    raise BadPdu(pdus.RINVBNDSTS, "nobody is bound")
                self.respond(head.command, pdus.OK, head.sequence)
                self.close()
            case command if command == pdus.UNBIND | pdus.RESPONSE:
                self.close()
            case command if not command & pdus.RESPONSE:
                self.write(pdus.pack(pdus.GENERIC_NACK, pdus.RINVCMDID, head.sequence))

    def _bind(self, head: pdus.PduHeader, bind: pdus.Bind) -> None:
        if self.mode is not None:
            raise BadPdu(pdus.RALYBND, "the session is bound already")
        behaviour = self._behaviour()
        if behaviour.smpp_binds == "ignore":
            return
        status = _BIND_REFUSALS.get(behaviour.smpp_binds, pdus.OK)
        if status == pdus.OK and bind.system_id != self._system_id:
            status = pdus.RINVSYSID
        if status == pdus.OK and not hmac.compare_digest(bind.password.encode(), self._password.encode()):
            status = pdus.RINVPASWD
        if status == pdus.OK and behaviour.smpp_binds == "one" and any(other.mode for other in self._sessions):
            status = pdus.RALYBND
        if status != pdus.OK:
            self.respond(head.command, status, head.sequence)
            self.close()
            return
        self.mode = _MODES[head.command]
        tlvs = pdus.tlv(pdus.SC_INTERFACE_VERSION, b"\x34")
        if behaviour.smpp_unknown_tlvs:
            tlvs += pdus.tlv(pdus.UNKNOWN_TLV, b"\xde\xad")
        self.respond(head.command, pdus.OK, head.sequence, pdus.cstring("simulator") + tlvs)
        if self.mode != "transmitter":
            self._deliveries.bound(self)

    def _later(self, delay_s: float, call: Callable[..., None], *arguments: Any) -> None:
        loop = asyncio.get_running_loop()
        self._timers = [timer for timer in self._timers if not timer.cancelled() and timer.when() > loop.time()]
        self._timers.append(loop.call_later(delay_s, call, *arguments))

    def _cut_if_nobody(self) -> None:
        if self.mode is None:
            self.cut()

    def _tick(self, enquired_at: float) -> None:
        """Do the work that repeats."""
        now, every_s = time.monotonic(), self._behaviour().smpp_enquire_s
        if self.mode is not None and every_s and now - enquired_at >= every_s:
            self.request(pdus.ENQUIRE_LINK)
            enquired_at = now
        self._deliveries.send_again(self)
        self._later(0.1, self._tick, enquired_at)
