"""Lets the official Twilio client send its requests by our HttpClient, with time-outs, no retries and no log.

The client's own transports have no time-out by default, have no host setting, log every request and turn every failure
into one kind of exception. This one keeps apart the failures that the dispatcher must tell apart.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from aiohttp import encode_basic_auth
from twilio.http import AsyncHttpClient
from twilio.http.response import Response

from sms_service.gateways.http_client import HttpAnswer, HttpClient, HttpRequest, NoAnswer, NotWritten

DEFAULT_BASE = "https://api.twilio.com"
LONGEST_VALIDITY_S = 36_000  # https://www.twilio.com/docs/api/errors/90007


@dataclass(frozen=True, slots=True)
class Refusal:
    """Twilio did nothing, for certain. `code` is its error code, `status` the HTTP status."""

    status: int
    code: str
    retry_after_s: float | None


class Failed(Exception):
    """A request without a successful answer; `reason` says what is known of it."""

    def __init__(self, reason: Refusal | NotWritten | NoAnswer) -> None:
        super().__init__(type(reason).__name__)
        self.reason = reason


class Transport(AsyncHttpClient):  # type: ignore[misc]  # the client comes without types
    """The client's HTTP side: requests go by `http`, and to `api_base` in place of Twilio's host."""

    def __init__(self, http: HttpClient, api_base: str) -> None:
        # No logger is used: the client would log phone numbers.
        super().__init__(logger=None, is_async=True)
        self._http, self._api_base = http, api_base.rstrip("/")

    async def request(
        self,
        method: str,
        url: str,
        params: dict[str, Any] | None = None,
        data: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,
        allow_redirects: bool = False,
    ) -> Response:
        """Send one request and return a successful answer. Raises Failed. The time-outs are those of `http`."""
        target = url.removeprefix(DEFAULT_BASE)
        if not target.startswith("/"):  # Twilio itself gives the address of the next page, so check it
            raise Failed(NoAnswer("an address leads away from Twilio"))
        sent = HttpRequest(
            method.upper(),
            self._api_base + target,
            headers={**(headers or {}), **({"Authorization": encode_basic_auth(*auth)} if auth else {})},
            query={key: str(value) for key, value in params.items()} if params else None,
            body=urlencode(data, doseq=True).encode() if data else None,
        )
        answer = await self._http.send(sent)
        if not isinstance(answer, HttpAnswer):
            raise Failed(answer)
        text = answer.body.decode(errors="replace")
        if 200 <= answer.status < 300:
            return Response(answer.status, text, answer.headers)
        code = _error_code(text)
        if answer.status == 429 or (400 <= answer.status < 500 and code is not None):
            raise Failed(Refusal(answer.status, code or "20429", _seconds(answer.headers.get("Retry-After"))))
        raise Failed(NoAnswer(f"HTTP {answer.status} without a readable answer"))


def _error_code(body: str) -> str | None:
    """The `code` of an error in Twilio's own form, or None if it is not one."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    code = document.get("code") if isinstance(document, dict) else None
    return str(code) if isinstance(code, int) and not isinstance(code, bool) else None


def _seconds(header: str | None) -> float | None:
    return float(header) if header and header.isascii() and header.isdecimal() else None
