"""Asking providers that do not push: receipts and replies are fetched on a schedule and stored at once.

Who leads asks. What a provider gave is stored in any case, for it may not give it again.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

from sqlalchemy.exc import DBAPIError

from sms_service.db.engine import Database, first_line
from sms_service.db.halving import write_by_halves
from sms_service.db.statements import Statement
from sms_service.delivery.asking import AskingThread
from sms_service.delivery.inbox import store_receipts
from sms_service.gateways.base import Pulls, Receipt, Reply
from sms_service.gateways.registry import Gateways

TAKE_PULL = Statement(__file__, "take_pull")

LOOK_EVERY_S = 1.0
# A provider that always has more is left alone after so many questions, until its next turn.
MOST_QUESTIONS = 50
_AGAIN_S = 1.0
LEADERSHIP = "pull"

log = logging.getLogger(__name__)

Item = TypeVar("Item")
KeepReplies = Callable[[Database, str, Sequence[Reply]], Any]


def pull_due(
    database: Database,
    gateways: Gateways,
    keep_replies: KeepReplies,
    stopping: threading.Event | None = None,
    *,
    turns: Database | None = None,
) -> int:
    """Ask each account once whose turn it is, and again at once while it has more; returns how many receipts and
    replies were stored.

    `keep_replies(database, account, replies)` stores replies; that room lies above this one. What a provider gave it
    may not give again, so while the database is away it is kept and tried until it is stored or `stopping` is set.
    `turns`: the database as it is asked whether an account may be asked, where another process may lead meanwhile.
    """
    stopping, turns = stopping or threading.Event(), turns or database
    stored = 0
    for account in gateways.config.accounts:
        adapter = gateways.adapter(account)
        if (every_s := adapter.capabilities.pull_every_s) is None or stopping.is_set():
            continue
        with turns.transaction() as connection:
            due = TAKE_PULL(connection, account=account, every_s=every_s).first() is not None
        if due:
            stored += _pull(database, turns, account, cast(Pulls, adapter), keep_replies, stopping)
    return stored


def start(database: Database, gateways: Gateways, keep_replies: KeepReplies) -> Callable[[], None]:
    """Pull in a thread of its own, in the process that leads. Returns what ends it: nothing more is asked, and what was
    given is stored first.
    """
    stopping = threading.Event()
    if not any(gateways.adapter(name).capabilities.pull_every_s for name in gateways.config.accounts):
        return stopping.set

    def act(turns: Database) -> None:
        pull_due(database, gateways, keep_replies, stopping, turns=turns)

    return AskingThread(database, gateways, LEADERSHIP, act, LOOK_EVERY_S, stopping).end


def _pull(
    database: Database,
    turns: Database,
    account: str,
    adapter: Pulls,
    keep_replies: KeepReplies,
    stopping: threading.Event,
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
        with turns.transaction():  # only who still leads asks on
            pass
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
