"""Replies: what phones answer, on request or by share, over the interface through which their last text came."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Mapping
from typing import Any

from sms_service import parts
from sms_service.simulator.fate import Fates
from sms_service.simulator.ledger import Ledger
from sms_service.simulator.receipts import ReceiptSender
from sms_service.simulator.smpp_deliveries import Deliveries

NUMBER = "10690000"  # the number that texts over HTTP come from
MOST_TIMES = 1000

_ADDRESS = re.compile(r"\+?[0-9]{1,20}")

_log = logging.getLogger(__name__)


class BadReply(ValueError):
    """A reply cannot be made; the message says why."""


class SimulatedReplies:
    """Makes replies. `deliveries` is None without SMPP; `callback_url` gets those of phones that never got a text."""

    def __init__(self, ledger: Ledger, fates: Fates, sender: ReceiptSender, callback_url: str | None) -> None:
        self._ledger, self._fates, self._sender, self._callback_url = ledger, fates, sender, callback_url
        self.deliveries: Deliveries | None = None

    def resume(self) -> None:
        """Send the replies that an earlier simulator on this ledger had sent without acknowledgement."""
        for line, repetition, part in self._ledger.unsettled_replies:
            self._send(line, repetition, part)
        self._ledger.unsettled_replies = []

    def later(self, message: Mapping[str, Any], delay_s: float, text: str) -> None:
        """Let the phone of a message's line answer it after `delay_s` seconds."""
        asyncio.get_running_loop().call_later(delay_s, self._answer, message, text)

    def make(self, wanted: Any) -> dict[str, Any]:
        """Send the reply that a request describes: {from, text, to?, times?, via?, callback_url?, named?, stop?}.

        Returns its line in the ledger. Raises BadReply; OSError if the ledger cannot be written.
        """
        if not isinstance(wanted, dict):
            raise BadReply("the body must be a JSON object")
        known: dict[str, type] = {"from": str, "text": str, "to": str, "via": str, "callback_url": str}
        known |= {"times": int, "named": bool, "stop": bool}
        for name, value in wanted.items():
            if name not in known or type(value) is not known[name]:
                raise BadReply(f"{name} is not known here or of the wrong kind; known are {', '.join(known)}")
        if not wanted.get("from") or not isinstance(wanted.get("text"), str):
            raise BadReply("from and text must be there")
        try:
            wanted["text"].encode()
        except UnicodeEncodeError:
            raise BadReply("text holds half a surrogate pair") from None
        if not 1 <= wanted.get("times", 1) <= MOST_TIMES:
            raise BadReply(f"times must be from 1 to {MOST_TIMES}")
        last = (self._ledger.find(phone=wanted["from"]) or [{}])[-1]
        return self._make(
            last,
            wanted["from"],
            wanted["text"],
            via=wanted.get("via"),
            to=wanted.get("to"),
            callback_url=wanted.get("callback_url"),
            times=wanted.get("times", 1),
            named=wanted.get("named", True),
            stop=wanted.get("stop", False),
        )

    def _answer(self, message: Mapping[str, Any], text: str) -> None:
        try:
            self._make(message, message["to"], text)
        except (BadReply, OSError) as error:
            _log.error("a reply could not be made: %s", error)

    def _make(
        self,
        last: Mapping[str, Any],
        phone: str,
        text: str,
        *,
        via: str | None = None,
        to: str | None = None,
        callback_url: str | None = None,
        times: int = 1,
        named: bool = True,
        stop: bool = False,
    ) -> dict[str, Any]:
        callback_url = callback_url or last.get("callback_url") or self._callback_url
        via = via or last.get("via") or ("http" if callback_url or self.deliveries is None else "smpp")
        if via not in ("http", "smpp") or (via == "smpp" and self.deliveries is None):
            raise BadReply("via must be http, or smpp if the simulator has an SMPP port")
        if via == "http" and not callback_url:
            raise BadReply("there is no callback_url for it")
        recipient = to or last.get("from") or NUMBER
        if via == "smpp" and not (_ADDRESS.fullmatch(phone) and _ADDRESS.fullmatch(recipient)):
            raise BadReply("from and to must be 1 to 20 digits over SMPP")
        count = parts.measure_text(text).parts if via == "smpp" or self._fates.behaviour.reply_parts else 1
        if count > 255:
            raise BadReply("text takes more than 255 parts")
        identifier = self._ledger.next_id()
        line = {
            "event": "reply",
            "time": time.time(),
            "id": identifier,
            "from": phone,
            "recipient": recipient,
            "text": text,
            "via": via,
            "callback_url": callback_url if via == "http" else None,
            "parts": count,
            "series": int(identifier.removeprefix("SIM")),
            "times": times,
            "named": named,
            "stop": stop,
        }
        self._ledger.append(line)
        for repetition in range(times):
            for part in range(1, count + 1):
                self._send(line, repetition, part)
        return line

    def _send(self, line: Mapping[str, Any], repetition: int, part: int) -> None:
        if line["via"] == "http":
            self._sender.reply(line, repetition, part)
        elif self.deliveries is not None:
            self.deliveries.reply(line, repetition, part)
