"""The adapters: what is sent, how it is signed, and what each answer means; the providers' formulas are the oracle."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import urllib.parse
from datetime import UTC, datetime

import pytest

from sms_service.channels.robots import ROBOTS
from sms_service.channels.robots.base import AnswerKind, ChannelKind, Notice, PostReason, RobotRequest, TooLong
from sms_service.channels.robots.dingtalk import sign_for_dingtalk
from sms_service.channels.robots.feishu import sign_for_feishu
from sms_service.channels.robots.signed_json import sign_webhook
from sms_service.gateways.http_client import HttpAnswer

NOW = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)
NOTICE = Notice("post-7", "主题党日\n\n【云州先锋】〔姓名〕同志", {"title": "主题党日", "run_id": 3})


def build(kind: ChannelKind, notice: Notice = NOTICE, secret: str | None = None) -> RobotRequest:
    return ROBOTS[kind].build_post(notice, "https://robots.example.cn/send?key=k", secret, NOW)


def answer(body: object, status: int = 200) -> HttpAnswer:
    return HttpAnswer(status, {}, body if isinstance(body, bytes) else json.dumps(body).encode())


def test_wecom_takes_a_text_and_a_longer_one_as_markdown() -> None:
    assert json.loads(build(ChannelKind.wecom).body) == {"msgtype": "text", "text": {"content": NOTICE.plain}}
    for size, kind in ((2048, "text"), (2049, "markdown"), (4096, "markdown")):
        made = json.loads(build(ChannelKind.wecom, Notice("1", "x" * size, {})).body)
        assert made == {"msgtype": kind, kind: {"content": "x" * size}}
    with pytest.raises(TooLong):
        build(ChannelKind.wecom, Notice("1", "党" * 1366, {}))


def test_dingtalk_signs_the_address_as_its_documentation_computes_it() -> None:
    """The Python example of 自定义机器人安全设置, 加签."""
    timestamp, secret = str(round(NOW.timestamp() * 1000)), "SECthis is secret"
    secret_enc = secret.encode("utf-8")
    string_to_sign_enc = f"{timestamp}\n{secret}".encode()
    sign = urllib.parse.quote_plus(base64.b64encode(hmac.new(secret_enc, string_to_sign_enc, hashlib.sha256).digest()))
    made = build(ChannelKind.dingtalk, secret=secret)
    assert made.address == f"https://robots.example.cn/send?key=k&timestamp={timestamp}&sign={sign}"
    assert json.loads(made.body) == {"msgtype": "text", "text": {"content": NOTICE.plain}}
    assert build(ChannelKind.dingtalk).address == "https://robots.example.cn/send?key=k"


def test_feishu_signs_the_body_as_its_documentation_computes_it() -> None:
    """The Python example of 自定义机器人使用指南, 签名校验: the key is the text, and the message is empty."""
    timestamp, secret = str(round(NOW.timestamp())), "this is secret"
    key_enc = f"{timestamp}\n{secret}".encode()
    sign = base64.b64encode(hmac.new(key_enc, b"", digestmod=hashlib.sha256).digest()).decode("utf-8")
    made = json.loads(build(ChannelKind.feishu, secret=secret).body)
    assert made == {"timestamp": timestamp, "sign": sign, "msg_type": "text", "content": {"text": NOTICE.plain}}
    assert "sign" not in json.loads(build(ChannelKind.feishu).body)


def test_signatures_that_were_computed_elsewhere() -> None:
    """By `printf … | openssl dgst -sha256 -hmac … -binary | base64`."""
    assert sign_for_dingtalk("1577262236757", "SECabc") == "I5TKCOTTj6fad4sJ4q9RsIffw0PAChVQZQGTdtRbNEQ="
    assert sign_for_feishu("1599360473", "abc") == "cgtpJzI2j6bUDggbdGYjskCK3FPgKpTkwosfWsMzKqM="


def test_json_is_signed_as_standard_webhooks_says() -> None:
    """The vector of the specification's own libraries."""
    headers = sign_webhook(
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        datetime.fromtimestamp(1614265330, UTC),
        b'{"test": 2432232314}',
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    )
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    made = build(ChannelKind.json, secret="geheimnis")
    assert json.loads(made.body) == {"id": "post-7", "title": "主题党日", "run_id": 3, "plain": NOTICE.plain}
    signed = f"post-7.{made.headers['webhook-timestamp']}.".encode() + made.body
    expected = base64.b64encode(hmac.new(b"geheimnis", signed, hashlib.sha256).digest()).decode()
    assert made.headers["webhook-signature"] == f"v1,{expected}"


