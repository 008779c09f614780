"""Phone numbers as they stand in office files."""

import phonenumbers
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sms_service.directory import phones
from sms_service.directory.phones import parse_phone, read_phone, recall_problem
from sms_service.errors import Invalid
from sms_service.said import as_said, to_json


@pytest.mark.parametrize(
    "raw",
    [
        "13975840246",
        " 139 7584 0246 ",
        "139-7584-0246",
        "139—7584—0246",
        "+8613975840246",
        "+86 139 7584 0246",
        "+86-139-7584-0246",
        "8613975840246",
        "008613975840246",
        "0086 139 7584 0246",
        "(86)13975840246",
        "(+86)13975840246",
        "（86）１３９７５８４０２４６",
        "１３９７５８４０２４６",
        "+86-１３９７５８４０２４６",
        "139\u200b75840246\u202c",
        "\ufeff13975840246",
        "\u202d13975840246\u202c",
        "\xa013975840246\u3000",
        "13975840246\t",
        "'13975840246",
        "13975840246.0",
        "13975840246/无",
        "013975840246",
        "+86(0)13975840246",
        "+8613975840246.0",
        "139_7584_0246",
        "139.7584.0246",
        "手机：13975840246",
        "tel: 139 7584 0246",
        "13975840246（本人）",
        "13975840246/139-7584-0246",
    ],
)
def test_one_number_written_in_many_ways(raw):
    reading = read_phone(raw)
    assert (reading.phone, reading.problem, reading.note) == ("+8613975840246", None, None)


@pytest.mark.parametrize("raw", [None, "", " ", "\u3000", "/", "无", "没有", "-", "N/A", "／", "/ /"])
def test_no_number_is_no_problem(raw):
    reading = read_phone(raw)
    assert (reading.phone, reading.problem, reading.note) == (None, None, None)


@pytest.mark.parametrize(
    ("raw", "part_of_reason"),
    [
        ("1.34982E+10", "scientific"),
        ("1.34982e10", "scientific"),
        ("1778781709O", "'O'"),
        ("1876607113", "10 digits"),
        ("159909563441", "12 digits"),
        ("0571-80927662", "landline"),
        ("4008001234", "service number"),
        ("12393505308", "ranges"),
        ("+13912345678", "ranges"),
        ("++8613975840246", "not written"),
        ("13975840246(家)", "家"),
        ("13975840246(儿子)", "儿"),
        ("139****0246", "hides digits"),
        ("0571-88880000-8012", "landline"),
        ("95588", "5 digits"),
        ("+", "not written"),
        ("86+13975840246", "not written"),
        ("9" * 5000, "5000 digits"),
    ],
)
def test_what_cannot_get_texts_says_why(raw, part_of_reason):
    reading = read_phone(raw)
    assert reading.phone is None
    assert part_of_reason in reading.problem


@pytest.mark.parametrize("phone", ["+85366812345", "+85261234567", "+886912345678", "+447400123456", "+14155554044"])
def test_numbers_from_elsewhere(phone):
    assert read_phone(phone).phone == phone


@pytest.mark.parametrize(
    "raw",
    [
        "13975840246/13206360796",
        "13975840246;13206360796",
        "13975840246；13206360796",
        "13975840246、13206360796",
        "13975840246 13206360796",
        "13975840246\n13206360796",
        "13975840246-13206360796",
        "13975840246 或 13206360796",
        "0571-80927662/13975840246",
        "1397584024O,13975840246",
    ],
)
def test_of_several_numbers_the_first_usable_is_taken_and_that_is_noted(raw):
    reading = read_phone(raw)
    assert reading.phone == "+8613975840246"
    assert "numbers in one cell" in reading.note
    with pytest.raises(Invalid):
        parse_phone("phone", raw)


def test_a_phone_that_must_be_there_names_its_field():
    with pytest.raises(Invalid) as caught:
        parse_phone("phone", "/")
    assert caught.value.field == "phone"


@given(st.text(max_size=40))
def test_any_text_is_read_without_an_exception_and_a_phone_is_a_valid_mobile(raw):
    reading = read_phone(raw)
    assert not (reading.phone and reading.problem)
    if reading.phone:
        number = phonenumbers.parse(reading.phone, None)
        assert phonenumbers.is_valid_number(number)
        assert read_phone(reading.phone).phone == reading.phone


@given(
    st.from_regex("1[38][0-9]{9}", fullmatch=True),
    st.lists(st.tuples(st.integers(0, 11), st.sampled_from("\u200b\u200e\ufeff -")), max_size=6),
    st.sampled_from(["", "+86", "86", "0086", "(86)"]),
)
@example("13000000000", [(6, " ")], "0086")  # 008 is no area code
def test_noise_around_and_between_the_digits_changes_nothing(digits, noise, prefix):
    noisy = list(digits)
    for position, character in noise:
        noisy.insert(position, character)
    written = "".join(noisy)
    if written.lstrip("\u200b\u200e\ufeff ").startswith("-"):  # a number may have a minus, a phone has none
        written = written.lstrip("\u200b\u200e\ufeff -")
    assert read_phone(prefix + written).phone == read_phone(digits).phone


@pytest.mark.parametrize("raw", ["0571-88880000", "1390000111", "139a0000111", "1.39E+10", "95588"])
def test_what_is_wrong_with_a_kept_number_can_be_said_in_every_language(raw):
    problem = read_phone(raw).problem
    assert problem is not None
    assert to_json(recall_problem(str(problem), to_json(problem))) == to_json(problem)
    recalled = recall_problem(str(problem), None)
    assert (recalled, recalled.message, recalled.values.keys()) == (
        problem,
        as_said(problem).message,
        as_said(problem).values.keys(),
    )


def test_plain_numbers_are_read_as_the_library_reads_them():
    """The short way gives what the long one gives, for every beginning that a number of eleven digits may have."""
    for beginning in range(10_000):
        text = f"{beginning:04d}{(beginning * 7919) % 10**7:07d}"
        slow = phones._read_one(text)
        assert (phones._is_plain_mobile(text), phones.read_phone(text).phone) == (
            slow.phone is not None and text.startswith("1"),
            slow.phone,
        ), text
    assert phones.read_phone("１３９７５８４０２４６").phone == "+8613975840246"
