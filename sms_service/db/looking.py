"""A thread that looks for work in the database by itself, and at once when it is told that some waits."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from sqlalchemy.exc import DBAPIError

from sms_service.db.engine import first_line

log = logging.getLogger(__name__)


class LookingThread:
    """Calls `look` every `every_s` seconds, and whenever it is woken. A fault ends one look, not the thread; `after`
    says in the log what the next look does about it.
    """

    def __init__(self, name: str, look: Callable[[], None], every_s: float, after: str) -> None:
        self._look, self._every_s, self._after = look, every_s, after
        self._ended, self._due = False, threading.Event()
        self._thread = threading.Thread(target=self._run, name=name)

    @property
    def ended(self) -> bool:
        """Whether it was asked to end: a look that goes on asks before it takes more work."""
        return self._ended

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def wake(self) -> None:
        """Look now."""
        self._due.set()

    def end(self) -> None:
        """Begin no further look; the one under way goes on. `join` waits for it."""
        self._ended = True
        self._due.set()

    def join(self) -> None:
        """Wait until the look under way is over."""
        self._thread.join()

    def close(self) -> None:
        """Begin no further look, and wait until the one under way is over."""
        self.end()
        self.join()

    def _run(self) -> None:
        while not self._ended:
            self._due.wait(self._every_s)
            self._due.clear()
            try:
                self._look()
            except DBAPIError as error:
                log.error("PostgreSQL failed; %s: %s", self._after, first_line(error))
            except Exception:
                log.exception("a fault in this program; %s", self._after)
