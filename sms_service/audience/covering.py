"""Of which texts an opt-out speaks: those of one class, those with one signature, or all."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, and_

from sms_service.audience.models import Suppression


class TextKind(NamedTuple):
    """Texts of a class with a signature. None: of an entry, that it holds for all of them; of a text, that it is not
    known yet, so that only what holds for all is asked. As SQL, columns stand in their places.
    """

    class_: Any = None
    signature: Any = None


EVERY_TEXT = TextKind()
LONGEST_SIGNATURE = 16  # characters of the longest that a carrier registers


def kind_of(entry: Suppression) -> TextKind:
    """Which texts an entry of the opt-out list keeps back."""
    return TextKind(entry.class_, entry.signature)


def is_about(kind: TextKind, unit_id: int | None = None) -> ColumnElement[bool]:
    """SQL over Suppression: it stands, and is about exactly these texts of this unit, None: of all."""
    return and_(
        Suppression.lifted_at.is_(None),
        Suppression.unit_id.is_not_distinct_from(unit_id),
        Suppression.class_.is_not_distinct_from(kind.class_),
        Suppression.signature.is_not_distinct_from(kind.signature),
    )
