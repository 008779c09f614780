"""The simulator's HTTP API.

`GET /health` is open; everything else wants `Authorization: Bearer <secret>`.

    POST /messages   {reference, to, text, callback_url?, validity_s?} → 201 {id}, or an error status and {code, reason}
    GET  /messages   ?reference=… or ?to=… → {"messages": […]}, the ledger's lines
    GET  /ledger     the whole ledger, JSON lines
    GET  /behaviour  how it behaves; PUT changes the fields that are named (see behaviour.Behaviour)
"""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import re
import socket
import struct
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any

from aiohttp import web

from sms_service.gateways.simulator.behaviour import REFUSALS, BadBehaviour, Behaviour, Fate, change, decide
from sms_service.gateways.simulator.ledger import Ledger
from sms_service.gateways.simulator.receipts import ReceiptSender

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_REFERENCE = re.compile(r"[\x21-\x7e]{1,40}")
_ABORT = struct.pack("ii", 1, 0)  # SO_LINGER on, 0 s: closing resets the connection
_OUTCOMES = {"throttle": "throttled", "lose": "lost"}

_log = logging.getLogger(__name__)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Simulator:
    """One simulated provider: `app` is to be served; `start` and `stop` go around the serving.

    `callback_url` gets the receipts of texts that name none of their own; None keeps those silent.
    """

    def __init__(self, ledger: Ledger, secret: str, callback_url: str | None, behaviour: Behaviour) -> None:
        self._ledger, self._callback_url, self.behaviour = ledger, callback_url, behaviour
        self._authorization = f"Bearer {secret}".encode()
        self._receipts = ReceiptSender(secret, ledger, lambda: self.behaviour.receipts_batch)
        self._tokens, self._tokens_at = 0.0, time.monotonic()

        @web.middleware
        async def authorized(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await self._authorized(request, handler)

        self.app = web.Application(client_max_size=256 * 1024, middlewares=[authorized])
        self.app.add_routes(
            [
                web.post("/messages", self._take),
                web.get("/messages", self._look_up),
                web.get("/ledger", self._whole_ledger),
                web.get("/behaviour", self._show_behaviour),
                web.put("/behaviour", self._change_behaviour),
                web.get("/health", self._health),
            ]
        )

    async def start(self) -> None:
        """Begin sending receipts."""
        await self._receipts.start()

    async def stop(self) -> None:
        """Stop sending receipts and close the ledger."""
        await self._receipts.stop()
        self._ledger.close()

    async def _authorized(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        given = request.headers.get("Authorization", "").encode("utf-8", "replace")
        if request.path == "/health" or hmac.compare_digest(given, self._authorization):
            return await handler(request)
        if request.method == "POST":
            self._record(None, {}, Fate("refuse", "unauthorized"))
        return _refusal("unauthorized")

    async def _take(self, request: web.Request) -> web.StreamResponse:
        try:
            message = json.loads(await request.read())
        except (ValueError, RecursionError):
            message = None
        if reason := _unusable(message):
            self._record(None, message if isinstance(message, dict) else {}, Fate("refuse", "malformed"))
            return _refusal("malformed", reason)
        fate = self._fate(message)
        identifier = self._ledger.next_id() if fate.taken else None
        try:
            line = self._record(identifier, message, fate)
        except OSError as error:
            _log.error("the ledger cannot be written, so nothing is taken: %s", error)
            return _refusal("unavailable")
        if line["receipts"] and fate.answer == "early":
            await self._receipts.send_at_once(line)
        elif line["receipts"]:
            self._receipts.schedule(line)
        if fate.answer_delay_s:
            await asyncio.sleep(fate.answer_delay_s)
        return await self._answer(request, fate, identifier)

    def _fate(self, message: dict[str, Any]) -> Fate:
        if not _E164.fullmatch(message["to"]):
            return Fate("refuse", "invalid_number")
        if not self._within_rate():
            return Fate("throttle", "too_fast")
        return decide(self.behaviour, message["reference"], message["to"], message.get("validity_s"))

    async def _answer(self, request: web.Request, fate: Fate, identifier: str | None) -> web.StreamResponse:
        match fate.answer:
            case "accept" | "crawl" | "early":
                return web.json_response({"id": identifier}, status=201)
            case "refuse":
                return _refusal(fate.code or "blocked")
            case "throttle":
                response = _refusal("too_fast")
                response.headers["Retry-After"] = str(self.behaviour.retry_after_s)
                return response
            case "error":
                return web.Response(status=500, text="Internal Server Error")
            case "garble":
                return web.Response(status=201, text='{"id": "SIM', content_type="application/json")
            case "hang":
                await asyncio.Event().wait()
        if request.transport is not None:  # reset, lose
            request.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
            request.transport.abort()
        return web.Response()

    def _record(self, identifier: str | None, message: dict[str, Any], fate: Fate) -> dict[str, Any]:
        now = time.time()
        callback_url = message.get("callback_url") or self._callback_url
        line = {
            "event": "message",
            "time": now,
            "id": identifier,
            "reference": _text(message.get("reference")),
            "to": _text(message.get("to")),
            "text": _text(message.get("text")),
            "outcome": "accepted" if fate.taken else _OUTCOMES.get(fate.answer, "refused"),
            "code": fate.code,
            "answer": fate.answer,
            "callback_url": callback_url,
            "receipts": [[now + delay, code] for delay, code in fate.receipts] if callback_url else [],
        }
        self._ledger.append(line)
        return line

    def _within_rate(self) -> bool:
        """A token bucket that holds one second's worth."""
        rate = self.behaviour.rate
        if not rate:
            return True
        now = time.monotonic()
        self._tokens = min(max(rate, 1.0), self._tokens + (now - self._tokens_at) * rate)
        self._tokens_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    async def _look_up(self, request: web.Request) -> web.StreamResponse:
        reference, phone = request.query.get("reference"), request.query.get("to")
        if (reference is None) == (phone is None):
            return _refusal("malformed", "name either reference or to")
        return web.json_response({"messages": self._ledger.find(reference=reference, phone=phone)})

    async def _whole_ledger(self, request: web.Request) -> web.StreamResponse:
        return web.FileResponse(self._ledger.path, headers={"Content-Type": "application/x-ndjson"})

    async def _show_behaviour(self, request: web.Request) -> web.StreamResponse:
        shown = asdict(self.behaviour)
        shown["by_phone"] = [{**rule, "match": rule["match"].pattern} for rule in shown["by_phone"]]
        return web.json_response(shown)

    async def _change_behaviour(self, request: web.Request) -> web.StreamResponse:
        try:
            values = json.loads(await request.read())
            if not isinstance(values, dict):
                raise BadBehaviour("the body must be a JSON object")
            self.behaviour = change(self.behaviour, values)
        except BadBehaviour as error:
            return _refusal("malformed", str(error))
        except (ValueError, RecursionError):
            return _refusal("malformed", "the body must be a JSON object")
        return await self._show_behaviour(request)

    async def _health(self, request: web.Request) -> web.StreamResponse:
        return web.json_response({"status": "ok"})


def _unusable(message: Any) -> str | None:
    """What is wrong with the form of a request, or None."""
    if not isinstance(message, dict):
        return "the body must be a JSON object"
    if not isinstance(message.get("reference"), str) or not _REFERENCE.fullmatch(message["reference"]):
        return "reference must be 1 to 40 ASCII characters without spaces"
    for key in ("to", "text"):
        if not isinstance(message.get(key), str) or not message[key]:
            return f"{key} must be a text that is not empty"
    url = message.get("callback_url")
    if url is not None and not (isinstance(url, str) and url.startswith(("http://", "https://"))):
        return "callback_url must start with http:// or https://"
    validity = message.get("validity_s")
    if validity is not None and not (type(validity) in (int, float) and validity > 0):
        return "validity_s must be a number of seconds above 0"
    return None


def _refusal(code: str, reason: str | None = None) -> web.Response:
    return web.json_response({"code": code, "reason": reason or code}, status=REFUSALS.get(code, 422))


def _text(value: Any) -> str:
    """A field of a malformed request as the ledger keeps it: whatever it was, as text, and not endless."""
    return value if isinstance(value, str) else "" if value is None else str(value)[:1000]
