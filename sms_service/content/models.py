"""Templates and their immutable versions."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from sms_service.db.base import Base, CreatedAt, Id
from sms_service.vocabulary import TextClass, Words


class ListKind(Words):
    """What a listed word means."""

    block = "block"  # no text may hold it
    review = "review"  # an approver must look at it
    host = "host"  # a host to which links may lead


class TemplateCategory(Base):
    """A category of templates, such as 党的历史, usable throughout the subtree of its unit."""

    __tablename__ = "template_categories"

    id: Mapped[Id]
    unit_id: Mapped[int] = mapped_column(ForeignKey("units.id"))
    name: Mapped[str]
    created_by: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))
    created_at: Mapped[CreatedAt]

    __table_args__ = (UniqueConstraint("unit_id", "name"),)


class Template(Base):
    """A named text of a unit, usable throughout its subtree, in versions."""

    __tablename__ = "templates"

    id: Mapped[Id]
    unit_id: Mapped[int] = mapped_column(ForeignKey("units.id"))
    name: Mapped[str]
    class_: Mapped[str] = mapped_column("class")
    category_id: Mapped[int | None] = mapped_column(ForeignKey("template_categories.id"))
    archived_at: Mapped[datetime | None]  # no new campaign may use it then
    cloned_from: Mapped[int | None] = mapped_column(ForeignKey("templates.id"))
    created_by: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))
    created_at: Mapped[CreatedAt]

    __table_args__ = (
        UniqueConstraint("unit_id", "name"),
        CheckConstraint(f"class IN {TextClass.sql()}", name="class"),
        Index(None, "name", "id"),
    )


class TemplateVersion(Base):
    """One wording of a template. Never changed or deleted (`sms_app` may not): campaigns, runs and messages point at
    it.
    """

    __tablename__ = "template_versions"

    id: Mapped[Id]
    template_id: Mapped[int] = mapped_column(ForeignKey("templates.id"))
    number: Mapped[int] = mapped_column(SmallInteger)
    body: Mapped[str]
    variables: Mapped[list[str]]
    fields: Mapped[list[Any]] = mapped_column(server_default="[]")  # TemplateField as JSON, in the order of a form
    created_by: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))
    created_at: Mapped[CreatedAt]

    __table_args__ = (UniqueConstraint("template_id", "number"),)


class ListedWord(Base):
    """A word, or a host, on a list of a unit, which holds for all its subtree."""

    __tablename__ = "listed_words"

    id: Mapped[Id]
    unit_id: Mapped[int] = mapped_column(ForeignKey("units.id"))
    kind: Mapped[str]
    word: Mapped[str]
    created_by: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))
    created_at: Mapped[CreatedAt]

    __table_args__ = (
        UniqueConstraint("unit_id", "kind", "word"),
        CheckConstraint(f"kind IN {ListKind.sql()}", name="kind"),
        Index(None, "word", "id"),
    )


class FilingState(Words):
    """How far a carrier is with a signature."""

    draft = "draft"  # it is not handed in yet
    filed = "filed"  # it is handed in, and the carrier has not answered
    usable = "usable"  # the carrier lets texts with it through


class OwnedSignature(Base):
    """A signature of a unit, usable throughout its subtree; `text` has no brackets."""

    __tablename__ = "signatures"

    id: Mapped[Id]
    unit_id: Mapped[int] = mapped_column(ForeignKey("units.id"))
    text: Mapped[str]
    created_by: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))
    created_at: Mapped[CreatedAt]

    __table_args__ = (UniqueConstraint("unit_id", "text"),)


class SignatureFiling(Base):
    """How far one gateway account is with a signature; no row: `draft`."""

    __tablename__ = "signature_filings"

    signature_id: Mapped[int] = mapped_column(ForeignKey("signatures.id", ondelete="CASCADE"), primary_key=True)
    gateway_account_id: Mapped[int] = mapped_column(ForeignKey("gateway_accounts.id"), primary_key=True)
    state: Mapped[str]
    changed_at: Mapped[CreatedAt]

    __table_args__ = (CheckConstraint(f"state IN {FilingState.sql()}", name="state"),)


class DefaultSignature(Base):
    """The signature that forms of a unit, and of all below it without one of their own, have already."""

    __tablename__ = "default_signatures"

    unit_id: Mapped[int] = mapped_column(ForeignKey("units.id"), primary_key=True)
    signature_id: Mapped[int] = mapped_column(ForeignKey("signatures.id", ondelete="CASCADE"))
