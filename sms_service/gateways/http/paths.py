"""Where in a document a field is: a JSON pointer (`/data/0/id`, RFC 6901) or the same with dots (`data.0.id`).

The empty path is the whole document. In a list a number is a position, counted from 0. A name with a dot needs the
pointer, in which `~1` stands for `/` and `~0` for `~`.
"""

from __future__ import annotations

import re
from typing import Any, Final

Path = tuple[str, ...]

_BAD_ESCAPE = re.compile(r"~(?![01])")
_PLACE = re.compile(r"0|[1-9][0-9]{0,5}")


class _Missing:
    """The type of MISSING."""


MISSING: Final = _Missing()  # the result for a path that leads nowhere; null is a value


def parse_path(written: str) -> Path:
    """The steps of a written path. Raises ValueError, which says what would be right."""
    if not written:
        return ()
    if written.startswith("/"):
        if _BAD_ESCAPE.search(written):
            raise ValueError("must write ~ as ~0 and / in a name as ~1")
        return tuple(step.replace("~1", "/").replace("~0", "~") for step in written[1:].split("/"))
    steps = tuple(written.split("."))
    if not all(steps):
        raise ValueError("must be names between single dots, or a JSON pointer, which begins with /")
    return steps


def find_path(document: Any, path: Path) -> Any:
    """The value at `path`, or MISSING."""
    for step in path:
        if isinstance(document, dict):
            document = document.get(step, MISSING)
        elif isinstance(document, list) and _PLACE.fullmatch(step) and int(step) < len(document):
            document = document[int(step)]
        else:
            return MISSING
    return document


def check_path(written: str | None) -> str | None:
    """A check of an option: a path, or None for a field that is not there."""
    try:
        parse_path(written or "")
    except ValueError as error:
        return str(error)
    return None
