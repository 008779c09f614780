"""The words that stop texts and let them come again, and the form in which texts are compared with words.

Such a word counts only if it is the whole text. No text may ask for one as an answer to anything else
(`content/lint.py`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

# R is what the unsubscribe line offers; the others are what people write of themselves.
_CODES = "r|td?|qx|0000"
_STOP_WORDS = "退订|拒收|取消订阅|停止订阅|退出订阅|取消接收|不再接收"
_ENGLISH = "stop|unsub|unsubscribe|optout"
_ALL = "全部|所有|一切"
_STOP = re.compile(f"(?:{_CODES})?(?:{_STOP_WORDS})*|(?:{_STOP_WORDS})+(?:{_CODES})|{_ENGLISH}")
_STOP_ALL = re.compile(
    f"(?:{_ALL})(?:{_STOP_WORDS})|(?:{_STOP_WORDS})(?:{_ALL})|取消(?:{_ALL})订阅"
    "|stopall|unsubscribeall|(?:r|td?)(?:全部|all)"
)
_RESUME = re.compile(
    "(?:我要)?(?:重新|恢复|继续)?(?:订阅|接收)|恢复|恢复(?:发送|短信)|取消退订|取消拒收|start|unstop|resume|subscribe"
)
# A bare 接收 is an answer to much else.
_NO_RESUME = frozenset({"接收", "我要接收"})
# N also answers a question, so that it is a stop only where the answered text offers it as one.
_OFFERED = "n"

# Letters that nobody sees, and letters used as signs, do not count, nor does anything that is neither letter nor digit.
_UNSEEN = frozenset("\u115f\u1160\u3164\uffa0")
# The traditional characters of these words, of offers and of the words of answers (replies/keywords.py).
_TRADITIONAL = str.maketrans(
    "訂請復覆複發輸參來會沒時間報場確準錯號碼認識電話選個兩對還換無辦體適開總諾謝將滿閱閲續絕",
    "订请复复复发输参来会没时间报场确准错号码认识电话选个两对还换无办体适开总诺谢将满阅阅续绝",
)

_UNSUBSCRIBE = "(?:退订|拒收)"
_SEND = r"请?(?:直接)?(?:回复?|发送?|编辑|输入)\s?"
_WORD = f"(?:[a-z]{{1,2}}[/或、])*{_OFFERED}(?![a-z0-9])"  # "R/N" offers both
_OFFER = re.compile(
    f"{_UNSUBSCRIBE}(?:{_SEND})?{_WORD}"
    # What follows is an end of its own: "不参加回复N 拒收请回复R" offers R.
    f"|{_SEND}{_WORD}(?:[/或、][a-z]{{1,2}})*(?:即可|可|以|就|则|来|为|=)?{_UNSUBSCRIBE}(?!{_SEND})"
)
_QUOTES = re.compile(r"""["'“”‘’「」『』【】《》<>()\[\]:]""")
# What a text asks people to send: 1 of "回复1参加", Y and N of "请回Y或N". 返回 and 收回 ask for nothing.
_SENDABLE = f"(?:{_STOP_WORDS}|订阅|恢复|[a-z0-9]+)"
_ASKED = re.compile(
    rf"请?(?:直接)?(?:(?<![返收撤挽召])回复?|发送|编辑(?:短信)?|输入)\s*({_SENDABLE}(?:[/或、,]{_SENDABLE})*)"
)
_STOPPING = f"{_STOP_WORDS}|不想收|不想再收|不愿收|不愿接收|恢复|重新接收|订阅"
_ABOUT_STOPPING = re.compile(f"(?:{_STOPPING})(?:到|取)?(?:短信|信息)?[,、。;\\s]*$")
_THEN_STOPPING = re.compile(f"[,、。;\\s]*(?:即可|可以?|以|就|则|来|为|=)*(?:{_STOPPING})(?!{_SEND})")


def bare(text: str) -> str:
    """The letters and digits of a text, in one width and case and simplified where stop words need it; what stands
    around and between them (punctuation, blanks, quotes, symbols, accents, invisible characters) is gone.
    """
    while True:
        wide = unicodedata.normalize("NFKD", text).casefold().translate(_TRADITIONAL)
        kept = "".join(character for character in wide if _counts(character))
        if kept == text:
            return kept
        text = kept


def is_stop(text: str) -> bool:
    """Whether the whole text is a stop word, or two that say the same (TD退订), whatever stands around it."""
    said = bare(text)
    return bool(said) and (_STOP.fullmatch(said) or _STOP_ALL.fullmatch(said)) is not None


def is_stop_of_all(text: str) -> bool:
    """Whether the whole text is a word that stops every text (全部退订), whatever it answers."""
    return _STOP_ALL.fullmatch(bare(text)) is not None


def is_resume(text: str) -> bool:
    """Whether the whole text is a word that lets texts come again (恢复, START)."""
    said = bare(text)
    return said not in _NO_RESUME and _RESUME.fullmatch(said) is not None


def is_about_stopping(word: str) -> bool:
    """Whether people who send the word may stop texts by it, or let them come again: no answer can be this word."""
    return bare(word) == _OFFERED or is_stop(word) or is_resume(word)


def is_offered_stop(text: str, answered: str | None) -> bool:
    """Whether the whole text is a word that stops only because the text that it answers offered it so."""
    return bare(text) == _OFFERED and answered is not None and offers_stop(answered)


def offers_stop(text: str) -> bool:
    """Whether a text that we sent says that N stops ("拒收请回复N"); "不参加回N" does not."""
    return _OFFER.search(_plain(text)) is not None


def find_misused_words(text: str) -> Iterator[str]:
    """The words that a text asks people to send for something else than stopping, and that stop texts, let them come
    again, or stop them where a text offers it: R of "回复R参加", N of "不参加回N".
    """
    plain = _plain(text)
    for found in _ASKED.finditer(plain):
        if _ABOUT_STOPPING.search(plain[: found.start()]) or _THEN_STOPPING.match(plain, found.end()):
            continue
        for word in re.split("[/或、,]", found[1]):
            if is_about_stopping(word):
                yield word


def _plain(text: str) -> str:
    return _QUOTES.sub("", unicodedata.normalize("NFKC", text).casefold().translate(_TRADITIONAL))


def _counts(character: str) -> bool:
    category = unicodedata.category(character)
    return category[0] in "LN" and category != "Lm" and character not in _UNSEEN
