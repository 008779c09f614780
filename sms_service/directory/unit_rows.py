"""Turns rows of a units file into a tree, checked as a whole: a parent's row may come after its children's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from sms_service.directory.columns import UNIT_COLUMNS, ColumnHeader, column_value, in_shape
from sms_service.directory.models import LEVELS
from sms_service.directory.problems import Findings
from sms_service.directory.reading import Cells
from sms_service.directory.text import plain_text, visible_text
from sms_service.said import Word, say

LONGEST_UNIT_NAME = 100
LONGEST_CODE = 50

LEVEL_WORDS: Mapping[str, str] = {
    **{level: level for level in LEVELS},
    **dict.fromkeys(("市", "地市", "市级", "市委"), "city"),
    **dict.fromkeys(("区", "县", "区县", "县区", "区县级", "县级"), "district"),
    **dict.fromkeys(("街道", "镇", "乡", "乡镇", "街道乡镇", "乡镇街道", "镇街"), "street"),
    **dict.fromkeys(("支部", "党支部", "总支", "党总支", "基层组织"), "branch"),
}
_LEVELS = {level: Word(level, {}) for level in LEVELS}  # as a sentence holds them
_TITLES = {name: column.header for name, column in UNIT_COLUMNS.items()}


@dataclass(frozen=True, slots=True)
class UnitRow:
    """A unit as one row describes it; `parent` is the code of the unit above, None for the top of a tree."""

    row: int = field(compare=False)
    code: str
    name: str
    level: str
    parent: str | None
    full_name: str | None


@dataclass(frozen=True, slots=True)
class Place:
    """What the database knows about a unit and the check of a file needs."""

    level: str
    parent: str | None


def read_units(rows: Iterable[tuple[int, Cells]], header: ColumnHeader, findings: Findings) -> Iterator[UnitRow]:
    """The units in the rows below the header; of rows with the same code the first good one counts."""
    by_code: dict[str, UnitRow] = {}
    for row, cells in rows:
        unit = _unit(row, cells, header, findings)
        if unit is None:
            continue
        first = by_code.setdefault(unit.code, unit)
        if first is unit:
            yield unit
        elif first == unit:
            findings.repeat(row, first.row, _TITLES["code"], unit.code)
        else:
            reason = say("row {row} has the same code with other content; only the first counts", row=first.row)
            findings.refuse(row, _TITLES["code"], unit.code, reason)


def check_tree(rows: Mapping[str, UnitRow], existing: Mapping[str, Place], findings: Findings) -> dict[str, UnitRow]:
    """The rows (by code) that make a tree together with the units that exist; the others are refused in `findings`.

    Going up from any unit, through units of ever higher levels, must lead to a unit without a parent. Refusing one row
    may leave others without a place, so the check repeats until it refuses nothing more.
    """
    kept = dict(rows)
    while True:
        places = {**existing, **{code: Place(row.level, row.parent) for code, row in kept.items()}}
        wrong = {code: reason for code in kept if (reason := _misplaced(code, kept, places, rows))}
        # A unit without a row of its own is wrong if the file gives the unit above it too low a level.
        for code, place in places.items():
            above = place.parent
            if code not in kept and above in kept and not _is_below(place.level, places[above].level):
                said = say(
                    "the unit {code} below it is a {level}, which must stay below a higher level",
                    code=code,
                    level=_LEVELS[place.level],
                )
                wrong.setdefault(above, ("level", said))
        if not wrong:
            return kept
        for code, (column, why) in wrong.items():
            row = kept.pop(code)
            findings.refuse(row.row, _TITLES[column], getattr(row, column), why)


def _misplaced(
    code: str, kept: Mapping[str, UnitRow], places: Mapping[str, Place], rows: Mapping[str, UnitRow]
) -> tuple[str, str] | None:
    above = kept[code].parent
    if above is not None and above not in places:
        if above in rows:
            refused = "the unit above, {above}, is not there (row {row} was refused)"
            return "parent", say(refused, above=above, row=rows[above].row)
        return "parent", say("the unit above, {above}, is not there (neither in the file nor known)", above=above)
    seen, step = {code}, above
    while step is not None and step in places:
        if step in seen:
            return "parent", "the units above it form a circle"
        seen.add(step)
        step = places[step].parent
    if above is not None and not _is_below(kept[code].level, places[above].level):
        wrong = "a {level} cannot stand below {above}, which is a {level_above}"
        return "level", say(
            wrong, level=_LEVELS[kept[code].level], above=above, level_above=_LEVELS[places[above].level]
        )
    return None


def _is_below(level: str, above: str) -> bool:
    return LEVELS.index(level) > LEVELS.index(above)


def _unit(row: int, cells: Cells, header: ColumnHeader, findings: Findings) -> UnitRow | None:
    if not in_shape(row, cells, header, findings):
        return None
    raw = {name: column_value(header, cells, name) for name in UNIT_COLUMNS}
    code, name = plain_text(raw["code"] or ""), visible_text(raw["name"] or "")
    level = LEVEL_WORDS.get(plain_text(raw["level"] or "").casefold())
    if not 1 <= len(code) <= LONGEST_CODE:
        findings.refuse(row, _TITLES["code"], raw["code"], say("must have 1 to {most} characters", most=LONGEST_CODE))
    if not 1 <= len(name) <= LONGEST_UNIT_NAME:
        findings.refuse(
            row, _TITLES["name"], raw["name"], say("must have 1 to {most} characters", most=LONGEST_UNIT_NAME)
        )
    if level is None:
        findings.refuse(row, _TITLES["level"], raw["level"], say("must be one of {words:、}", words=tuple(LEVEL_WORDS)))
    if row in findings.refused_rows or level is None:
        return None
    return UnitRow(
        row=row,
        code=code,
        name=name,
        level=level,
        parent=plain_text(raw["parent"]) if raw["parent"] else None,
        full_name=raw["full_name"],
    )
