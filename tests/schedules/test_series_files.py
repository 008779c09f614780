"""The texts of a series from files and as people paste them: what is understood, and what is said of what is not."""

from __future__ import annotations

import io

import pytest
from openpyxl import Workbook

from sms_service.content.language import compile_template
from sms_service.db.engine import Database
from sms_service.errors import Forbidden, Invalid
from sms_service.schedules.series_files import ReadSeries, read_series_file, read_series_text
from sms_service.schedules.series_planning import MOST_TEXTS, SeriesRow, set_series
from tests.factories import make_actor
from tests.schedules.eventful import EventTown
from tests.schedules.serial import items_of, make_study_town, write_series

TWO = "今日学习{{ 题目 }}：{{ 正文 }}"


@pytest.fixture
def town(database: Database) -> EventTown:
    return make_study_town(database, people=0)


def write_sheet(*rows: tuple[object, ...]) -> bytes:
    book = Workbook()
    assert book.active is not None
    for row in rows:
        book.active.append(row)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def read(town: EventTown, given: bytes | str, body: str | None = None, name: str = "学习内容.csv") -> ReadSeries:
    """What is read for a draft whose text has this body."""
    with town.clock(-3) as later, later.session() as session:
        assert body is None or compile_template(body)
        rows = [SeriesRow(dict.fromkeys(compile_template(body).variables, "待定"))] if body else None
        write_series(session, town, 1, rows=rows, **({"body": body} if body else {}))
        if isinstance(given, str):
            return read_series_text(session, town.officer, town.campaign_id, given)
        return read_series_file(session, town.officer, town.campaign_id, given, name)


def values_of(found: ReadSeries) -> list[tuple[str | None, dict[str, object]]]:
    assert found.refused == ()
    return [(row.label, dict(row.values)) for row in found.rows]


def test_a_line_is_a_text(town: EventTown) -> None:
    found = read(town, '坚持真理，坚守理想。\r\n\r\n  “不忘初心”是什么？\n他说："学习", 再学习\n')
    assert values_of(found) == [
        (None, {"内容": "坚持真理，坚守理想。"}),
        (None, {"内容": "“不忘初心”是什么？"}),
        (None, {"内容": '他说："学习", 再学习'}),
    ]


def test_rows_copied_from_a_spreadsheet_have_tabs_and_quoted_line_breaks(town: EventTown) -> None:
    found = read(town, '标题\t内容\n第一课\t"坚持真理\n坚守理想"\n第二课\t践行初心\n')
    assert values_of(found) == [
        ("第一课", {"内容": "坚持真理\n坚守理想"}),
        ("第二课", {"内容": "践行初心"}),
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_csv_files_are_read_in_the_encodings_of_offices(town: EventTown, encoding: str) -> None:
    data = "序号,题目,正文\n1,初心,不忘初心。\n2,使命,牢记使命。\n".encode(encoding)
    assert values_of(read(town, data, TWO)) == [
        ("初心", {"题目": "初心", "正文": "不忘初心。"}),
        ("使命", {"题目": "使命", "正文": "牢记使命。"}),
    ]


def test_a_workbook_is_read_below_its_title(town: EventTown) -> None:
    data = write_sheet(
        ("百日学习计划",), ("标题", "学习内容"), ("第一课", "不忘初心。"), (None, None), ("", "牢记使命。")
    )
    assert values_of(read(town, data, name="计划.xlsx")) == [
        ("第一课", {"内容": "不忘初心。"}),
        (None, {"内容": "牢记使命。"}),
    ]


def test_a_workbook_with_texts_alone_needs_no_header(town: EventTown) -> None:
    data = write_sheet(("不忘初心。",), ("牢记使命。",))
    assert values_of(read(town, data, name="a.xlsx")) == [
        (None, {"内容": "不忘初心。"}),
        (None, {"内容": "牢记使命。"}),
    ]


def test_each_fault_names_row_column_and_value(town: EventTown) -> None:
    rows = (
        ("题目", "正文"),
        ("长" * 101, "不忘初心。"),
        ("使命", None),
        ("三", "{{ name }}，学习"),
        ("四", "学习", "多余"),
    )
    found = read(town, write_sheet(*rows), "{{ 题目 }}：{{ 正文 }}", name="a.xlsx")
    assert [(one.row, one.column, one.value) for one in found.refused] == [
        (3, "正文", ""),
        (4, "正文", "{{ name }}，学习"),
        (5, "C", "多余"),
    ]
    assert "is empty" in found.refused[0].reason
    found = read(town, write_sheet(("标题", "内容"), ("长" * 101, "不忘初心。"), ("二", "长" * 501)), name="a.xlsx")
    assert [(one.row, one.column, len(one.value)) for one in found.refused] == [(2, "标题", 50), (3, "内容", 50)]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("日期\t内容\n2026-12-01\t不忘初心", "delete the column"),
        ("内容\t内容\n不忘初心\t牢记使命", "two columns for 内容"),
        ("内容\t备注\n不忘初心\t无", "columns can be: 内容, 标题, 序号"),
        ("标题\n第一课", "has no column for what the texts say"),
        ("不忘初心\t牢记使命\n一\t二", "columns can be"),
        (" \n", "has no text"),
        ("内容\n", "has no text"),
        ("\n".join(f"第{number}课" for number in range(MOST_TEXTS + 1)), "more than 400 rows"),
        ("字" * 400_001, "at most 400000 characters"),
    ],
)
def test_what_cannot_be_read_is_refused(town: EventTown, given: str, said: str) -> None:
    with pytest.raises(Invalid, match=said) as refused:
        read(town, given)
    assert refused.value.field == "text"


def test_a_template_with_two_variables_needs_headers(town: EventTown) -> None:
    with pytest.raises(Invalid, match="columns can be: 题目, 正文, 标题, 序号"):
        read(town, "不忘初心\n牢记使命", TWO)


def test_what_was_read_becomes_the_series(town: EventTown) -> None:
    with town.clock(-3) as later, later.session() as session:
        write_series(session, town, 3)
        found = read_series_text(session, town.officer, town.campaign_id, "不忘初心。\n牢记使命。")
        given = {"first": f"{town.today:%Y-%m-%d}"}
        set_series(session, town.officer, town.campaign_id, given, found.rows)
        assert [item.values for item in items_of(session, town)] == [{"内容": "不忘初心。"}, {"内容": "牢记使命。"}]
        with pytest.raises(Forbidden):
            read_series_text(session, make_actor(session, town.unit, ("auditor",)), town.campaign_id, "学习")
