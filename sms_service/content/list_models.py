"""Reference lists: tables of venues, teachers and the like, of which a campaign picks a row."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from sms_service.db.base import Base, CreatedAt, Id


class ReferenceList(Base):
    """A list of a unit, usable throughout its subtree. `name`: as templates call it, `{{ venue.address }}`; `label`: as
    people do. `columns`: name and label of each, in order; the first names the rows. `version` grows with each change.
    """

    __tablename__ = "reference_lists"

    id: Mapped[Id]
    unit_id: Mapped[int] = mapped_column(ForeignKey("units.id"))
    name: Mapped[str]
    label: Mapped[str]
    columns: Mapped[list[Any]]
    version: Mapped[int] = mapped_column(server_default="1")
    created_by: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))
    created_at: Mapped[CreatedAt]
    changed_at: Mapped[CreatedAt]

    __table_args__ = (UniqueConstraint("unit_id", "name"), Index(None, "label", "id"))


class ReferenceRow(Base):
    """A row: its name, unique in the list, and by column what else it has; empty cells are not there. `place`: its
    number in the file. An archived one is picked no more; campaigns that have it keep what they took.
    """

    __tablename__ = "reference_rows"

    id: Mapped[Id]
    list_id: Mapped[int] = mapped_column(ForeignKey("reference_lists.id", ondelete="CASCADE"))
    name: Mapped[str]
    values: Mapped[dict[str, str]]
    place: Mapped[int] = mapped_column(server_default="0")
    archived_at: Mapped[datetime | None]

    __table_args__ = (UniqueConstraint("list_id", "name"), Index(None, "list_id", "place", "id"))


class ReferenceDraft(Base):
    """A file that was read for a list and is not applied yet; each list has one at most. `rows`: name and values of
    each; `refused`: row number and reason of each that cannot be used, and then nothing can be applied.
    """

    __tablename__ = "reference_drafts"

    id: Mapped[Id]
    list_id: Mapped[int] = mapped_column(ForeignKey("reference_lists.id", ondelete="CASCADE"))
    file_name: Mapped[str]
    columns: Mapped[list[Any]]
    rows: Mapped[list[Any]]
    refused: Mapped[list[Any]]
    created_by: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))
    created_at: Mapped[CreatedAt]

    __table_args__ = (UniqueConstraint("list_id"),)
