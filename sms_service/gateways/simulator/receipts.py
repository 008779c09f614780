"""Sending receipts: each at its time, signed, over connections that stay open, until it is acknowledged."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import aiohttp

from sms_service.gateways.simulator.adapter import SIGNATURE_HEADER, sign
from sms_service.gateways.simulator.ledger import Ledger

SENDERS = 16  # POSTs under way at once
TRIES = 12  # of one receipt; with the pauses below that is about four minutes
LONGEST_PAUSE_S = 30.0

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Pending:
    """One receipt on its way: the message's line in the ledger, the receipt's place in it, and the tries so far."""

    message: dict[str, Any]
    number: int
    tries: int = 0

    @property
    def code(self) -> str:
        """What the receipt says."""
        code: str = self.message["receipts"][self.number][1]
        return code


class ReceiptSender:
    """Sends what `schedule` gets. `batch` is asked for each POST how many receipts it may carry."""

    def __init__(self, secret: str, ledger: Ledger, batch: Callable[[], int]) -> None:
        self._secret, self._ledger, self._batch = secret, ledger, batch
        self._due: deque[Pending] = deque()
        self._wake = asyncio.Semaphore(0)
        self._session: aiohttp.ClientSession
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin sending, with what a simulator before us had not got acknowledged."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            timeout=aiohttp.ClientTimeout(total=10, connect=3),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        self._tasks = [asyncio.create_task(self._send_for_ever()) for _ in range(SENDERS)]
        for message, number in self._ledger.unsettled:
            self._schedule(Pending(message, number), message["receipts"][number][0] - time.time())
        self._ledger.unsettled = []

    def schedule(self, message: dict[str, Any]) -> None:
        """Send all receipts of this message's line at their times."""
        now = message["time"]
        for number, (due, _) in enumerate(message["receipts"]):
            self._schedule(Pending(message, number), due - now)

    async def send_at_once(self, message: dict[str, Any]) -> None:
        """Send all receipts of this message's line, one after the other; those not acknowledged come again later."""
        for number in range(len(message["receipts"])):
            pending = Pending(message, number)
            self._settle(pending, await self._post(message["callback_url"], [pending]))

    async def stop(self) -> None:
        """Stop at once; what is not acknowledged is sent again by the next simulator on this ledger."""
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
            if not self._due:  # another sender took it into its batch
                continue
            batch = [self._due.popleft()]
            url = batch[0].message["callback_url"]
            while len(batch) < self._batch() and self._due and self._due[0].message["callback_url"] == url:
                batch.append(self._due.popleft())
            status = await self._post(url, batch)
            for pending in batch:
                self._settle(pending, status)

    async def _post(self, url: str, batch: list[Pending]) -> int | None:
        now = time.time()
        items = [
            {
                "id": pending.message["id"],
                "reference": pending.message["reference"],
                "to": pending.message["to"],
                "code": pending.code,
                "time": now,
            }
            for pending in batch
        ]
        body = json.dumps({"receipts": items}).encode()
        headers = {"Content-Type": "application/json", SIGNATURE_HEADER: sign(self._secret, body)}
        try:
            async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as response:
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
        event = {
            "event": "receipt",
            "time": time.time(),
            "id": pending.message["id"],
            "reference": pending.message["reference"],
            "number": pending.number,
            "code": pending.code,
            "status": status,
            "tries": pending.tries,
            "acknowledged": acknowledged,
        }
        try:
            self._ledger.append(event)
        except OSError as error:  # it only means that the next simulator on this ledger sends the receipt once more
            _log.error("the ledger cannot be written: %s", error)
