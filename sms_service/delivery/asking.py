"""Asks providers in a thread of its own, because they may take long to answer. Only the process that leads asks. Also
says which account is to be asked for news.

A process that is stopped, or whose host vanished, leads no longer once its lease is over, and another asks. What the
old one writes down as its leader after that is refused.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import suppress

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from sms_service.db.engine import Database, first_line
from sms_service.db.leadership import Leadership, NotLeading
from sms_service.db.statements import Statement
from sms_service.gateways.registry import Gateways

TAKE_PULL = Statement(__file__, "take_pull")

# The lease is so much longer, in seconds, than the longest a provider may take: nothing is proved meanwhile.
LEASE_MARGIN_S = 30.0
WAITS_S = 2.0  # how often a process that does not lead asks whether it may

log = logging.getLogger(__name__)


def take_pull(connection: Connection, account: str, every_s: float) -> bool:
    """Whether it is this gateway account's turn, which is asked every `every_s` seconds; whoever takes it asks."""
    return TAKE_PULL(connection, account=account, every_s=every_s).first() is not None


class AskingThread:
    """Calls `act(database)` every `every_s` seconds while this process leads in `name`, from now on. `database` is
    guarded: each of its transactions is refused with NotLeading as soon as another leads.

    The given one should have a `patience_s`, so that a process that is stopped within a transaction is not waited for.
    """

    def __init__(
        self,
        database: Database,
        gateways: Gateways,
        name: str,
        act: Callable[[Database], object],
        every_s: float,
        stopping: threading.Event,
    ) -> None:
        accounts = map(gateways.adapter, gateways.config.accounts)
        self._longest_s = max(adapter.capabilities.total_timeout_s for adapter in accounts)
        self._leadership = Leadership(database, name, lease_s=LEASE_MARGIN_S + self._longest_s)
        self._name, self._act, self._every_s, self._stopping = name, act, every_s, stopping
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def end(self, patience_s: float | None = None) -> None:
        """Let another process begin once the present question is answered; wait for that answer up to `patience_s`
        seconds, by default as long as a provider may take.
        """
        self._stopping.set()
        self._thread.join(self._longest_s if patience_s is None else patience_s)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._stopping.wait(self._every_s if self._turn() else WAITS_S)
        with suppress(DBAPIError):
            self._leadership.resign()

    def _turn(self) -> bool:
        """Whether this process leads."""
        try:
            # The guard proves the leadership again before the lease is over.
            if not self._leadership.leads() and not self._leadership.prove():
                return False
            self._act(self._leadership.guarded())
        except NotLeading:
            log.warning("%s: this process leads no longer; another process asks", self._name)
            return False
        except DBAPIError as error:
            log.error("%s: PostgreSQL failed; the next turn tries again: %s", self._name, first_line(error))
        except Exception:
            log.exception("%s: a fault in this program; the next turn tries again", self._name)
        return True
