"""Turns rows of a people file into people: every row is taken or refused, and everything odd about it is a finding.

A row is refused only if it cannot make a person: no usable name, no unit, or a shifted row. A row with an unusable
phone is taken, with a finding: the person exists, and a campaign counts them as skipped.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from dataclasses import dataclass

from sms_service.directory.columns import PEOPLE_COLUMNS, ColumnHeader, column_value, in_shape
from sms_service.directory.consent import BASIS, SOURCE, WRITTEN_FORMS, read_basis
from sms_service.directory.dates import find_date, holds_dates, read_date
from sms_service.directory.phones import read_phone
from sms_service.directory.places import Places
from sms_service.directory.problems import Findings
from sms_service.directory.reading import Cells
from sms_service.directory.reading.tables import SHEET_ERROR
from sms_service.directory.text import person_name, plain_text, visible_text
from sms_service.errors import Invalid
from sms_service.said import say

LONGEST_NAME = 100  # characters; the longest real names have about 40
LONGEST_WORD = 50  # of a tag, a role, a person's number
LONGEST_ATTRIBUTE = 500
MAX_WORDS = 50  # tags or roles of one person

_TITLES = {name: column.header for name, column in PEOPLE_COLUMNS.items()}
_WORD_SEPARATORS = re.compile(r"[、,;|/\n\r]")  # after NFKC, so also ，；｜
_NO_ROLE = frozenset(
    {"党员", "正式党员", "预备党员", "成员", "无"}
)  # what the column 职务 says of people without a role
_KINDS = {"党员": "member", "成员": "member", "member": "member", "联系人": "contact", "contact": "contact"}
_ATTRIBUTES = ("gender", "born_on", "joined_on", BASIS, SOURCE)  # those with a column of their own
_DAY = re.compile(r"\d{4}-\d\d-\d\d")


@dataclass(frozen=True, slots=True)
class PersonRow:
    """A person as one row describes them, in the unit `unit_id`. `number` is None where the row says none; `roles`,
    `tags` and `kind` are None where the file has no such column. A row of a list for one campaign may name no unit and
    have no name.
    """

    number: str | None
    name: str
    unit_id: int | None
    phone: str | None
    phone_problem: str | None
    born_on: str | None
    kind: str | None
    roles: tuple[str, ...] | None
    tags: tuple[str, ...] | None
    attributes: tuple[tuple[str, str], ...]

    def digest(self) -> uuid.UUID:
        """The same for two rows that say the same."""
        said = repr(tuple(getattr(self, name) for name in _FIELDS)).encode("utf-8", "surrogatepass")
        return uuid.UUID(bytes=hashlib.blake2b(said, digest_size=16).digest())


_FIELDS = tuple(PersonRow.__dataclass_fields__)


def required_word(field: str, value: str) -> str:
    """A tag, a role or a person's number as it is kept. Raises Invalid naming `field` if it is empty or too long."""
    word = plain_text(value)
    if not 1 <= len(word) <= LONGEST_WORD:
        raise Invalid(field, value[:LONGEST_WORD], say("must have 1 to {most} characters", most=LONGEST_WORD))
    return word


def attribute_names(header: ColumnHeader) -> list[str]:
    """The attributes that this file sets: an empty cell removes the attribute from the person."""
    return [name for name in _ATTRIBUTES if name in header.fields] + list(header.extras)


