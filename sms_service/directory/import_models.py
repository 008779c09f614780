"""Imports: what was uploaded, what each row would do or did, and what was found.

An import itself is kept for ever, with the findings of one that was applied. The file, its rows, their outcomes, the
answers about them and who vanished are a draft: `directory.drafts.forget_drafts` deletes them when the import expires,
and the findings too if it was never applied.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, LargeBinary, SmallInteger, Uuid
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from sms_service.db.base import Base, CreatedAt, Id
from sms_service.said import Said, from_json, read_said

IMPORT_KINDS = ("units", "people", "recipients")


class ImportState(StrEnum):
    """How far an import is."""

    uploaded = "uploaded"  # a worker will check it
    checking = "checking"
    checked = "checked"  # nothing is written; a person decides
    applying = "applying"
    applied = "applied"
    failed = "failed"  # it could not be checked; `notice` says why
    expired = "expired"  # nobody applied it in time


# A worker is at it, or will be.
UNDER_WAY_STATES = (ImportState.uploaded, ImportState.checking, ImportState.applying)


class RowOutcome(StrEnum):
    """What a row would do or did; each row has one."""

    created = "created"
    changed = "changed"
    moved = "moved"
    unchanged = "unchanged"
    refused = "refused"


class Import(Base):
    """One file. The counts say how many of its rows would be, or were, created, changed, moved to another unit, left
    unchanged and refused. Of these, `noted` were taken with a note, and `asked` were refused because a person has to
    say who is meant.

    `choices` is what a person said about reading the file, `meanings` what its columns mean (None: as proposed),
    `layout` what was found in it. `complete_for`: the unit of whose people it is said to name all, and `vanishing` the
    counts of those whom it does not name (`directory.completeness`). `notice` says why it failed, or why it was checked
    anew. `version` grows with each check. `token` and `lease_until` belong to the worker that is at it.
    """

    __tablename__ = "imports"

    id: Mapped[Id]
    unit_id: Mapped[int | None] = mapped_column(ForeignKey("units.id"))  # the scope it was made with
    account_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))
    kind: Mapped[str]
    file_name: Mapped[str]
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    rows: Mapped[int]
    created: Mapped[int]
    changed: Mapped[int]
    unchanged: Mapped[int]
    refused: Mapped[int]
    created_at: Mapped[CreatedAt]
    state: Mapped[str] = mapped_column(server_default="applied")
    moved: Mapped[int] = mapped_column(server_default="0")
    noted: Mapped[int] = mapped_column(server_default="0")
    asked: Mapped[int] = mapped_column(server_default="0")
    suppressed: Mapped[int] = mapped_column(server_default="0")
    progress: Mapped[int] = mapped_column(server_default="0")
    size: Mapped[int] = mapped_column(server_default="0")
    choices: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    meanings: Mapped[list[Any] | None] = mapped_column(JSONB(none_as_null=True))
    layout: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    complete_for: Mapped[int | None]
    vanishing: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    notice: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    version: Mapped[int] = mapped_column(server_default="0")
    token: Mapped[uuid.UUID | None]
    lease_until: Mapped[datetime | None]
    tries: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    applied_by: Mapped[int | None]
    applied_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint(f"kind IN {IMPORT_KINDS}", name="kind"),
        CheckConstraint("rows = created + changed + moved + unchanged + refused", name="nothing_dropped"),
        CheckConstraint(f"state IN {tuple(str(state) for state in ImportState)}", name="state"),
        Index(None, "unit_id", "id"),
        Index("ix_imports_work", "id", postgresql_where="state IN ('uploaded', 'checking', 'applying')"),
        Index(None, "expires_at", postgresql_where="expires_at IS NOT NULL"),
    )

    @property
    def said_notice(self) -> Said | None:
        """`notice` as a sentence."""
        return None if self.notice is None else from_json(**self.notice)

    @property
    def stage(self) -> ImportState:
        """How far it is."""
        return ImportState(self.state)

    @property
    def is_kept(self) -> bool:
        """Whether its file and rows are still there."""
        return self.expires_at is not None

    @property
    def completeness(self) -> dict[str, Any] | None:
        """The unit for which the file is said to be complete with the counts of the check, if there are any yet."""
        none_yet = dict.fromkeys(("members", "present", "unclear", "unclear_rows", "vanished", "left"))
        return (
            None if self.complete_for is None else {"unit_id": self.complete_for, **none_yet, **(self.vanishing or {})}
        )

    def let_go(self) -> None:
        """No worker is at it any more."""
        self.token = self.lease_until = None
        self.tries = 0


class ImportProblem(Base):
    """What was wrong with a row. A refused row has at least one finding with `refused`; the other findings are of rows
    that were taken.

    `row` is the number a spreadsheet shows (the header is 1); `value` is personal data and is deleted by retention.
    `reason` is the English sentence made of `message` and `values`; older findings have only the sentence, and those
    that a statement found only the pair.
    """

    __tablename__ = "import_problems"

    id: Mapped[Id]
    import_id: Mapped[int] = mapped_column(ForeignKey("imports.id"))
    row: Mapped[int]
    column: Mapped[str]
    value: Mapped[str | None]
    reason: Mapped[str | None]
    message: Mapped[str | None]
    values: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    refused: Mapped[bool]

    __table_args__ = (Index(None, "import_id", "id"), Index(None, "import_id", "row", "id"))

    @property
    def said(self) -> Said:
        """The reason with its message and values."""
        return say_finding(self.reason, self.message, self.values)


def say_finding(reason: str | None, message: str | None, values: Mapping[str, Any] | None) -> Said:
    """The sentence of a finding, of the columns in which it is kept."""
    if reason is None:
        assert message is not None, "a finding has a sentence or what one is made of"
        return from_json(message, dict(values or {}))
    return read_said(reason, None if message is None else {"message": message, "values": values or {}})


class ImportFile(Base):
    """The uploaded file, so that a worker on any machine can read it."""

    __tablename__ = "import_files"

    import_id: Mapped[int] = mapped_column(ForeignKey("imports.id"), primary_key=True)
    content: Mapped[bytes] = mapped_column(LargeBinary)


class ImportRow(Base):
    """A row of the file below its header. `cells` is a JSON list of what stands in it. A row that can be read says a
    person; `digest` is the same for rows that say the same. Of units only the cells are kept. `words` of a refused row
    of a complete file are the names, numbers and phones that it may hold.
    """

    __tablename__ = "import_rows"

    import_id: Mapped[int] = mapped_column(primary_key=True)
    row: Mapped[int] = mapped_column(primary_key=True)
    cells: Mapped[str]
    is_refused: Mapped[bool]
    words: Mapped[list[str] | None]
    digest: Mapped[uuid.UUID | None] = mapped_column(Uuid)
    number: Mapped[str | None]
    name: Mapped[str | None]
    unit_id: Mapped[int | None]
    kind: Mapped[str | None]
    phone: Mapped[str | None]
    phone_problem: Mapped[str | None]
    phone_problem_message: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    born_on: Mapped[str | None]
    roles: Mapped[list[str] | None]
    tags: Mapped[list[str] | None]
    attributes: Mapped[dict[str, Any] | None] = mapped_column(JSONB)


class ImportOutcome(Base):
    """What a row would do. `why`: the rule by which a readable row is refused or noted (decide_people.sql).
    `person_id`: whom it is about; `twin`: the earlier row that it repeats or contradicts; `candidates`: the people of
    whom a person has to choose one.
    """

    __tablename__ = "import_outcomes"

    import_id: Mapped[int] = mapped_column(primary_key=True)
    row: Mapped[int] = mapped_column(primary_key=True)
    outcome: Mapped[str]
    why: Mapped[str | None]
    person_id: Mapped[int | None]
    twin: Mapped[int | None]
    candidates: Mapped[list[int] | None] = mapped_column(ARRAY(BigInteger))

    __table_args__ = (
        CheckConstraint(f"outcome IN {tuple(str(outcome) for outcome in RowOutcome)}", name="outcome"),
        Index(None, "import_id", "outcome", "row"),
    )


class ImportAnswer(Base):
    """Whom a row means, as a person said; without `person_id` somebody new."""

    __tablename__ = "import_answers"

    import_id: Mapped[int] = mapped_column(ForeignKey("imports.id"), primary_key=True)
    row: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int | None] = mapped_column(ForeignKey("people.id"))
    account_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))


class ImportVanished(Base):
    """Somebody whom no row means of a file that is said to be complete. `seen_at`: when they had last been changed, as
    the check saw them.
    """

    __tablename__ = "import_vanished"

    import_id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(primary_key=True)
    seen_at: Mapped[datetime]


class ColumnMeaning(Base):
    """What the columns with this header mean in a unit's files, as a person last said; kept for ever."""

    __tablename__ = "column_meanings"

    unit_id: Mapped[int] = mapped_column(ForeignKey("units.id"), primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    header: Mapped[str] = mapped_column(primary_key=True)
    meaning: Mapped[str]

    __table_args__ = (CheckConstraint(f"kind IN {IMPORT_KINDS}", name="kind"),)
