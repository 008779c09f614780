"""A stand-in for Twilio's API in a process of its own, answering as Twilio's documentation says.

https://www.twilio.com/docs/messaging/api/message-resource#create-a-message and …/docs/usage/twilios-response.
`TwilioStandIn` starts it; a number is given an answer of its own with `answer`.
"""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
import sys
import urllib.request
from typing import Any

ACCOUNT_SID = "AC00000000000000000000000000000001"
AUTH_TOKEN = "12345"
PATH = f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json"


class TwilioStandIn:
    """`with TwilioStandIn() as twilio: … twilio.url, twilio.requests()`."""

    def __init__(self) -> None:
        self.process = subprocess.Popen([sys.executable, __file__], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        with self.process.stdout:
            self.url = f"http://127.0.0.1:{int(self.process.stdout.readline())}"

    def __enter__(self) -> TwilioStandIn:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(timeout=15)

    def answer(self, to: str, **answer: Any) -> None:
        """What texts to `to` get: `status` with `body` (JSON) or `raw`, and `headers`; or `do`: hang, reset."""
        self._call("PUT", "/answers", {"to": to, "answer": answer})

    def requests(self) -> list[dict[str, Any]]:
        """The forms of all creates so far, oldest first, with `path` and `connection` (the caller's TCP port)."""
        return json.loads(self._call("GET", "/requests"))

    def _call(self, method: str, path: str, body: Any = None) -> bytes:
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(self.url + path, data, method=method), timeout=10) as answer:
            return answer.read()


def error(status: int, code: int, message: str) -> dict[str, Any]:
    """The body of Twilio's errors."""
    more = f"https://www.twilio.com/docs/errors/{code}"
    return {"code": code, "message": message, "more_info": more, "status": status}


def _serve() -> None:
    from aiohttp import web

    answers: dict[str, dict[str, Any]] = {}
    requests: list[dict[str, Any]] = []
    credentials = "Basic " + base64.b64encode(f"{ACCOUNT_SID}:{AUTH_TOKEN}".encode()).decode()

    async def create(request: web.Request) -> web.StreamResponse:
        form = {key: str(value) for key, value in (await request.post()).items()}
        assert request.transport is not None
        peer = request.transport.get_extra_info("peername")[1]
        requests.append({**form, "path": request.path, "connection": peer})
        if request.headers.get("Authorization") != credentials:
            return web.json_response(error(401, 20003, "Authenticate"), status=401)
        answer = answers.get(form["To"], {})
        if answer.get("do") == "hang":
            await asyncio.Event().wait()
        if answer.get("do") == "reset":
            request.transport.abort()
            return web.Response()
        if "raw" in answer:
            return web.Response(status=answer["status"], text=answer["raw"], headers=answer.get("headers"))
        if "body" in answer:
            return web.json_response(answer["body"], status=answer["status"], headers=answer.get("headers"))
        sid = f"SM{len(requests):032x}"
        created = {
            "account_sid": ACCOUNT_SID,
            "api_version": "2010-04-01",
            "body": form["Body"],
            "date_created": "Thu, 24 Aug 2023 05:01:45 +0000",
            "date_sent": None,
            "date_updated": "Thu, 24 Aug 2023 05:01:45 +0000",
            "direction": "outbound-api",
            "error_code": None,
            "error_message": None,
            "from": form.get("From"),
            "messaging_service_sid": form.get("MessagingServiceSid"),
            "num_media": "0",
            "num_segments": "1",
            "price": None,
            "price_unit": None,
            "sid": sid,
            "status": "queued" if "From" in form else "accepted",
            "subresource_uris": {"media": f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages/{sid}/Media.json"},
            "to": form["To"],
            "uri": f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages/{sid}.json",
        }
        return web.json_response(created, status=201)

    async def set_answer(request: web.Request) -> web.StreamResponse:
        asked = await request.json()
        answers[asked["to"]] = asked["answer"]
        return web.Response()

    async def show(request: web.Request) -> web.StreamResponse:
        return web.json_response(requests)

    async def run() -> None:
        app = web.Application()
        app.add_routes([web.post("/{path:.*}", create), web.put("/answers", set_answer), web.get("/requests", show)])
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        print(runner.addresses[0][1], flush=True)
        await asyncio.Event().wait()

    asyncio.run(run())


if __name__ == "__main__":
    _serve()
