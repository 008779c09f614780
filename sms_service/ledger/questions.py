"""Questions that runs ask: opened by their launch (`open_questions.sql`), closed by the time alone."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor
from sms_service.accounts.permissions import Permission
from sms_service.errors import NotFound
from sms_service.ledger.question_models import QuestionRow


def require_question(session: Session, actor: Actor, permission: Permission, question_id: int) -> QuestionRow:
    """The question, for whoever has the permission over the unit of its campaign. Raises NotFound or Forbidden."""
    found = session.get(QuestionRow, question_id)
    if found is None:
        raise NotFound("question of a campaign", str(question_id))
    actor.require(permission, found.unit_path)
    return found


def move_closing(session: Session, campaign_id: int, item: int, closes_at: datetime) -> None:
    """Let the questions of this item, if it was fired, count answers until then."""
    own = (QuestionRow.campaign_id == campaign_id, QuestionRow.item == item)
    session.execute(update(QuestionRow).where(*own).values(closes_at=closes_at))


def list_questions(session: Session, campaign_id: int) -> list[QuestionRow]:
    """The questions of a campaign, those of its first items and firings first."""
    own = select(QuestionRow).where(QuestionRow.campaign_id == campaign_id)
    return list(session.scalars(own.order_by(QuestionRow.item, QuestionRow.firing)))
