"""Takes texts over HTTP, one or many in a POST, and answers in every way."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import socket
import time
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from sms_service import parts
from sms_service.simulator.behaviour import REFUSALS
from sms_service.simulator.fate import Fate, Fates
from sms_service.simulator.ledger import Ledger
from sms_service.simulator.pace import SimulatedPace
from sms_service.simulator.receipts import ReceiptSender
from sms_service.simulator.replies import SimulatedReplies
from sms_service.simulator.smpp_session import ABORT

LARGEST_BATCH = 1000

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_REFERENCE = re.compile(r"[\x21-\x7e]{1,40}")
_PLACE = re.compile(r"\{([1-9][0-9]?)\}")
_OUTCOMES = {"throttle": "throttled", "lose": "lost", "ignore": "lost", "unbind": "lost", "partial": "partial"}
# Answers that, if one text gets them, happen to the whole POST: first those with which nothing of it is taken.
_LOSES_ALL = ("lose", "unbind", "ignore")
_REFUSES_ALL = ("refuse_group", "nack")
_HIDES_ALL = ("hang", "reset", "error", "garble")

_log = logging.getLogger(__name__)


class Taking:
    """The POSTs that hand texts over. `callback_url` gets the receipts of texts that name no URL of their own."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        fates: Fates,
        pace: SimulatedPace,
        sender: ReceiptSender,
        replies: SimulatedReplies,
        callback_url: str | None,
    ) -> None:
        self._ledger, self._fates, self._pace, self._callback_url = ledger, fates, pace, callback_url
        self._sender, self._replies = sender, replies

    async def one(self, request: web.Request) -> web.StreamResponse:
        """POST /messages."""
        message = _json(await request.read())
        if reason := _unusable(message):
            self.record(message, Fate("refuse", "malformed"))
            return refusal("malformed", reason)
        fate = self._fate(message)
        try:
            line = self._take(message, fate)
        except OSError as error:
            return _unavailable(error)
        await self._wait(fate, [line])
        match fate.answer:
            case "accept" | "crawl" | "early":
                return web.json_response({"id": line["id"]}, status=201)
            case "partial":
                return web.json_response({"id": line["id"], "code": "partial", "parts_taken": 1}, status=207)
            case "omit":
                return web.json_response({}, status=201)
            case "refuse" | "refuse_group" | "nack":
                return refusal(fate.code or "blocked")
            case "throttle":
                response = refusal("too_fast")
                response.headers["Retry-After"] = str(self._fates.behaviour.retry_after_s)
                return response
        return await self._spoil(request, fate.answer, 201)

    async def batch(self, request: web.Request) -> web.StreamResponse:
        """POST /batches."""
        document = _json(await request.read())
        messages = document.get("messages") if isinstance(document, dict) else None
        if not isinstance(messages, list) or not 1 <= len(messages) <= LARGEST_BATCH:
            self.record(None, Fate("refuse", "malformed"))
            return refusal("malformed", f"messages must be a list of 1 to {LARGEST_BATCH} texts")
        fates = [Fate("refuse", "malformed") if _unusable(each) else self._fate(each) for each in messages]
        answers = [fate.answer for fate in fates]
        lost = next((answer for answer in _LOSES_ALL if answer in answers), None)
        refused = next((fate for fate in fates if fate.answer in _REFUSES_ALL), None)
        if lost or refused:
            fates = [refused or Fate(lost or "lose")] * len(fates)
        lines = []
        try:
            lines += [self._take(message, fate) for message, fate in zip(messages, fates, strict=True)]
        except OSError as error:
            return _unavailable(error)
        await self._wait(max(fates, key=lambda fate: fate.answer_delay_s), lines)
        if refused:
            return refusal(refused.code or "blocked")
        spoilt = lost or next((answer for answer in _HIDES_ALL if answer in answers), None)
        if spoilt:
            return await self._spoil(request, spoilt, 200)
        listed = zip(messages, fates, lines, strict=True)
        return web.json_response({"results": [self._entry(*each) for each in listed if each[1].answer != "omit"]})

    def record(self, message: Any, fate: Fate, identifier: str | None = None) -> dict[str, Any]:
        """Write any text to the ledger; returns its line. Raises OSError."""
        message = message if isinstance(message, dict) else {}
        now = time.time()
        callback_url = message.get("callback_url") or self._callback_url
        receipts = self._receipts(fate, _text(message.get("text")), now) if callback_url else []
        line = {
            "event": "message",
            "time": now,
            "id": identifier,
            "reference": _text(message.get("reference")),
            "to": _text(message.get("to")),
            "text": _text(message.get("text")),
            "outcome": _OUTCOMES.get(fate.answer, "accepted" if fate.taken else "refused"),
            "code": fate.code,
            "answer": fate.answer,
            "callback_url": callback_url,
            "via": "http",
            "receipts": receipts if fate.pushed else [],
        }
        if not fate.pushed:
            line["kept_back"] = receipts
        self._ledger.append(line)
        return line

    def _take(self, message: Any, fate: Fate) -> dict[str, Any]:
        line = self.record(message, fate, self._ledger.next_id() if fate.taken else None)
        if fate.answer != "early":
            for number in range(len(line["receipts"])):
                self._sender.receipt(line, number)
        if fate.reply:
            self._replies.later(line, *fate.reply)
        return line

    def _fate(self, message: dict[str, Any]) -> Fate:
        if not _E164.fullmatch(message["to"]):
            return Fate("refuse", "invalid_number")
        if not self._pace.allows(self._fates.behaviour.rate):
            return Fate("throttle", "too_fast")
        templates = self._fates.behaviour.templates
        if templates and not _is_registered(message, templates):
            return Fate("refuse", "template")
        fate = self._fates.of_text(message["reference"], message["to"], message.get("validity_s"))
        if fate.answer == "partial" and parts.measure_text(message["text"]).parts == 1:
            return Fate("accept", None, fate.answer_delay_s, fate.receipts, fate.pushed, fate.reply)
        return fate

    def _receipts(self, fate: Fate, text: str, now: float) -> list[list[Any]]:
        mode = self._fates.behaviour.receipt_parts
        planned: list[list[Any]] = [[now + delay, code] for delay, code in fate.receipts]
        if mode in ("usual", "whole"):
            return [] if fate.answer == "partial" else planned
        last = 1 if mode == "one" or fate.answer == "partial" else parts.measure_text(text).parts
        return [[*receipt, part] for receipt in planned for part in range(1, last + 1)]

    async def _wait(self, fate: Fate, lines: list[dict[str, Any]]) -> None:
        for line in lines:
            if line["answer"] == "early":
                await self._sender.receipts_at_once(line)
        if fate.answer_delay_s:
            await asyncio.sleep(fate.answer_delay_s)

    def _entry(self, message: Any, fate: Fate, line: dict[str, Any]) -> dict[str, Any]:
        """The entry for one text in the answer to a group."""
        entry = {"reference": message.get("reference") if isinstance(message, dict) else None}
        if fate.taken:
            return entry | {"id": line["id"]} | ({"code": "partial"} if fate.answer == "partial" else {})
        if fate.answer == "throttle":
            return entry | {"code": "too_fast", "retry_after_s": self._fates.behaviour.retry_after_s}
        return entry | {"code": fate.code}

    async def _spoil(self, request: web.Request, answer: str, status: int) -> web.StreamResponse:
        match answer:
            case "error":
                return web.Response(status=500, text="Internal Server Error")
            case "garble":
                return _garbled(request, self._fates.behaviour.garble_as, status)
            case "hang" | "ignore":
                await asyncio.Event().wait()
        if request.transport is not None:  # reset, lose, unbind
            request.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
            request.transport.abort()
        return web.Response()


