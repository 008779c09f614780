"""Leading: of all processes that could do a thing, one does it, and proves again and again that it does.

The proof is a lease in PostgreSQL, which ends by itself. What a leader writes after that is refused, also if it was
stopped meanwhile and knows nothing of it: each of its transactions asks (`Database.guarded`). Where something other
than a transaction must not go on, it asks `leads`, which looks at its own clock only and says no some seconds before
PostgreSQL lets another begin.
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

# A leader that says nothing for so long is none any more, and another begins.
LEASE_S = 12.0
PROVES_S = 1.0  # how often it says so
# A leader's sessions wait no longer for a lock, and stay no longer in a transaction that does nothing, in seconds: one
# that is stopped within a transaction is not waited for longer than until its lease is over.
PATIENCE_S = 5
# It stops by itself when it could not prove for so long that it leads: what is under way has the rest to end in.
STOPS_S = 7.0

_NO_EPOCH = 0


class LeadershipRow(Base):
    """Who leads in `name` ("clock", "link NAME", …), until when, by PostgreSQL's own clock. `epoch` counts the leaders
    that there were.
    """

    __tablename__ = "leaderships"

    name: Mapped[str] = mapped_column(primary_key=True)
    holder: Mapped[str]
    epoch: Mapped[int]
    since: Mapped[datetime]
    until: Mapped[datetime]


class NotLeading(Exception):
    """This process leads no longer; the transaction that it was about to begin is refused."""


class Leadership:
    """This process's wish to lead in `name`. Use `prove` from one thread, `leads` from any.

    A leader that is silent for `lease_s` seconds loses it. `clock` gives seconds and runs while the machine sleeps;
    tests pass one in. `holder` is what people read: host and process.
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
        """Say that this process leads, or begin to if nobody does; whether it does. Raises DBAPIError if PostgreSQL
        does not answer.
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
        """Whether this process may go on, by its own clock: the last proof is fresh."""
        return self._clock() - self._proved_at < self._lease_s * STOPS_S / LEASE_S

    def guarded(self) -> Database:
        """The database for what only the leader may write. The one that was given should have a `patience_s`."""
        return self._database.guarded(self.require)

    def require(self, connection: Connection) -> None:
        """For the beginning of a transaction: while it is open nobody else begins to lead. What takes long is proved on
        the way. Raises NotLeading.
        """
        if self._epoch and self._clock() - self._proved_at > self._lease_s / 4:
            self.prove()
        its = {"name": self._name, "epoch": self._epoch}
        if not connection.exec_driver_sql("SELECT still_leads(%(name)s, %(epoch)s)", its).scalar_one():
            self._forget()
            raise NotLeading(self._name)

    def resign(self) -> None:
        """Let another begin at once. Raises DBAPIError if PostgreSQL does not answer."""
        epoch = self._epoch
        self._forget()
        if epoch:
            with self._database.at_once() as connection:
                RESIGN(connection, name=self._name, holder=self._holder, epoch=epoch)

    def _forget(self) -> None:
        self._epoch, self._proved_at = _NO_EPOCH, -math.inf
