"""Handles characters that a network cuts in two between the parts of a long reply: one part ends with half a surrogate
pair, or with the GSM 7-bit escape, and the next part begins with the other half. A `Reply` that is a part has the
halves as they are.

PostgreSQL's text cannot hold half a pair. Until the parts are joined, each half is stored as one private-use character:
U+10D800 to U+10DFFF stand for U+D800 to U+DFFF. The escape is stored as itself.
"""

from __future__ import annotations

import re

from sms_service.parts import decode_gsm, encode_part

_UP = 0x10_0000  # from a half to the character that stands for it
_HALF = re.compile("[\ud800-\udfff]")
_STANDS_FOR_HALF = re.compile("[\U0010d800-\U0010dfff]")
_ESCAPE = "\x1b"
_ESCAPED = re.compile(f"{_ESCAPE}(.?)", re.DOTALL)
_LOST = "\ufffd"


def keep_halves(text: str) -> str:
    """A part's text as it is stored. If a person wrote a character that stands for a half, it becomes U+FFFD, and so
    does an escape that is not at the end.
    """
    text, end = (text[:-1], _ESCAPE) if text.endswith(_ESCAPE) else (text, "")
    text = _STANDS_FOR_HALF.sub(_LOST, text).replace(_ESCAPE, _LOST) + end
    return _HALF.sub(lambda found: chr(ord(found[0]) + _UP), text)


def join_halves(text: str) -> str:
    """The whole text of stored parts, concatenated in their order; a half without its other half becomes U+FFFD."""
    text = _STANDS_FOR_HALF.sub(lambda found: chr(ord(found[0]) - _UP), text)
    text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return _ESCAPED.sub(lambda found: _escaped(found[1]), text)


def hide_halves(text: str) -> str:
    """A stored part as it is shown while others are missing."""
    return _STANDS_FOR_HALF.sub(_LOST, text).replace(_ESCAPE, _LOST)


def _escaped(character: str) -> str:
    """The character that the escape and the first character of the next part make together."""
    try:
        return decode_gsm(_ESCAPE.encode() + encode_part(character, "GSM-7"))
    except UnicodeEncodeError:  # the next part is in another alphabet
        return _LOST + character
