"""What is held about one person in what webhooks are told: the masked phone."""

from __future__ import annotations

from sqlalchemy import Text, func, literal, literal_column, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from sms_service.audit.happening_models import Happening


def empty_happenings(session: Session, person_id: int) -> int:
    """Take the person's masked phone out of what is kept; returns of how many happenings. What was sent is sent."""
    data, place = Happening.body["data"], literal(["data", "phone"], ARRAY(Text))
    emptied = session.scalars(
        update(Happening)
        .where(data["person_id"].astext == str(person_id), data["phone"].astext.is_not(None))
        .values(body=func.jsonb_set(Happening.body, place, literal_column("'null'::jsonb")))
        .returning(Happening.id)
        .execution_options(synchronize_session=False)
    )
    return len(emptied.all())
