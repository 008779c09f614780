"""Workbooks of Excel 97 to 2003. `old_workbook.xls` was written once with xlwt; its people are invented."""

from dataclasses import replace
from pathlib import Path

import pytest
from sheet_files import cells_of, found_in, read_file, read_here

from sms_service.directory.reading.limits import LIMITS
from sms_service.errors import Invalid

OLD = Path(__file__).parents[1] / "data" / "old_workbook.xls"


def test_an_old_workbook_is_read_as_a_person_sees_it():
    layout, rows, totals = read_file(OLD)
    assert (layout.kind, layout.sheet, layout.sheets, layout.header_row) == ("xls", "名册", ("名册",), 2)
    assert [layout.headers[position] for position in layout.hidden_columns] == ["身份证号"]
    assert cells_of(rows) == [
        [
            "00001234",
            "王伟",
            "13975840246",
            "020100010001",
            "1999-02-01",
            "不接收短信",
            "85%",
            "TRUE",
            None,
            "5.10112E+17",
        ],
        ["00001235", "李𠮷芳", "13975840247", "020100010001", "1999-02-02", "不接收短信", "50%", "FALSE"],
        ["00001236", "张三", "13975840248", "020100010001", "1999-02-03", "不接收短信", "100%", "TRUE", None, "0.3"],
    ]
    assert found_in(rows) == [(3, 9, "is a number of ove", True), (5, None, "is hidden in the s", False)]
    assert (totals.rows, totals.blank_rows, totals.hidden_rows) == (3, 0, 1)


def test_a_sheet_of_an_old_workbook_is_chosen():
    assert read_here(OLD, sheet="字典")[0].headers == ("男",)
    with pytest.raises(Invalid, match="its sheets are 名册, 字典"):
        read_here(OLD, sheet="x")


@pytest.mark.parametrize("place", [0.02, 0.1, 0.12, 0.2, 0.3, 0.5, 0.7, 0.9])
def test_a_broken_old_workbook_is_a_table_or_a_clear_refusal(tmp_path, place):
    content = bytearray(OLD.read_bytes())
    start = int(place * len(content))
    content[start : start + 64] = b"\xff" * 64
    path = tmp_path / "broken.xls"
    path.write_bytes(content)
    try:
        _, rows, _ = read_file(path, limits=replace(LIMITS, seconds=10))
    except Invalid as error:
        assert error.field == "file"  # noqa: PT017
    else:
        assert rows


def test_an_old_workbook_with_a_password(tmp_path):
    content = bytearray(OLD.read_bytes())
    begin = content.index(b"\x09\x08\x10\x00")  # the first record of the workbook, 4 + 16 bytes long
    content[begin + 20 : begin + 22] = b"\x2f\x00"  # the next one says that the rest is encrypted
    path = tmp_path / "locked.xls"
    path.write_bytes(content)
    with pytest.raises(Invalid, match="protected by a password"):
        read_file(path)


def test_an_old_workbook_cut_off(tmp_path):
    path = tmp_path / "cut.xls"
    path.write_bytes(OLD.read_bytes()[:2000])
    with pytest.raises(Invalid, match="damaged"):
        read_file(path)
