"""Gateway accounts and routes as the ledger knows them, and what stops or limits a hand-over. gateways.toml describes
the accounts; these tables have their names and their state.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, Date, ForeignKey, Index, SmallInteger, UniqueConstraint, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from sms_service.db.base import Base, CreatedAt, Id
from sms_service.said import Said, read_said
from sms_service.vocabulary import TextClass, Words


class AccountState(Words):
    """Whether a gateway account is handed texts."""

    open = "open"
    paused = "paused"
    removed = "removed"  # no account of gateways.toml any more


class PausedBy(Words):
    """Who paused a gateway account, and so what opens it again."""

    person = "person"  # a person paused it, and a person opens it
    breaker = "breaker"  # its texts went wrong; it opens after a time, or by a person if its password or money is wrong
    link = "link"  # its link is down, or no process holds it; it opens when the link is up


class GatewayAccount(Base):
    """One set of credentials at one provider. `simulated`: it reaches no real phone. Only an `open` account is handed
    texts.

    A paused account has `paused_by` (a `PausedBy`) and `reason`. `state_since`: when it came into its state; None
    where nobody wrote that down.

    The breaker counts hand-overs since `watched_from`. An account that it paused opens by itself at `reopens_at`; the
    pause is longer after each of its `trips`.

    `receipt_parts`: a long text is delivered when "all" its parts are, or when "one" is reported, for providers that
    report only one part. `names_groups`: a provider's id names a whole group, and the phone says which of its texts is
    meant; with `one_text` the id names those texts of the group that have the same words. `names_parts`: each receipt
    is about one part. `longest_signature`: characters that the carrier registers. `shared`: others send over
    it too, and a stop that comes in there is said to all. `needs_binding`: it takes only texts
    whose template version has a usable binding. `policy`: the rest of its content policy, see `gateways.policy`.
    `price_fen`: what a part costs, if gateways.toml says it. `pulled_at`: when the provider was last asked for new
    receipts and replies.
    """

    __tablename__ = "gateway_accounts"

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(unique=True)
    adapter: Mapped[str]
    simulated: Mapped[bool]
    receipt_parts: Mapped[str] = mapped_column(server_default="all")
    longest_signature: Mapped[int] = mapped_column(SmallInteger, server_default="16")
    shared: Mapped[bool] = mapped_column(server_default="false")
    names_groups: Mapped[bool] = mapped_column(server_default="false")
    names_parts: Mapped[bool] = mapped_column(server_default="false")
    one_text: Mapped[bool] = mapped_column(server_default="false")
    needs_binding: Mapped[bool] = mapped_column(server_default="false")
    policy: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    price_fen: Mapped[float | None]
    state: Mapped[str] = mapped_column(server_default=AccountState.open.value)
    reason: Mapped[str | None]
    # Of a reason that the service wrote; a process of an older release writes a reason and leaves this as it is.
    reason_message: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    paused_by: Mapped[str | None]
    state_since: Mapped[datetime | None]
    reopens_at: Mapped[datetime | None]
    trips: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    pulled_at: Mapped[datetime | None]
    watched_from: Mapped[datetime] = mapped_column(server_default=func.now())
    created_at: Mapped[CreatedAt]

    __table_args__ = (
        CheckConstraint(f"state IN {AccountState.sql()}", name="state"),
        CheckConstraint(f"paused_by IN {PausedBy.sql()}", name="paused_by"),
        CheckConstraint("receipt_parts IN ('all', 'one')", name="receipt_parts"),
    )

    @property
    def said_reason(self) -> Said | None:
        """The reason with its message and values; None if there is none, or where a person wrote it."""
        if self.reason is None or self.paused_by == PausedBy.person:
            return None
        return read_said(self.reason, self.reason_message)


class Route(Base):
    """An ordered set of gateway accounts."""

    __tablename__ = "routes"

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(unique=True)


class RouteMember(Base):
    """The place of an account in a route. The open accounts with the lowest `priority` are used, and share the texts by
    `weight`.
    """

    __tablename__ = "route_members"

    route_id: Mapped[int] = mapped_column(ForeignKey("routes.id"), primary_key=True)
    gateway_account_id: Mapped[int] = mapped_column("account_id", ForeignKey("gateway_accounts.id"), primary_key=True)
    priority: Mapped[int] = mapped_column(SmallInteger)
    weight: Mapped[int] = mapped_column(SmallInteger, server_default="1")

    __table_args__ = (CheckConstraint("weight BETWEEN 1 AND 100", name="weight"),)


class BindingState(Words):
    """How far a provider is with a template version."""

    draft = "draft"  # it is not handed in yet
    filed = "filed"  # it is handed in, and the provider has not answered
    usable = "usable"  # the provider lets texts of it through
    refused = "refused"  # the provider does not register it; the note says why


class TemplateBinding(Base):
    """What a gateway account's provider calls a template version; no row: `draft`.

    `provider_template_id`: its name there, once it is known. `parameters`: the version's variables in the order in
    which the provider has registered their places.
    """

    __tablename__ = "template_bindings"

    template_version_id: Mapped[int] = mapped_column(ForeignKey("template_versions.id"), primary_key=True)
    gateway_account_id: Mapped[int] = mapped_column(ForeignKey("gateway_accounts.id"), primary_key=True)
    state: Mapped[str]
    provider_template_id: Mapped[str | None]
    parameters: Mapped[list[str]]
    note: Mapped[str | None]
    changed_by: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))
    changed_at: Mapped[CreatedAt]

    __table_args__ = (
        CheckConstraint(f"state IN {BindingState.sql()}", name="state"),
        CheckConstraint("state <> 'usable' OR provider_template_id IS NOT NULL", name="usable"),
        CheckConstraint("state <> 'refused' OR note IS NOT NULL", name="refused"),
    )


class Cap(Base):
    """How many texts of a class one phone may get on one local day; a class without a row is not capped."""

    __tablename__ = "caps"

    class_: Mapped[str] = mapped_column("class", primary_key=True)
    per_day: Mapped[int] = mapped_column(SmallInteger)

    __table_args__ = (
        CheckConstraint(f"class IN {TextClass.sql()}", name="class"),
        CheckConstraint("per_day BETWEEN 1 AND 100", name="per_day"),
    )


class UnitCap(Base):
    """The same for people of one unit's subtree. The smallest of the caps that hold for a person counts."""

    __tablename__ = "unit_caps"

    unit_id: Mapped[int] = mapped_column(ForeignKey("units.id"), primary_key=True)
    class_: Mapped[str] = mapped_column("class", primary_key=True)
    per_day: Mapped[int] = mapped_column(SmallInteger)

    __table_args__ = (
        CheckConstraint(f"class IN {TextClass.sql()}", name="class"),
        CheckConstraint("per_day BETWEEN 1 AND 100", name="per_day"),
    )


