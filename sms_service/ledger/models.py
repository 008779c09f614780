"""Runs, messages, attempts and receipts: the tables the accounting stands on.

`messages` and `attempts` are partitioned by `month`, the first day of the month of launch in city time, carried by run,
message and attempt alike. PostgreSQL wants the partition key in every unique index, and since it is fixed once per
run, the keys below mean what they would without it.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Date,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Sequence,
    SmallInteger,
    UniqueConstraint,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from sms_service.db.base import Base, CreatedAt, Id, InMonth, Path
from sms_service.ledger.states import AttemptStatus, HeldFor, Lane, MessageStatus, RunStatus
from sms_service.said import Said, read_said
from sms_service.vocabulary import MessageReason, TextClass

KINDS = ("campaign", "test", "answer", "notice")


class Run(Base):
    """One firing of a campaign; or, of another kind, one text that belongs to none (`single.py`), which has neither
    campaign nor rule, and a template version only if it was rendered from one that is kept. One of kind `answer` names
    the reply that it answers, which has no other, and `written_by` the account whose words it has: None, the service's.

    `audience` is the number of rows the segment's own query counted at freeze; the identity compares with it. `day`
    is the local date of launch. `due_at` is when it is to be launched; `planned` runs wait for it.

    While `canary` holds message ids, only those may leave; it is emptied when they have gone well. `canary_since`: when
    the first of them had been handed over. The breaker counts since `watched_from`. `parts_estimate` is the mean number
    of parts of a text, from a sample taken at freeze. `digest` (SHA-256) is that of what was approved for it, None of
    runs of before it was kept; a freeze that counts more recipients than `most_people` holds the run. `asks`: what its
    texts ask; `question_id`: the question that its launch opened, or of which it reminds.
    """

    __tablename__ = "runs"

    id: Mapped[Id]
    month: Mapped[date] = mapped_column(Date)
    day: Mapped[date] = mapped_column(Date)
    campaign_id: Mapped[int | None] = mapped_column(ForeignKey("campaigns.id"))
    item: Mapped[int] = mapped_column(SmallInteger, server_default="1")  # which text of a series
    firing: Mapped[int] = mapped_column(SmallInteger, server_default="1")  # which firing of that text
    of_cohort: Mapped[bool] = mapped_column(server_default="false")  # only for its cohort, which is its firing
    kind: Mapped[str] = mapped_column(server_default="campaign")
    status: Mapped[str] = mapped_column(server_default="planned")
    reason: Mapped[str | None]  # why it is held, paused or cancelled
    # Of a reason that the service wrote; a process of an older release writes a reason and leaves this as it is.
    reason_message: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    held_for: Mapped[str | None]
    lane: Mapped[str] = mapped_column(server_default="bulk")
    canary: Mapped[list[int] | None] = mapped_column(ARRAY(BigInteger))
    canary_since: Mapped[datetime | None]
    canary_receipts: Mapped[bool] = mapped_column(server_default="false")
    parts_estimate: Mapped[float] = mapped_column(server_default="1")
    watched_from: Mapped[datetime] = mapped_column(server_default=func.now())
    unit_id: Mapped[int] = mapped_column(ForeignKey("units.id"))
    unit_path: Mapped[Path]
    template_version_id: Mapped[int | None] = mapped_column(ForeignKey("template_versions.id"))
    class_: Mapped[str] = mapped_column("class")
    segment_rule: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    values: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    signature: Mapped[str]
    route_id: Mapped[int] = mapped_column(ForeignKey("routes.id"))
    demonstration: Mapped[bool] = mapped_column(server_default="false")
    hides_text: Mapped[bool] = mapped_column(server_default="false")  # its text holds a secret, and nobody reads it
    reply_in_month: Mapped[date | None] = mapped_column(Date)
    reply_id: Mapped[int | None]
    written_by: Mapped[int | None]
    passes_opt_outs: Mapped[bool] = mapped_column(server_default="false")  # it confirms an opt-out
    validity_s: Mapped[int]  # seconds from launch until rows that have not left expire
    due_at: Mapped[datetime]
    launched_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    digest: Mapped[bytes | None] = mapped_column(LargeBinary)
    asks: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    question_id: Mapped[int | None]
    most_people: Mapped[int | None] = mapped_column(Integer)
    audience: Mapped[int | None]
    frozen_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    # When the clock looks at it again, of a finished or cancelled one: the epoch is at once, None never.
    look_at: Mapped[datetime | None] = mapped_column(server_default=text("'1970-01-01 00:00:00+00'"))
    created_at: Mapped[CreatedAt]

    __table_args__ = (
        UniqueConstraint("id", "month"),
        Index(None, "launched_at"),
        Index(None, "day"),
        Index(None, "campaign_id", "frozen_at"),
        Index("ix_runs_question_id", "question_id", postgresql_where="question_id IS NOT NULL"),
        Index("ix_runs_closed_at", "closed_at", postgresql_where="closed_at IS NOT NULL"),
        UniqueConstraint("campaign_id", "item", "firing"),
        CheckConstraint(f"status IN {RunStatus.sql()}", name="status"),
        CheckConstraint(f"kind IN {KINDS}", name="kind"),
        CheckConstraint(
            "kind <> 'campaign' OR (campaign_id IS NOT NULL AND template_version_id IS NOT NULL"
            " AND segment_rule IS NOT NULL AND NOT hides_text)",
            name="of_campaign",
        ),
        CheckConstraint(
            "(kind = 'answer') = (reply_id IS NOT NULL) AND (reply_id IS NULL) = (reply_in_month IS NULL)"
            " AND (kind = 'answer' OR NOT passes_opt_outs)",
            name="of_reply",
        ),
        Index("uq_runs_reply", "reply_in_month", "reply_id", unique=True, postgresql_where="reply_id IS NOT NULL"),
        CheckConstraint(f"lane IN {Lane.sql()}", name="lane"),
        CheckConstraint(f"held_for IN {HeldFor.sql()}", name="held_for"),
        CheckConstraint("(status = 'held') = (held_for IS NOT NULL)", name="held"),
        CheckConstraint(f"class IN {TextClass.sql()}", name="class"),
        CheckConstraint("month = date_trunc('month', day)::date", name="month"),
        CheckConstraint(
            "status IN ('planned', 'freezing', 'held', 'cancelled') OR audience IS NOT NULL", name="frozen_has_audience"
        ),
        Index(None, "unit_path", "id"),
        Index(None, "unit_path", "launched_at"),
        Index("ix_runs_ended", "look_at", postgresql_where="status IN ('finished', 'cancelled')"),
        Index(None, "unit_id", "id"),
        Index("ix_runs_open", "status", "due_at", postgresql_where="status NOT IN ('closed', 'cancelled')"),
        Index("ix_runs_running", "lane", "id", postgresql_where="status = 'running'"),
    )

    @property
    def said_reason(self) -> Said | None:
        """The reason with its message and values; None if there is none, or where a person wrote it."""
        if self.reason is None or self.held_for is None:
            return None
        return read_said(self.reason, self.reason_message)

    @property
    def in_canary(self) -> bool:
        """Whether only its first texts may leave now."""
        return self.canary is not None


class Message(Base):
    """One row per run and recipient. A recipient is a person, for one unit; `unit_path` is that unit's at freeze.

    `reason` (a `MessageReason`) is why it was skipped, refused or not delivered, with the provider's `raw_code`.
    `parts` is settled when the text is rendered, once, before the first hand-over. `phone`, `text` and `values` are
    emptied by redaction. `carrier`: who gave the number out, as its first digits say; it stays.
    `quiz_question_id`: of a quiz, what the text asks. `cap_day` is the local day whose cap it has
    reserved a place of. On a `pending` row `gateway_account_id` is the account that surely did not take it; it goes to
    another if there is one.
    """

    __tablename__ = "messages"

    month: Mapped[date] = mapped_column(Date)
    id: Mapped[int] = mapped_column(
        Sequence("messages_id_seq"), server_default=Sequence("messages_id_seq").next_value()
    )
    run_id: Mapped[int]
    person_id: Mapped[int]
    unit_id: Mapped[int]
    unit_path: Mapped[Path]
    phone: Mapped[str | None]
    class_: Mapped[str] = mapped_column("class")
    template_version_id: Mapped[int | None]
    route_id: Mapped[int]
    status: Mapped[str]
    reason: Mapped[str | None]
    raw_code: Mapped[str | None]
    duplicate_of: Mapped[int | None]
    not_before: Mapped[datetime]
    expires_at: Mapped[datetime]
    claim_token: Mapped[str | None] = mapped_column(Uuid(as_uuid=False))
    lease_until: Mapped[datetime | None]
    gateway_account_id: Mapped[int | None] = mapped_column("account_id")
    attempts: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    parts: Mapped[int | None] = mapped_column(SmallInteger)
    text: Mapped[str | None]
    values: Mapped[dict[str, Any] | None]
    quiz_question_id: Mapped[int | None]
    cap_day: Mapped[date | None] = mapped_column(Date)
    changed_at: Mapped[datetime]
    carrier: Mapped[str | None]

    __table_args__ = (
        PrimaryKeyConstraint("month", "id"),
        ForeignKeyConstraint(["run_id", "month"], ["runs.id", "runs.month"]),
        UniqueConstraint("month", "run_id", "person_id", "unit_id", name="uq_messages_recipient"),
        Index("uq_messages_phone", "month", "run_id", "phone", unique=True, postgresql_where="status <> 'skipped'"),
        Index("ix_messages_pending", "run_id", "not_before", "id", postgresql_where="status = 'pending'"),
        Index("ix_messages_leased", "lease_until", postgresql_where="status IN ('claimed', 'submitting')"),
        Index("ix_messages_awaiting", "run_id", "changed_at", postgresql_where="status IN ('accepted', 'unknown')"),
        CheckConstraint(f"status IN {MessageStatus.sql()}", name="status"),
        CheckConstraint("status <> 'skipped' OR reason IS NOT NULL", name="skipped_has_reason"),
        CheckConstraint(
            f"(reason IS NOT DISTINCT FROM '{MessageReason.duplicate_phone}') = (duplicate_of IS NOT NULL)",
            name="duplicate_names_row",
        ),
        CheckConstraint(
            "status NOT IN ('pending', 'claimed', 'submitting') OR phone IS NOT NULL", name="leaving_has_phone"
        ),
        CheckConstraint(
            "(status IN ('claimed', 'submitting')) = (claim_token IS NOT NULL AND lease_until IS NOT NULL)",
            name="lease",
        ),
        CheckConstraint(
            "status NOT IN ('submitting', 'accepted', 'unknown', 'delivered', 'undelivered', 'no_receipt') "
            "OR attempts > 0",
            name="left_has_attempt",
        ),
        {"postgresql_partition_by": "LIST (month)"},
    )


class Attempt(Base):
    """One hand-over of one message, written by the statement that makes the message `submitting`.

    `provider_id` is the provider's name for the whole text. `settled_by` is the account of the person who decided an
    unknown one; `looked_up_at` is when the provider was last asked about it. `phone` is set when it becomes unknown,
    or is taken in part without a name, and stays: receipts that name nothing of ours find it by that; redaction empties
    it with the message's.
    """

    __tablename__ = "attempts"

    month: Mapped[date] = mapped_column(Date)
    id: Mapped[int] = mapped_column(
        Sequence("attempts_id_seq"), server_default=Sequence("attempts_id_seq").next_value()
    )
    message_id: Mapped[int]
    run_id: Mapped[int]
    number: Mapped[int] = mapped_column(SmallInteger)
    gateway_account_id: Mapped[int] = mapped_column("account_id")
    claim_token: Mapped[str] = mapped_column(Uuid(as_uuid=False))  # also names the group: the attempts of one call
    status: Mapped[str]
    parts: Mapped[int] = mapped_column(SmallInteger)
    provider_id: Mapped[str | None]
    settled_by: Mapped[int | None]
    error: Mapped[str | None]
    raw_code: Mapped[str | None]
    detail: Mapped[str | None]
    started_at: Mapped[datetime]
    outcome_at: Mapped[datetime | None]
    final_at: Mapped[datetime | None]
    delivered_parts: Mapped[list[int] | None] = mapped_column(ARRAY(SmallInteger))  # counted from 1; no whole text
    looked_up_at: Mapped[datetime | None]
    phone: Mapped[str | None]

    __table_args__ = (
        PrimaryKeyConstraint("month", "id"),
        UniqueConstraint("month", "message_id", "number"),
        ForeignKeyConstraint(["run_id", "month"], ["runs.id", "runs.month"]),
        Index("ix_attempts_unknown", "account_id", "started_at", postgresql_where="status = 'unknown'"),
        # No attempt that was answered has an entry: hand-overs do not pay for it. The second is of a rolling upgrade.
        Index("ix_attempts_unanswered", "account_id", "phone", "started_at", postgresql_where="phone IS NOT NULL"),
        Index(
            "ix_attempts_phoneless",
            *("account_id", "started_at"),
            postgresql_where="status = 'unknown' AND phone IS NULL",
        ),
        Index("ix_attempts_token", "claim_token", postgresql_where="status = 'submitting'"),
        Index("ix_attempts_provider", "account_id", "provider_id", postgresql_where="provider_id IS NOT NULL"),
        Index(
            "ix_attempts_unclassified",
            "account_id",
            "raw_code",
            postgresql_where=f"error = '{MessageReason.unclassified}'",
        ),
        CheckConstraint(f"status IN {AttemptStatus.sql()}", name="status"),
        CheckConstraint(
            "status <> 'accepted' OR provider_id IS NOT NULL OR settled_by IS NOT NULL", name="accepted_is_named"
        ),
        {"postgresql_partition_by": "LIST (month)"},
    )


class AttemptPart(Base):
    """What the provider calls one part (from 1) of an attempt, where it names parts."""

    __tablename__ = "attempt_parts"

    month: Mapped[date] = mapped_column(Date, primary_key=True)
    attempt_id: Mapped[int] = mapped_column(primary_key=True)
    part: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    gateway_account_id: Mapped[int] = mapped_column("account_id")
    provider_id: Mapped[str]

    __table_args__ = (
        CheckConstraint("part > 0", name="part"),
        Index(None, "account_id", "provider_id"),
        {"postgresql_partition_by": "LIST (month)"},
    )


class ReceiptRow(Base):
    """One delivery report as it came, stored before it is acknowledged. Parked means only: `applied_at` is empty.

    `month` and `attempt_id` name the attempt it was applied to; `note` says why one could not be applied. `in_month`,
    in which the row lies, is the one in which it came, by UTC (of rows of before: in which the table got its months).
    """

    __tablename__ = "receipts"

    id: Mapped[int] = mapped_column(
        Sequence("receipts_id_seq"), server_default=Sequence("receipts_id_seq").next_value()
    )
    gateway_account_id: Mapped[int] = mapped_column("account_id", ForeignKey("gateway_accounts.id"))
    received_at: Mapped[datetime]
    raw: Mapped[str | None]
    reference: Mapped[str | None]
    provider_id: Mapped[str | None]
    phone: Mapped[str | None]
    part: Mapped[int] = mapped_column(SmallInteger)
    status: Mapped[str]
    error: Mapped[str | None]
    raw_code: Mapped[str | None]
    occurred_at: Mapped[datetime | None]
    next_try_at: Mapped[datetime]
    tries: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    applied_at: Mapped[datetime | None]
    month: Mapped[date | None] = mapped_column(Date)
    attempt_id: Mapped[int | None]
    note: Mapped[str | None]
    in_month: Mapped[InMonth]

    __table_args__ = (
        PrimaryKeyConstraint("in_month", "id"),
        CheckConstraint("status IN ('delivered', 'undelivered', 'interim', 'unclassified')", name="status"),
        Index("ix_receipts_parked", "next_try_at", "id", postgresql_where="applied_at IS NULL"),
        Index("ix_receipts_attempt", "attempt_id", postgresql_where="attempt_id IS NOT NULL"),
        Index("ix_receipts_unclassified", "account_id", "raw_code", postgresql_where="status = 'unclassified'"),
        {"postgresql_partition_by": "LIST (in_month)"},
    )


class PhoneReport(Base):
    """What a provider or network said of a phone, once for each run: it is dead ("bad_number"), or on the provider's
    stop list ("blacklisted"). The clock heeds it. A text that arrives takes back that the phone is dead.
    """

    __tablename__ = "phone_reports"

    id: Mapped[Id]
    phone: Mapped[str]
    kind: Mapped[str]
    run_id: Mapped[int]
    message_id: Mapped[int]
    unit_path: Mapped[Path]
    at: Mapped[datetime]
    heeded_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint(f"kind IN ('{MessageReason.bad_number}', '{MessageReason.blacklisted}')", name="kind"),
        UniqueConstraint("phone", "kind", "run_id"),
        Index(None, "at"),
        Index("ix_phone_reports_waiting", "id", postgresql_where="heeded_at IS NULL"),
    )
