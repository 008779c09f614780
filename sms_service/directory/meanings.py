"""What the columns of a file mean: proposed from their headers and from what a person last said, then checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from sms_service.directory.columns import (
    LONGEST_HEADER,
    PEOPLE_COLUMNS,
    UNIT_COLUMNS,
    Column,
    ColumnHeader,
    bare_header,
    find_field,
    refuse_lacking,
)
from sms_service.directory.import_models import ColumnMeaning
from sms_service.directory.recipient_columns import MOST_VARIABLES, RECIPIENT_COLUMNS, WHO, name_variable_of
from sms_service.directory.text import plain_text
from sms_service.errors import Invalid
from sms_service.said import say

COLUMNS: Mapping[str, Mapping[str, Column]] = {
    "people": PEOPLE_COLUMNS,
    "units": UNIT_COLUMNS,
    "recipients": RECIPIENT_COLUMNS,
}
# Beside the fields: kept under its own header, or of a list for one campaign a value for the text; left out.
ATTRIBUTE, NOTHING = "attribute", "nothing"
REASON_HEADER = "未导入原因"  # of the column that a file of refused rows has beside the office's own
_NUMBERING = frozenset({"序号", "编序", "行号", "no", "no.", "#", REASON_HEADER})
_UNIT_OF_PEOPLE = ("unit", "unit_name")


def list_column_meanings(kind: str) -> list[str]:
    """What a column of such a file may mean."""
    return [*COLUMNS[kind], *(() if kind == "units" else (ATTRIBUTE,)), NOTHING]


def propose_meanings(kind: str, headers: Sequence[str | None], remembered: Mapping[str, str]) -> list[str]:
    """A meaning for each column; the empty text for one without a header. `remembered`: by `bare_header`."""
    known = [remembered.get(bare_header(header)) if header else "" for header in headers]
    best = _best_positions(kind, headers, known)
    for position, header in enumerate(headers):
        if known[position] is None:
            field = find_field(header or "", COLUMNS[kind])
            is_best = field is not None and best.get(field) == position
            known[position] = field if is_best else _other(kind, header or "", repeated=field is not None)
    return [meaning or "" for meaning in known]


def _best_positions(kind: str, headers: Sequence[str | None], known: Sequence[str | None]) -> dict[str, int]:
    """Where each field stands that nobody named: of several columns the one whose header says it best, 手机号 before
    联系电话; among equals the first.
    """
    best: dict[str, tuple[int, int]] = {}
    for position, header in enumerate(headers):
        field = find_field(header or "", COLUMNS[kind]) if known[position] is None else None
        if field is not None and field not in known:
            column = COLUMNS[kind][field]
            rank = [column.header, *column.synonyms].index(bare_header(header or ""))
            best[field] = min(best.get(field, (rank, position)), (rank, position))
    return {field: position for field, (_, position) in best.items()}


def _other(kind: str, header: str, *, repeated: bool) -> str:
    numbering = bare_header(header) in _NUMBERING and not repeated
    return NOTHING if numbering or kind == "units" else ATTRIBUTE


def require_meanings(
    kind: str, row: int, headers: Sequence[str | None], meanings: Sequence[str], *, has_unit: bool
) -> ColumnHeader:
    """The header by these meanings. `has_unit`: the import has a unit, to which rows belong that name none.

    Raises Invalid("file", …) for a meaning given twice, or naming all columns that are missing.
    """
    fields: dict[str, int] = {}
    extras: dict[str, int] = {}
    left_out = set()
    for position, (header, meaning) in enumerate(zip(headers, meanings, strict=True)):
        if not header:
            continue
        if meaning == NOTHING:
            left_out.add(position)
            continue
        name = _name_extra(kind, header) if meaning == ATTRIBUTE else plain_text(header)[:LONGEST_HEADER]
        known, key = (extras, name) if meaning == ATTRIBUTE else (fields, meaning)
        if key in known:
            title = name if meaning == ATTRIBUTE else COLUMNS[kind][meaning].header
            reason = say("has two columns {column!r} in row {row}; say which of them counts", column=title, row=row)
            raise Invalid("file", name, reason)
        known[key] = position
    if kind == "recipients" and len(extras) > MOST_VARIABLES:
        reason = say(
            "has {number} columns of values; at most {most} are allowed", number=len(extras), most=MOST_VARIABLES
        )
        raise Invalid("file", None, reason)
    missing = [column.header for field, column in COLUMNS[kind].items() if column.required and field not in fields]
    if kind == "recipients" and not fields.keys() & set(WHO):
        missing.append("/".join(RECIPIENT_COLUMNS[field].header for field in WHO))
    if kind == "people" and not has_unit and not any(field in fields for field in _UNIT_OF_PEOPLE):
        missing.append(PEOPLE_COLUMNS["unit"].header)
    if missing:
        raise refuse_lacking(missing, row, headers)
    is_own = any(headers[position] == REASON_HEADER for position in left_out)
    return ColumnHeader(fields, extras, frozenset(left_out), is_own)


def _name_extra(kind: str, header: str) -> str:
    """Under which name a column is kept that is no field."""
    if kind != "recipients":
        return plain_text(header)[:LONGEST_HEADER]
    if not (name := name_variable_of(header)):
        reason = say("has a column {column!r}, which no text can name; give it a header of letters", column=header[:50])
        raise Invalid("file", header, reason)
    return name


def recall_meanings(session: Session, kind: str, unit_id: int | None) -> dict[str, str]:
    """What a person last said of the columns of this unit's files, by `bare_header`."""
    statement = select(ColumnMeaning.header, ColumnMeaning.meaning)
    return dict(session.execute(statement.where(ColumnMeaning.unit_id == unit_id, ColumnMeaning.kind == kind)).all())


def remember_meanings(
    session: Session, kind: str, unit_id: int | None, headers: Sequence[str | None], meanings: Sequence[str]
) -> None:
    """Keep what a person said, for the next file of this unit."""
    if unit_id is None:
        return
    said = {bare_header(header): meaning for header, meaning in zip(headers, meanings, strict=True) if header}
    rows = [{"unit_id": unit_id, "kind": kind, "header": key, "meaning": meaning} for key, meaning in said.items()]
    if rows:
        statement = insert(ColumnMeaning)
        kept = {"meaning": statement.excluded.meaning}
        session.execute(statement.on_conflict_do_update(index_elements=["unit_id", "kind", "header"], set_=kept), rows)
