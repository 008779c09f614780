"""Files of rows: no cell of CSV is a formula, and a workbook holds what was written, on as many sheets as it needs."""

from __future__ import annotations

import csv
import io
from datetime import date, datetime

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_service.reports.export_files import FORMULA_SIGNS, CsvFile, WorkbookFile, defuse_cell

ROW = ["支部<一>&", 7, 0.165, datetime(2026, 12, 1, 8, 30, 5), date(2026, 12, 1), None, "=1+1"]


def write_csv(rows: list[list[object]], *, bom: bool = False) -> bytes:
    file = io.BytesIO()
    table = CsvFile(file, ["甲"], bom=bom)
    for row in rows:
        table.write(row)  # type: ignore[arg-type]
    table.close([])
    return file.getvalue()


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_no_text_in_csv_begins_a_formula_and_every_text_comes_back(text: str) -> None:
    ((_, *_), row) = csv.reader(io.StringIO(write_csv([[text, "x"]]).decode(), newline=""))
    assert not row[0].startswith(tuple(FORMULA_SIGNS))
    assert row[0].removeprefix("'") == text or row[0] == text
    assert row[1] == "x", "no text leaves its cell"


@pytest.mark.parametrize("text", ["=1+1", "+8613800000000", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "＠x"])
def test_signs_of_formulas_get_an_apostrophe(text: str) -> None:
    assert defuse_cell(text) == f"'{text}"


def test_numbers_stay_numbers_and_moments_can_be_read() -> None:
    rows = list(csv.reader(io.StringIO(write_csv([[-5, 0.165, ROW[3], None, "'"]]).decode())))
    assert rows[1] == ["-5", "0.165", "2026-12-01 08:30:05", "", "'"]


@pytest.mark.parametrize("bom", [False, True])
def test_the_byte_order_mark_is_a_choice(bom: bool) -> None:
    assert write_csv([], bom=bom).startswith("\ufeff".encode()) is bom


def test_a_workbook_holds_what_was_written() -> None:
    file = io.BytesIO()
    book = WorkbookFile(file, "台账", ["列"] * len(ROW))
    book.write(ROW)  # type: ignore[arg-type]
    book.write(["x" * 40_000, "a\x00b", *[None] * 5])
    book.close([("行数", "2")])
    read = openpyxl.load_workbook(file)
    assert read.sheetnames == ["台账", "说明"]
    headers, row, second = read["台账"].iter_rows()
    assert [cell.value for cell in headers] == ["列"] * 7
    assert [cell.value for cell in row] == [*ROW[:4], datetime(2026, 12, 1), None, "=1+1"]
    assert [cell.data_type for cell in row] == ["s", "n", "n", "d", "d", "n", "s"], "a text is no formula"
    assert [len(second[0].value), second[1].value] == [32_767, "ab"]
    assert [[cell.value for cell in line] for line in read["说明"]] == [["行数", "2"]]
    assert read["台账"].freeze_panes == "A2"


def test_rows_that_have_no_place_on_a_sheet_go_on_the_next() -> None:
    file = io.BytesIO()
    book = WorkbookFile(file, "台账", ["序号"], most_rows=3)
    for number in range(5):
        book.write([number])
    book.close([])
    sheets = openpyxl.load_workbook(file)
    found = {name: [row[0].value for row in sheets[name].iter_rows()] for name in sheets.sheetnames}
    assert found == {"台账": ["序号", 0, 1], "台账 2": ["序号", 2, 3], "台账 3": ["序号", 4]}
