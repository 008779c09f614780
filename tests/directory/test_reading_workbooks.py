"""xlsx workbooks: cells as a person sees them, merged and hidden cells, headers, sheets."""

import io
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sheet_files import (
    HEADER,
    cells_of,
    found_in,
    read_file,
    read_here,
    sheet_xml,
    styles_of,
    text_cell,
    text_rows,
    write_book,
)

from sms_service.errors import Invalid

CASES = Path(__file__).parents[1] / "data" / "cases"
TITLED = [("云州市党员名册",), (None,), HEADER, ("M1", "王伟", "1", "01")]


@pytest.fixture
def book(tmp_path):
    return tmp_path / "book.xlsx"


def cell(reference, value, style=0, kind="n", formula=None):
    written = "" if value is None else f"<v>{value}</v>"
    computed = "" if formula is None else f"<f>{formula}</f>"
    return f'<c r="{reference}" s="{style}" t="{kind}">{computed}{written}</c>'


def merged(*ranges):
    return f'<mergeCells count="{len(ranges)}">{"".join(f"<mergeCell ref={each!r}/>" for each in ranges)}</mergeCells>'


def test_cells_as_seen():
    assert cells_of(read_file(CASES / "cells-as-seen.xlsx")[1]) == [
        ["AS1", "见一", "13812000041", "020100010001", "0.3", "124600", "85%", "TRUE", "#N/A", "36:00"]
    ]


def test_a_tag_merged_over_three_rows_holds_for_all_three():
    assert [row.cells[4] for row in read_file(CASES / "merged-tag.xlsx")[1]] == ["不接收短信"] * 3


def test_escapes_are_characters():
    assert cells_of(read_file(CASES / "escapes.xlsx")[1]) == [
        ["XE1", "张三\r", "13812000002", "020100010001", "甲\r\n乙"],
        ["XE2", "李四", "13812000003\r\n", "020100010001"],
    ]
    assert read_file(CASES / "escapes-header.xlsx")[0].headers[2] == "手机号\r\n(必填)"


def test_long_numbers_have_lost_digits():
    rows = read_file(CASES / "long-numbers.xlsx")[1]
    assert [(row, position, fatal) for row, position, _, fatal in found_in(rows)] == [
        (2, 0, True),
        (2, 4, True),
        (3, 4, True),
    ]
    assert rows[1].cells[4] == "1.10101E+17"  # as a person sees it: no digit that nobody wrote


def test_one_styled_cell_in_the_last_row_is_no_row():
    _, rows, totals = read_file(CASES / "one-styled-cell.xlsx")
    assert [row.cells[0] for row in rows] == ["ER1", "ER2"]
    assert totals.blank_rows == 0


@pytest.mark.parametrize(
    ("code", "raw", "seen"),
    [
        ("General", "13975840246", "13975840246"),
        ("General", "1.3975840246E10", "13975840246"),
        ("General", "19115411622.0", "19115411622"),
        ("General", "1.23E-5", "0.0000123"),
        ("General", "-0", "0"),
        ("00000000", "1234", "00001234"),
        ('"M"0000000', "12", "M0000012"),
        ("\\M0000", "7", "M0007"),
        ("000-0000-0000", "13812345678", "138-1234-5678"),
        ('0"岁"', "55", "55岁"),
        ("0", "2.5", "3"),
        ("0.00", "85", "85.00"),
        ("0.0%", "0.8555", "85.6%"),
        ("#,##0.00", "1234567.5", "1234567.50"),
        ('"¥"#,##0.00;[Red]-"¥"#,##0.00', "-1234.5", "-1234.50"),
        ("0_);[Red]\\(0\\)", "12", "12"),
        ("[DBNum1][$-804]General", "7", "7"),
        ("@", "0.5", "0.5"),
        ("0.00E+00", "12345", "12345"),
        ("yyyy-mm-dd", "36192", "1999-02-01"),
        ("yyyy-mm-dd", "36192.75", "1999-02-01"),
        ("yyyy/m/d h:mm", "36192.75", "1999-02-01 18:00"),
        ('[$-804]yyyy"年"m"月"d"日";@', "36192", "1999-02-01"),
        ("[$-F800]dddd, mmmm dd, yyyy", "36192", "1999-02-01"),
        ('yyyy"年"m"月"', "31809", "1987-02"),
        ("mmm-yy", "31809", "1987-02"),
        ("yyyy-mm-dd", "60", "1900-02-29"),
        ("yyyy-mm-dd", "59", "1900-02-28"),
        ("yyyy-mm-dd", "-5", "-5"),
        ("yyyy-mm-dd", "99999999", "99999999"),
        ("h:mm", "0.354166666666667", "08:30"),
        ("h:mm:ss", "0.354178240740741", "08:30:01"),
        ("[h]:mm", "1.5", "36:00"),
        ('"共"', "5", "5"),
    ],
)
def test_numbers_show_by_their_format(book, code, raw, seen):
    rows = text_rows([HEADER]) + f'<row r="2">{cell("A2", raw)}</row>'
    write_book(book, sheet_xml(rows), styles=styles_of(code))
    assert cells_of(read_here(book)[1]) == [[seen]]


