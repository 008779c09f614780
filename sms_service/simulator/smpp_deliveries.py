"""Sends receipts and replies over SMPP: each at its time, and again until it is acknowledged, also after a new bind."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Protocol

from sms_service import parts
from sms_service.simulator import smpp_pdus as pdus
from sms_service.simulator.fate import Fates
from sms_service.simulator.ledger import Ledger
from sms_service.simulator.smpp_parts import RECEIPT, UDHI

LONGEST_PAUSE_S = 30.0

# Section 5.2.28; a code that is none of these has the state UNKNOWN.
_STATES = {
    "ENROUTE": 1,
    "DELIVRD": 2,
    "EXPIRED": 3,
    "DELETED": 4,
    "UNDELIV": 5,
    "ACCEPTD": 6,
    "UNKNOWN": 7,
    "REJECTD": 8,
}
_SHANGHAI = timezone(timedelta(hours=8))  # receipts have the SMSC's own time, without a zone

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Delivery:
    """One deliver_sm: a receipt or a part of a reply. `settled` is the line to write when it is acknowledged."""

    body: Callable[[], bytes] = field(repr=False)
    settled: Mapping[str, Any] = field(repr=False)
    tries: int = 0
    sent_at: float = 0.0


class Receiver(Protocol):
    """A session that a deliver_sm can go to."""

    outstanding: dict[int, Delivery]
    writable: bool

    def deliver(self, delivery: Delivery) -> None:
        """Write it and keep it as outstanding."""


class Deliveries:
    """The deliveries, sent over any sessions that are bound to receive."""

    def __init__(self, ledger: Ledger, fates: Fates) -> None:
        self._ledger, self._fates = ledger, fates
        self._ready: deque[Delivery] = deque()
        self._receivers: list[Receiver] = []

    @property
    def waiting(self) -> int:
        """How many deliveries are due and not yet sent."""
        return len(self._ready)

    def bound(self, receiver: Receiver) -> None:
        """From now on `receiver` gets deliveries too."""
        self._receivers.append(receiver)
        self.pump()

    def gone(self, receiver: Receiver) -> None:
        """The session ended: what it did not acknowledge is sent again."""
        if receiver in self._receivers:
            self._receivers.remove(receiver)
        self._ready.extendleft(reversed(receiver.outstanding.values()))
        receiver.outstanding = {}
        self.pump()

    def answered(self, delivery: Delivery, status: int) -> None:
        """A client answered a deliver_sm."""
        if status != pdus.OK:
            pause = min(0.2 * 2 ** min(delivery.tries - 1, 10), LONGEST_PAUSE_S)
            asyncio.get_running_loop().call_later(pause, self._put, delivery)
        else:
            event = {**delivery.settled, "time": time.time(), "status": status}
            event |= {"tries": delivery.tries, "acknowledged": True}
            try:
                self._ledger.append(event)
            except OSError as error:  # the only effect: the next simulator on this ledger sends it once more
                _log.error("the ledger cannot be written: %s", error)
        self.pump()

    def pump(self) -> None:
        """Send the deliveries that are due, as many as the windows allow."""
        window = self._fates.behaviour.smpp_window
        while self._ready:
            open_ones = [r for r in self._receivers if r.writable and len(r.outstanding) < window]
            if not open_ones:
                return
            min(open_ones, key=lambda receiver: len(receiver.outstanding)).deliver(self._ready.popleft())

    def send_again(self, receiver: Receiver) -> None:
        """Take back deliveries that a session has not acknowledged in time, to send them again."""
        too_old = time.monotonic() - self._fates.behaviour.smpp_ack_s
        late = [sequence for sequence, delivery in receiver.outstanding.items() if delivery.sent_at < too_old]
        self._ready.extend(receiver.outstanding.pop(sequence) for sequence in late)
        self.pump()

    def receipt(self, line: Mapping[str, Any], number: int) -> None:
        """Send one of the receipts of a line of the ledger at its time."""
        due = line["receipts"][number][0] - time.time()
        asyncio.get_running_loop().call_later(max(due, 0.0), self._put, self._of_receipt(line, number))

    def receipts_at_once(self, line: Mapping[str, Any], receiver: Receiver | None) -> None:
        """Send all receipts of a line now, over `receiver` if it is there, whatever its window."""
        for number in range(len(line["receipts"])):
            delivery = self._of_receipt(line, number)
            if receiver in self._receivers and receiver is not None:
                receiver.deliver(delivery)
            else:
                self._put(delivery)

    def reply(self, line: Mapping[str, Any], repetition: int, part: int) -> None:
        """Send one part of a reply now."""
        texts = parts.split_text(line["text"])
        encoding = parts.measure_text(line["text"]).encoding
        header = bytes((5, 0, 3, line["series"] % 256, len(texts), part)) if len(texts) > 1 else b""
        body = pdus.deliver(
            source=line["from"],
            dest=line["recipient"],
            esm_class=UDHI if header else 0,
            data_coding=8 if encoding == "UCS-2" else 0,
            message=header + parts.encode_part(texts[part - 1], encoding),
            tlvs=self._unknown(),
        )
        settled = {"event": "replied", "id": line["id"], "repetition": repetition, "part": part}
        self._put(Delivery(lambda: body, settled))

    def _of_receipt(self, line: Mapping[str, Any], number: int) -> Delivery:
        settled = {
            "event": "receipt",
            "id": line["id"],
            "reference": line["reference"],
            "number": number,
            "code": line["receipts"][number][1],
        }
        return Delivery(lambda: self._receipt_body(line, number), settled)

    def _receipt_body(self, line: Mapping[str, Any], number: int) -> bytes:
        behaviour = self._fates.behaviour
        code = line["receipts"][number][1]
        message = receipt_text(line, code, time.time()) if behaviour.smpp_receipt_form != "tlv" else b""
        tlvs = self._unknown()
        if behaviour.smpp_receipt_form != "text":
            tlvs += pdus.tlv(pdus.RECEIPTED_MESSAGE_ID, pdus.cstring(line["receipt_id"]))
            tlvs += pdus.tlv(pdus.MESSAGE_STATE, bytes((_STATES.get(code.partition(":")[0], 7),)))
        return pdus.deliver(
            source=line["to"], dest=line["from"], esm_class=RECEIPT, data_coding=0, message=message, tlvs=tlvs
        )

    def _unknown(self) -> bytes:
        return pdus.tlv(pdus.UNKNOWN_TLV, b"\xde\xad") if self._fates.behaviour.smpp_unknown_tlvs else b""

    def _put(self, delivery: Delivery) -> None:
        self._ready.append(delivery)
        self.pump()


def receipt_text(line: Mapping[str, Any], code: str, now: float) -> bytes:
    """The text of a receipt, as SMPP 3.4 appendix B has it. A code may be `STAT:err`, as in `UNDELIV:045`."""
    stat, _, err = code.partition(":")
    taken, done = (datetime.fromtimestamp(at, UTC).astimezone(_SHANGHAI) for at in (line["time"], now))
    delivered = int(stat == "DELIVRD")
    words = "".join(character if " " <= character <= "~" else "?" for character in line["text"][:20])
    return (
        f"id:{line['receipt_id']} sub:001 dlvrd:{delivered:03} submit date:{taken:%y%m%d%H%M} "
        f"done date:{done:%y%m%d%H%M} stat:{stat} err:{err or ('000' if delivered else '001')} text:{words}"
    ).encode("ascii", "replace")
