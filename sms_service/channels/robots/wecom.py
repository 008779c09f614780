"""企业微信: a robot of a group chat.

From https://developer.work.weixin.qq.com/document/path/91770 (群机器人配置说明): POST to
`https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=…`; `text.content` has at most 2,048 bytes of UTF-8,
`markdown.content` at most 4,096; a robot takes 20 messages a minute; the answer is `{"errcode": 0, "errmsg": "ok"}`.
Nothing is signed: who has the address can post. Codes from its list of global ones (document/path/90313): -1 busy,
45009 too often, 93000 no such robot, 40058 a wrong parameter.

A text can be forwarded to personal WeChat and markdown cannot, so a text goes as long as it fits.
"""

from __future__ import annotations

from datetime import datetime

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

LONGEST_TEXT, LONGEST_MARKDOWN = 2048, 4096  # bytes
_REASONS = {-1: PostReason.no_answer, 45009: PostReason.too_often, 93000: PostReason.no_robot}


class WeComRobot:
    """The adapter."""

    per_minute = 20
    must_sign = False

    def build_post(self, notice: Notice, address: str, secret: str | None, now: datetime) -> RobotRequest:
        """A text, or markdown where it is too long for one. Raises TooLong."""
        size = len(notice.plain.encode())
        if size > LONGEST_MARKDOWN:
            raise TooLong
        kind = "text" if size <= LONGEST_TEXT else "markdown"
        return RobotRequest(address, write_json({"msgtype": kind, kind: {"content": notice.plain}}))

    def read_answer(self, answer: HttpAnswer) -> RobotAnswer:
        """By `errcode`."""
        return read_coded(answer, {"errcode": "errmsg"}, _REASONS)
