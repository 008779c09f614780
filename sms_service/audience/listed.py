"""Lists for one campaign as rules and texts use them: `{"list": 5}` finds the people on the list, and a text has what
the list says of each of them as `{{ row.座位 }}`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import JSON, ColumnElement, Select, String, cast, func, literal_column, null, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from sms_service.audience.grammar import All, AnyOf, Not, OnList, Rule, list_leaves, parse_rule
from sms_service.audience.list_models import IS_OVER, RecipientList, RecipientRow
from sms_service.audience.nesting import write_out_now
from sms_service.directory.models import Person, Unit
from sms_service.directory.units import are_in_line
from sms_service.errors import Invalid
from sms_service.said import Said, as_said, say

ROW = "row."  # before the names of variables that a list fills

# The digests of the lists that a segment of the statement, or one that it uses, names; by id, hexadecimal.
USED_LISTS: ColumnElement[Any] = literal_column(
    """(WITH RECURSIVE used AS (
        SELECT segments.rule, segments.uses
        UNION
        SELECT s.rule, s.uses FROM used JOIN segments s ON s.id = ANY (used.uses)
    )
    SELECT json_object_agg(l.id, encode(l.digest, 'hex'))
    FROM recipient_lists l
    WHERE l.id IN (
        SELECT (jsonb_path_query(rule, '$.**.list ? (@.type() == "number")') #>> '{}')::bigint FROM used
    ))""",
    JSON,
)


class UsedList(NamedTuple):
    """A list as a rule uses it; `path` is its unit's."""

    id: int
    name: str
    columns: Sequence[str]
    digest: bytes
    is_emptied: bool
    path: str


class RowFault(NamedTuple):
    """Why no list can fill a variable, and what to do about it."""

    name: str
    text: Said
    remedy: Said


def is_of_row(name: str) -> bool:
    """Whether a variable is filled by the recipient's row of a list."""
    return name.startswith(ROW)


def load_used_lists(session: Session, ids: Collection[int]) -> dict[int, UsedList]:
    """These lists, as far as they are there."""
    if not ids:
        return {}
    rows = session.execute(
        select(
            RecipientList.id,
            RecipientList.name,
            RecipientList.columns,
            RecipientList.digest,
            IS_OVER,
            Unit.path,
        )
        .join(Unit, Unit.id == RecipientList.unit_id)
        .where(RecipientList.id.in_(ids))
    )
    return {row[0]: UsedList(*row) for row in rows}


def list_ids_of(rule: Rule) -> set[int]:
    """The lists that the rule names."""
    return {leaf.list_id for leaf in list_leaves(rule) if isinstance(leaf, OnList)}


def require_lists(session: Session, rule: Rule, unit_path: str) -> None:
    """Raises Invalid, at its place in the rule, for a list that is not there or belongs to another part of the tree."""
    used = load_used_lists(session, list_ids_of(rule))
    for leaf in list_leaves(rule):
        if isinstance(leaf, OnList):
            found = used.get(leaf.list_id)
            if found is None or not are_in_line(found.path, unit_path):
                reason = "must be a list of this unit, of one above it or of one below it"
                raise Invalid(leaf.where, leaf.list_id, reason)


def select_listed(ids: Collection[int]) -> Select[int]:
    """The people on any of these lists."""
    return select(RecipientRow.person_id).where(RecipientRow.list_id.in_(ids))


def find_row_list(rule: Rule) -> int | None:
    """The list from which recipients of the rule have their row: the only one that it names, unless that stands below a
    `not`, so that the rule finds who is not on it.
    """
    ids = list_ids_of(rule)
    return next(iter(ids)) if len(ids) == 1 and not _list_below_not(rule) else None


def find_row_list_now(session: Session, rule: object, unit_path: str, names: Collection[str]) -> int | None:
    """The same of a rule as it is written, with the segments that it uses; None unless a variable of these needs it."""
    if not any(is_of_row(name) for name in names):
        return None
    return find_row_list(parse_rule(write_out_now(session, rule, unit_path).rule))


def select_row_value(name: str, list_id: int) -> ColumnElement[str | None]:
    """SQL for the value that a person's row of the list has of a variable (row.座位); NULL if it has none."""
    value = func.jsonb_extract_path_text(RecipientRow.values, name.removeprefix(ROW), type_=String)
    return _select_of_row(value, list_id)


def select_listed_values(list_id: int | None) -> ColumnElement[Any]:
    """SQL for all values of a person's row of the list, as JSON by column; NULL if there is no list or no row."""
    return cast(null(), JSONB) if list_id is None else _select_of_row(RecipientRow.values.expression, list_id)


def find_row_faults(session: Session, rule: object, names: Collection[str]) -> list[RowFault]:
    """Why a list cannot fill these variables of a text for the people of a rule that is written out. Variables that no
    row fills are passed over.
    """
    wanted = sorted(name for name in names if is_of_row(name))
    if not wanted:
        return []
    parsed = parse_rule(rule)
    used = load_used_lists(session, list_ids_of(parsed))
    if len(used) != 1 or _list_below_not(parsed):
        return [_no_list(name, used) for name in wanted]
    [found] = used.values()
    return [fault for name in wanted if (fault := _find_fault(name, found))]


def _select_of_row(wanted: ColumnElement[Any], list_id: int) -> ColumnElement[Any]:
    row = select(wanted).where(RecipientRow.list_id == list_id, RecipientRow.person_id == Person.id)
    return row.correlate(Person).scalar_subquery()


def _list_below_not(rule: Rule) -> bool:
    match rule:
        case All(rules) | AnyOf(rules):
            return any(_list_below_not(one) for one in rules)
        case Not(inner):
            return bool(list_ids_of(inner))
    return False


def _no_list(name: str, used: Mapping[int, UsedList]) -> RowFault:
    if not used:
        text = say("{name} comes from a list, and the segment names none", name=name)
    elif len(used) > 1:
        names = [one.name for one in used.values()]
        text = say("{name} comes from one list, and the segment names several: {lists:、}", name=name, lists=names)
    else:
        text = say("{name} comes from a list, and the segment finds who is not on it", name=name)
    return RowFault(name, text, as_said("choose the segment of a list that has this column"))


def _find_fault(name: str, found: UsedList) -> RowFault | None:
    if found.is_emptied:
        text = say("the rows of the list {list} are deleted, so that nobody has {name}", list=found.name, name=name)
        return RowFault(name, text, as_said("upload the file again, and choose the new list"))
    column = name.removeprefix(ROW)
    if column in found.columns:
        return None
    columns = [f"{ROW}{one}" for one in found.columns]
    text = say(
        "the list {list} has no column {column}; it has: {columns:、}", list=found.name, column=column, columns=columns
    )
    return RowFault(
        name, text, as_said("write the variable as the list has it, or add the column and upload the file again")
    )
