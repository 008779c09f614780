"""飞书: a custom robot of a group chat.

From https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot (自定义机器人使用指南): POST to
`https://open.feishu.cn/open-apis/bot/v2/hook/…`. With 签名校验 the body has `timestamp` (seconds, at most an hour off)
and `sign`: base64 of HMAC-SHA256 over nothing, keyed by "timestamp\\nsecret". With 自定义关键词 the text has to hold a
keyword. A body has at most 20 KB; a robot takes 100 messages a minute and 5 a second. The answer is `{"code": 0, …}`,
of old robots `{"StatusCode": 0, …}`. Codes: 9499 a wrong body, 11232 too often, 19001 no such robot, 19021 signature or
time, 19022 IP address, 19024 keyword.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import datetime
from typing import Any

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

LONGEST_BODY = 20 * 1024  # bytes
_REASONS = {
    11232: PostReason.too_often,
    19001: PostReason.no_robot,
    19021: PostReason.security,
    19022: PostReason.security,
    19024: PostReason.security,
}


class FeishuRobot:
    """The adapter."""

    per_minute = 60
    must_sign = False

    def build_post(self, notice: Notice, address: str, secret: str | None, now: datetime) -> RobotRequest:
        """A text; it is signed if there is a secret. Raises TooLong."""
        content: dict[str, Any] = {"msg_type": "text", "content": {"text": notice.plain}}
        if secret is not None:
            moment = str(int(now.timestamp()))
            content = {"timestamp": moment, "sign": sign_for_feishu(moment, secret), **content}
        body = write_json(content)
        if len(body) > LONGEST_BODY:
            raise TooLong
        return RobotRequest(address, body)

    def read_answer(self, answer: HttpAnswer) -> RobotAnswer:
        """By `code`, or `StatusCode`."""
        return read_coded(answer, {"code": "msg", "StatusCode": "StatusMessage"}, _REASONS)


def sign_for_feishu(moment: str, secret: str) -> str:
    """The signature."""
    return base64.b64encode(hmac.digest(f"{moment}\n{secret}".encode(), b"", hashlib.sha256)).decode()
