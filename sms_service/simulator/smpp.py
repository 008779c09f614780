"""The simulator as an SMSC: listens for SMPP clients, takes their submit_sm, and does on command what SMSCs do."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from sms_service.simulator import smpp_pdus as pdus
from sms_service.simulator.fate import Fate, Fates
from sms_service.simulator.ledger import Ledger
from sms_service.simulator.pace import SimulatedPace
from sms_service.simulator.smpp_answers import garbled, status_of, wire_ids
from sms_service.simulator.smpp_deliveries import Deliveries
from sms_service.simulator.smpp_parts import Joiner, SubmittedPart, check_submit
from sms_service.simulator.smpp_pdus import BadPdu
from sms_service.simulator.smpp_session import SmscSession

PASSWORD_OCTETS = 8  # SMPP 3.4 section 5.2.2

_OUTCOMES = {"throttle": "throttled", "lose": "lost", "ignore": "lost", "unbind": "lost"}
_log = logging.getLogger(__name__)


class Smsc:
    """The SMPP side of a simulator. `replied` is called for each whole text whose phone answers: line, delay, words."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        fates: Fates,
        pace: SimulatedPace,
        system_id: str,
        secret: str,
        replied: Callable[[Mapping[str, Any], float, str], None],
    ) -> None:
        self._ledger, self._fates, self._pace, self._replied = ledger, fates, pace, replied
        self._system_id, self._password = system_id, secret[:PASSWORD_OCTETS]
        self.deliveries = Deliveries(ledger, fates)
        self._joiner = Joiner()
        self._sessions: list[SmscSession] = []
        self._server: asyncio.Server | None = None
        self._address: tuple[str, int] | None = None

    async def listen(self, host: str, port: int) -> int:
        """Listen, and go on with the deliveries of an earlier simulator on this ledger; returns the port. Raises
        OSError.
        """
        for line in self._ledger.loose_parts:
            self._joiner.add_line(line)
        self._ledger.loose_parts = []
        server = await asyncio.get_running_loop().create_server(self._session, host, port)
        self._server, self._address = server, (host, server.sockets[0].getsockname()[1])
        return self._address[1]

    async def stop(self) -> None:
        """End all sessions and stop listening."""
        self._stop_listening()
        for session in list(self._sessions):
            session.close()

    def state(self) -> dict[str, Any]:
        """Which clients are bound, and how much waits for a client to bind."""
        return {
            "listening": self._server is not None,
            "sessions": [{"mode": session.mode, "unanswered": len(session.outstanding)} for session in self._sessions],
            "waiting": self.deliveries.waiting,
        }

    async def command(self, what: str) -> bool:
        """Do one of `COMMANDS` to all sessions or to the port; False if the command is not known."""
        match what:
            case "listen":
                if self._server is None and self._address is not None:
                    self._server = await asyncio.get_running_loop().create_server(self._session, *self._address)
            case "stop_listening":
                self._stop_listening()
            case "refuse_binds" | "accept_binds":
                self._fates.change({"smpp_binds": "fail" if what == "refuse_binds" else "accept"})
            case _ if what in _OF_SESSIONS:
                for session in list(self._sessions):
                    _do(session, what)
        return what in COMMANDS

    def _stop_listening(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    def _session(self) -> SmscSession:
        return SmscSession(
            system_id=self._system_id,
            password=self._password,
            behaviour=lambda: self._fates.behaviour,
            deliveries=self.deliveries,
            take=self._take,
            sessions=self._sessions,
        )

    def _take(self, session: SmscSession, sequence: int, body: bytes) -> None:
        """Handle one submit_sm, from its octets to its answer. Raises BadPdu if it is against the protocol."""
        now, behaviour = time.time(), self._fates.behaviour
        try:
            part = check_submit(pdus.parse_submit(body), require_receipt=behaviour.smpp_require_receipts, now=now)
        except BadPdu as error:
            self._write_down(
                None, SubmittedPart("", "", ""), Fate("refuse", "violation"), error.status, now, reason=str(error)
            )
            raise
        fate = self._fate(part)
        status = self._status(fate)
        try:
            line = self._write_down(self._ledger.next_id() if fate.taken else None, part, fate, status, now)
            whole = self._join(part, line, fate) if fate.taken else None
        except OSError as error:
            _log.error("the ledger cannot be written, so nothing is taken: %s", error)
            session.respond(pdus.SUBMIT_SM, pdus.RMSGQFUL, sequence)
            return
        for sent in (line, whole):
            if sent is None or not sent["receipts"]:
                continue
            if fate.answer == "early":
                self.deliveries.receipts_at_once(sent, session)
            else:
                for number in range(len(sent["receipts"])):
                    self.deliveries.receipt(sent, number)
        if whole is not None and fate.reply:
            self._replied(whole, *fate.reply)
        if fate.answer_delay_s:
            loop = asyncio.get_running_loop()
            loop.call_later(fate.answer_delay_s, self._answer, session, sequence, fate, status, line["wire_id"])
        else:
            self._answer(session, sequence, fate, status, line["wire_id"])

    def _fate(self, part: SubmittedPart) -> Fate:
        if not self._pace.allows(self._fates.behaviour.rate):
            return Fate("throttle", "too_fast")
        fate = self._fates.of_part(part.phone, part.number, part.text, part.validity_s)
        if fate.answer == "partial" and part.number > 1:
            return Fate("refuse", self._fates.behaviour.refuse_code, fate.answer_delay_s)
        return fate

    def _status(self, fate: Fate) -> int | None:
        """The command_status of the answer; None if there is none."""
        match fate.answer:
            case "refuse" | "refuse_group":
                return status_of(fate.code or "blocked")
            case "throttle":
                return pdus.RTHROTTLED if self._fates.behaviour.smpp_throttle == "throttled" else pdus.RMSGQFUL
            case "error":
                return pdus.RSYSERR
            case "nack":
                return pdus.RINVCMDID
            case "accept" | "crawl" | "early" | "partial" | "omit":
                return pdus.OK
        return None

    def _write_down(
        self,
        identifier: str | None,
        part: SubmittedPart,
        fate: Fate,
        status: int | None,
        now: float,
        reason: str | None = None,
    ) -> dict[str, Any]:
        mode = self._fates.behaviour.receipt_parts
        own_receipts = mode in ("usual", "each") or (mode == "one" and part.number == 1)
        wire_id, receipt_id = wire_ids(identifier, self._fates.behaviour.smpp_ids) if identifier else (None, None)
        line = {
            "event": "part",
            "time": now,
            "id": identifier,
            "reference": "",
            "wire_id": wire_id,
            "receipt_id": receipt_id,
            "from": part.source,
            "to": part.phone,
            "text": part.text,
            "ref": part.reference,
            "total": part.total,
            "seq": part.number,
            "outcome": "accepted" if fate.taken else _OUTCOMES.get(fate.answer, "refused"),
            "code": fate.code,
            "status": status,
            "answer": fate.answer,
            **_planned(fate if own_receipts else None, now),
        }
        if reason:
            line["reason"] = reason
        self._ledger.append(line)
        return line

    def _join(self, part: SubmittedPart, line: Mapping[str, Any], fate: Fate) -> dict[str, Any] | None:
        """The line of the whole text, if this part completes it."""
        joined = self._joiner.add(part, line["id"])
        if joined is None:
            return None
        identifiers = [identifier for identifier, _ in joined]
        first_wire_id, first_receipt_id = wire_ids(identifiers[0], self._fates.behaviour.smpp_ids)
        whole = {
            "event": "message",
            "time": line["time"],
            "id": identifiers[0],
            "reference": "",
            "wire_id": first_wire_id,
            "receipt_id": first_receipt_id,
            "from": part.source,
            "to": part.phone,
            "text": "".join(text for _, text in joined),
            "outcome": "accepted",
            "code": None,
            "answer": fate.answer,
            "callback_url": None,
            "via": "smpp",
            "part_ids": identifiers,
            **_planned(fate if self._fates.behaviour.receipt_parts == "whole" else None, line["time"]),
        }
        self._ledger.append(whole)
        return whole

    def _answer(self, session: SmscSession, sequence: int, fate: Fate, status: int | None, wire_id: str | None) -> None:
        if session.closed:
            return
        match fate.answer:
            case "hang" | "ignore":
                return
            case "reset" | "lose":
                session.cut()
            case "unbind":
                session.request(pdus.UNBIND)
            case "nack":
                session.write(pdus.pack(pdus.GENERIC_NACK, pdus.RINVCMDID, sequence))
            case "garble":
                garbled(session, self._fates.behaviour.garble_as, sequence)
            case _:
                assert status is not None
                accepted = status == pdus.OK
                identifier = "" if fate.answer == "omit" or wire_id is None else wire_id
                tlvs = self._fates.behaviour.smpp_unknown_tlvs and accepted
                body = pdus.cstring(identifier) + (pdus.tlv(pdus.UNKNOWN_TLV, b"\xde\xad") if tlvs else b"")
                session.respond(pdus.SUBMIT_SM, status, sequence, body if accepted else b"")


# The commands. cut: connections are reset; close: they are closed; unbind: the SMSC asks to end the sessions;
# enquire: it sends an enquire_link; nack: it sends a generic_nack that answers nothing; garbage: octets that are not a
# PDU; stop_reading, read: connections fill up, or are read again; refuse_binds, accept_binds: as `smpp_binds` with fail
# and accept; stop_listening, listen: connections are refused, or accepted again.
_OF_SESSIONS = ("cut", "close", "unbind", "enquire", "nack", "garbage", "stop_reading", "read")
COMMANDS = (*_OF_SESSIONS, "refuse_binds", "accept_binds", "stop_listening", "listen")


def _do(session: SmscSession, what: str) -> None:
    match what:
        case "cut":
            session.cut()
        case "close":
            session.close()
        case "unbind":
            session.request(pdus.UNBIND)
        case "enquire":
            session.request(pdus.ENQUIRE_LINK)
        case "nack":
            session.write(pdus.pack(pdus.GENERIC_NACK, pdus.RINVCMDLEN, 0))
        case "garbage":
            session.write(b"\xff" * 64)
        case "stop_reading" | "read":
            session.read(what == "read")


def _planned(fate: Fate | None, now: float) -> dict[str, list[list[Any]]]:
    """The receipts of a line: to be sent, or kept back."""
    if fate is None:
        return {"receipts": []}
    receipts = [[now + delay, code] for delay, code in fate.receipts]
    return {"receipts": receipts} if fate.pushed else {"receipts": [], "kept_back": receipts}
