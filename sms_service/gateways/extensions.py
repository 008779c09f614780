"""Extension numbers (扩展码): digits behind an account's own number, by which an answer names its question.

A question is written by the last digits of its id. Two questions may share them; which one is meant is then told by who
was asked what.
"""

from __future__ import annotations

MOST_DIGITS = 6


def write_extension(question_id: int | None, digits: int) -> str:
    """The extension of this question, of so many digits; nothing for a text that asks nothing."""
    return "" if question_id is None or digits == 0 else f"{question_id % 10**digits:0{digits}d}"


def read_extension(sent_to: str | None, own: str, digits: int) -> str | None:
    """The digits behind the account's `own` number in the number that a reply was sent to; None: there are none. `own`
    may be empty, if the provider names the digits alone.
    """
    number, own = (sent_to or "").removeprefix("+"), own.removeprefix("+")
    extension = number.removeprefix(own)
    is_one = digits > 0 and number.startswith(own) and len(extension) == digits
    return extension if is_one and extension.isascii() and extension.isdigit() else None


def names_question(extension: str, question_id: int) -> bool:
    """Whether the extension may be that of the question."""
    return write_extension(question_id, len(extension)) == extension
