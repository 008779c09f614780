"""Signature, unsubscribe line and measure of the whole text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_service.content import classes
from sms_service.content.comparing import CannotRender
from sms_service.content.compose import check_beginning, check_signature, compose_text
from sms_service.content.language import compile_template
from sms_service.errors import Invalid
from sms_service.parts import measure_text
from sms_service.vocabulary import TextClass

SIGNATURE = "城东街道"


@pytest.mark.parametrize(
    ("body", "class_", "expected"),
    [
        ("今日学习。", "study", "【城东街道】今日学习。拒收请回复R"),
        ("今日学习", "study", "【城东街道】今日学习 拒收请回复R"),
        ("详见 https://example.cn/a", "invitation", "【城东街道】详见 https://example.cn/a 拒收请回复R"),
        ("请回复1或2。", "survey", "【城东街道】请回复1或2。拒收请回复R"),
        ("明日停水。", "notice", "【城东街道】明日停水。"),
        ("您已退订。", "answer", "【城东街道】您已退订。"),
        ("【城东街道】今日学习。", "notice", "【城东街道】今日学习。"),
        ("【城东街道】 今日学习。", "notice", "【城东街道】今日学习。"),
        ("今日学习。拒收请回复R", "study", "【城东街道】今日学习。拒收请回复R"),
        ("  今日学习。\n\n", "notice", "【城东街道】今日学习。"),
    ],
)
def test_signature_and_unsubscribe_line_stand_exactly_once(body: str, class_: str, expected: str) -> None:
    composed = compose_text(compile_template(body), {}, SIGNATURE, class_)
    assert composed.text == expected
    assert composed[1:] == measure_text(expected)


@pytest.mark.parametrize("body", ["【城西街道】学习。", "{{ a }}学习。", "【城东街道】【通知】学习。", "【城东街道】"])
def test_a_second_signature_and_an_empty_text_are_refused(body: str) -> None:
    with pytest.raises(CannotRender):
        compose_text(compile_template(body), {"a": "【别的】"}, SIGNATURE, "notice")


def test_a_wrong_beginning_is_found_before_anything_is_rendered() -> None:
    check_beginning(" 【城东街道】学习。", SIGNATURE)
    check_beginning("学习【重要】。", SIGNATURE)
    with pytest.raises(Invalid, match="【城西街道】") as caught:
        check_beginning("\n【城西街道】学习。", SIGNATURE)
    assert caught.value.field == "body"


@given(st.text(st.sampled_from("学习A1。[😀 \n"), max_size=300), st.sampled_from(TextClass))
def test_the_measure_is_that_of_the_whole_text(value: str, class_: str) -> None:
    composed = compose_text(compile_template("学{{ value }}习"), {"value": value}, SIGNATURE, class_)
    assert composed.text.startswith(f"【{SIGNATURE}】学")
    assert composed.text.count("【") == 1
    assert composed.text.endswith("拒收请回复R") == classes.class_rules(class_).unsubscribe_line
    assert (composed.encoding, composed.units, composed.parts) == measure_text(composed.text)


@pytest.mark.parametrize("signature", ["城东", "城东街道党工委", "A" * 16, "学习-2024"])
def test_signatures_that_carriers_take(signature: str) -> None:
    assert check_signature(signature) == signature


@pytest.mark.parametrize(
    "signature", ["", "城", "A" * 17, "【城东】", "[城东]", "城 东", "城\n东", "城\u200b东", "《城东》"]
)
def test_signatures_that_cannot_be_used(signature: str) -> None:
    with pytest.raises(Invalid) as caught:
        check_signature(signature)
    assert (caught.value.field, caught.value.value) == ("signature", signature)


def test_every_class_has_rules_and_no_other_word_does() -> None:
    for class_ in TextClass:
        classes.class_rules(class_)
    with pytest.raises(Invalid, match="study, notice") as caught:
        classes.class_rules("spam")
    assert caught.value.field == "class"
