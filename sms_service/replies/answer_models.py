"""What bounds the texts by which the service answers by itself, and which replies got none."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, Date, SmallInteger
from sqlalchemy.orm import Mapped, mapped_column

from sms_service.db.base import Base, Path
from sms_service.vocabulary import Words


class AnswerObstacle(Words):
    """Why the service did not answer a reply by itself."""

    nobody = "nobody"  # nobody is known to have written it
    other_phone = "other_phone"  # whoever wrote it has another phone, or none: texts go to people's own phones alone
    no_mobile = "no_mobile"  # it came from a short code, or a number of a service
    automatic = "automatic"  # a service wrote it, or it is our own text that came back
    often = "often"  # the phone has had as many of such texts on this day as it may
    quota = "quota"  # a quota has not enough left


class AnswerUse(Base):
    """How many texts by which the service answers by itself a phone got on a local day."""

    __tablename__ = "answer_uses"

    day: Mapped[date] = mapped_column(Date, primary_key=True)
    phone: Mapped[str] = mapped_column(primary_key=True)
    used: Mapped[int] = mapped_column(SmallInteger)


class WithheldAnswer(Base):
    """A reply that the service would have answered by itself, and why it did not. `unit_path`: in whose name it would
    have.
    """

    __tablename__ = "withheld_answers"

    in_month: Mapped[date] = mapped_column(Date, primary_key=True)
    reply_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    unit_path: Mapped[Path]
    why: Mapped[str]
    at: Mapped[datetime]

    __table_args__ = (CheckConstraint(f"why IN {AnswerObstacle.sql()}", name="why"),)
