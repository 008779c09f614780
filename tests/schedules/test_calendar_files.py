"""Calendars of a year from lines and files: all of it or, where a row cannot be read, the rows that cannot."""

from __future__ import annotations

import io
from datetime import date, timedelta

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_service.errors import Invalid
from sms_service.schedules.calendar_days import CalendarEntry, group_entries
from sms_service.schedules.calendar_files import read_calendar_file, read_calendar_text
from sms_service.schedules.official_years import read_official_year

# The State Council's notice for 2026, as it is pasted.
NOTICE = """
一、元旦：1月1日（周四）至3日（周六）放假调休，共3天。1月4日（周日）上班。
二、春节：2月15日（农历腊月二十八、周日）至23日（农历正月初七、周一）放假调休，共9天。2月14日（周六）、2月28日（周六）上班。
三、清明节：4月4日（周六）至6日（周一）放假，共3天。
四、劳动节：5月1日（周五）至5日（周二）放假调休，共5天。5月9日（周六）上班。
五、端午节：6月19日（周五）至21日（周日）放假，共3天。
六、中秋节：9月25日（周五）至27日（周日）放假，共3天。
七、国庆节：10月1日（周四）至7日（周三）放假调休，共7天。9月20日（周日）、10月10日（周六）上班。
"""
SPRING = [CalendarEntry(date(2027, 2, 5) + timedelta(days=n), False, "春节") for n in range(7)]
SWAPPED = CalendarEntry(date(2027, 2, 14), True, "春节")


def workbook(*rows: tuple[object, ...]) -> bytes:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def test_the_notice_of_the_year_is_pasted_as_it_is() -> None:
    read = read_calendar_text(NOTICE, 2026)
    assert read.refused == ()
    assert list(read.entries) == read_official_year(2026)


@pytest.mark.parametrize(
    ("line", "entries"),
    [
        ("2027-02-05 至 2027-02-11 春节 放假", SPRING),
        ("2月5日—11日 春节假期", SPRING),
        ("春节放假：2月5日至11日", SPRING),
        ("2027/2/5-2027/2/11 春节 休", SPRING),
        ("2027-02-14 春节 上班", [SWAPPED]),
        ("2027-02-14 上班", [SWAPPED._replace(name="调休上班")]),
        ("2月14日（周日）春节调休上班", [SWAPPED]),
        ("2027-02-14 春节调休 班", [SWAPPED._replace(name="春节调休")]),
        ("2027-02-14 holiday", [CalendarEntry(date(2027, 2, 14), False, "放假")]),
        ("2027-02-14 Lantern fair, working day", [CalendarEntry(date(2027, 2, 14), True, "Lantern fair")]),
    ],
)
def test_a_line_is_read_as_people_write_it(line: str, entries: list[CalendarEntry]) -> None:
    read = read_calendar_text(line, 2027)
    assert read.refused == ()
    assert list(read.entries) == entries


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("2027-02-05 春节", "write 放假 or 上班"),
        ("2027-02-05 春节 调休", "write 放假 or 上班"),
        ("2027-02-05 春节 放假 上班", "write 放假 or 上班"),
        ("春节 放假", "has no day; write it like 2027-02-05"),
        ("2027-02-30 春节 放假", "2027-02-30 is no day of the calendar"),
        ("2月14日（周六）上班", "2027-02-14 is a 周日, not a 周六"),
        ("2027-02-05 至 2027-02-01 春节 放假", "must be a day after"),
        ("2027-02-06 调休上班", "says something else about 2027-02-06 than row 1"),
        (f"2027-03-06 {'春' * 51} 放假", "its name has more than 50 characters"),
    ],
)
def test_a_line_that_cannot_be_read_says_what_would_be_right(line: str, reason: str) -> None:
    read = read_calendar_text(f"2027-02-05 至 2027-02-11 春节 放假\n\n{line}", 2027)
    (refused,) = read.refused
    assert (refused.row, refused.value in line) == (3, True)
    assert reason in refused.reason


def test_a_file_of_several_kinds_of_rows() -> None:
    data = workbook(
        ("2027年放假安排", None, None, None),
        ("开始日期", "结束日期", "节日", "类型"),
        (date(2027, 2, 5), date(2027, 2, 11), "春节", "放假"),
        ("2月14日", None, "春节", "班"),
        ("5月1日至3日", None, "劳动节", "休息"),
    )
    read = read_calendar_file(data, "日历.xlsx", 2027)
    assert read.refused == ()
    assert [span.write() for span in group_entries(read.entries)] == [
        "2027-02-05 至 2027-02-11 春节 放假",
        "2027-02-14 春节 上班",
        "2027-05-01 至 2027-05-03 劳动节 放假",
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_files_of_every_encoding(encoding: str) -> None:
    table = "日期,名称,安排\n2027-02-14,春节,上班\n".encode(encoding)
    lines = "2027-02-14 春节 上班\n".encode(encoding)
    assert read_calendar_file(table, "a.csv").entries == (SWAPPED,)
    assert read_calendar_file(lines, "a.txt").entries == (SWAPPED,)


def test_the_rows_that_cannot_be_read_are_named() -> None:
    data = workbook(
        ("日期", "名称", "安排"),
        ("2027-02-05", "春节", "放假"),
        ("2027-02-31", "春节", "放假"),
        (None, "元宵节", "放假"),
        ("2027-02-20", "元宵节", "调休"),
    )
    read = read_calendar_file(data, "日历.xlsx")
    assert [(one.row, one.value) for one in read.refused] == [
        (3, "2027-02-31 春节 放假"),
        (4, "元宵节 放假"),
        (5, "2027-02-20 元宵节 调休"),
    ]


@pytest.mark.parametrize(
    ("data", "name", "reason"),
    [
        (b"", "a.csv", ""),
        (b"\xff\xfe\x00", "a.xlsx", ""),
        ("编号,姓名\n1,甲\n".encode(), "a.csv", "日期"),
        (b"\x00\x01\x02", "a.txt", ""),
        (b"\n\n", "a.txt", "has no day in it"),
        ("日期,名称,安排\n".encode(), "a.csv", "has no day in it"),
        (("天" * 20_001).encode(), "a.txt", "at most 20000 characters"),
    ],
)
def test_what_is_no_calendar_is_refused_whole(data: bytes, name: str, reason: str) -> None:
    with pytest.raises(Invalid) as error:
        read_calendar_file(data, name)
    assert error.value.field == "file"
    assert reason in str(error.value)


def test_a_year_that_no_calendar_is_about_is_refused() -> None:
    with pytest.raises(Invalid, match="year: must be from 2000 to 2100"):
        read_calendar_text("2月5日 春节 放假", 1999)


@given(st.text(max_size=100), st.sampled_from([None, 2027]))
def test_any_text_is_read_or_refused(written: str, year: int | None) -> None:
    try:
        read = read_calendar_text(written, year)
    except Invalid:
        return
    assert all(1 <= len(one.name) <= 50 for one in read.entries)


names = st.sampled_from(["元旦", "春节", "春节调休", "国庆节、中秋节", "建市五十周年"])


@given(st.dictionaries(st.dates(date(2027, 1, 1), date(2027, 12, 31)), st.tuples(st.booleans(), names), min_size=1))
def test_what_is_written_as_lines_is_read_back(days: dict[date, tuple[bool, str]]) -> None:
    entries = sorted(CalendarEntry(day, works, name) for day, (works, name) in days.items())
    read = read_calendar_text("\n".join(span.write() for span in group_entries(entries)))
    assert (list(read.entries), read.refused) == (entries, ())
