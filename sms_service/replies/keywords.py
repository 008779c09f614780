"""The words by which people answer a question. Each function reads a whole text, and returns None unless it fits.

So few on purpose: who is taken to come gets a text too many, who is taken to stay away would miss one, and what is not
understood a person reads.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from sms_service.stop_words import bare
from sms_service.vocabulary import Meaning, QuestionKind, ReadingRule

MOST_PEOPLE = 999  # who come by one answer

_RECEIVED = (
    "已?收到了?|收悉|[已均]?知悉|知道了?|明白了?|了解了?|清楚了?|已阅|已读|已学习?|学习了|好的?|嗯|没问题|ok|okay"
)
_THANKS = re.compile(
    f"(?:(?:{_RECEIVED}|多谢|谢谢|感谢|辛苦了?|thanks?|thankyou)(?:您|你们?|大家|领导)?(?:通知|提醒|告知)?[啊哦噢呀啦哈]*)+"
)


class Understood(NamedTuple):
    """What an answer says (`Answer` has the meaning of the fields), and by which rule."""

    said: Meaning
    rule: ReadingRule
    choices: str | None = None
    people: int | None = None
    correct: bool | None = None


_COME = "(?:参加|参会|出席|到场|报名|去|来)"
_POLITE = "(?:收到|好的?|回复?|谢谢|抱歉|不好意思|对不起)"
_YES = re.compile(
    f"{_POLITE}*(?:1|yes|y|是的?|确认)?(?:我们?)?(?:会|将|要|能|可以|一定|肯定|准时|按时|确定|确认)*{_COME}(?:的|了)?"
    f"|{_POLITE}*(?:1|yes|y|是的?|可以的?|能的?)"
)
_WHY = "(?:有事|因事|临时有事|有急事|因病|生病了?|身体不适|出差|在外地|在外出差|加班|值班|因故)"
_NO = re.compile(
    f"{_POLITE}*(?:我们?)?(?:{_WHY}|今天|当天|那天|这次|本次)*(?:0|no|否|实在|确实)?"
    f"(?:(?:不能?|不会|无法|没法|没办法|不便|不方便)(?:按时|准时)?{_COME}(?:了)?|{_COME}不了(?:了)?|请个?假|没空|没时间|缺席)"
    f"(?:{_COME}|了)?"
    f"|{_POLITE}*(?:0|no|否|不|不了|不行|不能)"
)
_NUMBER = "([0-9]{1,3}|[一二两三四五六七八九]?十[一二三四五六七八九]?|[一二两三四五六七八九])"
_PEOPLE = re.compile(
    f"{_POLITE}*(?:1|是的?)?(?:我们|我家)?(?:一共|总共|共|大概)?{_COME}?{_NUMBER}(?:个人?|人|位){_COME}?"
)
_DIGITS = {digit: value for value, digit in enumerate("一二三四五六七八九", start=1)} | {"两": 2}

_IS_ME = re.compile(
    f"{_POLITE}*(?:1|yes|y|是的?|对的?|没错|(?:是|就是)?(?:我|本人)(?:的号码?)?|还?在用|是我的(?:号码?)?)"
)
_IS_NOT_ME = re.compile(
    f"{_POLITE}*(?:0|no|否|不是?(?:我|本人|他|她|的)?(?:的号码?)?|你?们?(?:打|发|弄|搞)错(?:了|人了?|号码?了?)?"
    "|(?:号码|手机号|电话)(?:打|发|弄|填|写)?错了?|错了|不认识(?:他|她|这个人|此人)?|换号了|查无此人|非本人)"
)
_OPTION = re.compile("(?:我?选择?|第|答案?是?|回复?)*([1-9])(?:号|个|项)?")


def is_thanks(text: str) -> bool:
    """Whether the whole text says nothing but thanks, or that ours was received: 收到, 好的, 谢谢提醒."""
    return _THANKS.fullmatch(bare(text)) is not None


def read_rsvp(asks: Mapping[str, Any], text: str) -> Understood | None:
    """Whether they come: 1, 参加, 收到参加; 0, 请假, 有事来不了; how many: 2人."""
    said = bare(text)
    if _NO.fullmatch(said):
        return Understood(Meaning.no, ReadingRule.keyword)
    if found := _PEOPLE.fullmatch(said):
        people = _number(found[1])
        return Understood(Meaning.yes, ReadingRule.people_count, people=people) if 0 < people <= MOST_PEOPLE else None
    return Understood(Meaning.yes, ReadingRule.keyword) if _YES.fullmatch(said) else None


def read_survey(asks: Mapping[str, Any], text: str) -> Understood | None:
    """Which of the answers: its number, or the answer itself."""
    said, options = bare(text), asks["options"]
    for number, option in enumerate(options, start=1):
        if said and said == bare(option):
            return Understood(Meaning.choice, ReadingRule.label, choices=str(number))
    found = _OPTION.fullmatch(said)
    if found and int(found[1]) <= len(options):
        return Understood(Meaning.choice, ReadingRule.option, choices=found[1])
    return None


def read_check(asks: Mapping[str, Any], text: str) -> Understood | None:
    """Whether the phone is still theirs: 是我, or 打错了, 不是本人."""
    said = bare(text)
    if _IS_ME.fullmatch(said):
        return Understood(Meaning.yes, ReadingRule.keyword)
    return Understood(Meaning.wrong_person, ReadingRule.keyword) if _IS_NOT_ME.fullmatch(said) else None


_READERS: Mapping[str, Callable[[Mapping[str, Any], str], Understood | None]] = {
    QuestionKind.rsvp: read_rsvp,
    QuestionKind.survey: read_survey,
    QuestionKind.check: read_check,
}


def read_answer(kind: str, asks: Mapping[str, Any], text: str) -> Understood | None:
    """What a whole text answers to a question of this kind, which asks that (`campaigns/asking.py`); None: it is no
    answer to it.
    """
    reader = _READERS.get(kind)
    return reader(asks, text) if reader else None


def _number(written: str) -> int:
    if written.isdigit():
        return int(written)
    tens, _, ones = written.rpartition("十") if "十" in written else ("", "", written)
    if "十" not in written:
        return _DIGITS[ones]
    return _DIGITS.get(tens, 1) * 10 + _DIGITS.get(ones, 0)
