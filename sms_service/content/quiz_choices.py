"""Quiz questions as they are written, and which options somebody names: "AC", "Ａ、Ｃ", "选B", "1", "对"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from sms_service.content.language import find_place
from sms_service.content.wordlists import write_comparable
from sms_service.directory.text import plain_text, required_line, visible_text
from sms_service.errors import Invalid
from sms_service.said import say
from sms_service.stop_words import is_about_stopping

LETTERS = "ABCDEF"
FEWEST_OPTIONS, MOST_OPTIONS = 2, len(LETTERS)
LONGEST_QUESTION = 300  # characters
LONGEST_OPTION = 100
LONGEST_EXPLANATION = 300
JUDGEMENT = ("对", "错")  # the options of a question that asks whether something is true
_TRUE = frozenset(["对", "正确", "√", "✓", "✔", "是", "对的", "是的", "正确的", "true", "yes"])
_FALSE = frozenset(["错", "错误", "×", "✗", "✘", "x", "否", "不对", "不正确", "错的", "错误的", "不是", "false", "no"])

_BETWEEN = r"[\s,，、;；/|.·+和与及跟&-]*"
_BEFORE = r"(?:我|本人)?的?(?:选择?|答案?)?(?:应该|应当|应|是|为|选项?|项)*[:：]?[(（\[【“\"']*"
_AFTER = r"[)）\]】”\"'项吧呢啊哦的了。.!！?？~～]*"
_LETTERED = re.compile(rf"{_BEFORE}((?:[A-F]{_BETWEEN})+){_AFTER}", re.IGNORECASE)
_NUMBERED = re.compile(rf"{_BEFORE}((?:[1-6]{_BETWEEN})+){_AFTER}")


class WrittenQuestion(NamedTuple):
    """A question as somebody writes it. `right_choices`: letters of the options, in their order."""

    text: str
    options: tuple[str, ...]
    right_choices: str
    explanation: str | None = None


def check_question(written: WrittenQuestion) -> WrittenQuestion:
    """The question without blanks and invisible characters around its parts.

    Raises Invalid (`text`, `options.A` …, `right_choices`, `explanation`) naming what is missing, too long, twice
    there, or would be sent as it stands.
    """
    text = _check_line("text", written.text, LONGEST_QUESTION)
    options = [visible_text(option) for option in written.options]
    while options and not options[-1]:
        options.pop()
    if not FEWEST_OPTIONS <= len(options) <= MOST_OPTIONS:
        message = "has {number} options; a question has {least} to {most}, each in its own place"
        raise Invalid("options", None, say(message, number=len(options), least=FEWEST_OPTIONS, most=MOST_OPTIONS))
    for letter, option in zip(LETTERS, options, strict=False):
        if not option:
            raise Invalid(f"options.{letter}", "", "is missing, though a later option is there")
        _check_line(f"options.{letter}", option, LONGEST_OPTION)
        if is_about_stopping(option):
            raise Invalid(f"options.{letter}", option, "is a word by which people stop texts; write it otherwise")
    plain = [write_comparable(option) for option in options]
    for place, one in enumerate(plain):
        if one in plain[:place]:
            twin = LETTERS[plain.index(one)]
            raise Invalid(f"options.{LETTERS[place]}", options[place], say("is the same as option {twin}", twin=twin))
    right = find_choices(written.right_choices, MOST_OPTIONS, options)
    if right is None:
        given = written.right_choices[:LONGEST_OPTION]
        raise Invalid("right_choices", given, "must be the letters of the right options, such as A or AC")
    if beyond := [letter for letter in right if letter not in LETTERS[: len(options)]]:
        raise Invalid("right_choices", right, say("names option {letter}, which is not there", letter=beyond[0]))
    explanation = visible_text(written.explanation or "") or None
    if explanation:
        _check_line("explanation", explanation, LONGEST_EXPLANATION)
    return WrittenQuestion(text, tuple(options), right, explanation)


def find_choices(said: str, number: int, options: Sequence[str] = ()) -> str | None:
    """The letters that somebody names, in their order, of a question with `number` options; None: none is named.

    Letters and numbers count in any width, case and order, several of them with what stands between; so does the whole
    text of an option, and 对 or 错 where an option says that.
    """
    plain, wanted = plain_text(said), write_comparable(said).strip("。.!！?？")
    by_text = _find_by_text(wanted, options)
    if found := _LETTERED.fullmatch(plain):
        named = {LETTERS.index(sign) for sign in found[1].upper() if sign in LETTERS}
    elif found := _NUMBERED.fullmatch(plain):
        named = {int(sign) - 1 for sign in found[1] if sign.isdigit()}
        if by_text is not None and named != {by_text}:  # "3" where an option, not the third, is 3
            return None
    else:
        named = set() if by_text is None else {by_text}
    return "".join(LETTERS[place] for place in sorted(named)) if named and max(named) < number else None


def is_true_or_false(said: str) -> int | None:
    """For the answer to a question that has no options: 0 says that it is true, 1 that it is not, None neither."""
    wanted = write_comparable(said).strip("。.")
    if wanted in _TRUE or wanted in ("t", "a"):
        return 0
    return 1 if wanted in _FALSE or wanted in ("f", "b") else None


def write_question(text: str, options: Sequence[str]) -> str:
    """A question as a text shows it: the question, then each option with its letter on a line of its own."""
    return "\n".join([text, *(f"{letter}. {option}" for letter, option in zip(LETTERS, options, strict=False))])


def _find_by_text(wanted: str, options: Sequence[str]) -> int | None:
    """The place of the option that says this, in its own words, or as true or false."""
    comparable = [write_comparable(option) for option in options]
    for place, option in enumerate(comparable):
        if wanted and wanted in (option, f"选{option}"):
            return place
    for words in (_TRUE, _FALSE):
        meant = [place for place, option in enumerate(comparable) if option in words]
        if wanted in words and len(meant) == 1:
            return meant[0]
    return None


def _check_line(field: str, value: str, longest: int) -> str:
    line = required_line(field, value, longest)
    if mark := find_place(line):
        reason = say("holds {mark}, which would be sent as it stands; write what is meant", mark=mark)
        raise Invalid(field, value, reason)
    return line