def test_dates_of_1904_and_in_iso(book):
    rows = text_rows([HEADER]) + f'<row r="2">{cell("A2", "34730")}{cell("B2", "1999-02-01T00:00:00", kind="d")}</row>'
    write_book(book, sheet_xml(rows), styles=styles_of("yyyy-mm-dd"), workbook='<workbookPr date1904="1"/>')
    assert cells_of(read_here(book)[1]) == [["1999-02-01", "1999-02-01"]]


def test_kinds_of_cells(book):
    cells = [
        cell("A2", 0, kind="s"),
        cell("B2", 1, kind="s"),
        cell("C2", "甲_x005F_x000D_", kind="str"),
        cell("D2", "#REF!", kind="e"),
        cell("E2", "0", kind="b"),
        cell("F2", "3", formula="1+2"),
        cell("G2", None, formula="A1"),
        cell("H2", "", kind="str", formula='""'),
    ]
    strings = "<si><t>一</t></si><si><r><t>二</t></r><r><t xml:space='preserve'> 三</t></r><rPh><t>er</t></rPh></si>"
    rows = text_rows([(*HEADER, "a", "b", "c", "d")]) + f'<row r="2">{"".join(cells)}</row>'
    _, found, _ = read_here(write_book(book, sheet_xml(rows), strings=strings))
    assert cells_of(found) == [["一", "二 三", "甲_x000D_", "#REF!", "FALSE", "3", "=A1"]]
    assert found_in(found) == [(2, 3, "is an error of the", True), (2, 6, "is a formula witho", True)]


def test_halves_of_surrogate_pairs_and_nul_do_not_arrive(book):
    rows = text_rows([HEADER, ("M1", "张_xD83D__xDE00_三_xD83D_李_x0000_", "1", "01")])
    assert read_here(write_book(book, sheet_xml(rows)))[1][0].cells[1] == "张😀三李"


def test_rows_and_cells_without_references_and_with_a_prefix(book):
    rows = "<x:row><x:c t='str'><x:v>编号</x:v></x:c><x:c t='str'><x:v>姓名</x:v></x:c></x:row>"
    rows += "<x:row><x:c><x:v>5</x:v></x:c><x:c/><x:c><x:v>7</x:v></x:c></x:row>"
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    write_book(book, f'<x:worksheet xmlns:x="{main}"><x:sheetData>{rows}</x:sheetData></x:worksheet>')
    assert cells_of(read_here(book)[1]) == [["5", None, "7"]]


def test_merged_cells_hold_for_their_rows_and_side_by_side_for_the_first_column(book):
    rows = [
        (*HEADER, "职务", "标签"),
        ("M1", "王伟", "1", "01", "书记"),
        ("M2", "李四", "2"),
        ("M3", "王五", "3", "02"),
        (None,),
        ("M5", "赵六", "5"),
    ]
    book = write_book(book, sheet_xml(text_rows(rows), after=merged("D2:D3", "D4:D1048576", "E2:F3")))
    _, found, totals = read_here(book)
    assert cells_of(found) == [
        ["M1", "王伟", "1", "01", "书记"],
        ["M2", "李四", "2", "01", "书记"],
        ["M3", "王五", "3", "02"],
        [],
        ["M5", "赵六", "5", "02"],
    ]
    assert found_in(found) == [(2, 4, "is merged over the", False), (3, 4, "is merged over the", False)]
    assert totals["rows"] == 5


