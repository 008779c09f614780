"""What providers say, bounded where it enters: ids, codes and explanations are kept in columns with indexes, and one
that is endless, or no text at all, must not stop those of everybody else.
"""

from __future__ import annotations

import hashlib
import re

LONGEST_WORD = 200  # characters of a provider's id, code, phone or explanation
LONGEST_RECORD = 16_384  # characters of a provider's own record of one receipt or reply

_NO_TEXT = re.compile("[\0\ud800-\udfff]")
_DIGEST = 32


def bound_word(said: object, longest: int = LONGEST_WORD) -> str | None:
    """A provider's code or explanation as PostgreSQL can keep it: text (JSON may have had a number), no NUL, no half of
    a surrogate pair, at most `longest` characters.
    """
    return None if said is None else _mended(said)[:longest]


def bound_id(said: object) -> str | None:
    """The same for what names something: one that is too long ends in a digest of the whole, so that two that begin
    alike stay two, and the id in an answer is still the id in its receipt.
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
