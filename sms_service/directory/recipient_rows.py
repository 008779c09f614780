"""Reads the rows of a list for one campaign: who is meant, and the values that the text has for them.

Nothing in the register is changed by a list, so a row is only what it says: whom it means is decided by
`decide_recipients.sql`.
"""

from __future__ import annotations

import re

from sms_service.directory.columns import ColumnHeader, column_value, in_shape
from sms_service.directory.dates import read_date
from sms_service.directory.people_rows import LONGEST_NAME, PersonRow, read_number
from sms_service.directory.phones import read_phone
from sms_service.directory.places import Places
from sms_service.directory.problems import Findings
from sms_service.directory.reading import Cells
from sms_service.directory.recipient_columns import RECIPIENT_COLUMNS
from sms_service.directory.text import person_name, plain_text, visible_text
from sms_service.said import say

LONGEST_LISTED = 500  # characters of a value: half of the longest text

_TITLES = {name: column.header for name, column in RECIPIENT_COLUMNS.items()}
# A place for another value; it would be sent as it stands (`content.language.find_place`).
_PLACE = re.compile(r"\{[{%#]|｛[｛%#]")


def read_recipient(
    row: int, cells: Cells, header: ColumnHeader, places: Places, findings: Findings
) -> PersonRow | None:
    """Whom this row names, with its values as `attributes`; refused in `findings` if it names nobody or has a value
    that no text can hold.
    """
    if not in_shape(row, cells, header, findings):
        return None
    raw = {name: column_value(header, cells, name) for name in RECIPIENT_COLUMNS}
    number, name = read_number(row, raw["number"], findings), person_name(raw["name"] or "")
    if len(name) > LONGEST_NAME:
        reason = say("must be a name of 1 to {most} characters", most=LONGEST_NAME)
        findings.refuse(row, _TITLES["name"], raw["name"], reason)
    code = plain_text(raw["unit"] or "")
    unit_id = places.locate(row, code, raw["unit_name"], findings) if code or raw["unit_name"] else places.home_id
    reading = read_phone(raw["phone"])
    if reading.problem or reading.note:
        findings.note(row, _TITLES["phone"], raw["phone"], reading.problem or reading.note or "")
    if not (number or name or reading.phone):
        findings.refuse(row, "", None, "names nobody: write the number, the name or the phone")
    values = _values(row, cells, header, findings)
    if row in findings.refused_rows:
        return None
    return PersonRow(
        number=number,
        name=name,
        unit_id=unit_id,
        phone=reading.phone,
        phone_problem=reading.problem,
        born_on=read_date(raw["born_on"]).day if raw["born_on"] else None,
        kind=None,
        roles=None,
        tags=None,
        attributes=tuple(sorted(values.items())),
    )


def _values(row: int, cells: Cells, header: ColumnHeader, findings: Findings) -> dict[str, str]:
    """The row's values by variable; an empty cell has none."""
    found = {}
    for name, position in header.extras.items():
        text = visible_text(cells[position] or "") if position < len(cells) else ""
        if len(text) > LONGEST_LISTED:
            reason = say("has {number} characters; at most {most} are allowed", number=len(text), most=LONGEST_LISTED)
            findings.refuse(row, name, text, reason)
        elif mark := _PLACE.search(text):
            reason = say("holds {mark}, which would be sent as it stands; write what is meant", mark=mark[0])
            findings.refuse(row, name, text, reason)
        elif text:
            found[name] = text
    return found
