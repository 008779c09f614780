"""The process behind `twilio_stand_in`: Twilio's API on one port, and what tests tell it on another.

Written after https://www.twilio.com/docs/messaging/api/message-resource, …/docs/usage/twilios-response and
…/docs/usage/security; without Twilio's library, which the adapter has.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode

from aiohttp import ClientSession, web
from yarl import URL

ACCOUNT_SID = "AC00000000000000000000000000000001"
AUTH_TOKEN = "auth-token-of-the-tests"
PATH = f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json"
_FOLDER = PATH.removesuffix(".json")
_CREDENTIALS = "Basic " + base64.b64encode(f"{ACCOUNT_SID}:{AUTH_TOKEN}".encode()).decode()


def error(status: int, code: int, message: str) -> dict[str, Any]:
    """The body of Twilio's errors."""
    more = f"https://www.twilio.com/docs/errors/{code}"
    return {"code": code, "message": message, "more_info": more, "status": status}


def signature(url: str, fields: dict[str, str], token: str = AUTH_TOKEN) -> str:
    """X-Twilio-Signature: of the URL and, sorted by name, every name and value of the form."""
    signed = url + "".join(name + fields[name] for name in sorted(fields))
    return base64.b64encode(hmac.new(token.encode(), signed.encode(), hashlib.sha1).digest()).decode()


