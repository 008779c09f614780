"""Turns rows of a people file into people: every row is taken or refused, and everything odd about it is a finding.

A row is refused only if it cannot make a person: no number, no usable name, no unit code, or a shifted row. A row with
an unusable phone is taken, with a finding: the person exists, and a campaign counts them as skipped.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from sms_service.directory.columns import PEOPLE_COLUMNS, ColumnHeader, column_value, in_shape
from sms_service.directory.dates import find_date, holds_dates, read_date
from sms_service.directory.phones import read_phone
from sms_service.directory.problems import Findings
from sms_service.directory.reading import Cells, SheetTable
from sms_service.directory.text import person_name, plain_text, visible_text
from sms_service.said import say

LONGEST_NAME = 100  # characters; the longest real names have about 40
LONGEST_WORD = 50  # of a tag, a role, a person's number
LONGEST_ATTRIBUTE = 500
MAX_WORDS = 50  # tags or roles of one person

_WORD_SEPARATORS = re.compile(r"[、,;|/\n\r]")  # after NFKC, so also ，；｜
_NO_ROLE = frozenset(
    {"党员", "正式党员", "预备党员", "成员", "无"}
)  # what the column 职务 says of people without a role
_KINDS = {"党员": "member", "成员": "member", "member": "member", "联系人": "contact", "contact": "contact"}
_SHEET_ERROR = re.compile(r"#(N/A|REF!|NAME\?|VALUE!|DIV/0!|NULL!|NUM!|SPILL!|CALC!)")


@dataclass(frozen=True, slots=True)
class PersonRow:
    """A person as one row describes them. `roles`, `tags`, `kind`: None where the file has no such column."""

    row: int = field(compare=False)
    number: str
    name: str
    unit_code: str
    unit_name: str | None
    phone: str | None
    phone_problem: str | None
    kind: str | None
    roles: tuple[str, ...] | None
    tags: tuple[str, ...] | None
    attributes: tuple[tuple[str, str], ...]


def attribute_names(header: ColumnHeader) -> list[str]:
    """The attributes that this file sets: an empty cell removes the attribute from the person."""
    return [name for name in ("gender", "joined_on") if name in header.fields] + list(header.extras)


def read_people(table: SheetTable, header: ColumnHeader, findings: Findings) -> Iterator[PersonRow]:
    """The people in the rows below the header; rows that cannot make a person are refused in `findings`."""
    for row, cells in table.rows:
        if row > header.row:
            person = _person(row, cells, header, findings)
            if person is not None:
                yield person


def first_of_each(people: Iterable[PersonRow], findings: Findings) -> Iterator[PersonRow]:
    """The first of the rows with the same number. Later rows are noted if they are equal, and refused if they are not.
    Shared phones are noted.
    """
    by_number: dict[str, PersonRow] = {}
    rows_by_phone: dict[str, int] = {}
    for person in people:
        row, first = person.row, by_number.setdefault(person.number, person)
        if first is not person:
            if first != person:
                reason = say("row {row} has the same number with other content; that one was taken", row=first.row)
                findings.refuse(row, PEOPLE_COLUMNS["number"].header, person.number, reason)
            else:
                findings.repeat(row, first.row, PEOPLE_COLUMNS["number"].header, person.number)
            continue
        if person.phone is not None:
            holder = rows_by_phone.setdefault(person.phone, row)
            if holder != row:
                reason = say("row {row} has the same phone, which gets one text a campaign", row=holder)
                findings.note(row, PEOPLE_COLUMNS["phone"].header, person.phone, reason)
        yield person


def _person(row: int, cells: Cells, header: ColumnHeader, findings: Findings) -> PersonRow | None:
    titles = {name: column.header for name, column in PEOPLE_COLUMNS.items()}
    if not in_shape(row, cells, header, findings):
        return None
    raw = {name: column_value(header, cells, name) for name in PEOPLE_COLUMNS}
    number = plain_text(raw["number"] or "")
    name = person_name(raw["name"] or "")
    unit_code = plain_text(raw["unit"] or "")
    if not 1 <= len(number) <= LONGEST_WORD:
        findings.refuse(
            row, titles["number"], raw["number"], say("must have 1 to {most} characters", most=LONGEST_WORD)
        )
    if not 1 <= len(name) <= LONGEST_NAME or _SHEET_ERROR.fullmatch(name):
        findings.refuse(
            row, titles["name"], raw["name"], say("must be a name of 1 to {most} characters", most=LONGEST_NAME)
        )
    if not unit_code:
        findings.refuse(row, titles["unit"], raw["unit"], "is missing: it says which unit the person belongs to")
    if row in findings.refused_rows:
        return None

    if name != visible_text(raw["name"] or ""):
        findings.note(row, titles["name"], raw["name"], say("was read as {name}", name=name))
    reading = read_phone(raw["phone"])
    if reading.problem or reading.note:
        findings.note(row, titles["phone"], raw["phone"], reading.problem or reading.note or "")
    elif reading.phone is None:
        findings.note(row, titles["phone"], raw["phone"], "there is no phone number: no text can reach this person")
    return PersonRow(
        row=row,
        number=number,
        name=name,
        unit_code=unit_code,
        unit_name=raw["unit_name"],
        phone=reading.phone,
        phone_problem=reading.problem,
        kind=_kind(row, raw["kind"], findings) if "kind" in header.fields else None,
        roles=_roles(row, raw["roles"], findings) if "roles" in header.fields else None,
        tags=_words(row, "tags", raw["tags"], findings) if "tags" in header.fields else None,
        attributes=_attributes(row, cells, raw, header, findings),
    )


def _kind(row: int, raw: str | None, findings: Findings) -> str:
    kind = _KINDS.get(plain_text(raw or "党员").casefold())
    if kind is None:
        findings.note(
            row,
            PEOPLE_COLUMNS["kind"].header,
            raw,
            say("is none of {words:、}; taken as a member", words=tuple(_KINDS)),
        )
    return kind or "member"


def _roles(row: int, raw: str | None, findings: Findings) -> tuple[str, ...]:
    return tuple(role for role in _words(row, "roles", raw, findings) if role not in _NO_ROLE)


def _words(row: int, column: str, raw: str | None, findings: Findings) -> tuple[str, ...]:
    """The words of a list in one cell, each once, in their order."""
    pieces = (plain_text(piece) for piece in _WORD_SEPARATORS.split((raw or "").translate(_FULL_WIDTH)))
    words = list(dict.fromkeys(piece for piece in pieces if piece))
    kept = tuple(word for word in words if len(word) <= LONGEST_WORD)[:MAX_WORDS]
    if len(kept) < len(words):
        reason = say(
            "only words of up to {longest} characters are taken, and {most} of them",
            longest=LONGEST_WORD,
            most=MAX_WORDS,
        )
        findings.note(row, PEOPLE_COLUMNS[column].header, raw, reason)
    return kept


_FULL_WIDTH = str.maketrans("，；｜／", ",;|/")


def _attributes(
    row: int, cells: Cells, raw: dict[str, str | None], header: ColumnHeader, findings: Findings
) -> tuple[tuple[str, str], ...]:
    """The person's attributes, by name."""
    found = {
        name: visible_text(cells[position] or "") for name, position in header.extras.items() if position < len(cells)
    }
    if "gender" in header.fields:
        found["gender"] = plain_text(raw["gender"] or "")
    if raw["joined_on"] is not None:
        found["joined_on"] = _day(row, PEOPLE_COLUMNS["joined_on"].header, raw["joined_on"], findings)
    for name in header.extras:
        if found.get(name):
            found[name] = _day(row, name, found[name], findings) if holds_dates(name) else _same_form(found[name])
    for name, text in found.items():
        if len(text) > LONGEST_ATTRIBUTE:
            findings.note(row, name, text, say("was cut after {most} characters", most=LONGEST_ATTRIBUTE))
    return tuple(sorted((name, text[:LONGEST_ATTRIBUTE]) for name, text in found.items() if text))


def _day(row: int, column: str, raw: str, findings: Findings) -> str:
    """The day that a cell of a column of dates says, in the form that rules compare; else the cell as written."""
    reading = read_date(raw)
    if reading.problem or reading.note:
        findings.note(row, column, raw, reading.problem or reading.note or "")
    return reading.day or visible_text(raw)


def _same_form(text: str) -> str:
    """A date in the form of all dates, whatever column it stands in; any other text as it is."""
    return find_date(text) or text
