"""Campaigns and the decisions people took on them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Integer, LargeBinary, SmallInteger
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from sms_service.campaigns.states import FROM_FIRST, LATE, CampaignKind, CampaignStatus
from sms_service.db.base import Base, CreatedAt, Id


class Campaign(Base):
    """Template, segment, time and manner of a sending, decided by people. `values` fill those of the template's
    variables that are the same for all. `picks`: by reference list the id of the row that was picked; what it said then
    stands in `values`. `channels`: the ids of those to which its runs are also posted.

    `schedule`: by what rule its items fire; a plain campaign has neither schedule nor items, but one run. `undecided`:
    what it would send now is not what was approved, and it is active: what is still to go waits for a decision.

    `asks`: what its texts ask (`asking.py`), None: nothing.

    `urgent`: its texts go before all that are not urgent. `canary_receipts`: after its first texts, the run waits for
    their receipts. `launch_on_approval`: its approval launches it, for `planned_at` or, where that is empty, at once.
    """

    __tablename__ = "campaigns"

    id: Mapped[Id]
    unit_id: Mapped[int] = mapped_column(ForeignKey("units.id"))
    name: Mapped[str]
    status: Mapped[str] = mapped_column(server_default="draft")
    kind: Mapped[str] = mapped_column(server_default="plain")
    schedule: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    undecided: Mapped[bool] = mapped_column(server_default="false")
    template_version_id: Mapped[int] = mapped_column(ForeignKey("template_versions.id"))
    segment_id: Mapped[int] = mapped_column(ForeignKey("segments.id"))
    values: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    picks: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    channels: Mapped[list[int]] = mapped_column(ARRAY(BigInteger), server_default="{}")
    asks: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    signature: Mapped[str]
    route_id: Mapped[int] = mapped_column(ForeignKey("routes.id"))
    validity_s: Mapped[int] = mapped_column(server_default="86400")  # seconds from launch
    urgent: Mapped[bool] = mapped_column(server_default="false")
    canary_receipts: Mapped[bool] = mapped_column(server_default="false")
    launch_on_approval: Mapped[bool] = mapped_column(server_default="false")
    planned_at: Mapped[datetime | None]
    submissions: Mapped[int] = mapped_column(Integer, server_default="0")  # how often it asked for approval
    created_by: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]

    __table_args__ = (
        CheckConstraint(f"status IN {CampaignStatus.sql()}", name="status"),
        CheckConstraint(f"kind IN {CampaignKind.sql()}", name="kind"),
        CheckConstraint("(kind = 'plain') = (schedule IS NULL)", name="schedule"),
        CheckConstraint("validity_s BETWEEN 300 AND 259200", name="validity"),
        Index(None, "unit_id", "id"),
        Index(None, "segment_id", "id"),
        Index("ix_campaigns_submitted", "id", postgresql_where="status = 'submitted'"),
        Index("ix_campaigns_undecided", "id", postgresql_where="undecided"),
        Index("ix_campaigns_active", "id", postgresql_where="status = 'active'"),
        Index("ix_campaigns_posting", "id", postgresql_where="status = 'active' AND channels <> '{}'"),
    )

    @property
    def has_cohorts(self) -> bool:
        """Whether people who join it late begin at its first item."""
        return self.kind == CampaignKind.series and (self.schedule or {}).get(LATE) == FROM_FIRST


class CampaignItem(Base):
    """One text of a campaign with a schedule: an instalment of a series, the reminder of an event. Its `number` is that
    of its runs (`runs.item`) and never changes; `position` is its place among the others.

    `template_version_id`, `values` and `rule` stand before the campaign's: another text, further values, and a rule
    that narrows whom the campaign's segment finds (of an event: that stands in its place). `next_at`: when it fires
    next, as its run `next_firing`; None: nothing comes. `fired_at`: the time for which it fired last. `skipped`: a
    person decided that it does not go. `asks`: what it asks, in place of what the campaign asks. `approved`: the digest
    of what was approved for it.
    """

    __tablename__ = "campaign_items"

    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"), primary_key=True)
    number: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    position: Mapped[int] = mapped_column(Integer)
    label: Mapped[str]
    template_version_id: Mapped[int | None] = mapped_column(ForeignKey("template_versions.id"))
    values: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    rule: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    asks: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    skipped: Mapped[bool] = mapped_column(server_default="false")
    next_at: Mapped[datetime | None]
    fired_at: Mapped[datetime | None]
    next_firing: Mapped[int] = mapped_column(SmallInteger, server_default="1")
    approved: Mapped[bytes | None] = mapped_column(LargeBinary)
    updated_at: Mapped[CreatedAt]

    __table_args__ = (
        CheckConstraint("number > 0", name="number"),
        Index("ix_campaign_items_due", "next_at", postgresql_where="next_at IS NOT NULL"),
    )


class SeriesCohort(Base):
    """People who joined a series late and go through its items from the first on, beside those who began with it.
    `firing` is that of their runs; those who began with it have 1, and no row here.

    `next_at`: when their next item fires; None: they have had all. `fired_at`: the time for which one fired last; None:
    it waits for somebody who is new. What is next is the first item of which they have no run.
    """

    __tablename__ = "series_cohorts"

    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"), primary_key=True)
    firing: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    next_at: Mapped[datetime | None]
    fired_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint("firing > 1", name="firing"),
        Index("ix_series_cohorts_due", "next_at", postgresql_where="next_at IS NOT NULL"),
    )


class Decision(Base):
    """Somebody's yes or no to exactly one content: `digest` covers wording, values, signature, segment rule, class
    and route. A yes counts for one `submission` of the campaign: where it needs two, it is one of them.

    `people`: its recipients as counted for a yes. `self_service`: by who submitted it, as a rule allows. `level`: of
    the highest unit on which the right was held; `lender_id`: by delegation of this account.
    """

    __tablename__ = "decisions"

    id: Mapped[Id]
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"))
    account_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))
    decided: Mapped[str] = mapped_column("verdict")
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    content: Mapped[dict[str, Any] | None]  # `covered` by the digest, `whom`, what was `asked`; None: of before
    comment: Mapped[str | None]
    at: Mapped[datetime]
    submission: Mapped[int | None] = mapped_column(Integer)
    people: Mapped[int | None] = mapped_column(Integer)
    self_service: Mapped[bool] = mapped_column(server_default="false")
    level: Mapped[str | None]
    lender_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))

    __table_args__ = (
        CheckConstraint("verdict IN ('approved', 'rejected')", name="verdict"),
        Index(None, "campaign_id", "id"),
    )
