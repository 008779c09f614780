"""Whether PostgreSQL is still the server that the ledger was last at work on; if not, a person decides for each run.

A standby that was promoted, or a backup that was restored, may lack what the server had committed before: rows that
were handed over wait there to be sent. From the promotion on nothing passes the gate, which asks `cluster_is_known()`;
the clock's next tick holds the runs and writes down the new identity.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor
from sms_service.accounts.permissions import Permission
from sms_service.audit import trail
from sms_service.db.engine import Database
from sms_service.db.statements import Statement
from sms_service.directory.text import LONGEST_WHY, required_line
from sms_service.directory.units import require_everywhere, tops

HOLD = Statement(__file__, "hold_for_cluster")
SKIP_NUMBERS = Statement(__file__, "skip_numbers")

# More than any lost stretch of time can have used up.
SKIPPED_ATTEMPTS = 1_000_000
SKIPPED_RUNS = 1_000

_DECIDE = (
    "What it had written before may be missing. Decide for this run: nothing was lost; go on, some may get it twice; or"
    " cancel the rest."
)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Identity:
    """A server's system identifier, which initdb chose, and the timeline of its log, which each promotion counts on."""

    system_identifier: int
    timeline: int


def identities(connection: Connection) -> tuple[Identity | None, Identity]:
    """The identity that the ledger was last at work on (None: it was never written down), and the server's own now."""
    row = connection.exec_driver_sql(
        "SELECT c.system_identifier AS known_system, c.timeline AS known_timeline, s.system_identifier, s.timeline"
        " FROM server_identity() s LEFT JOIN cluster c ON true"
    ).one()
    known = None if row.known_system is None else Identity(row.known_system, row.known_timeline)
    return known, Identity(row.system_identifier, row.timeline)


def difference(known: Identity | None, own: Identity) -> str | None:
    """In plain words what differs; None if it is the same server."""
    if known is None:
        return "it is not written down which PostgreSQL server this ledger was at work on."
    if known.system_identifier != own.system_identifier:
        return (
            "PostgreSQL is another server than before, so a backup was restored"
            f" (system identifier {own.system_identifier}, before {known.system_identifier})."
        )
    if known.timeline != own.timeline:
        return (
            "PostgreSQL was promoted from a standby, or restored to an earlier moment"
            f" (timeline {own.timeline}, before {known.timeline})."
        )
    return None


def hold_if_changed(database: Database) -> list[int]:
    """Hold what may be incomplete if PostgreSQL is another server than before; returns the runs held.

    All in one transaction: there is no moment in which the server is known and a run of its earlier life not held.
    """
    with database.session() as session:
        differs = difference(*identities(session.connection()))
        if differs is None:
            return []
        held = _hold(session, None, f"{differs} {_DECIDE}", "cluster.change", differs)
    log.warning("%s %s runs are held; a person decides for each", differs, len(held))
    return held


def hold(session: Session, actor: Actor, why: str) -> list[int]:
    """The same by a person's act, for a restore that nothing in the server shows: a data folder that was copied back.

    Returns the runs held. Raises Forbidden, or Invalid for an explanation that is missing or too long.
    """
    why = required_line("why", why.strip().removesuffix("."), LONGEST_WHY)
    require_everywhere(session, actor, Permission.operate_campaigns)
    return _hold(session, actor.account_id, f"PostgreSQL was restored: {why}. {_DECIDE}", "cluster.hold", why)


def _hold(session: Session, account_id: int | None, reason: str, act: str, why: str) -> list[int]:
    connection = session.connection()
    SKIP_NUMBERS(connection, attempts=SKIPPED_ATTEMPTS, runs=SKIPPED_RUNS)
    held = HOLD(connection, reason=reason).all()
    connection.exec_driver_sql(
        "INSERT INTO cluster (system_identifier, timeline, since)"
        " SELECT system_identifier, timeline, sms_now() FROM server_identity()"
        " ON CONFLICT (one) DO UPDATE"
        " SET system_identifier = excluded.system_identifier, timeline = excluded.timeline, since = excluded.since"
    )
    _, own = identities(connection)
    for path in tops(session):
        trail.record(
            session,
            account_id,
            act,
            "cluster",
            own.system_identifier,
            path,
            why=why,
            timeline=own.timeline,
            runs=[run.id for run in held if run.unit_path.startswith(path)],
        )
    for run in held:
        trail.record(session, account_id, "run.held", "run", run.id, run.unit_path, why=why)
    return [run.id for run in held]
