"""Whether a reply to a quiz question is right, and what the person is told then. Pure: it knows texts alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sms_service.content.quiz_choices import LETTERS, find_choices


class Graded(NamedTuple):
    """The letters that a reply names, in their order, and whether these are exactly the right ones."""

    choices: str
    correct: bool


def grade_reply(said: str, options: Sequence[str], right_choices: str) -> Graded | None:
    """Grade a whole reply to a question with these options; None if it names none of them."""
    choices = find_choices(said, len(options), options)
    return None if choices is None else Graded(choices, choices == right_choices)


def write_result(
    options: Sequence[str], right_choices: str, explanation: str | None, *, correct: bool, tries_left: int
) -> str:
    """What is sent back to whoever answered. While there are tries left, a wrong answer does not tell the right one."""
    if not correct and tries_left:
        return f"回答不正确，还可以再答{tries_left}次。"
    if correct:
        said = "回答正确。"
    else:
        right = "；".join(
            f"{letter}. {option}" for letter, option in zip(LETTERS, options, strict=False) if letter in right_choices
        )
        said = f"回答不正确。正确答案：{right.rstrip('。')}。"
    return f"{said}解析：{explanation}" if explanation else said
