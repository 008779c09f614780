"""Delivering: takes what is due, calls the receiver, and writes down what became of it.

It is done by threads of a process of its own (`run_webhooks`), so it takes nothing from those that hand texts over. To
one webhook a few deliveries are under way at once, and after a failure one: a receiver that hangs holds one thread for
as long as its time-out, then it rests.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from sms_service.accounts.actors import unit_path
from sms_service.audit import trail
from sms_service.channels.robots.base import write_json
from sms_service.channels.robots.signed_json import sign_webhook
from sms_service.channels.sealing import CannotOpen, Sealer
from sms_service.db.engine import Database
from sms_service.db.looking import LookingThread
from sms_service.db.statements import Statement
from sms_service.gateways.http_client import HttpAnswer, NoAnswer, NotWritten, Result
from sms_service.gateways.posting import FORBIDDEN, TOTAL_TIMEOUT_S, JsonPoster
from sms_service.webhooks.collecting import collect_happenings
from sms_service.webhooks.models import DeliveryReason, DeliveryStatus, Webhook

LOCK_WEBHOOK = Statement(__file__, "lock_webhook")
TAKE_DELIVERY = Statement(__file__, "take_delivery")
RECORD_DELIVERY = Statement(__file__, "record_delivery")
REST_WEBHOOK = Statement(__file__, "rest_webhook")
FREE_DELIVERIES = Statement(__file__, "free_deliveries")
FORGET_HAPPENINGS = Statement(__file__, "forget_happenings")

LOOK_EVERY_S = 1.0
THREADS = 8
AT_ONCE = 4  # to one webhook
LEASE_S = TOTAL_TIMEOUT_S + 30
# A delivery that was not taken is tried again after twice the time, until this long after its first try.
FIRST_WAIT_S, LONGEST_WAIT_S = 5.0, 4 * 3600.0
TRIED_FOR = timedelta(days=3)
# And its webhook, whatever else waits for it, rests for less.
LONGEST_REST_S = 300.0
GONE = 410  # by which a receiver says that it wants nothing any more
KEPT_DAYS = 30
FORGOTTEN_AT_ONCE = 5000

Jitter = Callable[[], float]

log = logging.getLogger(__name__)


def random_jitter() -> float:
    """By what a wait is multiplied, so that what failed at one moment is not tried again at one moment."""
    return random.uniform(0.8, 1.2)  # noqa: S311 - no secret


class _Answer(NamedTuple):
    reason: DeliveryReason | None
    code: int | None = None


def deliver_next(
    database: Database,
    poster: JsonPoster,
    sealer: Sealer,
    jitter: Jitter = random_jitter,
    at: Callable[[str], None] = lambda point: None,
) -> bool:
    """Send what is due next; False if nothing is. Tests pass in `jitter` and `at`, which is called in between."""
    with database.transaction() as connection:
        webhook = LOCK_WEBHOOK(connection, at_once=AT_ONCE).one_or_none()
        if webhook is None:
            return False
        # A statement of its own, since it must see what whoever held the lock before has taken.
        at_once = 1 if webhook.failures else AT_ONCE
        taken = TAKE_DELIVERY(connection, webhook_id=webhook.id, at_once=at_once, lease_s=LEASE_S).one_or_none()
    if taken is None:
        return True
    at("taken")
    try:
        sealed = sealer.open(bytes(webhook.sealed))
    except CannotOpen:
        log.error("webhook %s: its address was sealed with another CHANNELS_KEY", webhook.id)
        answer = _Answer(DeliveryReason.sealed)
    else:
        body = write_json(taken.body)
        headers = sign_webhook(str(taken.uid), taken.now, body, sealed.secret or "")
        answer = _read(poster.post_json(sealed.address, body, headers))
    at("sent")
    _record(database, taken, webhook.failures, answer, jitter)
    return True


def _read(result: Result) -> _Answer:
    match result:
        case HttpAnswer(status) if 200 <= status < 300:
            return _Answer(None, status)
        case HttpAnswer(status) if 300 <= status < 400:
            return _Answer(DeliveryReason.redirected, status)
        case HttpAnswer(status):
            return _Answer(DeliveryReason.refused, status)
        case NotWritten(reason) if reason == FORBIDDEN:
            return _Answer(DeliveryReason.forbidden_address)
        case NotWritten():
            return _Answer(DeliveryReason.unreachable)
        case NoAnswer():
            return _Answer(DeliveryReason.no_answer)


def find_wait(tries: int, longest_s: float, jitter: Jitter) -> float:
    """The seconds until what failed so many times is tried again."""
    return min(FIRST_WAIT_S * 2.0 ** min(tries - 1, 30), longest_s) * jitter()


def _record(database: Database, taken: Any, failures: int, answer: _Answer, jitter: Jitter) -> None:
    failed = answer.reason is not None
    left_s = (taken.first_tried_at + TRIED_FOR - taken.now).total_seconds()
    gives_up = failed and (left_s <= 0 or answer.code == GONE)
    if not failed:
        status, wait_s, rest_s = DeliveryStatus.delivered, 0.0, 0.0
    else:
        status = DeliveryStatus.given_up if gives_up else DeliveryStatus.pending
        wait_s = max(0.0, min(find_wait(taken.tries, LONGEST_WAIT_S, jitter), left_s))  # the last try is at its end
        # The first failure may lie with what was sent: the next one is tried at once.
        rest_s = find_wait(failures, LONGEST_REST_S, jitter) if failures else 0.0
    with database.session() as session:
        connection = session.connection()
        if failed or failures:  # else it has nothing to write of the webhook
            moved = REST_WEBHOOK(
                connection, webhook_id=taken.webhook_id, failed=failed, rest_s=rest_s, disables=gives_up
            ).one()
            if moved.was != moved.state:
                _tell_disabled(session, taken.webhook_id)
        RECORD_DELIVERY(
            connection,
            id=taken.id,
            tries=taken.tries,
            status=status.value,
            code=answer.code,
            reason=answer.reason and answer.reason.value,
            wait_s=wait_s,
        )
    if failed:
        log.warning("webhook %s: delivery %s is %s (%s)", taken.webhook_id, taken.id, status, answer.reason)


def _tell_disabled(session: Session, webhook_id: int) -> None:
    webhook = session.get_one(Webhook, webhook_id)
    path = unit_path(session, webhook.unit_id)
    trail.record_act(session, None, "webhook.disable", "webhook", webhook_id, path, webhook=webhook.name)
    log.warning("webhook %s is disabled: it has taken nothing of a delivery for three days", webhook_id)


def tidy_deliveries(database: Database) -> None:
    """Let go again what was being sent when its process died, and delete what is too old."""
    with database.transaction() as connection:
        freed = len(FREE_DELIVERIES(connection).all())
    if freed:
        log.warning("%s deliveries to webhooks go again: their process died before their outcome", freed)
    with database.transaction() as connection:
        FORGET_HAPPENINGS(connection, days=KEPT_DAYS, size=FORGOTTEN_AT_ONCE)


def run_webhooks(database: Database, poster: JsonPoster, sealer: Sealer, stopping: threading.Event) -> None:
    """Collect and deliver until `stopping` is set; then wait for what is under way, at most as long as its time-out.

    Any number of processes may do this.
    """
    after = "the next look goes on"

    def collect() -> None:
        tidy_deliveries(database)
        while not stopping.is_set() and collect_happenings(database):
            for thread in senders:
                thread.wake()

    def send() -> None:
        while not stopping.is_set() and deliver_next(database, poster, sealer):
            pass

    senders = [LookingThread("webhooks", send, LOOK_EVERY_S, after) for _ in range(THREADS)]
    threads = [LookingThread("happenings", collect, LOOK_EVERY_S, after), *senders]
    for thread in threads:
        thread.start()
    stopping.wait()
    for thread in threads:
        thread.end()
    for thread in threads:
        thread.join()
    poster.close()
