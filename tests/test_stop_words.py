"""What stops texts and what lets them come again, whatever stands around it; and when N is a stop."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_service.content.classes import UNSUBSCRIBE_LINE
from sms_service.stop_words import bare, is_offered_stop, is_resume, is_stop, is_stop_of_all, offers_stop

WORDS = ["R", "T", "TD", "退订", "拒收", "退訂", "ｔｄ", "TD退订", "退订R"]
WORDS += ["0000", "QX", "取消订阅", "STOP", "Unsubscribe"]
ALL_WORDS = ["全部退订", "退订全部", "所有拒收", "全部取消订阅", "取消全部訂閱", "STOPALL"]
RESUMING = ["恢复", "恢復", "订阅", "訂閱", "重新订阅", "恢复接收", "取消退订", "START", "unstop"]
# Punctuation, quotes, blanks, symbols and what cannot be seen.
AROUND = st.text(st.characters(categories=["P", "Z", "Cc", "Cf", "Sm", "Sc", "Mn"]), max_size=4).filter(
    lambda t: not bare(t)
)


@pytest.mark.parametrize(
    "written",
    [
        "R。",
        "退订！",
        "“R”",
        "(R)",
        "TD.",
        "R\u200b",
        "\ufeff退订",
        "退 订",
        "退訂",
        "TD退订",
        "　ｒ \n",
        "退订👎",
        "【拒收】",
        "Ⓡ",
    ],
)
def test_what_stands_around_a_stop_word_does_not_count(written: str) -> None:
    assert is_stop(written)


@pytest.mark.parametrize(
    "written",
    [
        "R 谢谢",
        "我没有拒收",
        "退订怎么弄",
        "不退订",
        "RRR",
        "RT",
        "TDR",
        "R1",
        "N",
        "n。",
        "",
        "。",
        "好",
        "rest",
        "到T站",
    ],
)
def test_a_stop_word_in_a_sentence_is_none(written: str) -> None:
    assert not is_stop(written)


@given(st.sampled_from(WORDS), AROUND, AROUND, AROUND)
def test_what_is_added_around_a_stop_word_never_changes_it(word: str, before: str, between: str, after: str) -> None:
    assert is_stop(before + between.join(word) + after)


@given(st.sampled_from(WORDS), st.text("我不要了吗请问怎么好的谢", min_size=1, max_size=6), st.text(max_size=6), AROUND)
def test_a_stop_word_inside_a_sentence_never_is_one(word: str, said: str, more: str, around: str) -> None:
    assert not is_stop(said + around + word + more)
    assert not is_stop(word + around + said + more)


@given(st.text(max_size=12))
def test_reading_what_was_read_changes_nothing(written: str) -> None:
    assert bare(bare(written)) == bare(written)


@pytest.mark.parametrize(
    "sent",
    [
        "拒收请回复N",
        "退订回N",
        "回复N退订",
        "退订回T/N",
        "拒收请回复R或N。",
        "回复“N”即可退订",
        "退订请回复 Ｎ",
        "退訂請回覆N",
    ],
)
def test_n_stops_where_the_text_offered_it(sent: str) -> None:
    assert offers_stop(f"【云州党建】请于周五前完成学习。{sent}")
    assert is_offered_stop("“n”。", sent)
    assert not is_offered_stop("N 谢谢", sent)


@pytest.mark.parametrize(
    "sent",
    ["参加回Y，不参加回N", "不参加回复N", "参加请回复Y/N。", "同意回Y、不同意回N，", "学习资料N册", "拒收请回复NO"],
)
def test_n_is_an_answer_where_the_text_asked(sent: str) -> None:
    for line in ("", UNSUBSCRIBE_LINE, f" {UNSUBSCRIBE_LINE}"):
        assert not is_offered_stop("N", sent + line)
    assert not is_offered_stop("N", None)


@given(st.sampled_from(WORDS + ALL_WORDS + RESUMING), AROUND, AROUND, AROUND)
def test_each_word_means_one_thing_in_whatever_spelling(word: str, before: str, between: str, after: str) -> None:
    for case in (word, word.lower(), word.upper(), word.translate({ord(c): ord(c) + 0xFEE0 for c in "STOPALR0"})):
        said = before + between.join(case) + after
        assert (is_stop(said), is_stop_of_all(said), is_resume(said)) == (
            word not in RESUMING,
            word in ALL_WORDS,
            word in RESUMING,
        )


@pytest.mark.parametrize(
    "written",
    [
        "恢复了吗",
        "怎么恢复",
        "身体已恢复",
        "我没有退订全部",
        "订阅号",
        "接收",
        "收到",
        "00",
        "00000",
        "1",
        "0",
        "再来",
        "restart",
    ],
)
def test_what_is_neither_is_left_to_a_person(written: str) -> None:
    assert not is_stop(written)
    assert not is_resume(written)
