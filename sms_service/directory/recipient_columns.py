"""The columns of a list for one campaign: those that say who is meant; all others are values for the text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import replace

from sms_service.directory.columns import PEOPLE_COLUMNS, Column
from sms_service.directory.text import plain_text

MOST_VARIABLES = 50  # of one list
LONGEST_VARIABLE = 40  # characters, as a template writes it behind "row."

_BRACKETS = re.compile(r"\(.*?\)|\[.*?\]|【.*?】")
_FIRST = "列"  # before a name that cannot begin a variable, such as 1号桌

# None is needed alone: a person is named by their number, or by name or phone.
RECIPIENT_COLUMNS: Mapping[str, Column] = {
    field: replace(PEOPLE_COLUMNS[field], required=False)
    for field in ("number", "name", "phone", "unit", "unit_name", "born_on")
}
WHO = ("number", "name", "phone")  # of which a list needs at least one


def name_variable_of(header: str) -> str:
    """The variable that a column with this header is: 座位 of "*座位（排/号）". Empty if the header has no letter."""
    plain = _BRACKETS.sub("", plain_text(header))
    kept = "".join(sign for sign in plain if sign == "_" or unicodedata.category(sign)[0] in "LN").strip("_")
    kept = kept if not kept or kept.isidentifier() else _FIRST + kept
    return kept[:LONGEST_VARIABLE] if kept.isidentifier() else ""