@pytest.mark.parametrize("kind", [ChannelKind.dingtalk, ChannelKind.feishu])
def test_what_a_provider_takes_no_more_is_too_long(kind: ChannelKind) -> None:
    with pytest.raises(TooLong):
        build(kind, Notice("1", "党" * 7000, {}))


@pytest.mark.parametrize(
    ("kind", "body", "means", "reason"),
    [
        (ChannelKind.wecom, {"errcode": 0, "errmsg": "ok"}, AnswerKind.taken, None),
        (ChannelKind.wecom, {"errcode": 45009, "errmsg": "freq"}, AnswerKind.throttled, PostReason.too_often),
        (ChannelKind.wecom, {"errcode": 93000}, AnswerKind.refused, PostReason.no_robot),
        (ChannelKind.wecom, {"errcode": 40058, "errmsg": "exceed"}, AnswerKind.refused, PostReason.answered),
        (ChannelKind.wecom, {"errcode": -1, "errmsg": "system busy"}, AnswerKind.unclear, PostReason.no_answer),
        (ChannelKind.dingtalk, {"errcode": 0}, AnswerKind.taken, None),
        (
            ChannelKind.dingtalk,
            {"errcode": 310000, "errmsg": "sign not match"},
            AnswerKind.refused,
            PostReason.security,
        ),
        (ChannelKind.dingtalk, {"errcode": 130101}, AnswerKind.throttled, PostReason.too_often),
        (ChannelKind.dingtalk, {"errcode": 300001}, AnswerKind.refused, PostReason.no_robot),
        (ChannelKind.feishu, {"code": 0, "msg": "success", "data": {}}, AnswerKind.taken, None),
        (ChannelKind.feishu, {"StatusCode": 0, "StatusMessage": "success"}, AnswerKind.taken, None),
        (ChannelKind.feishu, {"code": 19021, "msg": "sign match fail"}, AnswerKind.refused, PostReason.security),
        (ChannelKind.feishu, {"code": 11232}, AnswerKind.throttled, PostReason.too_often),
        (ChannelKind.json, b"", AnswerKind.taken, None),
    ],
)
def test_what_codes_mean(kind: ChannelKind, body: object, means: AnswerKind, reason: PostReason | None) -> None:
    found = ROBOTS[kind].read_answer(answer(body))
    assert (found.kind, found.reason) == (means, reason)


@pytest.mark.parametrize("kind", list(ChannelKind))
@pytest.mark.parametrize(
    ("status", "means", "reason"),
    [
        (302, AnswerKind.refused, PostReason.redirected),
        (404, AnswerKind.refused, PostReason.no_robot),
        (400, AnswerKind.refused, PostReason.answered),
        (429, AnswerKind.throttled, PostReason.too_often),
        (500, AnswerKind.unclear, PostReason.no_answer),
        (503, AnswerKind.unclear, PostReason.no_answer),
    ],
)
def test_what_a_status_means(kind: ChannelKind, status: int, means: AnswerKind, reason: PostReason) -> None:
    found = ROBOTS[kind].read_answer(answer(b'{"errcode": 0, "code": 0}', status))
    assert (found.kind, found.reason, found.code) == (means, reason, str(status))


@pytest.mark.parametrize("kind", [ChannelKind.wecom, ChannelKind.dingtalk, ChannelKind.feishu])
@pytest.mark.parametrize(
    "body",
    [b"", b"ok", b"\xff\x00", b"[" * 5000, [], {}, {"errcode": "0", "code": "0"}, {"errcode": True, "code": None}, 0],
)
def test_a_yes_that_cannot_be_read_is_none(kind: ChannelKind, body: object) -> None:
    assert ROBOTS[kind].read_answer(answer(body)).kind == AnswerKind.unclear


def test_a_providers_own_words_are_bounded_and_a_secret_is_never_shown() -> None:
    found = ROBOTS[ChannelKind.wecom].read_answer(answer({"errcode": 10**30, "errmsg": "x\x00" * 5000}))
    assert len(found.code or "") <= 20
    assert len(found.detail or "") <= 200
    assert "\x00" not in (found.detail or "")
    assert "k" not in repr(build(ChannelKind.wecom)).replace("RobotRequest", "")
