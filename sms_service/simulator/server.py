"""The simulator's HTTP API.

`GET /health` is open; everything else wants `Authorization: Bearer <secret>`.

    POST /messages   {reference, to, text, callback_url?, validity_s?} → 201 {id}, 207 {id, code: partial, parts_taken},
                     or an error status and {code, reason}
    POST /batches    {"messages": […]} → 200 {"results": [{reference, id} or {reference, code, retry_after_s?}, …]}, or
                     an error status and {code, reason}: then the group is refused whole
    GET  /messages   ?reference=… or ?to=… → {"messages": […]}, the ledger's lines
    POST /replies    {from, text, to?, times?, via?, callback_url?, named?, stop?} → 201 and the reply's line
    GET  /ledger     the whole ledger, JSON lines
    GET  /behaviour  how it behaves; PUT changes the fields that are named (see behaviour.Behaviour)
    GET  /smpp       sessions and what waits for them; POST {"do": …} does it (see smpp.Smsc.command)
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any

from aiohttp import web

from sms_service.simulator.behaviour import Behaviour
from sms_service.simulator.changing import BadBehaviour
from sms_service.simulator.fate import Fate, Fates
from sms_service.simulator.ledger import Ledger
from sms_service.simulator.pace import SimulatedPace
from sms_service.simulator.receipts import ReceiptSender
from sms_service.simulator.replies import BadReply, SimulatedReplies
from sms_service.simulator.smpp import COMMANDS, Smsc
from sms_service.simulator.taking import Taking, refusal

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Simulator:
    """One simulated provider: serve `app`, call `start` before and `stop` after.

    `callback_url` gets the receipts of texts that name no URL of their own; None: those texts get no receipts. `smsc`
    is its SMPP side, which takes clients only after `listen`.
    """

    def __init__(
        self, ledger: Ledger, secret: str, callback_url: str | None, behaviour: Behaviour, system_id: str = "simulator"
    ) -> None:
        self._ledger = ledger
        self._authorization = f"Bearer {secret}".encode()
        self._fates = Fates(behaviour)
        self._sender = ReceiptSender(secret, ledger, lambda: self._fates.behaviour.receipts_batch)
        self._replies = SimulatedReplies(ledger, self._fates, self._sender, callback_url)
        pace = SimulatedPace()
        self._taking = Taking(
            ledger=ledger,
            fates=self._fates,
            pace=pace,
            sender=self._sender,
            replies=self._replies,
            callback_url=callback_url,
        )
        self.smsc = Smsc(
            ledger=ledger,
            fates=self._fates,
            pace=pace,
            system_id=system_id,
            secret=secret,
            replied=self._replies.later,
        )

        @web.middleware
        async def authorized(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await self._authorized(request, handler)

        self.app = web.Application(client_max_size=4 * 1024 * 1024, middlewares=[authorized])
        self.app.add_routes(
            [
                web.post("/messages", self._taking.one),
                web.post("/batches", self._taking.batch),
                web.get("/messages", self._look_up),
                web.post("/replies", self._reply),
                web.get("/ledger", self._whole_ledger),
                web.get("/behaviour", self._show_behaviour),
                web.put("/behaviour", self._change_behaviour),
                web.get("/smpp", self._show_smpp),
                web.post("/smpp", self._command_smpp),
                web.get("/health", self._health),
            ]
        )

    async def start(self, *, smpp: tuple[str, int] | None = None) -> int | None:
        """Begin to send, first what was not acknowledged to an earlier simulator on this ledger. Listen at `smpp` (host
        and port) and return that port. Raises OSError.
        """
        await self._sender.start()
        port = None
        if smpp is not None:
            port = await self.smsc.listen(*smpp)
            self._replies.deliveries = self.smsc.deliveries
        for line, number in self._ledger.unsettled:
            if line.get("via") == "smpp" or line["event"] == "part":
                self.smsc.deliveries.receipt(line, number)
            else:
                self._sender.receipt(line, number)
        self._ledger.unsettled = []
        self._replies.resume()
        return port

    async def stop(self) -> None:
        """Stop sending and close the ledger."""
        await self.smsc.stop()
        await self._sender.stop()
        self._ledger.close()

    async def _authorized(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        given = request.headers.get("Authorization", "").encode("utf-8", "replace")
        if request.path == "/health" or hmac.compare_digest(given, self._authorization):
            return await handler(request)
        if request.method == "POST" and request.path in ("/messages", "/batches"):
            self._taking.record(None, Fate("refuse", "unauthorized"))
        return refusal("unauthorized")

    async def _look_up(self, request: web.Request) -> web.StreamResponse:
        reference, phone = request.query.get("reference"), request.query.get("to")
        if (reference is None) == (phone is None):
            return refusal("malformed", "name either reference or to")
        return web.json_response({"messages": self._ledger.find(reference=reference, phone=phone)})

    async def _reply(self, request: web.Request) -> web.StreamResponse:
        try:
            return web.json_response(self._replies.make(await _document(request)), status=201)
        except BadReply as error:
            return refusal("malformed", str(error))

    async def _whole_ledger(self, request: web.Request) -> web.StreamResponse:
        return web.FileResponse(self._ledger.path, headers={"Content-Type": "application/x-ndjson"})

    async def _show_behaviour(self, request: web.Request) -> web.StreamResponse:
        shown = asdict(self._fates.behaviour)
        shown["by_phone"] = [{**rule, "match": rule["match"].pattern} for rule in shown["by_phone"]]
        return web.json_response(shown)

    async def _change_behaviour(self, request: web.Request) -> web.StreamResponse:
        values = await _document(request)
        try:
            if not isinstance(values, dict):
                raise BadBehaviour("the body must be a JSON object")
            self._fates.change(values)
        except BadBehaviour as error:
            return refusal("malformed", str(error))
        return await self._show_behaviour(request)

    async def _show_smpp(self, request: web.Request) -> web.StreamResponse:
        return web.json_response(self.smsc.state())

    async def _command_smpp(self, request: web.Request) -> web.StreamResponse:
        wanted: Any = await _document(request)
        what = wanted.get("do") if isinstance(wanted, dict) else None
        if not isinstance(what, str) or not await self.smsc.command(what):
            return refusal("malformed", f"do must be one of {', '.join(COMMANDS)}")
        return await self._show_smpp(request)

    async def _health(self, request: web.Request) -> web.StreamResponse:
        return web.json_response({"status": "ok"})


async def _document(request: web.Request) -> Any:
    """The JSON of a request's body; None if it is none."""
    try:
        return json.loads(await request.read())
    except (ValueError, RecursionError):
        return None
