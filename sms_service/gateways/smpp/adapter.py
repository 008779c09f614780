"""Adapter of a carrier line that speaks SMPP 3.4: a link, see `base.Link`."""

from __future__ import annotations

import asyncio
import logging
import ssl
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import lru_cache, partial
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

from sms_service.gateways import codes
from sms_service.gateways.base import (
    BadCallback,
    CallbackRequest,
    Capabilities,
    Group,
    Keep,
    Leads,
    LinkState,
    NotTaken,
    Outcome,
    Receipt,
    Reply,
    always,
)
from sms_service.gateways.extensions import MOST_DIGITS, read_extension, write_extension
from sms_service.gateways.http_client import boot_clock
from sms_service.gateways.numbers import national_number
from sms_service.gateways.options import BadOption, between, not_empty, option
from sms_service.gateways.smpp import deliveries, pdus
from sms_service.gateways.smpp.deliveries import as_number, as_text
from sms_service.gateways.smpp.line import Line
from sms_service.gateways.smpp.session import Session
from sms_service.gateways.smpp.texts import Batch, encode_text

CODES = codes.load_code_table(Path(__file__).with_name("codes.csv"))
_IDS: dict[str, Callable[[str], str]] = {"text": as_text, "decimal": as_number(10), "hex": as_number(16)}
_LONGEST_VALIDITY = timedelta(days=63)  # the longest that mobile networks keep a text; 3GPP TS 23.040, 9.2.3.12.1
_UNBIND_S = 5.0
# The most octets of each field, without the NUL at its end. Sections 4.1.1 and 4.4.1.
_LONGEST = {"system_id": 15, "password": 8, "system_type": 12, "service_type": 5, "source_addr": 20}

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Options:
    """`host`, `port`, `tls`: where the SMSC listens. `system_id`, `password`, `system_type`: the log-in.

    `source_addr` with `source_ton` and `source_npi` is the number that texts come from; `dest_ton`, `dest_npi` and
    `number_format` ("international": 8613800000000, "national": 13800000000) say how recipients are written.
    `service_type` as the carrier gives it. `window`: the most parts that may wait for their answers at once.
    `throughput`: parts per second. `enquire_link_s`: seconds of silence after which the SMSC is asked whether it is
    there. `answer_timeout_s`: if an answer takes longer, the session ends. `total_timeout_s`: seconds that a hand-over
    of a group may take. `answer_ids`, `receipt_ids`: how the SMSC writes a message's id in its answers and in its
    receipts: "text", "decimal" or "hex". `timezone`: the zone of the times in its receipts. `extension_digits`: how
    many digits may follow `source_addr`, for texts that ask something; 0: none.
    """

    host: str = option(check=not_empty)
    port: int = option(check=between(1, 65535))
    system_id: str = option(check=not_empty)
    password: str = option(secret=True, check=not_empty)
    source_addr: str = option(check=not_empty)
    system_type: str = option(default="")
    service_type: str = option(default="")
    source_ton: int = option(default=0, check=between(0, 6))
    source_npi: int = option(default=0, check=between(0, 18))
    dest_ton: int = option(default=1, check=between(0, 6))
    dest_npi: int = option(default=1, check=between(0, 18))
    number_format: Literal["international", "national"] = option(default="international")
    tls: bool = option(default=False)
    window: int = option(default=50, check=between(1, 1000))
    throughput: float = option(default=100.0, check=between(0.1, 100_000))
    enquire_link_s: float = option(default=30.0, check=between(0.1, 600))
    answer_timeout_s: float = option(default=10.0, check=between(0.1, 120))
    total_timeout_s: float = option(default=30.0, check=between(0.2, 300))
    answer_ids: Literal["text", "decimal", "hex"] = option(default="text")
    receipt_ids: Literal["text", "decimal", "hex"] = option(default="text")
    timezone: str = option(default="Asia/Shanghai")
    extension_digits: int = option(default=0, check=between(0, MOST_DIGITS))

    def __post_init__(self) -> None:
        if len(self.source_addr) + self.extension_digits > _LONGEST["source_addr"]:
            raise BadOption("extension_digits", "leaves no room: SMPP 3.4 carries 20 characters of a number")
        for name, most in _LONGEST.items():
            value = getattr(self, name)
            if not value.isascii() or "\0" in value or len(value) > most:
                raise BadOption(name, f"must be at most {most} ASCII characters, which is what SMPP 3.4 carries")
        if self.answer_timeout_s > self.total_timeout_s / 2:
            raise BadOption("answer_timeout_s", "must be at most half of total_timeout_s")
        try:
            ZoneInfo(self.timezone)
        except (ValueError, OSError):
            raise BadOption("timezone", "must be a zone of the IANA database, like Asia/Shanghai") from None


