"""Leadership: of all processes that could do a duty, one does it, and proves again and again that it is there.

The proof is a lease in PostgreSQL, which ends by itself. After that, what the old leader writes is refused, even if it
was stopped in between and does not know: each of its transactions asks (`Database.guarded`). Work that is not a
transaction asks `leads`, which only looks at its own clock and says no some seconds before PostgreSQL lets another
process begin.
"""

from __future__ import annotations

import math
import os
import secrets
import socket
import time
from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Connection
from sqlalchemy.orm import Mapped, mapped_column

from sms_service.db.base import Base
from sms_service.db.engine import Database
from sms_service.db.statements import Statement

LEAD = Statement(__file__, "lead")
RESIGN = Statement(__file__, "resign")

# Seconds without a proof after which a leader loses the leadership and another process may begin.
LEASE_S = 12.0
PROVES_S = 1.0  # how often a leader proves it
# Seconds that a leader's sessions wait for a lock, and stay in a transaction that does nothing, at most: if a leader is
# stopped within a transaction, others wait for it only until its lease is over.
PATIENCE_S = 5
# A leader stops by itself if it could not prove its leadership for so long; work under way has the rest of the lease to
# end.
STOPS_S = 7.0

_NO_EPOCH = 0


class LeadershipRow(Base):
    """Who leads in `name` ("clock", "link NAME", …), and until when, by PostgreSQL's own clock. `epoch` counts the
    leaders so far.
    """

    __tablename__ = "leaderships"

    name: Mapped[str] = mapped_column(primary_key=True)
    holder: Mapped[str]
    epoch: Mapped[int]
    since: Mapped[datetime]
    until: Mapped[datetime]


class NotLeading(Exception):
    """This process does not lead any more; the transaction that it wanted to begin is refused."""


class Leadership:
    """This process's attempt to lead in `name`. Use `prove` from one thread, `leads` from any.

    A leader that does not prove it for `lease_s` seconds loses the leadership. `clock` gives seconds and goes on while
    the machine sleeps; tests pass one in. `holder` names host and process for people.
    """

    def __init__(
        self,
        database: Database,
        name: str,
        *,
        lease_s: float = LEASE_S,
        holder: str | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._database, self._name, self._lease_s = database, name, lease_s
        self._holder = holder or f"{socket.gethostname()}, process {os.getpid()} ({secrets.token_hex(4)})"
        self._clock = clock or (lambda: time.clock_gettime(time.CLOCK_BOOTTIME))
        self._epoch, self._proved_at = _NO_EPOCH, -math.inf

    def prove(self) -> bool:
        """Prove that this process leads, or begin to lead if nobody does; returns whether it leads. Raises DBAPIError
        if PostgreSQL does not answer.
        """
        asked_at = self._clock()
        with self._database.at_once() as connection:
            row = LEAD(
                connection, name=self._name, holder=self._holder, epoch=self._epoch, lease_s=self._lease_s
            ).one_or_none()
        if row is None:
            self._forget()
            return False
        self._epoch, self._proved_at = row.epoch, asked_at
        return True

    def leads(self) -> bool:
        """Whether this process may go on: by its own clock, its last proof is recent."""
        return self._clock() - self._proved_at < self._lease_s * STOPS_S / LEASE_S

    def guarded(self) -> Database:
        """The database for what only the leader may write. The `database` of this leadership should have a
        `patience_s`.
        """
        return self._database.guarded(self.require)

    def require(self, connection: Connection) -> None:
        """Call this at the beginning of a transaction: while it is open, no other process begins to lead. During long
        work the proof is renewed. Raises NotLeading.
        """
        if self._epoch and self._clock() - self._proved_at > self._lease_s / 4:
            self.prove()
        its = {"name": self._name, "epoch": self._epoch}
        if not connection.exec_driver_sql("SELECT still_leads(%(name)s, %(epoch)s)", its).scalar_one():
            self._forget()
            raise NotLeading(self._name)

    def resign(self) -> None:
        """Let another process begin at once. Raises DBAPIError if PostgreSQL does not answer."""
        epoch = self._epoch
        self._forget()
        if epoch:
            with self._database.at_once() as connection:
                RESIGN(connection, name=self._name, holder=self._holder, epoch=epoch)

    def _forget(self) -> None:
        self._epoch, self._proved_at = _NO_EPOCH, -math.inf
