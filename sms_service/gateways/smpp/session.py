"""One connection to an SMSC, from its log-in to its end: framing, sequence numbers, the window, keeping it alive.

Everything runs on one event loop. The session tells its `Owner` how each part ended and what the SMSC delivers. A
session that has ended is never used again; the owner opens another.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol, cast

from sms_service.gateways.smpp import pdus
from sms_service.gateways.smpp.pdus import RESPONSE, Malformed, Pdu, head, numbered
from sms_service.gateways.smpp.texts import Part
from sms_service.keepalive import set_keepalive

_LAST_SEQUENCE = 0x7FFFFFFF  # section 5.1.4
_TICK_S = 0.5

log = logging.getLogger(__name__)


class LogInRefused(Exception):
    """The SMSC answered the log-in with this command_status."""

    def __init__(self, status: int) -> None:
        super().__init__(f"command_status 0x{status:08X}")
        self.status = status


class Owner(Protocol):
    """The object that opens sessions and has the parts."""

    def answered(self, part: Part, pdu: Pdu) -> None:
        """The SMSC has answered a part; its place in the window is free."""

    def pump(self) -> None:
        """There may be room in the window."""

    def delivered(self, session: Session, pdus: Sequence[Pdu]) -> None:
        """The SMSC delivers these; the owner answers each with `answer_delivery`."""

    def lost(self, parts: Sequence[Part]) -> None:
        """The session has ended, and these parts were written and never answered."""


class Session(asyncio.Protocol):
    """A session that logs in with `bind` (a bind_transceiver without its number) as soon as it is connected.

    `bound` is set when the session is logged in, and `ended` when it is over; `bound` raises LogInRefused or
    ConnectionError if the log-in fails. `window`: the most parts that may wait for their answers at once. If an answer
    does not come within `answer_timeout_s`, the session ends, since an SMSC that leaves out an answer cannot be trusted
    any more. After `enquire_every_s` of silence the SMSC is asked whether it is there.
    """

    def __init__(
        self, owner: Owner, bind: bytes, *, window: int, answer_timeout_s: float, enquire_every_s: float
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._owner, self._bind, self._window = owner, bind, window
        self._answer_timeout_s, self._enquire_every_s = answer_timeout_s, enquire_every_s
        self._buffer = bytearray()
        self._sequence = 0
        self._parts: dict[int, tuple[Part, float]] = {}  # written and not answered, oldest first, with the time
        self._asked: dict[int, float] = {}  # our other requests that have no answer yet
        self._heard_at = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport | None = None
        self._unbinding = False
        self.bound: asyncio.Future[None] = self._loop.create_future()
        self.ended = asyncio.Event()

    @property
    def room(self) -> int:
        """How many parts may be written now."""
        usable = self.bound.done() and not self._unbinding and not self.ended.is_set()
        return self._window - len(self._parts) if usable and self._transport is not None else 0

    def write(self, parts: Sequence[Part]) -> None:
        """Write these parts; the caller gives no more than there is `room` for."""
        now, burst = self._loop.time(), []
        for part in parts:
            sequence = self._next_sequence()
            self._parts[sequence] = (part, now)
            burst.append(numbered(part.pdu, sequence))
        self._send(b"".join(burst))

    def answer_delivery(self, sequences: Sequence[int], status: int = pdus.OK) -> None:
        """Answer deliveries: with OK once they are stored, so that the SMSC forgets them."""
        self._send(b"".join(head(pdus.DELIVER_SM | RESPONSE, sequence, status, b"\0") for sequence in sequences))

    async def unbind(self, patience_s: float) -> None:
        """Log out: nothing more is written, and the connection is closed when the SMSC has answered."""
        if self._transport is not None and not self.ended.is_set() and self.bound.done():
            self._unbinding = True
            self._ask(pdus.UNBIND)
            with suppress(TimeoutError):
                async with asyncio.timeout(patience_s):
                    await self.ended.wait()
        self.cut("the link is closed")

    def cut(self, why: str) -> None:
        """End the session now. The owner decides about parts that were written and not answered."""
        if self.ended.is_set():
            return
        self.ended.set()
        if self._timer is not None:
            self._timer.cancel()
        if self._transport is not None:
            self._transport.abort()
        if not self.bound.done():
            self.bound.set_exception(ConnectionError(why))
        elif self._parts or not self._unbinding:
            log.warning("the session has ended: %s; %s parts have no answer", why, len(self._parts))
        lost, self._parts = [part for part, _ in self._parts.values()], {}
        self._owner.lost(lost)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        # Without this, a part would wait for the TCP acknowledgement of the part before, which may be delayed.
        if connection := transport.get_extra_info("socket"):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            set_keepalive(connection)
        sequence = self._next_sequence()
        self._asked[sequence] = self._loop.time()
        self._send(numbered(self._bind, sequence))
        self._tick()

    def connection_lost(self, error: Exception | None) -> None:
        self.cut("the SMSC closed the connection" if error is None else type(error).__name__)

    def data_received(self, data: bytes) -> None:
        self._heard_at = self._loop.time()
        self._buffer += data
        try:
            received = pdus.cut(self._buffer)
        except Malformed as error:
            self.cut(str(error))
            return
        deliveries = []
        for pdu in received:
            if self.ended.is_set():
                return  # these bytes follow a refused log-in, or are the answer to our own log-out
            if pdu.command == pdus.DELIVER_SM:
                deliveries.append(pdu)
            else:
                self._handle(pdu)
        if deliveries:
            self._owner.delivered(self, deliveries)
        self._owner.pump()

    def _handle(self, pdu: Pdu) -> None:
        if pdu.command & RESPONSE:  # so has a generic_nack
            self._answered(pdu)
            return
        match pdu.command:
            case pdus.ENQUIRE_LINK:
                self._send(head(pdus.ENQUIRE_LINK | RESPONSE, pdu.sequence))
            case pdus.UNBIND:
                self._unbinding = True  # answers under way may still come; the timer ends the wait
                self._send(head(pdus.UNBIND | RESPONSE, pdu.sequence))
                log.warning("the SMSC logs us out")
                self._loop.call_later(self._answer_timeout_s, self.cut, "the SMSC logged us out")
                self._end_if_idle()
            case pdus.ALERT_NOTIFICATION:
                pass  # this PDU needs no answer
            case _:
                self._send(head(pdus.GENERIC_NACK, pdu.sequence, pdus.INVALID_COMMAND))

    def _answered(self, pdu: Pdu) -> None:
        if found := self._parts.pop(pdu.sequence, None):
            self._owner.answered(found[0], pdu)
            self._end_if_idle()
        elif self._asked.pop(pdu.sequence, None) is None:
            return  # an answer to a request that does not wait any more
        elif pdu.command == pdus.UNBIND | RESPONSE:
            self.cut("the link is closed")
        elif not self.bound.done():
            self._logged_in(pdu)

    def _logged_in(self, pdu: Pdu) -> None:
        if pdu.status == pdus.OK and pdu.command == pdus.BIND_TRANSCEIVER | RESPONSE:
            self.bound.set_result(None)
        else:
            self.bound.set_exception(LogInRefused(pdu.status or pdus.SYSTEM_ERROR))
            self.cut("the log-in was refused")

    def _end_if_idle(self) -> None:
        if self._unbinding and not self._parts and not self._asked:
            self.cut("the SMSC logged us out")

    def _tick(self) -> None:
        """End the session if an answer is overdue; ask a silent SMSC whether it is there."""
        now = self._loop.time()
        written = next(iter(self._parts.values()), None)
        oldest = min([*self._asked.values(), *([written[1]] if written else [])], default=now)
        if now - oldest > self._answer_timeout_s:
            self.cut(f"an answer did not come within {self._answer_timeout_s:g} s")
            return
        if now - self._heard_at > self._enquire_every_s and self.bound.done() and not self._asked:
            self._ask(pdus.ENQUIRE_LINK)
        self._timer = self._loop.call_later(min(_TICK_S, self._answer_timeout_s / 4), self._tick)

    def _ask(self, command: int) -> None:
        sequence = self._next_sequence()
        self._asked[sequence] = self._loop.time()
        self._send(head(command, sequence))

    def _send(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def _next_sequence(self) -> int:
        self._sequence = self._sequence % _LAST_SEQUENCE + 1
        return self._sequence
