"""Finds the text that a reply answers, after the reply was stored; any worker does it, in batches."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import date

from sqlalchemy.orm import Session

from sms_service.audience import suppression
from sms_service.db.engine import Database
from sms_service.db.statements import Statement
from sms_service.replies.meaning import is_offered_stop
from sms_service.vocabulary import MessageReason

REPLY_MONTHS = Statement(__file__, "reply_months")
TAKE_REPLIES = Statement(__file__, "take_replies")
MATCH_REPLIES = Statement(__file__, "match_replies")
MARK_MATCHED = Statement(__file__, "mark_matched")

BATCH = 100
# How long one job matches before it gives way to receipts and texts, in seconds; it ends between batches.
JOB_S = 0.5


def match_waiting(database: Database, stopping: Callable[[], bool] = lambda: False, *, job_s: float = JOB_S) -> bool:
    """Match waiting replies, oldest first, for at most `job_s` seconds; returns whether some are left."""
    end = time.monotonic() + job_s
    while True:
        with database.session() as session:
            months = REPLY_MONTHS(session.connection()).scalars().all()
            matched = sum(_match(session, month) for month in months)
        if matched < BATCH:
            return False
        if stopping() or time.monotonic() >= end:
            return True


def _match(session: Session, in_month: date) -> int:
    """Match the next batch of those that came in one month, and heed the words that
    stop only because the text that they answer offers it.
    """
    connection = session.connection()
    ids = [row.id for row in TAKE_REPLIES(connection, in_month=in_month, size=BATCH)]
    if ids:
        found = MATCH_REPLIES(connection, in_month=in_month, ids=ids).all()
        stops = {row.id for row in found if row.is_whole and is_offered_stop(row.said or "", row.answered)}
        MARK_MATCHED(
            connection,
            in_month=in_month,
            ids=[row.id for row in found],
            months=[row.month for row in found],
            message_ids=[row.message_id for row in found],
            person_ids=[row.person_id for row in found],
            unit_paths=[row.unit_path for row in found],
            stops=[row.id in stops for row in found],
        )
        for row in sorted(found, key=lambda row: (row.phone or "", row.id)):  # whoever suppresses many goes by phone
            if row.id in stops:
                suppression.suppress_by_itself(session, row.phone, MessageReason.opted_out, "reply", row.id)
    return len(ids)
