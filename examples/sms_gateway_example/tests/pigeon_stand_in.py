"""Pigeon itself, as its manual describes it, in a process of its own: `python pigeon_stand_in.py FOLDER PORT`.

FOLDER/answers.json says how texts to a phone are answered, and FOLDER/taken.jsonl gets a line for each text taken. The
port, 0 for a free one, is printed when it listens.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import signal
import socket
import struct
import sys
from pathlib import Path
from typing import Any

from aiohttp import web

KEY = "pigeon-key-of-the-tests"
CODES = {
    "bad_number": "101",
    "blocked": "102",
    "blacklisted": "103",
    "content": "104",
    "signature": "105",
    "credentials": "201",
    "balance": "202",
    "request": "204",
    "later": "205",
}
NOT_TAKEN = ("refuse", "unknown_code", "throttle", "whole_group")
STATUSES = {"201": 401, "202": 402, "203": 429, "205": 503}


class Pigeon:
    """What it does with each POST. `folder` is where its answers are looked up and its texts written down."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def take(self, request: web.Request) -> web.StreamResponse:
        """POST /texts."""
        if request.headers.get("Authorization") != f"Bearer {KEY}":
            return _refusal("201")
        texts = (await request.json())["texts"]
        answers = json.loads((self._folder / "answers.json").read_text())
        given = [answers.get(text["to"], {"answer": "accept"}) for text in texts]
        does = {one["answer"] for one in given}
        # What is wrong with the account, or so unlike a text's fault that it has no entry, is said of the whole POST.
        if whole := next((code for one in given if (code := _of_all(one))), None):
            return _refusal(whole)
        entries = []
        with (self._folder / "taken.jsonl").open("a", encoding="utf-8") as ledger:
            for text, one in zip(texts, given, strict=True):
                if one["answer"] in NOT_TAKEN:
                    entries.append({"ref": text["ref"], "code": _code(one)})
                    continue
                line = {**text, "id": f"P{secrets.token_hex(6)}"}
                ledger.write(json.dumps(line) + "\n")
                if one["answer"] != "not_listed":
                    entries.append({"ref": text["ref"], "id": line["id"]})
        if "hang" in does:
            await asyncio.Event().wait()
        if "server_error" in does:
            return web.Response(status=500, text="Internal Server Error")
        if "garbage" in does:
            return web.Response(text='{"results": [{"ref"', content_type="application/json")
        if "reset" in does and request.transport is not None:
            linger = struct.pack("ii", 1, 0)  # at once, and with a reset
            request.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            request.transport.abort()
        return web.json_response({"results": entries})


def _of_all(one: dict[str, Any]) -> str | None:
    code = _code(one)
    return code if one["answer"] == "whole_group" or code in STATUSES else None


def _code(one: dict[str, Any]) -> str:
    match one["answer"]:
        case "refuse" | "whole_group":
            return CODES[one["error"]]
        case "throttle":
            return "203"
        case "unknown_code":
            return "999"
    return ""


def _refusal(code: str) -> web.Response:
    headers = {"Retry-After": "2"} if code == "203" else {}
    return web.json_response({"code": code}, status=STATUSES.get(code, 422), headers=headers)


async def main(folder: Path, port: int) -> None:
    """Serve until TERM."""
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    app = web.Application(client_max_size=4 * 1024 * 1024)
    app.add_routes([web.post("/texts", Pigeon(folder).take)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    print(runner.addresses[0][1], flush=True)
    await stopped.wait()
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