def read_person(row: int, cells: Cells, header: ColumnHeader, places: Places, findings: Findings) -> PersonRow | None:
    """The person in this row; refused in `findings` if it makes none."""
    if not in_shape(row, cells, header, findings):
        return None
    raw = {name: column_value(header, cells, name) for name in PEOPLE_COLUMNS}
    number, name = read_number(row, raw["number"], findings), person_name(raw["name"] or "")
    if not name:
        findings.refuse(row, _TITLES["name"], raw["name"], "the name is empty; fill it in")
    elif len(name) > LONGEST_NAME or SHEET_ERROR.fullmatch(name):
        findings.refuse(
            row, _TITLES["name"], raw["name"], say("must be a name of 1 to {most} characters", most=LONGEST_NAME)
        )
    names_only = "unit_name" in header.fields and "unit" not in header.fields
    unit_id = places.locate(row, plain_text(raw["unit"] or ""), raw["unit_name"], findings, names_only=names_only)
    if unit_id is None or row in findings.refused_rows:
        return None

    if name != visible_text(raw["name"] or ""):
        findings.note(row, _TITLES["name"], raw["name"], say("was read as {name}", name=name))
    reading = read_phone(raw["phone"])
    if reading.problem or reading.note:
        findings.note(row, _TITLES["phone"], raw["phone"], reading.problem or reading.note or "")
    elif reading.phone is None:
        findings.note(row, _TITLES["phone"], raw["phone"], "there is no phone number: no text can reach this person")
    attributes = _attributes(row, cells, raw, header, findings)
    born_on = attributes.get("born_on", "")
    return PersonRow(
        number=number,
        name=name,
        unit_id=unit_id,
        phone=reading.phone,
        phone_problem=reading.problem,
        born_on=born_on if _DAY.fullmatch(born_on) else None,
        kind=_kind(row, raw["kind"], findings) if "kind" in header.fields else None,
        roles=_roles(row, raw["roles"], findings) if "roles" in header.fields else None,
        tags=_words(row, "tags", raw["tags"], findings) if "tags" in header.fields else None,
        attributes=tuple(sorted(attributes.items())),
    )


def read_number(row: int, raw: str | None, findings: Findings) -> str | None:
    """The office's number that a cell says, None where it says none; one that is too long is refused in `findings`."""
    number = plain_text(raw or "")
    if len(number) > LONGEST_WORD:
        findings.refuse(row, _TITLES["number"], raw, say("must have at most {most} characters", most=LONGEST_WORD))
    return number or None


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
) -> dict[str, str]:
    """The person's attributes, by name."""
    found = {
        name: visible_text(cells[position] or "") for name, position in header.extras.items() if position < len(cells)
    }
    if "gender" in header.fields:
        found["gender"] = plain_text(raw["gender"] or "")
    if BASIS in header.fields:
        found[BASIS] = _basis(row, raw[BASIS] or "", findings)
    if SOURCE in header.fields:
        found[SOURCE] = visible_text(raw[SOURCE] or "")
    for name in ("joined_on", "born_on"):
        written = raw[name]
        if written is not None:
            found[name] = _day(row, _TITLES[name], written, findings)
    for name in header.extras:
        if found.get(name):
            found[name] = _day(row, name, found[name], findings) if holds_dates(name) else _same_form(found[name])
    for name, text in found.items():
        if len(text) > LONGEST_ATTRIBUTE:
            findings.note(row, name, text, say("was cut after {most} characters", most=LONGEST_ATTRIBUTE))
    return {name: text[:LONGEST_ATTRIBUTE] for name, text in found.items() if text}


def _basis(row: int, raw: str, findings: Findings) -> str:
    """The basis that a cell names, empty where it names none."""
    basis = read_basis(raw)
    if basis is None and plain_text(raw):
        findings.note(row, _TITLES[BASIS], raw, say("is no basis; these are: {words:、}", words=WRITTEN_FORMS))
    return "" if basis is None else basis.value


def _day(row: int, column: str, raw: str, findings: Findings) -> str:
    """The day that a cell of a column of dates says, in the form that rules compare; else the cell as written."""
    reading = read_date(raw)
    if reading.problem or reading.note:
        findings.note(row, column, raw, reading.problem or reading.note or "")
    return reading.day or visible_text(raw)


def _same_form(text: str) -> str:
    """A date in the form of all dates, whatever column it stands in; any other text as it is."""
    return find_date(text) or text