def test_very_many_merged_cells_are_all_found(book):
    """Their part of the XML is longer than what is unpacked at once."""
    people = [(f"M{n}", "王伟", "1", f"{n}" if n % 2 == 0 else None) for n in range(2, 8002)]
    ranges = merged(*(f"D{n}:D{n + 1}" for n in range(2, 8002, 2)))
    _, found, _ = read_here(write_book(book, sheet_xml(text_rows([HEADER, *people]), after=ranges)))
    assert [row.cells[3] for row in found] == [f"{n - n % 2}" for n in range(2, 8002)]


def test_a_merged_cell_that_is_no_value_is_none_in_every_row(book):
    rows = text_rows([(*HEADER, "备注"), ("M1", "王伟", "1", "01")])
    rows = rows.replace("</row>", cell("E2", "#N/A", kind="e") + "</row>").replace(
        cell("E2", "#N/A", kind="e") + "</row>", "</row>", 1
    )
    rows += text_rows([("M2", "李四", "2", "01")], first=3)
    _, found, _ = read_here(write_book(book, sheet_xml(rows, after=merged("E2:E3"))))
    assert found_in(found) == [(2, 4, "is an error of the", True), (3, 4, "is an error of the", True)]


def test_hidden_rows_and_columns_are_read_and_named(book):
    rows = text_rows([HEADER, ("M1", "王伟", "1", "01"), ("M2", "李四", "2", "01")])
    rows = rows.replace('<row r="3">', '<row r="3" hidden="1">')
    hidden = '<cols><col min="2" max="3" hidden="1"/><col min="9" max="16384" hidden="1"/></cols>'
    layout, found, totals = read_here(write_book(book, sheet_xml(rows, before=hidden)))
    assert layout.hidden_columns == (1, 2)
    assert found_in(found) == [(3, None, "is hidden in the s", False)]
    assert (len(found), totals["hidden_rows"]) == (2, 1)


def test_headers_below_a_title(book):
    layout, found, _ = read_here(write_book(book, sheet_xml(text_rows(TITLED), after=merged("A1:D1"))))
    assert (layout.header_row, layout.header_rows, tuple(layout.headers)) == (3, 1, HEADER)
    assert [row.number for row in found] == [4]


@pytest.mark.parametrize(
    ("rows", "ranges", "headers"),
    [
        (
            [("编号", "姓名", "联系方式", None, "组织编码"), (None, None, "手机号", "邮箱", None)],
            ("A1:A2", "B1:B2", "C1:D1", "E1:E2"),
            ("编号", "姓名", "手机号", "邮箱", "组织编码"),
        ),
        (
            [("编号", "姓名", "联系方式", None, "组织编码"), (None, None, "手机号", "邮箱", None)],
            (),
            ("编号", "姓名", "手机号", "邮箱", "组织编码"),
        ),
        (
            [("姓名", "父亲", None, "母亲", None, "手机号"), (None, "姓名", "单位", "姓名", "单位", None)],
            ("A1:A2", "B1:C1", "D1:E1", "F1:F2"),
            ("姓名", "父亲姓名", "父亲单位", "母亲姓名", "母亲单位", "手机号"),
        ),
        (
            [("编号", "姓名", "手机号", "组织编码"), (None, None, "(11位)", None)],
            ("A1:A2", "B1:B2", "D1:D2"),
            ("编号", "姓名", "手机号", "组织编码"),
        ),
    ],
)
def test_headers_in_two_rows(book, rows, ranges, headers):
    data = ("M1", "王伟", "13975840246", "x", "01")
    write_book(book, sheet_xml(text_rows([("名册",), *rows, data]).replace("<row", "<row", 1), after=shifted(ranges)))
    layout, found, _ = read_here(book)
    assert (layout.header_row, layout.header_rows, tuple(layout.headers)) == (3, 2, headers)
    assert [row.number for row in found] == [4]


