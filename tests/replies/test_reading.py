"""What a reply means: stop words first, then the words of open questions, then the inbox."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from sms_service.ledger.question_models import QuestionRow
from sms_service.replies.keywords import is_thanks, read_check, read_rsvp, read_survey
from sms_service.replies.mending import mend_text
from sms_service.replies.reading import Asked, Reading, read_reply

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
SURVEY = {"options": ["满意", "一般", "不满意"]}


def read(text: str, *questions: QuestionRow, answered: str | None = None, asks_nothing: bool = False) -> Reading:
    """Read a text of now that may answer these questions, the last first."""
    asked = [Asked(one.id, date(2026, 12, 1), one.id, one.id, "/1/", NOW - timedelta(days=2)) for one in questions]
    known = {one.id: one for one in questions}
    return read_reply(text, NOW, answered, asked, known, asks_nothing=asks_nothing)


def question(id_: int, kind: str = "rsvp", *, hours: int = 24, **asks: Any) -> QuestionRow:
    """One that closes in so many hours."""
    asks = {"kind": kind, **(SURVEY if kind == "survey" else {}), **asks}
    return QuestionRow(id=id_, kind=kind, asks=asks, closes_at=NOW + timedelta(hours=hours))


YES = """1 １ y yes 是 去 来 参加 能去 能来 能参加 可以参加 准时参加 按时参加 一定参加 一定来 我来 我去
我参加 报名 收到参加 收到，参加！ 回复1 1参加 好的，我参加！ 參加 【参加】 参加。"""
NO = """0 ０ no 否 不 不去 不来 不参加 不能去 不能来 不能参加 无法参加 参加不了 去不了 来不了 不去了 不参加了 请假
請假 我请假 请个假 有事请假 因事请假 有事不能参加 有事来不了 没空 没时间 抱歉，出差，来不了 收到，请假"""
NEITHER = "N n 去不去 能参加吗 我没有拒收 收到 可能不能参加 2 好的 几点开始？ 退订怎么弄 11 不知道 来不来 0人 参加吗"
WRONG = "打错了 不是本人 你打错了 不是 发错了 0 不认识 查无此人 號碼錯了"
RIGHT = "是 1 是我 是本人 本人 对 没错 是的"
THANKS = """收到 收到。 收到！！ 已收到 收到，谢谢 好 好的 好的，谢谢！ 谢谢 谢谢您 多谢 感谢 謝謝 谢谢提醒 知道了 明白
已阅 已学习 OK ok! 嗯嗯 收到收到 好的呀 辛苦了 收到，谢谢领导 Thanks"""
NO_THANKS = "收到几点 谢谢，我不去 好吗 没收到 收到了吗 不好 通知 领导 是 1 什么意思 不知道 不明白 不谢"
MANY = [
    ("2人", 2),
    ("两人", 2),
    ("2个人", 2),
    ("参加2人", 2),
    ("我们一共十二人参加", 12),
    ("收到，3位", 3),
    ("二十人", 20),
]
CHOICES = [
    ("2", "2"),
    ("２。", "2"),
    ("选2", "2"),
    ("第2个", "2"),
    ("满意", "1"),
    ("不满意", "3"),
    ("4", None),
    ("12", None),
]
NOBODY = [
    ("", "empty"),
    (" 。！", "empty"),
    ("👍", "empty"),
    ("👍", "empty"),
    ("【自动回复】开会", "automatic"),
    ("Auto-Reply: 1", "automatic"),
]


@pytest.mark.parametrize("text", YES.split())
def test_words_that_say_yes(text: str) -> None:
    assert (found := read_rsvp({}, text)) is not None
    assert found.said == "yes"


@pytest.mark.parametrize("text", NO.split())
def test_words_that_say_no(text: str) -> None:
    assert (found := read_rsvp({}, text)) is not None
    assert found.said == "no"


@pytest.mark.parametrize("text", NEITHER.split())
def test_words_that_say_neither(text: str) -> None:
    assert read_rsvp({}, text) is None


@pytest.mark.parametrize(("text", "people"), [*MANY, ("9999人", None)])
def test_how_many_come(text: str, people: int | None) -> None:
    found = read_rsvp({}, text)
    assert (found and found.people) == people


@pytest.mark.parametrize(("text", "choices"), CHOICES)
def test_one_of_several_answers(text: str, choices: str | None) -> None:
    found = read_survey(SURVEY, text)
    assert (found and found.choices) == choices


@pytest.mark.parametrize(
    ("text", "said"),
    [(text, "wrong_person") for text in WRONG.split()]
    + [(text, "yes") for text in RIGHT.split()]
    + [("什么事", None), ("我不是党员", None)],
)
def test_still_the_same_person(text: str, said: str | None) -> None:
    found = read_check({}, text)
    assert (found and found.said) == said


def test_a_stop_word_goes_before_every_question() -> None:
    assert read("退 订！", question(1)).meaning == "stop"
    assert read("我没有拒收", question(1)).meaning == "free_text"
    assert read("N", question(1)).meaning == "free_text"
    assert read("N", question(1), answered="拒收请回复N").rule == "offered_stop"


def test_two_questions_that_fit_are_not_guessed() -> None:
    both = question(1), question(2, "survey")
    assert (read("1", *both).meaning, read("1", *both).asked) == ("ambiguous", None)
    assert read("请假", *both).asked.question_id == 1  # type: ignore[union-attr]
    assert read("一般", *both).asked.question_id == 2  # type: ignore[union-attr]
    assert (read("几点？", *both).rule, read("几点？", *both).asked) == ("not_understood", None)


def test_a_question_that_is_closed_counts_only_if_none_is_open() -> None:
    closed, still_open = question(1, hours=-1), question(2)
    assert read("1", closed, still_open).asked.question_id == 2  # type: ignore[union-attr]
    assert read("1", closed).asked.question_id == 1  # type: ignore[union-attr]
    late = read("几点？", closed)
    assert (late.meaning, late.asked and late.asked.question_id) == ("free_text", 1)


def test_what_is_not_understood_belongs_to_the_one_open_question() -> None:
    reading = read("我要晚到一会儿", question(7), question(8, hours=-1))
    assert (reading.meaning, reading.needs_person) == ("free_text", True)
    assert reading.asked is not None
    assert reading.asked.question_id == 7


def test_thanks_for_a_text_that_asks_nothing_are_for_nobody_to_read() -> None:
    for word in THANKS.split():
        assert is_thanks(word), word
    for word in NO_THANKS.split():
        assert not is_thanks(word), word
    spoiled = "收到".encode("gbk").decode("latin-1")
    for word in ("收到", spoiled):
        reading = read(word, question(1), asks_nothing=True)
        assert (reading.meaning, reading.rule, reading.needs_person) == ("acknowledged", "thanks", False)
    assert read("收到", question(1)).meaning == read("收到").meaning == "free_text"
    assert read("收到", question(1, "survey", options=["收到", "没有"]), asks_nothing=True).meaning == "choice"


@pytest.mark.parametrize(("text", "meaning"), NOBODY)
def test_what_nobody_said(text: str, meaning: str) -> None:
    assert read(text, question(1)).meaning == meaning


@pytest.mark.parametrize("text", ["参加", "请假", "退订", "收到参加"])
@pytest.mark.parametrize(("sent", "taken"), [("gbk", "utf-16-be"), ("gbk", "latin-1"), ("utf-8", "latin-1")])
def test_a_text_in_a_wrong_encoding_is_mended(text: str, sent: str, taken: str) -> None:
    spoiled = text.encode(sent).decode(taken)
    assert (mend_text(spoiled), mend_text(text)) == (text, None)
    assert read(spoiled, question(1)).meaning == read(text, question(1)).meaning
