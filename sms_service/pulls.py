"""The door for pulls: providers that do not push are asked on a schedule, and what they give is stored at once.

Only the process that leads asks. What a provider gave is always stored, since the provider may not give it again.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar, cast

from sqlalchemy.exc import DBAPIError

from sms_service.db.engine import Database, first_line
from sms_service.db.halving import write_by_halves
from sms_service.delivery.asking import AskingThread, take_pull
from sms_service.gateways.base import Pulls
from sms_service.gateways.registry import Gateways
from sms_service.inbound import Inbound

LOOK_EVERY_S = 1.0
# If a provider still has more after so many questions, it is asked again only at its next turn.
MOST_QUESTIONS = 50
_AGAIN_S = 1.0
LEADERSHIP = "pull"

log = logging.getLogger(__name__)

Item = TypeVar("Item")


def pull_due(inbound: Inbound, gateways: Gateways, turns: Database, stopping: threading.Event | None = None) -> int:
    """Ask each account whose turn it is, and go on as long as it has more; returns how many receipts and replies were
    stored.

    A provider may not give its records again. So while the database is away, they are kept in memory and tried again
    until they are stored or `stopping` is set. `turns`: the database that decides whose turn it is; if another process
    may become the leader, the guarded one.
    """
    stopping = stopping or threading.Event()
    stored = 0
    for account in gateways.config.accounts:
        adapter = gateways.adapter(account)
        if (every_s := adapter.capabilities.pull_every_s) is None or stopping.is_set():
            continue
        with turns.transaction() as connection:
            due = take_pull(connection, account, every_s)
        if due:
            stored += _pull(inbound, turns, account, cast(Pulls, adapter), stopping)
    return stored


def start_pulling(database: Database, gateways: Gateways) -> Callable[[], None]:
    """Pull in a thread of its own, in the process that leads. Returns a function that ends it: the thread asks nothing
    more, and stores first what it was given.
    """
    stopping = threading.Event()
    if not any(gateways.adapter(name).capabilities.pull_every_s for name in gateways.config.accounts):
        return stopping.set
    inbound = Inbound(database)

    def act(turns: Database) -> None:
        pull_due(inbound, gateways, turns, stopping)

    return AskingThread(database, gateways, LEADERSHIP, act, LOOK_EVERY_S, stopping).end


def _pull(inbound: Inbound, turns: Database, account: str, adapter: Pulls, stopping: threading.Event) -> int:
    stored = 0
    for _ in range(MOST_QUESTIONS):
        try:
            pulled = adapter.pull()
        except Exception as error:  # noqa: BLE001 - whatever it is, other accounts come next
            log.error(
                "account %s: asking the provider failed with %s; it is asked again later", account, type(error).__name__
            )
            return stored
        # Store them separately, so that a receipt that cannot be stored does not cause a reply to be stored twice.
        stored += _keep(account, "receipts", pulled.receipts, lambda some: inbound.keep(account, some, ()), stopping)
        stored += _keep(account, "replies", pulled.replies, lambda some: inbound.keep(account, (), some), stopping)
        if not pulled.more or stopping.is_set():
            break
        with turns.transaction():  # only a process that still leads goes on asking
            pass
    return stored


def _keep(
    account: str,
    what: str,
    items: Sequence[Item],
    keep: Callable[[Sequence[Item]], object],
    stopping: threading.Event,
) -> int:
    """Store all of them. An item that PostgreSQL cannot store is logged and left out; the others are stored. Returns
    how many were stored.
    """
    lost = 0

    def refuse(item: Item, error: DBAPIError) -> None:
        nonlocal lost
        lost += 1
        log.error(
            "account %s: one of the pulled %s cannot be stored and is lost: %s",
            account,
            what,
            type(error.orig).__name__,
        )

    while True:
        try:
            write_by_halves(keep, items, refuse)
        except DBAPIError as error:
            log.error(
                "account %s: %s pulled %s are not stored yet; trying again: %s",
                account,
                len(items),
                what,
                first_line(error),
            )
            lost = 0
            if stopping.wait(_AGAIN_S):
                log.error(
                    "account %s: the process ends; %s pulled %s are not stored and lost", account, len(items), what
                )
                return 0
        else:
            return len(items) - lost
