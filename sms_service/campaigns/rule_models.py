"""The rules that say how many approvals a campaign needs."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, SmallInteger
from sqlalchemy.orm import Mapped, mapped_column

from sms_service.db.base import Base, CreatedAt, Id
from sms_service.directory.models import LEVELS
from sms_service.vocabulary import TextClass

FEWEST_APPROVALS, MOST_APPROVALS = 0, 2
MOST_BY_SELF_SERVICE = 1_000  # people; whoever sets the rules alone decides no more alone
LARGEST_GROWTH = 200  # percent


class ApprovalRule(Base):
    """How many approvals a campaign needs that a unit of the owner's subtree sends: one of this `level` and this class
    (None: of any), to at most `up_to` people (None: to any number). With 0 `approvals` whoever submits it sends it.

    `approver_level`: an approver holds the right on a unit of this level or of a higher one; None: on any that reaches
    the campaign. A run may have `growth_percent` more recipients than were approved.
    """

    __tablename__ = "approval_rules"

    id: Mapped[Id]
    unit_id: Mapped[int] = mapped_column(ForeignKey("units.id"))
    level: Mapped[str | None]
    class_: Mapped[str | None] = mapped_column("class")
    up_to: Mapped[int | None] = mapped_column(Integer)
    approvals: Mapped[int] = mapped_column(SmallInteger)
    approver_level: Mapped[str | None]
    growth_percent: Mapped[int] = mapped_column(SmallInteger, server_default="20")
    changed_by: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))
    changed_at: Mapped[CreatedAt]

    __table_args__ = (
        CheckConstraint(f"level IN {LEVELS}", name="level"),
        CheckConstraint(f"class IN {TextClass.sql()}", name="class"),
        CheckConstraint("up_to > 0", name="up_to"),
        CheckConstraint(f"approvals BETWEEN {FEWEST_APPROVALS} AND {MOST_APPROVALS}", name="approvals"),
        CheckConstraint(f"approver_level IN {LEVELS}", name="approver_level"),
        CheckConstraint(f"growth_percent BETWEEN 0 AND {LARGEST_GROWTH}", name="growth_percent"),
        # 0: whoever submits it decides alone, whatever they hold, and the rule says to how many people.
        CheckConstraint(
            f"approvals > 0 OR (approver_level IS NULL AND up_to IS NOT NULL AND up_to <= {MOST_BY_SELF_SERVICE})",
            name="self_service",
        ),
        Index(
            "uq_approval_rules_case",
            "unit_id",
            "level",
            "class",
            "up_to",
            unique=True,
            postgresql_nulls_not_distinct=True,
        ),
    )


def rank_level(level: str) -> int:
    """The place of a unit's level from the top: the smaller, the higher."""
    return LEVELS.index(level)
