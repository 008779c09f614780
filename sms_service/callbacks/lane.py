"""The short way in: receipts come by the thousand, and the framework's share of one was half of what it cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from http import HTTPStatus
from io import BytesIO
from typing import Any

from sms_service.callbacks.taking import Taker
from sms_service.web.bodies import LARGEST_CALLBACK

PREFIX = "/callbacks/"
# Where the framework finds what went wrong on the short way, so that nothing is tried twice.
FAILED = "sms_service.failed"

StartResponse = Callable[..., Any]
Application = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]


class CallbackLane:
    """Takes a POST to a callback's address before the framework sees it, and acknowledges it. Whatever is not plainly
    good goes on to `app`, which answers it like any other fault.
    """

    def __init__(self, app: Application, taker: Taker) -> None:
        self._app, self._taker = app, taker

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """A WSGI application's call."""
        if environ["REQUEST_METHOD"] == "POST" and environ["PATH_INFO"].startswith(PREFIX):
            answer = self._take(environ)
            if answer is not None:
                status, headers, body = answer
                start_response(status, headers)
                return [body]
        return self._app(environ, start_response)

    def _take(self, environ: dict[str, Any]) -> tuple[str, list[tuple[str, str]], bytes] | None:
        address: str = environ["PATH_INFO"]
        length: str = environ.get("CONTENT_LENGTH") or ""
        account, _, tail = address[len(PREFIX) :].partition("/")
        plain = address.isascii() and address.isprintable() and "//" not in address
        if not (account and plain and length.isdecimal() and int(length) <= LARGEST_CALLBACK):
            return None
        body: bytes = environ["wsgi.input"].read(int(length))
        environ["wsgi.input"] = BytesIO(body)
        if len(body) < int(length):
            return None
        try:
            answer = self._taker.take(account, environ, body, tail.strip("/"))
        except Exception as error:  # noqa: BLE001 - raised again where errors are answered
            environ[FAILED] = error
            return None
        said = answer.body.encode()
        headers = [("Content-Type", answer.content_type)]
        if answer.status != HTTPStatus.NO_CONTENT:
            headers.append(("Content-Length", str(len(said))))
        return f"{answer.status} {HTTPStatus(answer.status).phrase}", headers, said
