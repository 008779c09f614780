"""Callbacks that were refused, counted by gateway account and day: forged, replayed or malformed ones."""

from __future__ import annotations

import atexit
import logging
import threading
from collections import Counter
from typing import Literal, get_args

from sqlalchemy import Connection, Select, case, delete, select, text
from sqlalchemy.exc import DBAPIError

from sms_service.db.engine import Database, first_line
from sms_service.db.statements import Statement
from sms_service.delivery.models import RefusedCallbacks

COUNT_REFUSED = Statement(__file__, "count_refused")

Reason = Literal["forged", "replayed", "malformed"]
# With the day it orders the lines of one account, and so pages them.
REASON_PLACE = case(
    {reason: number for number, reason in enumerate(get_args(Reason), 1)}, value=RefusedCallbacks.reason
)
EVERY_S = 5.0
KEPT_DAYS = 365

log = logging.getLogger(__name__)


class Refusals:
    """What the threads of one process refuse, written down every `every_s` seconds in one statement: a flood of forged
    callbacks must not become a flood of writes. What is counted since then is lost with a process that is killed.
    """

    def __init__(self, database: Database, every_s: float = EVERY_S) -> None:
        self._database, self._every_s = database, every_s
        self._lock = threading.Lock()
        self._counted: Counter[tuple[str, Reason]] = Counter()
        self._late = False  # the last try failed, and the log says so
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def count(self, account: str, reason: Reason, detail: str = "") -> None:
        """Count one more. The account is one of gateways.toml, so there are few.

        The log has the first one at once and, of those that follow until all are written down, their number: strangers
        cannot fill it.
        """
        with self._lock:
            first = not self._counted[account, reason]
            self._counted[account, reason] += 1
        if first:
            log.warning("callback refused: account=%s reason=%s%s", account, reason, f": {detail}" if detail else "")
        with self._lock:
            if self._thread is None:  # not before gunicorn's fork
                self._thread = threading.Thread(target=self._run, name="refusals", daemon=True)
                self._thread.start()
                atexit.register(self.close)

    def flush(self) -> None:
        """Write down what was counted; what cannot be written now is written next time."""
        with self._lock:
            counted, self._counted = self._counted, Counter()
        if not counted:
            return
        keys = list(counted)
        try:
            with self._database.transaction() as connection:
                COUNT_REFUSED(
                    connection,
                    accounts=[account for account, _ in keys],
                    reasons=[reason for _, reason in keys],
                    numbers=[counted[key] for key in keys],
                )
        except DBAPIError as error:
            if not self._late:
                log.error("refused callbacks cannot be counted yet; trying again: %s", first_line(error))
            with self._lock:
                self._counted += counted
            self._late = True
        else:
            self._late = False
            for (account, reason), number in counted.items():
                if number > 1:
                    log.warning("callbacks refused: account=%s reason=%s, %d more", account, reason, number - 1)

    def close(self) -> None:
        """Write down the rest; the thread ends."""
        self._closed.set()
        self.flush()

    def _run(self) -> None:
        while not self._closed.wait(self._every_s):
            self.flush()


def find_refused(gateway_account_id: int) -> Select[RefusedCallbacks]:
    """How many callbacks to this account were refused, by day and reason, to be ordered and paged by the day and
    REASON_PLACE.
    """
    return select(RefusedCallbacks).where(RefusedCallbacks.gateway_account_id == gateway_account_id)


def forget_old_refusals(connection: Connection) -> int:
    """Delete the counts of days a year ago; returns how many rows."""
    oldest = text(f"(sms_now() AT TIME ZONE 'UTC')::date - {KEPT_DAYS}")
    return connection.execute(delete(RefusedCallbacks).where(RefusedCallbacks.day < oldest)).rowcount
