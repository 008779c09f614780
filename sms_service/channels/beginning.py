"""Posts are made when a run begins, one for each channel of its campaign, and end when their time is over."""

from __future__ import annotations

from typing import Any

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from sms_service.channels.models import ChannelPost, PostStatus
from sms_service.channels.robots.base import PostReason
from sms_service.channels.writing import write_content
from sms_service.content.comparing import CannotRender
from sms_service.db.engine import Database
from sms_service.db.statements import Statement

FIND_UNPOSTED = Statement(__file__, "find_unposted")
SETTLE_POSTS = Statement(__file__, "settle_posts")


def begin_posts(database: Database) -> int:
    """Make the posts of the runs that are frozen and have none yet, at most 200; returns how many were made."""
    with database.session() as session:
        made = [_describe(session, row) for row in FIND_UNPOSTED(session.connection())]
        if made:
            # Each run has its post to a channel once: whoever has made it meanwhile was as right.
            session.execute(insert(ChannelPost).on_conflict_do_nothing(), made)
        return len(made)


def settle_posts(database: Database) -> int:
    """End what waits and is over, and say of what was about to be posted when its process died that nobody knows;
    returns how many of the latter there were.
    """
    with database.transaction() as connection:
        return sum(row.status == PostStatus.unknown for row in SETTLE_POSTS(connection))


def _describe(session: Session, row: Any) -> dict[str, Any]:
    post = {"run_id": row.run_id, "channel_id": row.channel_id, "unit_id": row.unit_id, "expires_at": row.expires_at}
    status, reason = PostStatus.pending, None
    try:
        content = write_content(
            session,
            name=row.name,
            unit=row.unit,
            timezone=row.timezone,
            version_id=row.template_version_id,
            body=row.body,
            values=row.values,
            signature=row.signature,
            segment_rule=row.segment_rule,
            audience=row.audience,
            at=row.due_at,
        )
    except CannotRender:
        content = {"title": row.name, "unit": row.unit, "text": ""}
        status, reason = PostStatus.refused, PostReason.unrendered
    if not row.usable:
        status, reason = PostStatus.cancelled, PostReason.channel_removed
    return {**post, "content": content, "status": status.value, "reason": reason and reason.value}
