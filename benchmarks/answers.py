"""What phones answer, mixed and dirty, and beside each reply what it has to become."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import NamedTuple


class DirtyReply(NamedTuple):
    """One reply of a phone, in so many pieces, and its truth: meaning, how many come, and whether a person reads it."""

    phone: str
    pieces: tuple[str, ...]
    meaning: str
    people: int | None
    needs_person: bool

    @property
    def text(self) -> str:
        """All of it."""
        return "".join(self.pieces)


# By meaning; what stands around a word is added below.
_YES = ("1", "１", "参加", "參加", "是", "收到，参加", "我参加", "一定来", "能来", "1参加", "报名")
_NO = ("0", "０", "请假", "請假", "不参加", "有事来不了", "去不了", "没时间", "抱歉，出差，来不了", "否")
_COUNTED = (("2人", 2), ("两人", 2), ("3个人参加", 3), ("我们一共十二人", 12), ("参加２人", 2))
_STOPS = ("退订", "R", "ｔｄ", "T", "拒收", "0000", "退 订！")
_WORDS = ("几点开始？", "我没有拒收", "退订怎么弄", "到时看情况", "N", "可以带孩子吗", "去不去", "谢谢通知", "收到")
_MACHINES = ("【自动回复】您好，我正在开会", "自动回复：稍后联系您", "Auto-Reply: out of office")
_EMPTY = ("", " ", "。。。", "👍", "　")
_AROUND = ("{}", "{}", "{}", " {}", "{}。", "{}！", "　{}　", "“{}”", "{}\n", "{}~")
_SHARES = {"yes": 45, "no": 15, "counted": 8, "words": 12, "stop": 5, "empty": 4, "automatic": 3, "spoiled": 8}


def make_answers(phones: Sequence[str], seed: int = 1) -> Iterator[DirtyReply]:
    """One reply of each phone, to a question whether they come. The same seed makes the same replies."""
    chance = random.Random(seed)
    kinds, weights = list(_SHARES), list(_SHARES.values())
    for phone in phones:
        yield _make(phone, chance, chance.choices(kinds, weights)[0])


def _make(phone: str, chance: random.Random, kind: str) -> DirtyReply:
    if kind == "spoiled":  # GBK that was read as UCS-2
        word, meaning = chance.choice((("参加", "yes"), ("请假", "no"), ("报名", "yes")))
        return DirtyReply(phone, (word.encode("gbk").decode("utf-16-be"),), meaning, None, False)
    if kind == "counted":
        word, people = chance.choice(_COUNTED)
        return DirtyReply(phone, _cut(_dress(word, chance), chance), "yes", people, False)
    if kind in ("empty", "automatic"):
        return DirtyReply(phone, (chance.choice(_EMPTY if kind == "empty" else _MACHINES),), kind, None, False)
    words = {"yes": _YES, "no": _NO, "stop": _STOPS, "words": _WORDS}[kind]
    meaning = "free_text" if kind == "words" else kind
    return DirtyReply(phone, _cut(_dress(chance.choice(words), chance), chance), meaning, None, kind == "words")


def _dress(word: str, chance: random.Random) -> str:
    return chance.choice(_AROUND).format(word)


def _cut(text: str, chance: random.Random) -> tuple[str, ...]:
    """One in twenty comes in two pieces."""
    if len(text) < 2 or chance.random() > 0.05:
        return (text,)
    middle = chance.randrange(1, len(text))
    return text[:middle], text[middle:]
