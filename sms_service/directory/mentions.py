"""What a row that could not be taken may say of whom it means: the names, numbers and phones that stand in it."""

from __future__ import annotations

import re

from sms_service.directory.people_rows import LONGEST_NAME
from sms_service.directory.phones import list_phones
from sms_service.directory.reading import Cells
from sms_service.directory.text import person_name, plain_text

_BRACKETS = re.compile(r"[(（].*?[)）]")
_FEWEST_DIGITS = re.compile(r"(?:\d\D*){7}")


def list_mentions(cells: Cells) -> list[str]:
    """Each cell as the register would spell a name or a number, and each phone in it. A row that is refused may be
    shifted, so a name is looked for in every column.
    """
    found: dict[str, None] = {}
    for cell in cells:
        if cell:
            found |= dict.fromkeys((person_name(cell), person_name(_BRACKETS.sub("", cell)), plain_text(cell)))
            found |= dict.fromkeys(list_phones(cell) if _FEWEST_DIGITS.search(cell) else ())
    return [word for word in found if 1 <= len(word) <= LONGEST_NAME]
