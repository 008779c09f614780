"""A stand-in for Twilio in a process of its own, answering over HTTP as Twilio's documentation says.

`TwilioStandIn` starts it; see `twilio_api` for what runs there.
"""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from receipt_sink import Pushed
from twilio_api import ACCOUNT_SID, AUTH_TOKEN, PATH, error, signature

from sms_service.gateways.base import CallbackRequest
from sms_service.gateways.twilio.adapter import Options, TwilioAdapter, create

__all__ = [
    "ACCOUNT_SID",
    "AUTH_TOKEN",
    "CALLBACK",
    "PATH",
    "TwilioStandIn",
    "account",
    "adapter_of",
    "error",
    "received",
    "signature",
]

CALLBACK = "https://sms.example.gov.cn/callbacks/twilio"


def adapter_of(url: str, callback_url: str = CALLBACK, **options: Any) -> TwilioAdapter:
    """An adapter of the stand-in's account, with its API at `url`."""
    given = {"account_sid": ACCOUNT_SID, "auth_token": AUTH_TOKEN, "messaging_service_sid": "MG1", "api_base": url}
    return create("twilio", Options(**given | options), callback_url)


@contextmanager
def account(url: str, callback_url: str = CALLBACK, **options: Any) -> Iterator[TwilioAdapter]:
    """The same, closed afterwards."""
    adapter = adapter_of(url, callback_url, **options)
    try:
        yield adapter
    finally:
        adapter.close()


def received(pushed: Pushed, base: str) -> CallbackRequest:
    """What a sink got, as the service gives it to an adapter."""
    parts = urlsplit(pushed.path)
    path = parts.path.removeprefix("/callbacks/twilio").strip("/")
    query = dict(parse_qsl(parts.query))
    return CallbackRequest("POST", base + pushed.path, pushed.headers, query, pushed.body, "127.0.0.1", path)


class TwilioStandIn:
    """`with TwilioStandIn() as twilio: … twilio.url, twilio.requests()`."""

    def __init__(self) -> None:
        command = [sys.executable, str(Path(__file__).with_name("twilio_api.py"))]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        with self.process.stdout:
            control, port = self.process.stdout.readline().split()
        self._control = f"http://127.0.0.1:{control}"
        self.url = f"http://127.0.0.1:{port}"

    def __enter__(self) -> TwilioStandIn:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(timeout=15)

    def answer(self, to: str, **answer: Any) -> None:
        """What texts to `to` get: `status` with `body` (JSON) or `raw`, and `headers`; or `do`: hang, reset. `take`:
        the text is taken all the same. A `to` of "GET " and a phone or a SID is for look-ups.
        """
        self._call("answer", to=to, answer=answer)

    def requests(self) -> list[dict[str, Any]]:
        """The forms of all creates so far, oldest first, with `path` and `connection` (the caller's TCP port)."""
        return self._call("requests")

    def reads(self) -> list[str]:
        """The targets of all GETs so far, oldest first."""
        return self._call("reads")

    def messages(self) -> list[dict[str, Any]]:
        """The records of all messages that were taken, oldest first."""
        return self._call("messages")

    def amend(self, sid: str, **fields: Any) -> None:
        """Change what the records say of a message."""
        self._call("amend", sid=sid, fields=fields)

    def report(self, sid: str, *, token: str = AUTH_TOKEN, **fields: str) -> int:
        """Push a signed status callback to where the message's create said; the status of the answer."""
        return self._call("report", sid=sid, fields=fields, token=token)

    def inbound(self, url: str, *, token: str = AUTH_TOKEN, **fields: str) -> int:
        """Push a signed inbound text to a webhook; the status of the answer."""
        return self._call("inbound", url=url, fields=fields, token=token)

    def stop(self) -> None:
        """Close the API and its connections until `start`; what it knows stays."""
        self._call("close")

    def start(self) -> None:
        """Open the API again, on the same port; harmless when it is open."""
        self._call("listen")

    def _call(self, command: str, **arguments: Any) -> Any:
        data = json.dumps(arguments).encode()
        request = urllib.request.Request(f"{self._control}/{command}", data, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.loads(answer.read())
