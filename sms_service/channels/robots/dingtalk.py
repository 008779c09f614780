"""钉钉: a custom robot of a group chat.

From https://open.dingtalk.com/document/robots/custom-robot-access (自定义机器人接入) and its 安全设置: POST to
`https://oapi.dingtalk.com/robot/send?access_token=…`. With 加签, `timestamp` (milliseconds, at most an hour off) and
`sign` are added to the address: base64 of HMAC-SHA256 over "timestamp\\nsecret", keyed by the secret, then URL-encoded.
With 自定义关键词 the text has to hold a keyword. A robot takes 20 messages a minute; who sends more is shut out for ten
minutes. The answer is `{"errcode": 0, "errmsg": "ok"}`. Codes: -1 busy, 130101 and 660026 too often, 310000 refused by
the security settings (its words say which), 300001 and 40035 no such robot.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import datetime
from urllib.parse import urlencode

from sms_service.channels.robots.base import (
    Notice,
    PostReason,
    RobotAnswer,
    RobotRequest,
    TooLong,
    read_coded,
    write_json,
)
from sms_service.gateways.http_client import HttpAnswer

LONGEST_BODY = 20_000  # bytes
SHUT_OUT_S = 600
_REASONS = {
    -1: PostReason.no_answer,
    130101: PostReason.too_often,
    660026: PostReason.too_often,
    310000: PostReason.security,
    300001: PostReason.no_robot,
    40035: PostReason.no_robot,
}


class DingTalkRobot:
    """The adapter."""

    per_minute = 20
    must_sign = False

    def build_post(self, notice: Notice, address: str, secret: str | None, now: datetime) -> RobotRequest:
        """A text; the address is signed if there is a secret. Raises TooLong."""
        body = write_json({"msgtype": "text", "text": {"content": notice.plain}})
        if len(body) > LONGEST_BODY:
            raise TooLong
        if secret is not None:
            moment = str(round(now.timestamp() * 1000))
            query = urlencode({"timestamp": moment, "sign": sign_for_dingtalk(moment, secret)})
            address += f"{'&' if '?' in address else '?'}{query}"
        return RobotRequest(address, body)

    def read_answer(self, answer: HttpAnswer) -> RobotAnswer:
        """By `errcode`."""
        return read_coded(answer, {"errcode": "errmsg"}, _REASONS, SHUT_OUT_S)


def sign_for_dingtalk(moment: str, secret: str) -> str:
    """The signature, not yet URL-encoded."""
    return base64.b64encode(hmac.digest(secret.encode(), f"{moment}\n{secret}".encode(), hashlib.sha256)).decode()
