"""Acts on what providers and networks report about phones. A phone on a provider's stop list is suppressed here too; a
person whose phone two campaigns found dead is suspect.

The ledger's statements write the reports (`phone_reports`), and the clock acts on them. A text that arrives removes
the reports of a dead phone.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from sms_service.audience import suppression
from sms_service.db.engine import Database
from sms_service.db.statements import Statement
from sms_service.ledger.models import PhoneReport
from sms_service.vocabulary import MessageReason

MARK_SUSPECTS = Statement(__file__, "mark_suspects")
CLEAR_SUSPECTS = Statement(__file__, "clear_suspects")
FORGET_REPORTS = Statement(__file__, "forget_reports")

SLICE = 500
KEPT_DAYS = 365  # for which a report counts
_FORGOTTEN_AT_ONCE = 5_000


@dataclass(frozen=True, slots=True)
class Marked:
    """How many people became suspect, and how many no longer are."""

    suspect: int
    cleared: int


def suppress_blacklisted(database: Database) -> int:
    """Suppress the next slice of phones that a provider has on its stop list, each with its entry in the trail; returns
    how many were not suppressed before.
    """
    with database.session() as session:
        waiting = session.scalars(
            select(PhoneReport)
            .where(PhoneReport.heeded_at.is_(None), PhoneReport.kind == MessageReason.blacklisted)
            .order_by(PhoneReport.id)
            .limit(SLICE)
            .with_for_update(skip_locked=True)
        ).all()
        now = session.scalar(select(func.sms_now())) if waiting else None
        suppressed = 0
        for report in sorted(waiting, key=lambda report: report.phone):  # as replies do it: no deadlock
            report.heeded_at = now
            suppressed += suppression.suppress_by_itself(
                session, report.phone, MessageReason.blacklisted, "gateway", report.message_id
            )
        return suppressed


def mark_suspects(database: Database) -> Marked:
    """Mark those whose phone was reported dead on two campaigns, of the next slice of reports; clear those of whom that
    is not so any more, because a text arrived or they have another phone.
    """
    with database.transaction() as connection:
        suspect = MARK_SUSPECTS(connection, size=SLICE).one().suspect
    with database.transaction() as connection:
        cleared = CLEAR_SUSPECTS(connection).rowcount
    return Marked(suspect, cleared)


def forget_old_reports(connection: Connection) -> int:
    """Delete some of the reports of a year ago that were heeded; returns how many. Who is suspect because of them alone
    is so no longer.
    """
    return FORGET_REPORTS(connection, days=KEPT_DAYS, size=_FORGOTTEN_AT_ONCE).rowcount
