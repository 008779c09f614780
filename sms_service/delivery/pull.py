"""Asking providers that do not push: receipts and replies are fetched on a schedule and stored at once."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

from sqlalchemy.exc import DBAPIError

from sms_service.db.engine import Database, first_line
from sms_service.db.halving import write_by_halves
from sms_service.db.statements import Statement
from sms_service.delivery.inbox import store_receipts
from sms_service.gateways.base import Pulls, Receipt, Reply
from sms_service.gateways.registry import Gateways

TAKE_PULL = Statement(__file__, "take_pull")

LOOK_EVERY_S = 1.0
# A provider that always has more is left alone after so many questions, until its next turn.
MOST_QUESTIONS = 50
_AGAIN_S = 1.0
_LOCK = 0x736D_735F_7075_6C6C  # "sms_pull"

log = logging.getLogger(__name__)

Item = TypeVar("Item")
KeepReplies = Callable[[Database, str, Sequence[Reply]], Any]


def pull_due(
    database: Database,
    gateways: Gateways,
    keep_replies: KeepReplies,
    stopping: threading.Event | None = None,
) -> int:
    """Ask each account once whose turn it is, and again at once while it has more; returns how many receipts and
    replies were stored.

    `keep_replies(database, account, replies)` stores replies; that room lies above this one. What a provider gave it
    may not give again, so while the database is away it is kept and tried until it is stored or `stopping` is set.
    """
    stopping = stopping or threading.Event()
    stored = 0
    for account in gateways.config.accounts:
        adapter = gateways.adapter(account)
        if (every_s := adapter.capabilities.pull_every_s) is None or stopping.is_set():
            continue
        with database.transaction() as connection:
            due = TAKE_PULL(connection, account=account, every_s=every_s).first() is not None
        if due:
            stored += _pull(database, account, cast(Pulls, adapter), keep_replies, stopping)
    return stored


def start(database: Database, gateways: Gateways, keep_replies: KeepReplies) -> Callable[[], None]:
    """Pull in a thread of its own, because a provider may take long to answer. Of all processes that do, one works at a
    time. Returns what ends it: nothing more is asked, and what was given is stored first.
    """
    stopping = threading.Event()
    if not any(gateways.adapter(name).capabilities.pull_every_s for name in gateways.config.accounts):
        return stopping.set

    def keep_pulling() -> None:
        while not stopping.is_set():
            try:
                with database.try_lock(_LOCK) as ours:
                    if ours:
                        pull_due(database, gateways, keep_replies, stopping)
                    stopping.wait(LOOK_EVERY_S)
            except DBAPIError as error:
                log.error("the next turn pulls again: %s", first_line(error))
                stopping.wait(LOOK_EVERY_S)
            except Exception:
                log.exception("a fault of ours; the next turn pulls again")
                stopping.wait(LOOK_EVERY_S)

    thread = threading.Thread(target=keep_pulling, name="pull", daemon=True)
    thread.start()

    def end() -> None:
        stopping.set()
        longest = max(gateways.adapter(name).capabilities.total_timeout_s for name in gateways.config.accounts)
        thread.join(longest)

    return end


def _pull(
    database: Database, account: str, adapter: Pulls, keep_replies: KeepReplies, stopping: threading.Event
) -> int:
    def keep_receipts(receipts: Sequence[Receipt]) -> None:
        store_receipts(database, [(account, receipt) for receipt in receipts])

    stored = 0
    for _ in range(MOST_QUESTIONS):
        try:
            pulled = adapter.pull()
        except Exception as error:  # noqa: BLE001 - whatever it is, other accounts come next
            log.error("account %s: pulling ended in %s", account, type(error).__name__)
            return stored
        stored += _keep(account, "receipts", pulled.receipts, keep_receipts, stopping)
        stored += _keep(
            account, "replies", pulled.replies, lambda replies: keep_replies(database, account, replies), stopping
        )
        if not pulled.more or stopping.is_set():
            break
    return stored


def _keep(
    account: str,
    what: str,
    items: Sequence[Item],
    keep: Callable[[Sequence[Item]], object],
    stopping: threading.Event,
) -> int:
    """Store all of them; what PostgreSQL cannot take is left out alone, and said. Returns how many were stored."""
    lost = 0

    def refuse(item: Item, error: DBAPIError) -> None:
        nonlocal lost
        lost += 1
        log.error("account %s: one of the pulled %s cannot be stored: %s", account, what, type(error.orig).__name__)

    while True:
        try:
            write_by_halves(keep, items, refuse)
        except DBAPIError as error:
            log.error("account %s: %s pulled %s wait: %s", account, len(items), what, first_line(error))
            lost = 0
            if stopping.wait(_AGAIN_S):
                log.error("account %s: %s pulled %s are lost", account, len(items), what)
                return 0
        else:
            return len(items) - lost
