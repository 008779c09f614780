"""Limits the size of what providers say when it arrives. Ids, codes and explanations are stored in columns with
indexes; one that is endless, or is not text, must not stop the others.
"""

from __future__ import annotations

import hashlib
import re

LONGEST_WORD = 200  # characters of a provider's id, code, phone or explanation
LONGEST_RECORD = 16_384  # characters of a provider's own record of one receipt or reply

_NO_TEXT = re.compile("[\0\ud800-\udfff]")
_DIGEST = 32


def bound_word(said: object, longest: int = LONGEST_WORD) -> str | None:
    """A provider's code or explanation in a form that PostgreSQL can store: text (JSON may have had a number), without
    NUL or half a surrogate pair, at most `longest` characters.
    """
    return None if said is None else _mended(said)[:longest]


def bound_id(said: object) -> str | None:
    """The same for an id. If it is too long, its end is replaced by a digest of the whole, so that two ids that begin
    alike stay different, and the id in an answer still equals the id in its receipt.
    """
    if said is None:
        return None
    text = _mended(said)
    if len(text) <= LONGEST_WORD:
        return text
    digest = hashlib.sha256(str(said).encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST]
    return f"{text[: LONGEST_WORD - _DIGEST - 1]}~{digest}"


def _mended(said: object) -> str:
    text = said if isinstance(said, str) else str(said)
    return text if text.isascii() and "\0" not in text else _NO_TEXT.sub("\ufffd", text)