class CapUse(Base):
    """How many places of a cap a phone has used on a local day. The gate reserves a place; it is given back if the text
    did not leave, for certain.
    """

    __tablename__ = "cap_uses"

    phone: Mapped[str] = mapped_column(primary_key=True)
    class_: Mapped[str] = mapped_column("class", primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    used: Mapped[int] = mapped_column(SmallInteger)

    __table_args__ = (CheckConstraint("used >= 0", name="used"), Index(None, "day"))


class QuietDay(Base):
    """A local day on which texts of these classes do not leave to people of the unit's subtree; they wait for the day
    after. Test texts are not kept back.
    """

    __tablename__ = "quiet_days"

    id: Mapped[Id]
    unit_id: Mapped[int] = mapped_column(ForeignKey("units.id"))
    day: Mapped[date] = mapped_column(Date)
    name: Mapped[str]
    classes: Mapped[list[str]]
    created_by: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))
    created_at: Mapped[CreatedAt]

    __table_args__ = (
        UniqueConstraint("unit_id", "day"),
        CheckConstraint(
            f"cardinality(classes) > 0 AND classes <@ ARRAY[{', '.join(repr(str(one)) for one in TextClass)}]",
            name="classes",
        ),
        Index(None, "day", "id"),
    )


class Stop(Base):
    """*Stop everything* for a unit's whole subtree, or for one gateway account, until a person releases it."""

    __tablename__ = "stops"

    id: Mapped[Id]
    unit_id: Mapped[int | None] = mapped_column(ForeignKey("units.id"))
    gateway_account_id: Mapped[int | None] = mapped_column(ForeignKey("gateway_accounts.id"))
    why: Mapped[str]
    stopped_by: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))
    stopped_at: Mapped[datetime]
    released_by: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))
    released_at: Mapped[datetime | None]
    release_why: Mapped[str | None]

    __table_args__ = (
        CheckConstraint("num_nonnulls(unit_id, gateway_account_id) = 1", name="one_target"),
        CheckConstraint("(released_at IS NULL) = (release_why IS NULL)", name="release_has_why"),
        Index("ix_stops_active", "id", postgresql_where="released_at IS NULL"),
    )


class Tally(Base):
    """The result of one call to a gateway; the breaker counts these. `blamed`: the refusals that were the account's
    fault, not the text's or the recipient's.
    """

    __tablename__ = "tallies"

    id: Mapped[Id]
    at: Mapped[datetime]
    gateway_account_id: Mapped[int]
    run_id: Mapped[int]
    texts: Mapped[int] = mapped_column(SmallInteger)
    refused: Mapped[int] = mapped_column(SmallInteger)
    unknown: Mapped[int] = mapped_column(SmallInteger)
    blamed: Mapped[int] = mapped_column(SmallInteger)

    __table_args__ = (Index(None, "gateway_account_id", "id"), Index(None, "run_id", "id"))


class Cluster(Base):
    """The PostgreSQL server, by system identifier and timeline, that this ledger last worked on."""

    __tablename__ = "cluster"

    one: Mapped[bool] = mapped_column(primary_key=True, server_default="true")
    system_identifier: Mapped[int]
    timeline: Mapped[int]
    since: Mapped[datetime]

    __table_args__ = (CheckConstraint("one", name="one"),)
