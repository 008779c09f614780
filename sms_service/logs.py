"""The logs of all processes: one line per event, and never a whole phone number."""

from __future__ import annotations

import logging
import re

# Numbers in E.164, and mainland mobile numbers as offices write them. Errors of the database quote rows, so the
# finished line is searched.
_PHONE = re.compile(r"\+\d{7,15}|(?<!\d)1[3-9]\d{9}(?!\d)")


class MaskingFormatter(logging.Formatter):
    """Formats as usual, exceptions included, then hides the middle of every phone number."""

    def format(self, record: logging.LogRecord) -> str:
        """The line as it is written."""
        return _PHONE.sub(lambda found: f"{found[0][:-8]}****{found[0][-2:]}", super().format(record))


def configure_logs(level: str) -> None:
    """Let this process log to standard error from `level` on."""
    handler = logging.StreamHandler()
    handler.setFormatter(MaskingFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=level, handlers=[handler])
    logging.getLogger("alembic").setLevel(logging.WARNING)
