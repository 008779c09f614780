"""How the official Twilio client reaches Twilio here: with time-outs, enough connections, no retries and no log.

The client's own transport has no time-out by default, keeps few connections, has no host setting, logs every request
and turns every failure into one kind of exception. This one says apart what the dispatcher must know apart.
"""

from __future__ import annotations

import json
import ssl
from typing import Any

from requests import Request, RequestException, Session
from requests.adapters import HTTPAdapter
from requests.cookies import RequestsCookieJar
from twilio.http.http_client import TwilioHttpClient
from twilio.http.response import Response
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

DEFAULT_BASE = "https://api.twilio.com"


class NotSent(Exception):
    """No byte of the request was written."""


class Unclear(Exception):
    """The request was, or may have been, written, and nothing readable says what became of it."""


class Refusal(Exception):
    """Twilio surely created nothing. `code` is its error code, `status` that of HTTP."""

    def __init__(self, status: int, code: str, retry_after_s: float | None) -> None:
        super().__init__(f"HTTP {status}, code {code}")
        self.status, self.code, self.retry_after_s = status, code, retry_after_s


class Transport(TwilioHttpClient):  # type: ignore[misc]  # the client comes without types
    """The client's HTTP side: `api_base` in place of Twilio's host, `connections` kept open.

    Its answer may take half of `total_timeout_s`; one that is started within `start_within_s` seconds ends in time.
    """

    def __init__(self, api_base: str, connections: int, total_timeout_s: float) -> None:
        connect_s = min(5.0, total_timeout_s / 8)
        super().__init__(pool_connections=False, timeout=total_timeout_s / 2)
        self._connect_s = connect_s
        self.start_within_s = total_timeout_s / 2 - connect_s
        self._api_base = api_base.rstrip("/")
        self._session = Session()
        self._session.cookies = _NoCookies()
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, HTTPAdapter(pool_maxsize=connections, max_retries=0))

    def request(
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
        """One request; a successful answer. Raises NotSent, Refusal or Unclear."""
        url = self._api_base + url.removeprefix(DEFAULT_BASE)
        prepared = self._session.prepare_request(
            Request(method.upper(), url, params=params, data=data, headers=headers, auth=auth)
        )
        settings = self._session.merge_environment_settings(url, {}, None, None, None)
        try:
            answer = self._session.send(
                prepared, timeout=(self._connect_s, timeout or self.timeout), allow_redirects=False, **settings
            )
        except RequestException as error:
            reason = type(error).__name__
            raise (NotSent(reason) if _never_connected(error) else Unclear(reason)) from None
        if 200 <= answer.status_code < 300:
            return Response(answer.status_code, answer.text, answer.headers)
        code = _error_code(answer.text)
        if answer.status_code == 429 or (400 <= answer.status_code < 500 and code is not None):
            raise Refusal(answer.status_code, code or "20429", _seconds(answer.headers.get("Retry-After")))
        raise Unclear(f"HTTP {answer.status_code} without a readable answer")

    def close(self) -> None:
        """Close the connections."""
        self._session.close()


class _NoCookies(RequestsCookieJar):
    """Keeps none: the session is shared by threads, and Twilio needs none."""

    def set_cookie(self, *args: Any, **kwargs: Any) -> None:
        """Forget it."""


def _never_connected(error: BaseException) -> bool:
    """Whether what lies under `error` happened while connecting: name look-up, TCP, or checking the certificate."""
    seen: set[int] = set()
    todo: list[Any] = [error]
    while todo:
        cause = todo.pop()
        if not isinstance(cause, BaseException) or id(cause) in seen:
            continue
        if isinstance(cause, NewConnectionError | ConnectTimeoutError | ssl.SSLCertVerificationError):
            return True
        seen.add(id(cause))
        todo += [cause.__cause__, cause.__context__, getattr(cause, "reason", None), *cause.args]
    return False


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
