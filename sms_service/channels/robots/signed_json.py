"""A receiver of one's own: JSON, signed as Standard Webhooks says (https://www.standardwebhooks.com, its specification
in https://github.com/standard-webhooks/standard-webhooks), for which there are libraries in most languages.

Headers: `webhook-id` (the same each time the same post is tried, so that a receiver can know one again),
`webhook-timestamp` (seconds), and `webhook-signature`: `v1,` and base64 of HMAC-SHA256 over "id.timestamp.body". The
key is the secret's text, or, of a secret `whsec_…`, what follows in base64. Any status of 2xx is a yes.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from datetime import datetime

from sms_service.channels.robots.base import (
    AnswerKind,
    Notice,
    RobotAnswer,
    RobotRequest,
    read_status,
    write_json,
)
from sms_service.gateways.http_client import HttpAnswer

PREFIX = "whsec_"


class SignedJson:
    """The adapter."""

    per_minute = 60
    must_sign = True

    def build_post(self, notice: Notice, address: str, secret: str | None, now: datetime) -> RobotRequest:
        """The notice's parts."""
        body = write_json({"id": notice.id, **notice.data, "plain": notice.plain})
        return RobotRequest(address, body, sign_webhook(notice.id, now, body, secret or ""))

    def read_answer(self, answer: HttpAnswer) -> RobotAnswer:
        """By the status alone."""
        return read_status(answer) or RobotAnswer(AnswerKind.taken, code=str(answer.status))


def sign_webhook(id_: str, now: datetime, body: bytes, secret: str) -> dict[str, str]:
    """The three headers for this body."""
    moment = str(int(now.timestamp()))
    digest = hmac.digest(_key(secret), f"{id_}.{moment}.".encode() + body, hashlib.sha256)
    signature = f"v1,{base64.b64encode(digest).decode()}"
    return {"webhook-id": id_, "webhook-timestamp": moment, "webhook-signature": signature}


def _key(secret: str) -> bytes:
    if secret.startswith(PREFIX):
        try:
            return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
        except binascii.Error:
            pass
    return secret.encode()