class Api:
    """Messages, newest last; `answers` are what a create to a phone gets, or a GET of a phone's list or of a SID."""

    def __init__(self) -> None:
        self.answers: dict[str, dict[str, Any]] = {}
        self.requests: list[dict[str, Any]] = []
        self.messages: dict[str, dict[str, Any]] = {}
        self.callbacks: dict[str, str] = {}
        self.reads: list[str] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Any request to the API."""
        assert request.transport is not None
        if request.method == "POST":
            form = {key: str(value) for key, value in (await request.post()).items()}
            peer = request.transport.get_extra_info("peername")[1]
            self.requests.append({**form, "path": request.path, "connection": peer})
            key = form.get("To", "")
        else:
            self.reads.append(request.path_qs)
            sid = request.path.removeprefix(f"{_FOLDER}/").removesuffix(".json")
            key = "GET " + (request.query.get("To") or sid)
        if request.headers.get("Authorization") != _CREDENTIALS:
            return web.json_response(error(401, 20003, "Authenticate"), status=401)
        answer = self.answers.get(key, {})
        if request.method == "POST" and (not answer or answer.get("take")):
            created = self._create(form)
        if answer:
            return await self._fault(request, answer)
        if request.method == "POST":
            return web.json_response(created, status=201)
        if request.path == PATH:
            return web.json_response(self._page(request))
        if sid not in self.messages:
            return web.json_response(error(404, 20404, "The requested resource was not found"), status=404)
        return web.json_response(self.messages[sid])

    async def _fault(self, request: web.Request, answer: dict[str, Any]) -> web.StreamResponse:
        if answer.get("do") == "hang":
            await asyncio.Event().wait()
        if answer.get("do") == "reset":
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        headers = answer.get("headers")
        if "raw" in answer:
            return web.Response(status=answer["status"], text=answer["raw"], headers=headers)
        return web.json_response(answer["body"], status=answer["status"], headers=headers)

    def _create(self, form: dict[str, str]) -> dict[str, Any]:
        sid = f"SM{len(self.messages) + 1:032x}"
        now = format_datetime(datetime.now(UTC))
        self.callbacks[sid] = form.get("StatusCallback", "")
        self.messages[sid] = {
            "account_sid": ACCOUNT_SID,
            "api_version": "2010-04-01",
            "body": form["Body"],
            "date_created": now,
            "date_sent": now,
            "date_updated": now,
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
            "subresource_uris": {"media": f"{_FOLDER}/{sid}/Media.json"},
            "to": form["To"],
            "uri": f"{_FOLDER}/{sid}.json",
        }
        return self.messages[sid]

    def _page(self, request: web.Request) -> dict[str, Any]:
        """Newest first; the query's filters are kept in the next page's address."""
        query = dict(request.query)
        found = [one for one in reversed(self.messages.values()) if _is_asked_for(one, query)]
        size, page = int(query.get("PageSize", 50)), int(query.get("Page", 0))
        start = page * size
        shown = found[start : start + size]
        more = {**query, "PageSize": str(size), "Page": str(page + 1), "PageToken": f"PA{start + size}"}
        return {
            "end": start + len(shown) - 1,
            "first_page_uri": f"{PATH}?{urlencode({**query, 'Page': '0'})}",
            "messages": shown,
            "next_page_uri": f"{PATH}?{urlencode(more)}" if len(found) > start + size else None,
            "page": page,
            "page_size": size,
            "previous_page_uri": None,
            "start": start,
            "uri": request.path_qs,
        }


def _is_asked_for(message: dict[str, Any], query: dict[str, str]) -> bool:
    if query.get("To", message["to"]) != message["to"]:
        return False
    bounds: tuple[tuple[str, Callable[[datetime, datetime], bool]], ...] = (
        ("DateSent<", datetime.__le__),
        ("DateSent>", datetime.__ge__),
    )
    if message["date_sent"] is None:
        return not any(name in query for name, _ in bounds)
    sent = parsedate_to_datetime(message["date_sent"])
    return all(holds(sent, datetime.fromisoformat(query[name])) for name, holds in bounds if name in query)


async def push(url: str, fields: dict[str, str], token: str) -> int:
    """POST a signed form, as Twilio does; the status of the answer."""
    headers = {"X-Twilio-Signature": signature(url, fields, token), "I-Twilio-Idempotency-Token": "1"}
    headers["Content-Type"] = "application/x-www-form-urlencoded; charset=UTF-8"
    async with (
        ClientSession() as session,
        session.post(URL(url, encoded=True), data=urlencode(fields).encode(), headers=headers) as response,
    ):
        return response.status


class Control:
    """What tests say to the stand-in. Commands are POSTs of JSON to their name; each is answered with JSON."""

    def __init__(self, api: Api) -> None:
        self._api, self._port = api, 0
        self._runner: web.AppRunner | None = None

    async def command(self, request: web.Request) -> web.StreamResponse:
        """Do what the path names, with the body's arguments."""
        do = getattr(self, f"do_{request.match_info['name']}")
        return web.json_response(await do(**await request.json()))

    async def do_listen(self) -> int:
        """Open the API, always on the same port; returns it."""
        if self._runner is None:
            app = web.Application()
            app.add_routes([web.route("*", "/{path:.*}", self._api.handle)])
            self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.01)  # 0 would be for ever
            await self._runner.setup()
            await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
            self._port = self._runner.addresses[0][1]
        return self._port

    async def do_close(self) -> None:
        """Close the API and its connections."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def do_answer(self, to: str, answer: dict[str, Any]) -> None:
        """What creates to `to` get from now on, or GETs of a list or SID ("GET …"); an empty answer is none."""
        self._api.answers[to] = answer

    async def do_requests(self) -> list[dict[str, Any]]:
        """The forms of all creates."""
        return self._api.requests

    async def do_reads(self) -> list[str]:
        """The targets of all GETs."""
        return self._api.reads

    async def do_messages(self) -> list[dict[str, Any]]:
        """All messages, oldest first."""
        return list(self._api.messages.values())

    async def do_amend(self, sid: str, fields: dict[str, Any]) -> None:
        """Change what the records say of a message."""
        self._api.messages[sid].update(fields)

    async def do_report(self, sid: str, fields: dict[str, str], token: str = AUTH_TOKEN) -> int:
        """Push a status callback of a message with these fields besides its own; the status of the answer."""
        message = self._api.messages[sid]
        own = {
            "AccountSid": ACCOUNT_SID,
            "ApiVersion": "2010-04-01",
            "From": message["from"] or "+15005550006",
            "MessageSid": sid,
            "SmsSid": sid,
            "To": message["to"],
        }
        return await push(self._api.callbacks[sid], own | fields, token)

    async def do_inbound(self, url: str, fields: dict[str, str], token: str = AUTH_TOKEN) -> int:
        """Push an inbound text with these fields to a webhook; the status of the answer."""
        own = {
            "AccountSid": ACCOUNT_SID,
            "ApiVersion": "2010-04-01",
            "MessagingServiceSid": "MG1",
            "NumMedia": "0",
            "NumSegments": "1",
            "SmsStatus": "received",
            "To": "+15005550006",
            "ToCountry": "US",
        }
        return await push(url, own | fields, token)


async def _run() -> None:
    control = Control(Api())
    app = web.Application()
    app.add_routes([web.post("/{name}", control.command)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], await control.do_listen(), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_run())
