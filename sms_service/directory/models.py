"""The org tree, the people in it, and the roles they hold."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from sms_service.db.base import Base, CreatedAt, Id, Path
from sms_service.directory.phones import recall_problem
from sms_service.said import Said

CITY_ZONE = "Asia/Shanghai"  # where nothing else is said
LEVELS = ("city", "district", "street", "branch")
GUEST = "guest"  # the kind of a person who is not in the register


class Unit(Base):
    """A node of the tree. `path` names its place by ids ("/1/5/49/"); `code` is the office's own number for it.

    Each unit has its own time zone and sending window (minutes after local midnight; the opening is in it, the closing
    is not). Setting them sets the whole subtree; a new unit copies its parent's. So it is with `redact_after_days`:
    after so many days phone and text of its people's messages are emptied; None: as the installation says.
    `demonstration`: the unit's phone numbers are invented, and only simulated gateways take them.

    A unit that was closed (`closed_at`) has no people; it stays, since past counts and names stand on it. `merged_into`
    is the unit that took its people.
    """

    __tablename__ = "units"

    id: Mapped[Id]
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("units.id"))
    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    level: Mapped[str]
    path: Mapped[Path] = mapped_column(unique=True)
    timezone: Mapped[str] = mapped_column(server_default=CITY_ZONE)
    window_opens: Mapped[int] = mapped_column(SmallInteger, server_default="480")
    window_closes: Mapped[int] = mapped_column(SmallInteger, server_default="1200")
    redact_after_days: Mapped[int | None] = mapped_column(SmallInteger)
    demonstration: Mapped[bool] = mapped_column(server_default="false")
    closed_at: Mapped[datetime | None]
    merged_into: Mapped[int | None]
    created_at: Mapped[CreatedAt]

    __table_args__ = (
        CheckConstraint(f"level IN {LEVELS}", name="level"),
        CheckConstraint("window_opens >= 0 AND window_opens < window_closes AND window_closes <= 1440", name="window"),
        CheckConstraint("path ~ '^/([0-9]+/)+$'", name="path"),
        CheckConstraint("redact_after_days >= 30", name="redact_after_days"),
        Index(None, "parent_id"),
        Index(None, "name", "id"),
        Index(None, "redact_after_days", postgresql_where="redact_after_days IS NOT NULL"),
    )


class Person(Base):
    """A member or an outside contact. `number` is the office's number for the person; `phone` is E.164.

    A guest is nobody of the register: of a list for one campaign (`audience/recipient_lists.py`), erased with it, or
    the own phone of an account (`own_texts/phones.py`), erased once that has ended. A guest has left from the
    beginning, so that nothing but the list, or the account itself, finds them.

    `phone_problem` says why the phone given at import is unusable; `lost_contact`: known to be out of reach.
    `suspect_since`: texts of two campaigns found the phone dead.
    """

    __tablename__ = "people"

    id: Mapped[Id]
    unit_id: Mapped[int] = mapped_column(ForeignKey("units.id"))
    number: Mapped[str | None] = mapped_column(unique=True)
    name: Mapped[str]
    kind: Mapped[str] = mapped_column(server_default="member")
    phone: Mapped[str | None]
    phone_problem: Mapped[str | None]
    phone_problem_message: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    lost_contact: Mapped[bool] = mapped_column(server_default="false")
    suspect_since: Mapped[datetime | None]
    tags: Mapped[list[str]] = mapped_column(server_default="{}")
    attributes: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    left_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]

    __table_args__ = (
        CheckConstraint("kind IN ('member', 'contact', 'guest')", name="kind"),
        CheckConstraint("phone ~ '^\\+[1-9][0-9]{6,14}$'", name="phone"),
        Index(None, "unit_id", "id"),
        Index(None, "phone"),
        Index(None, "name", "id"),
        Index(None, "tags", postgresql_using="gin"),
        Index("ix_people_suspect", "id", postgresql_where="suspect_since IS NOT NULL"),
    )

    @property
    def said_phone_problem(self) -> Said | None:
        """What is wrong with the phone, with its message and values."""
        return None if self.phone_problem is None else recall_problem(self.phone_problem, self.phone_problem_message)


class Contact(Base):
    """A person holding a role (书记, 组织委员, …) in a unit."""

    __tablename__ = "contacts"

    id: Mapped[Id]
    unit_id: Mapped[int] = mapped_column(ForeignKey("units.id"))
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"))
    role: Mapped[str]

    __table_args__ = (
        UniqueConstraint("unit_id", "person_id", "role"),
        Index(None, "person_id"),
        Index(None, "role", "unit_id"),
    )
