"""A line to an SMSC that reconnects by itself: one session at a time, the parts that wait for it, and their pace.

Everything here runs on the line's event loop. A part that waits when a session ends goes on waiting for the next
session, until its text's `write_by`; a part that was written and not answered is unknown.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress

from sms_service.gateways.base import LEAVES_S, ErrorClass, Leads, LinkState, OutcomeKind, always
from sms_service.gateways.codes import Code
from sms_service.gateways.http_client import boot_clock
from sms_service.gateways.smpp import pdus
from sms_service.gateways.smpp.pdus import Pdu
from sms_service.gateways.smpp.session import LogInRefused, Session
from sms_service.gateways.smpp.texts import Batch, Part, PartState, raw_code

# Seconds for which the line writes nothing after the SMSC said that it is too fast.
THROTTLED_PAUSE_S = 1.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 60.0  # the pause before it connects again; doubled after each failure
_STEADY_S = 10.0  # a session that lasted so long does not count as a failure
_LOOK_S = 0.5  # how often a line asks whether it still leads
# Section 5.1.3: ESME_RINVPASWD and ESME_RINVSYSID. Any other refusal of a log-in may pass.
_BAD_LOG_IN = frozenset({0x0E, 0x0F})
_LEADS_NOT = "another process holds the link, or this one cannot prove that it does"

log = logging.getLogger(__name__)


class Line:
    """The line. `connect` makes a session that is logged in; `codes` says what a command_status means; `rate` is the
    most parts a second that it writes, evenly spaced; `delivered` gets what the SMSC delivers, and `changed` the line's
    state when it changes. The line has a session, and writes, only while it `leads`.
    """

    def __init__(
        self,
        connect: Callable[[Line], Awaitable[Session]],
        codes: Mapping[str, Code[OutcomeKind]],
        canonical_id: Callable[[str], str],
        rate: float,
        *,
        delivered: Callable[[Session, Sequence[Pdu]], None],
        changed: Callable[[LinkState], None],
        leads: Leads = always,
        clock: Callable[[], float] = boot_clock,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._connect, self._codes, self._canonical_id, self._clock = connect, codes, canonical_id, clock
        self.delivered, self._changed, self._leads = delivered, changed, leads
        self._rate, self._credit, self._credit_at = rate, 1.0, clock()
        self._waiting: deque[Part] = deque()
        self._session: Session | None = None
        self._pump_at: asyncio.TimerHandle | None = None
        self._silent_until = 0.0

    async def run(self) -> None:
        """Keep a session open, one after another, until cancelled."""
        pause_s = FIRST_PAUSE_S
        while True:
            if not self._leads():
                self._changed(LinkState(up=False, detail=_LEADS_NOT))
                self._give_up()
                await asyncio.sleep(_LOOK_S)
                continue
            state = LinkState(up=False, detail="the session ended")
            began = self._clock()
            try:
                session = await self._open()
            except LogInRefused as error:
                refused = ErrorClass.credentials if error.status in _BAD_LOG_IN else None
                state = LinkState(up=False, refused=refused, detail=f"the log-in was refused: {raw_code(error.status)}")
            except (OSError, TimeoutError, ConnectionError) as error:
                state = LinkState(up=False, detail=f"cannot connect: {type(error).__name__}")
            except Exception as error:  # whatever it is, the line must not end silently
                log.exception("a fault in this program; the line connects again")
                state = LinkState(up=False, detail=type(error).__name__)
            else:
                log.info("the session is up")
                self._session = session
                self._changed(LinkState(up=True))
                self.pump()
                await self._stay(session)
                self._session = None
            self._changed(state)
            if self._clock() - began > _STEADY_S:
                pause_s = FIRST_PAUSE_S
            log.warning("%s; the line connects again", state.detail)
            await asyncio.sleep(pause_s * (0.5 + random.random()))  # noqa: S311 - jitter
            pause_s = min(LONGEST_PAUSE_S, pause_s * 2)

    async def _open(self) -> Session:
        """A session that is logged in. Gives up if this line does not lead any more."""
        opening = asyncio.ensure_future(self._connect(self))
        try:
            while not opening.done():
                await asyncio.wait({opening}, timeout=_LOOK_S)
                if not opening.done() and not self._leads():
                    raise ConnectionError(_LEADS_NOT)
            return opening.result()
        finally:
            opening.cancel()

    async def _stay(self, session: Session) -> None:
        """Wait until the session has ended; log it out if this line does not lead any more."""
        while not session.ended.is_set():
            if self._leads():
                # Not wait_for: in Python 3.11 it swallows a cancel that comes at the same moment as the end.
                with suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_S):
                        await session.ended.wait()
            else:
                self._changed(LinkState(up=False, detail=_LEADS_NOT))
                self._give_up()
                await session.unbind(LEAVES_S - 2 * _LOOK_S)

    def _give_up(self) -> None:
        """Give up the parts that were not written; another process sends them."""
        waiting, self._waiting = self._waiting, deque()
        for part in waiting:
            if part.state is PartState.waiting:
                self._rest(part, PartState.given_up)

    async def log_out(self, patience_s: float) -> None:
        """Log the session out; the caller cancels `run` next."""
        if self._session is not None:
            await self._session.unbind(patience_s)

    def add(self, batch: Batch, write_in_s: float, end_in_s: float) -> None:
        """Start sending the texts of a group. None is written after `write_in_s` seconds, and no answer is awaited
        after `end_in_s` seconds.
        """
        for text in batch.texts:
            self._waiting.extend(text.parts)
        batch.timers = (
            self._loop.call_later(write_in_s, self._too_late, batch, PartState.waiting, PartState.given_up),
            self._loop.call_later(end_in_s, self._too_late, batch, PartState.written, PartState.unknown),
        )
        self.pump()

    def pump(self) -> None:
        """Write waiting parts, as many as window, pace and time allow."""
        session, now = self._session, self._clock()
        if session is None or not self._leads():
            return
        if now < self._silent_until:  # also if the timer was a moment early
            self._pump_later(self._silent_until - now)
            return
        room = min(session.room, self._allowed(now))
        burst: list[Part] = []
        while len(burst) < room and self._waiting:
            part = self._waiting.popleft()
            # The last check of the clock before a part is written: a process that was stopped in between must not send
            # texts that others have given up.
            if part.state is not PartState.waiting:
                continue
            if now >= part.text.write_by or part.text.is_lost:
                self._rest(part, PartState.given_up)
                continue
            part.state = PartState.written
            burst.append(part)
        if burst:
            self._credit -= len(burst)
            session.write(burst)
        if self._waiting and session.room and not self._allowed(now):
            self._pump_later(1 / self._rate)

    def answered(self, part: Part, pdu: Pdu) -> None:
        """Called by the session: the SMSC has answered a part."""
        part.status = pdu.status
        if pdu.status == pdus.OK and pdu.command == pdus.SUBMIT_SM | pdus.RESPONSE:
            part.provider_id = self._canonical_id(pdus.message_id(pdu))
            self._rest(part, PartState.taken)
            return
        if pdu.status == pdus.OK:  # an answer of another kind with the part's number says nothing
            self._rest(part, PartState.unknown)
            return
        known = self._codes.get(raw_code(pdu.status))
        result = known.result if known else OutcomeKind.refused
        if result is OutcomeKind.throttled:
            self._silent_until = self._clock() + THROTTLED_PAUSE_S
        state = {OutcomeKind.throttled: PartState.throttled, OutcomeKind.unknown: PartState.unknown}
        self._rest(part, state.get(result, PartState.refused))

    def lost(self, parts: Sequence[Part]) -> None:
        """Called by the session: these parts were written and never answered."""
        for part in parts:
            self._rest(part, PartState.unknown)

    def _allowed(self, now: float) -> int:
        """How many parts the pace allows now: evenly spaced, and at once no more than those of a twentieth of a
        second.
        """
        most = max(1.0, self._rate / 20)
        self._credit = min(most, self._credit + (now - self._credit_at) * self._rate)
        self._credit_at = now
        return int(self._credit)

    def _pump_later(self, delay_s: float) -> None:
        """Call `pump` after `delay_s` seconds or earlier; of several calls the earliest counts."""
        now = self._loop.time()
        if self._pump_at is None or not now < self._pump_at.when() <= now + delay_s:
            if self._pump_at is not None:
                self._pump_at.cancel()
            self._pump_at = self._loop.call_later(delay_s, self.pump)

    def _rest(self, part: Part, state: PartState) -> None:
        """The part has its final state. Then its text may have it too, or goes on with its missing parts."""
        part.state = state
        text = part.text
        if text.outcome is not None or not text.is_at_rest:
            return
        missing = text.missing()
        if missing and self._leads() and self._clock() + THROTTLED_PAUSE_S < text.write_by:
            for other in missing:
                other.state = PartState.waiting
            self._waiting.extendleft(reversed(missing))
            self._pump_later(THROTTLED_PAUSE_S)
            return
        text.settle(self._codes)

    def _too_late(self, batch: Batch, state: PartState, becomes: PartState) -> None:
        for text in batch.texts:
            for part in text.parts:
                if text.outcome is None and part.state is state:
                    self._rest(part, becomes)
