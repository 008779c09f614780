"""Posting: takes what is due, calls the receiver, and writes down what became of it.

A worker does it in threads of its own, so that a receiver that hangs holds up nobody who hands texts over; and each
thread has one channel at a time, so that it hardly holds up other channels.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from sms_service.channels.models import PostStatus
from sms_service.channels.robots import ROBOTS
from sms_service.channels.robots.base import (
    AnswerKind,
    ChannelKind,
    Notice,
    PostReason,
    RobotAnswer,
    RobotRequest,
    TooLong,
)
from sms_service.channels.sealing import CannotOpen, Sealer
from sms_service.channels.writing import write_plain_post
from sms_service.db.engine import Database
from sms_service.db.looking import LookingThread
from sms_service.db.statements import Statement
from sms_service.gateways.http_client import NoAnswer, NotWritten, Result, boot_clock
from sms_service.gateways.posting import FORBIDDEN, TOTAL_TIMEOUT_S, JsonPoster

TAKE_POST = Statement(__file__, "take_post")
RECORD_POST = Statement(__file__, "record_post")

LOOK_EVERY_S = 2.0
THREADS = 4
LATEST_S = 10.0  # after the row was taken; what has not begun by then is not posted
LEASE_S = LATEST_S + TOTAL_TIMEOUT_S + 30
# What surely did not leave is tried so often, each time after twice the time.
MOST_TRIES, FIRST_WAIT_S = 6, 10.0
# A channel that did not answer well has a rest, so that it hardly holds up the others.
REST_S = 60.0

log = logging.getLogger(__name__)


def post_next(
    database: Database,
    poster: JsonPoster,
    sealer: Sealer,
    clock: Callable[[], float] = boot_clock,
    at: Callable[[str], None] = lambda point: None,
) -> bool:
    """Post what is due next; False if nothing is. Tests pass in `clock` and `at`, which is called between the steps."""
    began = clock()
    with database.transaction() as connection:
        taken = TAKE_POST(connection, lease_s=LEASE_S).one_or_none()
    if taken is None:
        return False
    at("taken")
    try:
        kind = ChannelKind(taken.kind)
        request = _build(taken, kind, sealer)
    except TooLong:
        _record(database, taken, RobotAnswer(AnswerKind.refused, PostReason.too_long))
        return True
    except CannotOpen:
        log.error("channel %s: its address was sealed with another CHANNELS_KEY", taken.channel_id)
        _record(database, taken, RobotAnswer(AnswerKind.refused, PostReason.sealed))
        return True
    result: Result = NotWritten("its turn was over")
    if clock() - began < LATEST_S:
        result = poster.post_json(request.address, request.body, request.headers)
    at("posted")
    _record(database, taken, _read(result, kind, taken))
    return True


class PostingThreads:
    """A worker's threads for posts."""

    def __init__(self, database: Database, poster: JsonPoster, sealer: Sealer) -> None:
        self._database, self._poster, self._sealer = database, poster, sealer
        after = "the next look posts again"
        self._threads = [LookingThread("post", self._work, LOOK_EVERY_S, after) for _ in range(THREADS)]

    def start(self) -> None:
        """Begin to look for posts."""
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Wait for the posts under way, at most as long as their time-outs; none begins after this."""
        for thread in self._threads:
            thread.end()
        for thread in self._threads:
            thread.join()
        self._poster.close()

    def _work(self) -> None:
        while not self._threads[0].ended and post_next(self._database, self._poster, self._sealer):
            pass


def _build(taken: Any, kind: ChannelKind, sealer: Sealer) -> RobotRequest:
    sealed = sealer.open(bytes(taken.sealed))
    data = {"kind": "campaign" if taken.run_id else "test", "channel": taken.name, "run_id": taken.run_id}
    plain = write_plain_post(taken.content, taken.keyword)
    notice = Notice(f"post-{taken.id}", plain, {**data, **taken.content})
    return ROBOTS[kind].build_post(notice, sealed.address, sealed.secret, taken.now)


def _read(result: Result, kind: ChannelKind, taken: Any) -> RobotAnswer:
    match result:
        case NotWritten(reason) if reason == FORBIDDEN:
            return RobotAnswer(AnswerKind.refused, PostReason.forbidden_address)
        case NotWritten(reason) if taken.tries >= MOST_TRIES:
            return RobotAnswer(AnswerKind.refused, PostReason.unreachable, detail=reason)
        case NotWritten(reason):
            wait_s = FIRST_WAIT_S * 2 ** (taken.tries - 1)
            return RobotAnswer(AnswerKind.throttled, PostReason.unreachable, detail=reason, wait_s=wait_s)
        case NoAnswer(reason):
            return RobotAnswer(AnswerKind.unclear, PostReason.no_answer, detail=reason)
    return ROBOTS[kind].read_answer(result)


def _record(database: Database, taken: Any, answer: RobotAnswer) -> None:
    status = {
        AnswerKind.taken: PostStatus.posted,
        AnswerKind.refused: PostStatus.refused,
        AnswerKind.throttled: PostStatus.pending,
        AnswerKind.unclear: PostStatus.unknown,
    }[answer.kind]
    spacing_s = 60 / ROBOTS[ChannelKind(taken.kind)].per_minute
    rest_s = {AnswerKind.throttled: answer.wait_s, AnswerKind.unclear: REST_S}.get(answer.kind, spacing_s)
    with database.transaction() as connection:
        RECORD_POST(
            connection,
            id=taken.id,
            channel_id=taken.channel_id,
            tries=taken.tries,
            status=status.value,
            reason=answer.reason and answer.reason.value,
            code=answer.code,
            detail=answer.detail,
            wait_s=answer.wait_s if answer.kind == AnswerKind.throttled else 0.0,
            rest_s=rest_s,
        )
    if status != PostStatus.posted:
        log.warning("channel %s: post %s is %s (%s)", taken.channel_id, taken.id, status, answer.reason)