def shifted(ranges):
    """The ranges one row further down."""
    return merged(*("".join(str(int(part) + 1) if part.isdigit() else part for part in split(each)) for each in ranges))


def split(reference):
    return [reference[0], reference[1], ":", *reference.split(":")[1]]


def test_the_row_of_the_headers_can_be_chosen(book):
    write_book(book, sheet_xml(text_rows([HEADER, ("甲", "乙"), *[("M1", "王伟", "1", "01")] * 40])))
    layout, found, _ = read_here(book, header_row=2)
    assert (tuple(layout.headers), len(found)) == (("甲", "乙"), 40)
    assert len(read_here(book, header_row=30)[1]) == 12
    with pytest.raises(Invalid, match="no values in row 99"):
        read_here(book, header_row=99)


def test_of_several_sheets_one_is_chosen(book):
    sheets = [sheet_xml(text_rows([HEADER, (name, "王伟", "1", "01")])) for name in ("M1", "M2", "M3")]
    write_book(book, *sheets, sheet_xml('<row r="9"><c r="C9" s="0"/></row>'), states=["visible", "visible", "hidden"])
    with pytest.raises(Invalid, match="several sheets with data: 表1, 表2; choose") as caught:
        read_here(book)
    assert caught.value.reason.values["sheets"] == ("表1", "表2")
    layout, found, _ = read_here(book, sheet="表3")
    assert (layout.sheet, layout.sheets, found[0].cells[0]) == ("表3", ("表1", "表2"), "M3")
    with pytest.raises(Invalid, match="no sheet 名单; its sheets are 表1, 表2, 表3, 表4"):
        read_here(book, sheet="名单")


def test_hidden_sheets_do_not_count_beside_visible_ones(book):
    sheets = [sheet_xml(text_rows([HEADER, (name, "王伟", "1", "01")])) for name in ("M1", "M2")]
    assert read_here(write_book(book, *sheets, states=["visible", "hidden"]))[1][0].cells[0] == "M1"
    assert read_here(write_book(book, sheets[0], states=["hidden"]))[1][0].cells[0] == "M1"
    with pytest.raises(Invalid, match="no sheet with data"):
        read_here(write_book(book, sheet_xml("")))


def test_a_formula_that_openpyxl_wrote_has_no_value(book):
    made = openpyxl.Workbook()
    for row in [HEADER, ("=1+1", "+cmd", "@SUM(A1)", 5)]:
        made.active.append(row)
    made.save(book)
    _, found, _ = read_file(book)
    assert cells_of(found) == [["=1+1", "+cmd", "@SUM(A1)", "5"]]
    assert found_in(found) == [(2, 0, "is a formula witho", True)]


TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=12)


@settings(deadline=None)
@given(table=st.lists(st.lists(TEXTS | st.integers(0, 10**15 - 1) | st.booleans(), min_size=4, max_size=6), max_size=5))
def test_any_table_written_as_xlsx_reads_back(tmp_path_factory, table):
    made = openpyxl.Workbook()
    made.active.append(HEADER)
    for number, row in enumerate(table, start=2):
        for column, value in enumerate(row, start=1):
            made.active.cell(number, column, value).data_type = "s" if isinstance(value, str) else "n"
            if isinstance(value, bool):
                made.active.cell(number, column).data_type = "b"
    path = tmp_path_factory.getbasetemp() / "table.xlsx"
    file = io.BytesIO()
    made.save(file)
    path.write_bytes(file.getvalue())
    layout, found, _ = read_here(path, header_row=1)
    assert tuple(layout.headers) == HEADER
    expected = []
    for row in table:
        texts = [str(value).upper() if isinstance(value, bool) else str(value) for value in row]
        cells = [text if text.strip() else None for text in texts]
        while cells and cells[-1] is None:
            cells.pop()
        expected.append(cells)
    while expected and not expected[-1]:
        expected.pop()
    assert cells_of(found) == expected


def test_a_text_cell_needs_no_style(book):
    rows = text_rows([HEADER]) + f'<row r="2">{text_cell("A2", "M1")}</row>'
    assert cells_of(read_here(write_book(book, sheet_xml(rows)))[1]) == [["M1"]]
