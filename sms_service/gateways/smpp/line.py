"""A line to an SMSC that comes back by itself: one session at a time, the parts that wait for it, and their pace.

Everything here runs on the line's event loop. A part that waits when a session ends waits for the next one, until its
text's `write_by`; a part that was written and not answered is unknown.
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

# After it was told that it is too fast, the line writes nothing for so long, in seconds.
THROTTLED_PAUSE_S = 1.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 60.0  # before it connects again, twice as long after each failure
_STEADY_S = 10.0  # a session that lasted so long was no failure
_LOOK_S = 0.5  # how often a line asks whether it still leads
# Section 5.1.3: ESME_RINVPASWD and ESME_RINVSYSID. Any other refusal of a log-in may pass.
_BAD_LOG_IN = frozenset({0x0E, 0x0F})
_LEADS_NOT = "another process holds the link, or this one cannot prove that it does"

log = logging.getLogger(__name__)


class Line:
    """The line. `connect` makes a session that is logged in for it; `codes` says what a command_status means; `rate` is
    how many parts a second it writes at most, evenly; `delivered` is told what the SMSC delivers, and `changed` how the
    line is. It has a session, and writes, only while it `leads`.
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
        """Hold a session, one after another, until cancelled."""
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
            except Exception as error:  # whatever it is, the line must not end without a word
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
        """A session that is logged in; no longer wished for when this line leads no longer."""
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
        """Until the session has ended; it ends in good order when this line leads no longer."""
        while not session.ended.is_set():
            if self._leads():
                # Not wait_for, which in Python 3.11 swallows a cancel that comes together with the end.
                with suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_S):
                        await session.ended.wait()
            else:
                self._changed(LinkState(up=False, detail=_LEADS_NOT))
                self._give_up()
                await session.unbind(LEAVES_S - 2 * _LOOK_S)

    def _give_up(self) -> None:
        """What was not written is another's."""
        waiting, self._waiting = self._waiting, deque()
        for part in waiting:
            if part.state is PartState.waiting:
                self._rest(part, PartState.given_up)

    async def log_out(self, patience_s: float) -> None:
        """End the session in good order; `run` is to be cancelled next."""
        if self._session is not None:
            await self._session.unbind(patience_s)

    def add(self, batch: Batch, write_in_s: float, end_in_s: float) -> None:
        """Take the texts of a group on their way. None is written after `write_in_s` seconds, or waited for after
        `end_in_s`.
        """
        for text in batch.texts:
            self._waiting.extend(text.parts)
        batch.timers = (
            self._loop.call_later(write_in_s, self._too_late, batch, PartState.waiting, PartState.given_up),
            self._loop.call_later(end_in_s, self._too_late, batch, PartState.written, PartState.unknown),
        )
        self.pump()

    def pump(self) -> None:
        """Write what waits, as far as window, pace and time allow."""
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
            # The last look at the clock before a part is written: a process that was stopped in between must not send
            # what others have meanwhile given up.
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
        """Session's: the SMSC has answered a part."""
        part.status = pdu.status
        if pdu.status == pdus.OK and pdu.command == pdus.SUBMIT_SM | pdus.RESPONSE:
            part.provider_id = self._canonical_id(pdus.message_id(pdu))
            self._rest(part, PartState.taken)
            return
        if pdu.status == pdus.OK:  # an answer of another kind under the part's number tells nothing
            self._rest(part, PartState.unknown)
            return
        known = self._codes.get(raw_code(pdu.status))
        result = known.result if known else OutcomeKind.refused
        if result is OutcomeKind.throttled:
            self._silent_until = self._clock() + THROTTLED_PAUSE_S
        state = {OutcomeKind.throttled: PartState.throttled, OutcomeKind.unknown: PartState.unknown}
        self._rest(part, state.get(result, PartState.refused))

    def lost(self, parts: Sequence[Part]) -> None:
        """Session's: these were written and never answered."""
        for part in parts:
            self._rest(part, PartState.unknown)

    def _allowed(self, now: float) -> int:
        """Parts that the pace allows now: evenly, and at most a twentieth of a second's at once."""
        most = max(1.0, self._rate / 20)
        self._credit = min(most, self._credit + (now - self._credit_at) * self._rate)
        self._credit_at = now
        return int(self._credit)

    def _pump_later(self, delay_s: float) -> None:
        """At the latest then; of several wishes the earliest is kept."""
        now = self._loop.time()
        if self._pump_at is None or not now < self._pump_at.when() <= now + delay_s:
            if self._pump_at is not None:
                self._pump_at.cancel()
            self._pump_at = self._loop.call_later(delay_s, self.pump)

    def _rest(self, part: Part, state: PartState) -> None:
        """The part came to rest; perhaps its text did, or goes on with the parts that are missing."""
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