def refusal(code: str, reason: str | None = None) -> web.Response:
    """The answer to a text that is not taken."""
    return web.json_response({"code": code, "reason": reason or code}, status=REFUSALS.get(code, 422))


def _garbled(request: web.Request, way: str, status: int) -> web.Response:
    match way:
        case "empty":
            return web.Response(status=status)
        case "no_id":
            return web.json_response({}, status=status)
        case "text":
            return web.Response(status=status, text="<html><body>Welcome!</body></html>", content_type="text/html")
        case "binary":
            return web.Response(status=status, body=b"\xff\xfe\0{", content_type="application/json")
        case "huge":
            return web.json_response({"id": "SIM" + "0" * 1_000_000}, status=status)
        case "protocol":
            if request.transport is not None:
                request.transport.write(b"\0\0\0\x10\0\0\0\x15\r\n\r\n")
                request.transport.close()
            return web.Response()
    return web.Response(status=status, text='{"id": "SIM', content_type="application/json")


def _unusable(message: Any) -> str | None:
    """What is wrong with the form of a text, or None."""
    if not isinstance(message, dict):
        return "the body must be a JSON object"
    if not isinstance(message.get("reference"), str) or not _REFERENCE.fullmatch(message["reference"]):
        return "reference must be 1 to 40 ASCII characters without spaces"
    for key in ("to", "text"):
        if not isinstance(message.get(key), str) or not message[key]:
            return f"{key} must be a text that is not empty"
    if any("\ud800" <= character <= "\udfff" for character in message["text"] + message["to"]):
        return "a text holds half a surrogate pair"
    url = message.get("callback_url")
    if url is not None and not (isinstance(url, str) and url.startswith(("http://", "https://"))):
        return "callback_url must start with http:// or https://"
    validity = message.get("validity_s")
    if validity is not None and not (type(validity) in (int, float) and validity > 0):
        return "validity_s must be a number of seconds above 0"
    return None


def _is_registered(message: dict[str, Any], templates: Mapping[str, str]) -> bool:
    """Whether the text is what one of the templates says with a parameter in each of its places."""
    written, parameters = templates.get(_text(message.get("template_id"))), message.get("parameters")
    if written is None or not isinstance(parameters, list):
        return False
    places = {int(number) for number in _PLACE.findall(written)}
    if places != set(range(1, len(parameters) + 1)):
        return False
    made = _PLACE.sub(lambda place: str(parameters[int(place[1]) - 1]), written)
    return made in message["text"]


def _unavailable(error: OSError) -> web.Response:
    _log.error("the ledger cannot be written, so nothing is taken: %s", error)
    return refusal("unavailable")


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _text(value: Any) -> str:
    """A field of a malformed request as the ledger stores it: as text, and not endless."""
    text = value if isinstance(value, str) else "" if value is None else str(value)[:1000]
    return text.encode("utf-8", "replace").decode()
