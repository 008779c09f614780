"""Gateway accounts and routes as the ledger knows them. What they are is in gateways.toml; here are their names and
their state.
"""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, SmallInteger
from sqlalchemy.orm import Mapped, mapped_column

from sms_service.db.base import Base, CreatedAt, Id


class GatewayAccount(Base):
    """One set of credentials at one provider. `simulated`: it reaches no real phone. Only an `open` account is handed
    anything.
    """

    __tablename__ = "gateway_accounts"

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(unique=True)
    adapter: Mapped[str]
    simulated: Mapped[bool]
    state: Mapped[str] = mapped_column(server_default="open")
    reason: Mapped[str | None]
    created_at: Mapped[CreatedAt]

    __table_args__ = (CheckConstraint("state IN ('open', 'paused', 'removed')", name="state"),)


class Route(Base):
    """An ordered set of gateway accounts."""

    __tablename__ = "routes"

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(unique=True)


class RouteMember(Base):
    """The place of an account in a route: the lowest `priority` that is open is used."""

    __tablename__ = "route_members"

    route_id: Mapped[int] = mapped_column(ForeignKey("routes.id"), primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("gateway_accounts.id"), primary_key=True)
    priority: Mapped[int] = mapped_column(SmallInteger)
