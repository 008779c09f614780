"""What happens when PostgreSQL is another server than before: runs are held, and a person decides for each.

A promoted standby or a restored backup may lack the last commits of the old server. Texts that were handed over may
then still wait there to be sent. From the promotion on nothing passes the gate, which asks `cluster_is_known()`;
the clock's next tick holds the runs and writes down the new identity.
"""

from __future__ import annotations

import logging

from psycopg.types.json import Jsonb
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor
from sms_service.accounts.permissions import Permission
from sms_service.audit import trail
from sms_service.controls.cluster import describe_difference, read_identities, write_down_identity
from sms_service.db.engine import Database
from sms_service.db.statements import Statement
from sms_service.directory.text import LONGEST_WHY, required_line
from sms_service.directory.units import require_everywhere, top_paths
from sms_service.said import Said, say, to_json

HOLD = Statement(__file__, "hold_for_cluster")
SKIP_NUMBERS = Statement(__file__, "skip_numbers")

# More than any lost stretch of time can have used up.
SKIPPED_ATTEMPTS = 1_000_000
SKIPPED_RUNS = 1_000

_DECIDE = say(
    "What it had written before may be missing. Decide for this run: nothing was lost; go on, some may get it twice; or"
    " cancel the rest."
)

log = logging.getLogger(__name__)


def hold_if_changed(database: Database) -> list[int]:
    """Hold what may be incomplete if PostgreSQL is another server than before; returns the runs held.

    All of it is one transaction, so at no moment is the new server known while a run from before is not held.
    """
    with database.session() as session:
        differs = describe_difference(*read_identities(session.connection()))
        if differs is None:
            return []
        reason = say("{differs} {decide}", differs=differs, decide=_DECIDE)
        held = _hold(session, None, reason, "cluster.change", differs)
    log.warning("%s %s runs are held until a person decides for each", differs, len(held))
    return held


def hold_after_restore(session: Session, actor: Actor, why: str) -> list[int]:
    """The same as a person's act, for a restore that PostgreSQL does not show: a data folder that was copied back.

    Returns the runs held. Raises Forbidden, or Invalid for an explanation that is missing or too long.
    """
    why = required_line("why", why.strip().removesuffix("."), LONGEST_WHY)
    require_everywhere(session, actor, Permission.operate_campaigns)
    reason = say("PostgreSQL was restored: {why}. {decide}", why=why, decide=_DECIDE)
    return _hold(session, actor.account_id, reason, "cluster.hold", why)


def _hold(session: Session, actor_account_id: int | None, reason: Said, act: str, why: str) -> list[int]:
    connection = session.connection()
    SKIP_NUMBERS(connection, attempts=SKIPPED_ATTEMPTS, runs=SKIPPED_RUNS)
    held = HOLD(connection, reason=reason, message=Jsonb(to_json(reason))).all()
    own = write_down_identity(connection)
    for path in top_paths(session):
        trail.record_act(
            session,
            actor_account_id,
            act,
            "cluster",
            own.system_identifier,
            path,
            why=why,
            timeline=own.timeline,
            runs=[run.id for run in held if run.unit_path.startswith(path)],
        )
    for run in held:
        trail.record_act(session, actor_account_id, "run.held", "run", run.id, run.unit_path, why=why)
    return [run.id for run in held]
