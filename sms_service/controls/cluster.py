"""Which PostgreSQL server the ledger last worked on, by system identifier and timeline. On another server nothing
passes the gate (`cluster_is_known()`); `ledger/failover.py` says what then happens to the runs.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from sms_service.said import Said, say


@dataclass(frozen=True, slots=True)
class ClusterIdentity:
    """A server's system identifier, chosen by initdb, and the timeline of its log, which each promotion increases."""

    system_identifier: int
    timeline: int


def read_identities(connection: Connection) -> tuple[ClusterIdentity | None, ClusterIdentity]:
    """The identity of the server that the ledger last worked on (None: never recorded), and of the present server."""
    row = connection.exec_driver_sql(
        "SELECT c.system_identifier AS known_system, c.timeline AS known_timeline, s.system_identifier, s.timeline"
        " FROM server_identity() s LEFT JOIN cluster c ON true"
    ).one()
    known = None if row.known_system is None else ClusterIdentity(row.known_system, row.known_timeline)
    return known, ClusterIdentity(row.system_identifier, row.timeline)


def describe_difference(known: ClusterIdentity | None, own: ClusterIdentity) -> Said | None:
    """Says in words what differs; None if it is the same server."""
    if known is None:
        return say("it is not written down which PostgreSQL server this ledger was at work on.")
    if known.system_identifier != own.system_identifier:
        return say(
            "PostgreSQL is another server than before, so a backup was restored"
            " (system identifier {own}, before {known}).",
            own=own.system_identifier,
            known=known.system_identifier,
        )
    if known.timeline != own.timeline:
        return say(
            "PostgreSQL was promoted from a standby, or restored to an earlier moment"
            " (timeline {own}, before {known}).",
            own=own.timeline,
            known=known.timeline,
        )
    return None


def write_down_identity(connection: Connection) -> ClusterIdentity:
    """Record that the ledger works on this server from now on; returns the server's identity."""
    connection.exec_driver_sql(
        "INSERT INTO cluster (system_identifier, timeline, since)"
        " SELECT system_identifier, timeline, sms_now() FROM server_identity()"
        " ON CONFLICT (one) DO UPDATE"
        " SET system_identifier = excluded.system_identifier, timeline = excluded.timeline, since = excluded.since"
    )
    _, own = read_identities(connection)
    return own
