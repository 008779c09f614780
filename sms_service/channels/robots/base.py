"""The contract of an adapter: it makes the one request by which something is posted, and reads what is answered."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from sms_service.gateways.http_client import HttpAnswer
from sms_service.vocabulary import Words

LONGEST_DETAIL = 200  # characters of a provider's own words that are kept


class ChannelKind(Words):
    """Whose robot it is; `json`: a receiver of one's own."""

    wecom = "wecom"
    dingtalk = "dingtalk"
    feishu = "feishu"
    json = "json"


class PostReason(Words):
    """Why something was not posted, or cannot be told to be."""

    # Nothing was written.
    too_long = "too_long"  # the text has more bytes than the provider takes
    unrendered = "unrendered"  # no text can be made of the campaign
    forbidden_address = "forbidden_address"  # the address leads into a network of our own
    unreachable = "unreachable"  # no connection, after several tries
    sealed = "sealed"  # the stored address cannot be opened: it was sealed with another key

    # The receiver surely did not post it.
    security = "security"  # the robot's own rules: keyword, signature, time, IP address
    no_robot = "no_robot"  # the robot is not there any more
    redirected = "redirected"  # the receiver sends to another address, which is not followed
    too_often = "too_often"  # more posts in a minute than the provider takes; it is tried again
    answered = "answered"  # the receiver refused it for another reason; its code says more

    # Nobody can tell.
    no_answer = "no_answer"  # it was written, and no readable answer came

    # It waited, and is not posted any more.
    expired = "expired"  # the validity of the run's texts was over
    run_cancelled = "run_cancelled"  # the run was cancelled
    channel_removed = "channel_removed"  # the channel was removed

    settled = "settled"  # a person has looked into the group


class TooLong(Exception):
    """The text has more bytes than the provider takes."""


@dataclass(frozen=True, slots=True)
class Notice:
    """What is posted. `id` is the same each time it is tried; `plain` is all of it as one text; `data` its parts, for
    programs.
    """

    id: str
    plain: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RobotRequest:
    """The POST to make. Address and headers hold secrets."""

    address: str = field(repr=False)
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


class AnswerKind(StrEnum):
    """What an answer means."""

    taken = "taken"
    refused = "refused"
    throttled = "throttled"  # surely not taken, and it will be a moment later
    unclear = "unclear"


@dataclass(frozen=True, slots=True)
class RobotAnswer:
    """What the receiver made of it, with its own code and words; `wait_s`: how long it wants nothing."""

    kind: AnswerKind
    reason: PostReason | None = None
    code: str | None = None
    detail: str | None = None
    wait_s: float = 60


class Robot(Protocol):
    """An adapter. `per_minute`: the posts that one robot takes in a minute; `must_sign`: it needs a secret."""

    per_minute: int
    must_sign: bool

    def build_post(self, notice: Notice, address: str, secret: str | None, now: datetime) -> RobotRequest:
        """The request. Raises TooLong."""

    def read_answer(self, answer: HttpAnswer) -> RobotAnswer:
        """What the answer means."""


def write_json(content: object) -> bytes:
    """JSON in UTF-8, Chinese as itself."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def read_status(answer: HttpAnswer) -> RobotAnswer | None:
    """What the status alone says; None for a success, of which the body says more."""
    code = str(answer.status)
    if answer.status >= 500 or answer.status < 200:  # it may have posted before it failed
        return RobotAnswer(AnswerKind.unclear, PostReason.no_answer, code)
    if answer.status == 429:
        return RobotAnswer(AnswerKind.throttled, PostReason.too_often, code)
    if answer.status >= 400:
        gone = answer.status in (404, 410)
        return RobotAnswer(AnswerKind.refused, PostReason.no_robot if gone else PostReason.answered, code)
    if answer.status >= 300:
        return RobotAnswer(AnswerKind.refused, PostReason.redirected, code)
    return None


def read_coded(
    answer: HttpAnswer, keys: Mapping[str, str], reasons: Mapping[int, PostReason], wait_s: float = 60
) -> RobotAnswer:
    """What a JSON answer with a code says: 0 is a yes. `keys`: where a code may stand, each with the key of its words;
    `reasons`: what codes mean (`too_often`: try later; `no_answer`: nobody can tell).
    """
    if (found := read_status(answer)) is not None:
        return found
    try:
        said = json.loads(answer.body)
    except (ValueError, RecursionError):
        said = None
    if isinstance(said, dict):
        for key, words in keys.items():
            code = said.get(key)
            if type(code) is not int:
                continue
            if code == 0:
                return RobotAnswer(AnswerKind.taken)
            reason = reasons.get(code, PostReason.answered)
            kind = {PostReason.too_often: AnswerKind.throttled, PostReason.no_answer: AnswerKind.unclear}
            detail = str(said.get(words) or "")[:LONGEST_DETAIL].replace("\x00", "") or None
            return RobotAnswer(kind.get(reason, AnswerKind.refused), reason, str(code)[:20], detail, wait_s)
    return RobotAnswer(AnswerKind.unclear, PostReason.no_answer, str(answer.status))
