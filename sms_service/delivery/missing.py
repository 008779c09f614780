"""Whom texts do not reach becomes work of their branch: the clock opens a check, and closes one that needs no answer.

A check is opened for a suspect, whose number two campaigns found dead, and for whoever was not reached by as many
campaigns in a row as `CAMPAIGNS`. What the branch answers is in `lost_checks.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

from sms_service.db.engine import Database
from sms_service.db.statements import Statement

FIND_CLOSED_RUN = Statement(__file__, "find_closed_run")
NOTE_MISSED = Statement(__file__, "note_missed")
OPEN_CHECKS = Statement(__file__, "open_checks")
OPEN_SUSPECT_CHECKS = Statement(__file__, "open_suspect_checks")
CLOSE_CHECKS = Statement(__file__, "close_checks")
FORGET_MISSED = Statement(__file__, "forget_missed")

CAMPAIGNS = 3  # that did not reach a person, and none between them did
RUNS_AT_ONCE = 5  # of those that have closed; the others wait for the next tick


@dataclass(frozen=True, slots=True)
class Checked:
    """How many checks began, and how many ended without an answer."""

    opened: int
    closed: int


def look_for_missing(database: Database) -> Checked:
    """Look at the next runs that have closed and at the suspects; open and close checks."""
    opened = 0
    for _ in range(RUNS_AT_ONCE):
        with database.transaction() as connection:
            run = FIND_CLOSED_RUN(connection).one_or_none()
            if run is None:
                break
            NOTE_MISSED(
                connection, run_id=run.id, month=run.month, campaign_id=run.campaign_id, closed_at=run.closed_at
            )
            opened += OPEN_CHECKS(connection, run_id=run.id, campaigns=CAMPAIGNS).rowcount
    with database.transaction() as connection:
        opened += OPEN_SUSPECT_CHECKS(connection).rowcount
    with database.transaction() as connection:
        closed = CLOSE_CHECKS(connection).rowcount
    return Checked(opened, closed)


def forget_missed(database: Database) -> None:
    """Delete what no check will ask for any more."""
    with database.transaction() as connection:
        FORGET_MISSED(connection)
