"""Files into tables: encodings, delimiters, xlsx, and what is refused as a whole."""

import datetime
import io
import zipfile

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_service.directory import reading
from sms_service.directory.columns import PEOPLE_COLUMNS, column_letter, find_header, is_header
from sms_service.directory.reading import read_table
from sms_service.errors import Invalid

HEADER = "编号,姓名,手机号,组织编码"


def table(data):
    return read_table(data, lambda cell: is_header(cell, PEOPLE_COLUMNS))


def xlsx(*sheets):
    book = openpyxl.Workbook()
    book.remove(book.active)
    for number, rows in enumerate(sheets):
        sheet = book.create_sheet(f"表{number + 1}")
        for row in rows:
            sheet.append(row)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "gbk", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_one_table_in_many_encodings(encoding, delimiter, end):
    rows = [["编号", "姓名", "手机号", "组织编码"], ["M1", "王伟", "13975840246", "0101"]]
    data = end.join(delimiter.join(row) for row in rows).encode(encoding)
    assert table(data).rows == [(1, rows[0]), (2, rows[1])]


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "utf-16"])
def test_rare_characters_arrive(encoding):
    data = f"{HEADER}\nM1,李𫖯𠮷·㵑,13975840246,01\n".encode(encoding)
    assert table(data).rows[1][1][1] == "李𫖯𠮷·㵑"


def test_row_numbers_are_a_spreadsheets_and_empty_rows_at_the_end_are_none():
    data = f'{HEADER}\n\nM1,"王\n伟",1,01\n,,,\n\nM2,李四,2,01\n,,\n\n'.encode()
    assert [(row, bool(cells)) for row, cells in table(data).rows] == [
        (1, True),
        (2, False),
        (3, True),
        (4, False),
        (5, False),
        (6, True),
    ]


def test_a_delimiter_inside_values_does_not_mislead():
    data = "编号;姓名;手机号;组织编码\nM1;a,b,c,d,e,f;13975840246;0101\n".encode()
    assert table(data).rows[1][1][1] == "a,b,c,d,e,f"


def test_cells_of_a_workbook_become_what_a_person_sees():
    day = datetime.date(1999, 12, 31)
    data = xlsx(
        [["编号", "a", "b"], [13975840246, 19115411622.0, day], [datetime.datetime(2020, 1, 2, 3, 4), 1.5, " "]]
    )
    assert table(data).rows[1:] == [
        (2, ["13975840246", "19115411622", "1999-12-31"]),
        (3, ["2020-01-02 03:04:00", "1.5"]),
    ]


def test_a_name_that_looks_like_a_formula_stays_as_it_is_and_a_real_formula_gives_its_value():
    plain = xlsx([["编号"], ["=1+1"], ["+cmd"], ["@SUM(A1)"]])
    assert [cells for _, cells in table(plain).rows[1:]] == [["=1+1"], ["+cmd"], ["@SUM(A1)"]]

    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(plain)) as old, zipfile.ZipFile(file, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name.endswith("sheet1.xml"):
                assert b"<f>1+1</f><v" in content
                content = content.replace(b"<f>1+1</f><v />", b"<f>1+1</f><v>2</v>").replace(
                    b"<f>1+1</f><v></v>", b"<f>1+1</f><v>2</v>"
                )
            new.writestr(name, content)
    assert table(file.getvalue()).rows[1] == (2, ["2"])


@pytest.mark.parametrize(
    ("data", "part_of_reason"),
    [
        (b"\xd0\xcf\x11\xe0" + bytes(100), ".xls"),
        (b"PK\x03\x04" + bytes(100), "damaged"),
        (b"\xff\xff\x80", "neither"),
        (b"a\x00b", "neither"),
        (f'{HEADER}\nM1,"王\n'.encode(), "broken CSV"),
        (xlsx([["编号"]], [["备份"]]), "表1, 表2"),
        (xlsx([]), "none"),
        (",".join("x" * 101).encode(), "columns"),
        (b"x" * 20_000, "characters in row 1"),
    ],
)
def test_files_that_cannot_be_read_say_why(data, part_of_reason):
    with pytest.raises(Invalid) as caught:
        table(data)
    assert caught.value.field == "file"
    assert part_of_reason in caught.value.reason


@pytest.mark.parametrize(("limit", "value"), [("MAX_BYTES", 10), ("MAX_ROWS", 2), ("MAX_COLUMNS", 2)])
def test_sizes_are_bounded(monkeypatch, limit, value):
    monkeypatch.setattr(reading, limit, value)
    with pytest.raises(Invalid):
        table(f"{HEADER}\nM1,a,1,1\nM2,a,1,1\nM3,a,1,1\n".encode())


@pytest.mark.parametrize(("limit", "value"), [("MAX_UNPACKED_BYTES", 1000), ("MAX_CELLS", 50)])
def test_a_workbook_that_unpacks_to_too_much_is_refused(monkeypatch, limit, value):
    monkeypatch.setattr(reading, limit, value)
    with pytest.raises(Invalid, match=r"unpacks|cells"):
        table(xlsx([["编号"] * 20] * 10))


def test_a_title_above_the_header_and_decorated_headers():
    data = "云州市党员名册\n\n*编号,姓名（必填）,手机号码：,组织 编码,籍贯\nM1,王伟,13975840246,0101,云州\n".encode()
    header = find_header(table(data), PEOPLE_COLUMNS)
    assert header.row == 3
    assert header.fields == {"number": 0, "name": 1, "phone": 2, "unit": 3}
    assert header.extras == {"籍贯": 4}


@pytest.mark.parametrize("missing", ["编号", "姓名", "手机号", "组织编码"])
def test_a_missing_column_is_named(missing):
    headers = [header for header in HEADER.split(",") if header != missing]
    with pytest.raises(Invalid) as caught:
        find_header(table(",".join(headers).encode()), PEOPLE_COLUMNS)
    assert f"lacks the column {missing}" in caught.value.reason
    assert all(header in caught.value.reason for header in headers)


def test_two_columns_of_one_meaning_are_refused():
    with pytest.raises(Invalid, match="two columns"):
        find_header(table(f"{HEADER},手机".encode()), PEOPLE_COLUMNS)


def test_an_empty_file():
    with pytest.raises(Invalid, match="empty"):
        find_header(table(b""), PEOPLE_COLUMNS)


def test_column_letters():
    assert [column_letter(n) for n in (0, 25, 26, 701, 702)] == ["A", "Z", "AA", "ZZ", "AAA"]


@given(st.binary(max_size=300) | st.binary(max_size=300).map(lambda tail: b"PK\x03\x04" + tail))
def test_any_bytes_are_a_table_or_a_clear_refusal(data):
    try:
        rows = table(data).rows
    except Invalid:
        return
    assert [row for row, _ in rows] == list(range(1, len(rows) + 1))
