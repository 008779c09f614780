"""How many a rule finds."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from sms_service.audience.rules import audience_select


def count_audience(session: Session, rule: object, path: str) -> int:
    """How many recipients the rule finds within the subtree at `path`."""
    found = audience_select(session, rule, path).subquery()
    return session.scalars(select(func.count()).select_from(found)).one()
