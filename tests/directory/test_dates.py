"""Dates as they stand in office files."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_service.directory.dates import find_date, holds_dates, read_date


@pytest.mark.parametrize(
    ("raw", "day"),
    [
        ("1999年2月1日", "1999-02-01"),
        ("1990-5-3", "1990-05-03"),
        ("1985/3/1", "1985-03-01"),
        ("1985.3.1", "1985-03-01"),
        ("1985 3 1", "1985-03-01"),
        ("１９８５／３／１", "1985-03-01"),
        ("1985年3月1号", "1985-03-01"),
        ("19850301", "1985-03-01"),
        ("一九八五年三月一日", "1985-03-01"),
        ("二〇〇一年十月二十一日", "2001-10-21"),
        ("31.12.1999", "1999-12-31"),
        ("31/12/1999", "1999-12-31"),
        ("12/31/1999", "1999-12-31"),
        ("5/5/1999", "1999-05-05"),
        ("2020-01-02 00:00:00", "2020-01-02"),
    ],
)
def test_one_form_for_all_spellings(raw, day):
    reading = read_date(raw)
    assert (reading.day, reading.problem, reading.note) == (day, None, None)


@pytest.mark.parametrize(
    ("raw", "day", "note"),
    [
        ("1987.02", "1987-02-01", "says no day"),
        ("1987-2", "1987-02-01", "says no day"),
        ("1987年2月", "1987-02-01", "says no day"),
        ("一九八七年二月", "1987-02-01", "says no day"),
        ("198702", "1987-02-01", "says no day"),
        ("1987.10", "1987-10-01", "says no day"),
        ("36192", "1999-02-01", "day number"),
        ("2020-01-02 03:04", "2020-01-02", "without its time"),
    ],
)
def test_what_was_decided_is_noted(raw, day, note):
    reading = read_date(raw)
    assert (reading.day, reading.problem) == (day, None)
    assert note in reading.note


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        ("1987.1", "January or October"),
        ("3/1/1985", "is not a date"),
        ("85.3.1", "is not a date"),
        ("1985", "is not a date"),
        ("一九八五年", "is not a date"),
        ("2023-02-30", "is not a date"),
        ("1985/13", "is not a date"),
        ("0000-00-00", "is not a date"),
        ("3000-01-01", "is not a date"),
        ("不详", "is not a date"),
    ],
)
def test_what_may_mean_two_days_or_none_is_listed(raw, problem):
    reading = read_date(raw)
    assert reading.day is None
    assert problem in reading.problem


@pytest.mark.parametrize(
    ("header", "holds"),
    [
        *dict.fromkeys(
            (
                "入党日期",
                "出生年月",
                "*出生年月(必填)",
                "出生日期",
                "生日",
                "转正时间",
                "参加工作时间",
                "birthday",
                "left_on",
            ),
            True,
        ).items(),
        *dict.fromkeys(("出生地", "时长", "备注", "培训时间", "年龄", "Monday", "日"), False).items(),
    ],
)
def test_a_column_of_dates_is_known_by_its_header(header, holds):
    assert holds_dates(header) is holds


@pytest.mark.parametrize(
    ("raw", "day"), [("1990-5-3", "1990-05-03"), ("1999年2月1日", "1999-02-01"), ("1990/05/03 ", "1990-05-03")]
)
def test_a_date_in_any_column_is_a_date(raw, day):
    assert find_date(raw) == day


@pytest.mark.parametrize(
    "raw", ["1987.02", "20200102", "1.2.2020", "2020.1.2", "36192", "2020-1-2-3", "1990-5-3 10:00"]
)
def test_what_may_be_something_else_stays(raw):
    assert find_date(raw) is None


@given(st.text(max_size=20) | st.from_regex(r"[0-9年月日./ -]{1,12}", fullmatch=True))
def test_any_text_is_read_without_an_exception_and_a_day_reads_as_itself(raw):
    reading = read_date(raw)
    assert (reading.day is None) == (reading.problem is not None)
    if reading.day is not None:
        assert date.fromisoformat(reading.day)
        assert read_date(reading.day).day == reading.day == find_date(reading.day)
