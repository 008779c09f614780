"""Pushes receipts and replies over HTTP: each at its time, signed, again and again until it is acknowledged."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from sms_service import parts
from sms_service.gateways.simulator.signature import signature_headers
from sms_service.keepalive import open_keepalive_socket
from sms_service.simulator.ledger import Ledger

SENDERS = 16  # POSTs under way at once
TRIES = 12  # of one receipt; with the pauses below that is about four minutes
LONGEST_PAUSE_S = 30.0

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Pending:
    """One receipt or reply on its way.

    `kind` is the list it is sent in ("receipts", "replies"), `item` its content without the time of a receipt;
    `settled` is its line in the ledger without the fields that say how it ended.
    """

    url: str
    kind: str
    item: Mapping[str, Any] = field(repr=False)
    settled: Mapping[str, Any] = field(repr=False)
    tries: int = 0


class ReceiptSender:
    """Sends what it gets. `batch` is asked for each POST how many receipts it may carry."""

    def __init__(self, secret: str, ledger: Ledger, batch: Callable[[], int]) -> None:
        self._secret, self._ledger, self._batch = secret, ledger, batch
        self._due: deque[Pending] = deque()
        self._wake = asyncio.Semaphore(0)
        self._session: aiohttp.ClientSession
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin sending."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, socket_factory=open_keepalive_socket),
            timeout=aiohttp.ClientTimeout(total=10, connect=3),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        self._tasks = [asyncio.create_task(self._send_for_ever()) for _ in range(SENDERS)]

    def receipt(self, message: Mapping[str, Any], number: int) -> None:
        """Send one of the receipts of a message's line at its time."""
        self._schedule(_of_receipt(message, number), message["receipts"][number][0] - time.time())

    async def receipts_at_once(self, message: Mapping[str, Any]) -> None:
        """Send all receipts of a message's line, one after the other; those not acknowledged come again later."""
        for number in range(len(message["receipts"])):
            pending = _of_receipt(message, number)
            self._settle(pending, await self._post([pending]))

    def reply(self, line: Mapping[str, Any], repetition: int, part: int) -> None:
        """Send one part of a reply now."""
        self._schedule(_of_reply(line, repetition, part), 0.0)

    async def stop(self) -> None:
        """Stop at once; the next simulator on this ledger sends again what was not acknowledged."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._session.close()

    def _schedule(self, pending: Pending, delay_s: float) -> None:
        asyncio.get_running_loop().call_later(max(delay_s, 0.0), self._put, pending)

    def _put(self, pending: Pending) -> None:
        self._due.append(pending)
        self._wake.release()

    async def _send_for_ever(self) -> None:
        while True:
            await self._wake.acquire()
            if not self._due:  # another sender has put it into its batch
                continue
            batch = [self._due.popleft()]
            target = batch[0].url, batch[0].kind
            while len(batch) < self._batch() and self._due and (self._due[0].url, self._due[0].kind) == target:
                batch.append(self._due.popleft())
            status = await self._post(batch)
            for pending in batch:
                self._settle(pending, status)

    async def _post(self, batch: list[Pending]) -> int | None:
        now = time.time()
        body = json.dumps({batch[0].kind: [{"time": now, **pending.item} for pending in batch]}).encode()
        headers = {"Content-Type": "application/json", **signature_headers(self._secret, body, now)}
        try:
            async with self._session.post(batch[0].url, data=body, headers=headers, allow_redirects=False) as response:
                await response.read()
                return response.status
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
            return None

    def _settle(self, pending: Pending, status: int | None) -> None:
        pending.tries += 1
        acknowledged = status is not None and 200 <= status < 300
        if not acknowledged and pending.tries < TRIES:
            self._schedule(pending, min(0.2 * 2 ** (pending.tries - 1), LONGEST_PAUSE_S))
            return
        event = {**pending.settled, "time": time.time(), "status": status}
        event |= {"tries": pending.tries, "acknowledged": acknowledged}
        try:
            self._ledger.append(event)
        except OSError as error:  # the only effect: the next simulator on this ledger sends it once more
            _log.error("the ledger cannot be written: %s", error)


def _of_receipt(message: Mapping[str, Any], number: int) -> Pending:
    _, code, *part = message["receipts"][number]
    named = {"id": message["id"], "reference": message["reference"]}
    item = {**named, "to": message["to"], "code": code} | ({"part": part[0]} if part else {})
    return Pending(
        message["callback_url"], "receipts", item, {"event": "receipt", **named, "number": number, "code": code}
    )


def _of_reply(line: Mapping[str, Any], repetition: int, part: int) -> Pending:
    item = {"from": line["from"], "to": line["recipient"], "text": line["text"], "time": line["time"]}
    item |= {"stop": True} if line["stop"] else {}
    if line["named"]:
        item["id"] = line["id"]
    if line["parts"] > 1:
        item |= {"text": parts.split_text(line["text"])[part - 1], "part": part, "parts": line["parts"]}
        item |= {"series": str(line["series"])} | ({"id": f"{line['id']}-{part}"} if line["named"] else {})
    settled = {"event": "replied", "id": line["id"], "repetition": repetition, "part": part}
    return Pending(line["callback_url"].rstrip("/") + "/replies", "replies", item, settled)
