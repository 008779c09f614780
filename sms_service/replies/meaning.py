"""What a reply means. Only one thing acts by itself: that somebody wants no more texts."""

from __future__ import annotations

import re
import unicodedata

# R is what the unsubscribe line offers; the others are what people write of themselves, and no text asks for them.
_STOP = re.compile(r"(?:r|td?)?(?:退订|拒收)*|(?:退订|拒收)+(?:r|td?)")
# N also answers a question, so that it is a stop only where the answered text offers it as one.
_OFFERED = "n"

# Letters that nobody sees, and letters used as signs, do not count, nor does anything that is neither letter nor digit.
_UNSEEN = frozenset("\u115f\u1160\u3164\uffa0")
# The traditional characters of stop words, offers and the words of answers (keywords.py).
_TRADITIONAL = str.maketrans(
    "訂請復覆複發輸參來會沒時間報場確準錯號碼認識電話選個兩對還換無辦體適開總諾謝將滿",
    "订请复复复发输参来会没时间报场确准错号码认识电话选个两对还换无办体适开总诺谢将满",
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
    return bool(said) and _STOP.fullmatch(said) is not None


def is_offered_stop(text: str, answered: str | None) -> bool:
    """Whether the whole text is a word that stops only because the text that it answers offered it so."""
    return bare(text) == _OFFERED and answered is not None and offers_stop(answered)


def offers_stop(text: str) -> bool:
    """Whether a text that we sent says that N stops ("拒收请回复N"); "不参加回N" does not."""
    plain = unicodedata.normalize("NFKC", text).casefold().translate(_TRADITIONAL)
    return _OFFER.search(_QUOTES.sub("", plain)) is not None


def _counts(character: str) -> bool:
    category = unicodedata.category(character)
    return category[0] in "LN" and category != "Lm" and character not in _UNSEEN
