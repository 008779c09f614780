"""Lists for one campaign: whom the rows of a file mean, and what the file says of each of them.

A list never changes after it was made. Its rows are deleted by `personal.list_endings` some time after
its last run, or with the person; the list itself is kept for ever, as its digest stands in approvals.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, UniqueConstraint, or_
from sqlalchemy.orm import Mapped, mapped_column

from sms_service.db.base import Base, CreatedAt, Id


class RecipientList(Base):
    """A list of a unit. `columns`: what its rows have values of, in the file's order. `people`: its rows, of which
    `guests` are of nobody in the register. `digest`: SHA-256 over the rows with their people and values.

    `segment_id`: the segment that was made with it. `look_at`: when the clock looks whether the rows are needed any
    more; `let_go_at`: when a person said that they are not; `emptied_at`: when they were deleted.
    """

    __tablename__ = "recipient_lists"

    id: Mapped[Id]
    unit_id: Mapped[int] = mapped_column(ForeignKey("units.id"))
    import_id: Mapped[int | None] = mapped_column(ForeignKey("imports.id"))
    segment_id: Mapped[int | None] = mapped_column(ForeignKey("segments.id"))
    name: Mapped[str]
    file_name: Mapped[str]
    columns: Mapped[list[str]]
    people: Mapped[int]
    guests: Mapped[int]
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    created_by: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))
    created_at: Mapped[CreatedAt]
    look_at: Mapped[datetime | None]
    let_go_at: Mapped[datetime | None]
    emptied_at: Mapped[datetime | None]

    @property
    def is_over(self) -> bool:
        """Whether nothing new can be sent by it: its rows are deleted, or will be soon. `IS_OVER` in SQL."""
        return self.let_go_at is not None or self.emptied_at is not None

    __table_args__ = (
        UniqueConstraint("import_id"),
        Index(None, "unit_id", "id"),
        Index(None, "look_at", postgresql_where="look_at IS NOT NULL"),
    )


IS_OVER = or_(RecipientList.let_go_at.is_not(None), RecipientList.emptied_at.is_not(None))


class RecipientRow(Base):
    """A person on a list: the row of the file, and its values by column; a cell that was empty has none."""

    __tablename__ = "recipient_rows"

    list_id: Mapped[int] = mapped_column(ForeignKey("recipient_lists.id"), primary_key=True)
    person_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    row: Mapped[int]
    values: Mapped[dict[str, str]]

    __table_args__ = (UniqueConstraint("list_id", "row"), Index(None, "person_id"))