class SmppAdapter:
    """One line to an SMSC; see `base.Link` for what its methods promise."""

    def __init__(self, options: Options) -> None:
        self.capabilities = Capabilities(
            largest_group=1000,
            total_timeout_s=options.total_timeout_s,
            echoes_reference=False,
            sends_receipts=True,
            rate=options.throughput,
            names_parts=True,
            link=True,
            meanings=codes.list_meanings(CODES),
        )
        self._options = options
        self._receipt_id = _IDS[options.receipt_ids]
        self._zone = ZoneInfo(options.timezone)
        self._form_of = lru_cache(maxsize=256)(self._make_form)
        self._state, self._changed = LinkState(up=False, detail="not opened"), threading.Condition()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._line: Line
        self._running: asyncio.Task[None]
        self._keep: Keep
        self._leads: Leads = always

    def open(self, keep: Keep, leads: Leads = always) -> None:
        """Open the session and keep it open, on an event loop in a thread of its own."""
        self._keep, self._leads = keep, leads
        self._loop = loop = asyncio.new_event_loop()

        def run() -> None:
            loop.run_forever()
            loop.close()

        threading.Thread(target=run, name="smpp", daemon=True).start()
        asyncio.run_coroutine_threadsafe(self._begin(), loop).result()

    def state(self, wait_s: float = 0.0) -> LinkState:
        """The state of the session; waits up to `wait_s` seconds for it to be up."""
        with self._changed:
            if wait_s:
                self._changed.wait_for(lambda: self._state.up, wait_s)
            return self._state

    def submit(self, group: Group) -> list[Outcome]:
        """Hand over each text, its parts as fast as window and pace allow. If the session has just ended, wait for the
        next one: it comes in a moment, and nothing of the group is lost.
        """
        state, loop = self.state(), self._loop
        if loop is None or state.refused is not None or not self._leads():
            raise NotTaken(f"the link is down: {state.detail}")
        total_s, answer_s = self._options.total_timeout_s, self._options.answer_timeout_s
        write_by = boot_clock() + total_s - answer_s
        validity = _relative(group.validity_s)
        form = self._form_of(write_extension(group.question_id, self._options.extension_digits))
        texts = [encode_text(text, write_by, form, self._recipient(text.phone), validity) for text in group.texts]
        batch = Batch(texts)
        loop.call_soon_threadsafe(self._line.add, batch, total_s - answer_s, total_s)
        batch.done.result(total_s + _UNBIND_S)
        outcomes = batch.outcomes()
        if outcomes and all(outcome.unwritten for outcome in outcomes):
            raise NotTaken(outcomes[0].detail)
        return outcomes

    def _with_extension(self, reply: Reply) -> Reply:
        options = self._options
        extension = read_extension(reply.to, options.source_addr, options.extension_digits)
        return reply if extension is None else replace(reply, extension=extension)

    def _make_form(self, extension: str) -> pdus.SubmitForm:
        options = self._options
        return pdus.SubmitForm(
            options.source_addr + extension,
            service_type=options.service_type,
            source_ton=options.source_ton,
            source_npi=options.source_npi,
            dest_ton=options.dest_ton,
            dest_npi=options.dest_npi,
        )

    def verify(self, request: CallbackRequest) -> bool:
        """False: there are no callbacks, since receipts and replies come over the session."""
        return False

    def parse_receipts(self, request: CallbackRequest) -> list[Receipt]:
        """None, ever."""
        raise BadCallback("receipts of this account come over its session")

    def parse_replies(self, request: CallbackRequest) -> list[Reply]:
        """None, ever."""
        raise BadCallback("replies to this account come over its session")

    def close(self) -> None:
        """Log out and end the thread."""
        loop, self._loop = self._loop, None
        if loop is None:
            return
        asyncio.run_coroutine_threadsafe(self._end(), loop).result(_UNBIND_S * 2)
        self._set_state(LinkState(up=False, detail="closed"))
        loop.call_soon_threadsafe(loop.stop)

    async def _begin(self) -> None:
        self._line = Line(
            self._connect,
            CODES.answers,
            _IDS[self._options.answer_ids],
            self._options.throughput,
            delivered=self._delivered,
            changed=self._set_state,
            leads=self._leads,
        )
        self._running = asyncio.create_task(self._line.run())

    async def _end(self) -> None:
        self._running.cancel()  # otherwise it would open another session when this one ends
        await self._line.log_out(_UNBIND_S)
        await asyncio.wait([self._running])

    async def _connect(self, line: Line) -> Session:
        options = self._options
        session: Session | None = None

        def make() -> Session:
            nonlocal session
            session = Session(
                line,
                pdus.bind_transceiver(options.system_id, options.password, options.system_type),
                window=options.window,
                answer_timeout_s=options.answer_timeout_s,
                enquire_every_s=options.enquire_link_s,
            )
            return session

        context = ssl.create_default_context() if options.tls else None
        loop = asyncio.get_running_loop()
        await asyncio.wait_for(
            loop.create_connection(make, options.host, options.port, ssl=context), options.answer_timeout_s
        )
        assert session is not None
        try:
            await session.bound
        except asyncio.CancelledError:
            session.cut("the link is closed")
            raise
        return session

    def _delivered(self, session: Session, received: Sequence[pdus.Pdu]) -> None:
        """Have receipts and replies stored, and only then acknowledge them to the SMSC."""
        loop = asyncio.get_running_loop()
        receipts: list[tuple[int, Receipt]] = []
        for pdu in received:
            item = deliveries.read_delivery(pdu, CODES.receipts, self._receipt_id, self._zone)
            if isinstance(item, Receipt):
                receipts.append((pdu.sequence, item))
            else:
                self._keep([], [self._with_extension(item)]).add_done_callback(
                    partial(_answer, session, loop, [pdu.sequence])
                )
        if receipts:
            self._keep_receipts(session, loop, receipts)

    def _keep_receipts(
        self, session: Session, loop: asyncio.AbstractEventLoop, receipts: Sequence[tuple[int, Receipt]]
    ) -> None:
        """Store all together: a future and a turn of the loop for each would cost more than the receipt. If that fails,
        store each by itself, so that one that cannot be stored does not keep the others from being acknowledged. A
        receipt that is stored twice by this changes nothing the second time.
        """

        def stored(kept: Future[None]) -> None:
            if kept.exception() is not None and len(receipts) > 1:
                for one in receipts:
                    self._keep_receipts(session, loop, [one])
            else:
                _answer(session, loop, [sequence for sequence, _ in receipts], kept)

        self._keep([receipt for _, receipt in receipts], []).add_done_callback(stored)

    def _set_state(self, state: LinkState) -> None:
        with self._changed:
            self._state = state
            self._changed.notify_all()

    def _recipient(self, phone: str) -> str:
        return phone.removeprefix("+") if self._options.number_format == "international" else national_number(phone)


def _answer(session: Session, loop: asyncio.AbstractEventLoop, sequences: Sequence[int], kept: Future[None]) -> None:
    """Answer these deliveries: stored, or failed. May be called from any thread."""
    error = kept.exception()
    if error is not None:
        _log.error("a delivery cannot be stored, the SMSC keeps it: %s", type(error).__name__)
    status = pdus.OK if error is None else pdus.TEMPORARY_ERROR
    loop.call_soon_threadsafe(session.answer_delivery, sequences, status)


def create(name: str, options: Options, callback_url: str) -> SmppAdapter:
    """The adapter of one line; account name and callback URL play no part."""
    return SmppAdapter(options)


def _relative(validity_s: int | None) -> str:
    """A validity as SMPP's relative time, YYMMDDhhmmss000R; "" leaves it to the SMSC. Section 7.1.1.2."""
    if validity_s is None:
        return ""
    total = min(timedelta(seconds=validity_s), _LONGEST_VALIDITY)
    hours, rest = divmod(total.seconds, 3600)
    months, days = divmod(total.days, 30)
    return f"00{months:02}{days:02}{hours:02}{rest // 60:02}{rest % 60:02}000R"
