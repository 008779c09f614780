"""docs/channels.md: its receiver knows our posts, its example has what is posted, its limits are those of the code."""

from __future__ import annotations

import json
import re
from pathlib import Path

from sms_service.channels import posting
from sms_service.channels.models import PostStatus
from sms_service.channels.robots import dingtalk, wecom
from sms_service.channels.robots.base import ChannelKind
from sms_service.gateways.http_client import LARGEST_ANSWER
from sms_service.gateways.posting import TOTAL_TIMEOUT_S
from tests.channels.chat import make_posting_city, post_due
from tests.hostile_receiver import HostileReceiver

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "channels.md").read_text(encoding="utf-8")
PLAIN = " ".join(DOCUMENT.split())


def _block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", DOCUMENT, re.DOTALL)
    assert found is not None
    return found[1]


def test_the_receiver_of_the_page_knows_what_is_ours(database):
    with HostileReceiver() as receiver:
        make_posting_city(database, receiver.address(), kind=ChannelKind.json, secret="geheimnis")
        post_due(database, receiver)
    [taken] = receiver.taken
    names: dict = {}
    exec(_block("python"), names)
    assert names["is_ours"](taken.headers, taken.body, "geheimnis")
    assert not names["is_ours"](taken.headers, taken.body + b" ", "geheimnis")
    assert not names["is_ours"](taken.headers, taken.body, "geheimniss")
    assert set(taken.json) == set(json.loads(_block("json")))


def test_numbers_and_words_are_those_of_the_code():
    assert set(re.findall(r"^\| `(\w+)`", DOCUMENT, re.MULTILINE)) == {*PostStatus, *ChannelKind}
    assert f"{wecom.LONGEST_TEXT:,} bytes as text, else {wecom.LONGEST_MARKDOWN:,} as markdown" in PLAIN
    assert f"{dingtalk.LONGEST_BODY:,} bytes" in PLAIN
    waits = [int(posting.FIRST_WAIT_S * 2**number) for number in range(posting.MOST_TRIES - 1)]
    assert f"tried six times, after {', '.join(map(str, waits[:-1]))} and {waits[-1]} seconds" in PLAIN
    assert posting.MOST_TRIES == 6
    assert f"costs {TOTAL_TIMEOUT_S:.0f} seconds of one" in PLAIN
    assert f"more than {LARGEST_ANSWER // 1024} KB" in PLAIN
