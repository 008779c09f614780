"""Encoding and parts against the standard's own table, and properties of every split."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_service.parts import GSM_BASIC, GSM_EXTENSION, MULTI, SINGLE, Measure, measure_text, split_text

gsm_text = st.text(st.sampled_from(GSM_BASIC + GSM_EXTENSION * 4), max_size=700)
wide_text = st.text(
    st.sampled_from("中国，。a1é€\n😀🇨🇳👨‍👩‍👧[") | st.characters(exclude_categories=["Cs"]), max_size=400
)
texts = gsm_text | wide_text


def units_of(text: str, encoding: str) -> int:
    """The length by definition, written without the module's own tables of sizes."""
    if encoding == "UCS-2":
        return len(text.encode("utf-16-be")) // 2
    return sum(2 if c in "\f^{}\\[~]|€" else 1 for c in text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ("GSM-7", 0, 1)),
        ("a" * 160, ("GSM-7", 160, 1)),
        ("a" * 161, ("GSM-7", 161, 2)),
        ("a" * 306, ("GSM-7", 306, 2)),
        ("a" * 307, ("GSM-7", 307, 3)),
        ("€" * 80, ("GSM-7", 160, 1)),
        ("€" * 81, ("GSM-7", 162, 2)),
        ("a" * 159 + "€", ("GSM-7", 161, 2)),
        ("€" * 153, ("GSM-7", 306, 3)),  # 76 a part: the 153rd septet of a part cannot hold half a character
        ("中" * 70, ("UCS-2", 70, 1)),
        ("中" * 71, ("UCS-2", 71, 2)),
        ("中" * 134, ("UCS-2", 134, 2)),
        ("中" * 135, ("UCS-2", 135, 3)),
        ("😀" * 35, ("UCS-2", 70, 1)),
        ("😀" * 36, ("UCS-2", 72, 2)),
        ("😀" * 67, ("UCS-2", 134, 3)),  # 33 a part
        ("`", ("UCS-2", 1, 1)),  # ASCII, but not in the alphabet
        ("ç", ("UCS-2", 1, 1)),  # only its capital is
        ("a\tb", ("UCS-2", 3, 1)),
        ("a" * 69 + "，", ("UCS-2", 70, 1)),
    ],
)
def test_known_lengths(text: str, expected: tuple[str, int, int]) -> None:
    assert measure_text(text) == Measure(*expected)  # type: ignore[arg-type]
    assert len(split_text(text)) == expected[2]


def test_the_alphabet_has_the_standards_size() -> None:
    """TS 23.038: 128 codes, one of them the escape; ten extension characters."""
    assert len(GSM_BASIC) == len(set(GSM_BASIC)) == 127
    assert len(set(GSM_EXTENSION)) == 10
    assert not set(GSM_BASIC) & set(GSM_EXTENSION)


def test_a_pair_on_the_boundary_moves_to_the_next_part() -> None:
    assert split_text("中" * 66 + "😀" + "文" * 10) == ["中" * 66, "😀" + "文" * 10]
    assert split_text("a" * 152 + "[" + "b" * 10) == ["a" * 152, "[" + "b" * 10]


def test_half_a_surrogate_pair_is_no_text() -> None:
    with pytest.raises(UnicodeEncodeError):
        measure_text("中\ud83d")


@given(texts)
def test_split_keeps_every_character_and_every_limit(text: str) -> None:
    encoding, units, count = measure_text(text)
    parts = split_text(text)
    assert "".join(parts) == text
    assert len(parts) == count
    assert units == units_of(text, encoding)
    limit = SINGLE[encoding] if count == 1 else MULTI[encoding]
    assert all(units_of(part, encoding) <= limit for part in parts)


@given(texts)
def test_every_part_is_as_full_as_it_can_be(text: str) -> None:
    encoding = measure_text(text).encoding
    parts = split_text(text)
    for part, following in itertools.pairwise(parts):
        assert following
        assert units_of(part + following[0], encoding) > MULTI[encoding]


@given(texts)
def test_gsm_exactly_when_every_character_is_in_the_alphabet(text: str) -> None:
    assert (measure_text(text).encoding == "GSM-7") == (set(text) <= set(GSM_BASIC) | set(GSM_EXTENSION))


@given(st.text(st.sampled_from("学习内容，。《》0123456789"), min_size=1, max_size=1000))
def test_arithmetic_agrees_with_the_walk(text: str) -> None:
    """Chinese text without surrogates is never walked to be measured, but it is to be split."""
    assert measure_text(text).parts == len(split_text(text))
