"""CSV files: encodings, delimiters, and quotes that swallow rows."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sheet_files import HEADER, cells_of, found_in, read_file, read_here

from sms_service.errors import Invalid

LINE = ",".join(HEADER)


@pytest.fixture
def write(tmp_path):
    def write(content, encoding="utf-8"):
        path = tmp_path / "file"
        path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        return path

    return write


@pytest.mark.parametrize(
    ("encoding", "named"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8"),
        ("gb18030", "gb18030"),
        ("gbk", "gb18030"),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "utf-16-be"),
    ],
)
@pytest.mark.parametrize(("delimiter", "end"), [(",", "\n"), (";", "\r\n"), ("\t", "\n"), (",", "\r")])
def test_one_table_in_many_encodings(write, encoding, named, delimiter, end):
    rows = [list(HEADER), ["M1", "王伟", "13975840246", "0101"], ["M2", "李芳", "13975840247", "0102"]]
    path = write(end.join(delimiter.join(row) for row in rows), encoding)
    layout, found, totals = read_here(path)
    assert (layout.kind, layout.encoding, layout.delimiter, layout.header_row) == ("csv", named, delimiter, 1)
    assert layout.headers == HEADER
    assert [(row.number, row.cells) for row in found] == [(2, rows[1]), (3, rows[2])]
    assert totals == {"rows": 2, "blank_rows": 0, "hidden_rows": 0}


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "utf-16"])
def test_rare_characters_arrive(write, encoding):
    assert cells_of(read_here(write(f"{LINE}\nM1,李𫖯𠮷·㵑,1,01\n", encoding))[1]) == [["M1", "李𫖯𠮷·㵑", "1", "01"]]


@pytest.mark.parametrize(
    ("encoding", "header", "name"),
    [
        ("big5", "number,name,phone,unit", "張國榮"),
        ("big5", "number,name,phone,unit", "陳美麗"),
        ("latin-1", "number,name,phone,unit", "Jos\xe9 M\xfcller"),
        ("latin-1", "number,name,phone,unit", "Jos\xe9phine"),
        ("cp1252", "number,name,phone,unit", "Fran\xe7oise L\xe9a"),
    ],
)
def test_another_encoding_under_english_headers_is_named_and_can_be_chosen(write, encoding, header, name):
    path = write("\n".join([header, *(f"M{i},{name},1397584024{i},01" for i in range(5))]), encoding)
    with pytest.raises(Invalid, match=r"Big5|Latin-1") as caught:
        read_here(path)
    choice = caught.value.reason.values["encoding"]
    assert choice == ("big5" if encoding == "big5" else "latin-1")
    layout, rows, _ = read_here(path, encoding=choice)
    assert (layout.encoding, rows[0].cells[1]) == (choice, name)


@pytest.mark.parametrize("damage", [b"\xe7", b"\xff", b"\xe7\xbb"])
def test_utf_8_with_a_broken_character_is_not_read_as_something_else(write, damage):
    rows = "".join(f"M{number},王伟{number},1,云州市第一党支部\n" for number in range(5))
    with pytest.raises(Invalid, match="UTF-8 with broken"):
        read_here(write(f"number,name,phone,unit\n{rows}".encode() + damage))
    with pytest.raises(Invalid, match="UTF-8 with broken"):
        read_here(write(f"number,name,phone,unit\n{rows}M9,".encode() + damage + "伟王".encode()[:5] + b" ,1\n"))


def test_traditional_characters_in_gb18030_are_no_big5(write):
    names = ["張國榮", "陳美麗", "劉德華", "黃曉東", "鄭麗萍", "趙學軍"]
    path = write("\n".join(["number,name,phone,unit", *(f"M1,{name},1,01" for name in names)]), "gb18030")
    assert [row.cells[1] for row in read_here(path)[1]] == names


def test_what_a_person_chooses_counts(write):
    path = write("编号;姓名;手机号;组织编码\nM1;王,伟;1;01\n", "gb18030")
    layout, rows, _ = read_here(path, encoding="gb18030", delimiter=",", header_row=1)
    assert (layout.headers, cells_of(rows)) == (("编号;姓名;手机号;组织编码",), [["M1;王", "伟;1;01"]])
    with pytest.raises(Invalid, match="cannot be read as utf-8"):
        read_here(path, encoding="utf-8")
    with pytest.raises(Invalid, match="choose one of"):
        read_here(path, encoding="utf-7")
    with pytest.raises(Invalid, match="cannot be separated"):
        read_here(path, delimiter="M")


def test_a_delimiter_inside_values_does_not_mislead(write):
    assert (
        read_here(write("编号;姓名;手机号;组织编码\nM1;a,b,c,d,e,f;13975840246;0101\n"))[1][0].cells[1] == "a,b,c,d,e,f"
    )


def test_row_numbers_are_lines_and_blank_rows_at_the_end_are_none(write):
    _, rows, totals = read_here(write(f'{LINE}\n\nM1,"王\n伟",1,01\n,,,\n\nM2,李四,2,01\n,,\n\n'))
    assert [(row.number, bool(row.cells)) for row in rows] == [
        (2, False),
        (3, True),
        (5, False),
        (6, False),
        (7, True),
    ]
    assert rows[1].cells[1] == "王\n伟"
    assert totals == {"rows": 5, "blank_rows": 0, "hidden_rows": 0}


def test_a_stray_pair_of_quotes_lists_every_line_it_swallows(write):
    lines = ['QQ1,"张三,18810980011,0188', "QQ2,李四,18810980012,0188", 'QQ3,王五",18810980013,0188']
    _, rows, _ = read_here(write("\n".join([LINE, *lines, "QQ4,赵六,18810980014,0188"])))
    assert [(row.number, row.cells[0], row.cells[2]) for row in rows] == [
        (2, "QQ1", "18810980011"),
        (3, "QQ2", "18810980012"),
        (4, "QQ3", "18810980013"),
        (5, "QQ4", "18810980014"),
    ]
    assert found_in(rows) == [(number, None, "stands with lines ", True) for number in (2, 3, 4)]


@pytest.mark.parametrize("swallowed", [0, 3, 300])
def test_a_quote_that_is_never_closed_costs_its_line_alone(write, swallowed):
    lines = ['QQ1,"张三,18810980011,0188', *["QQ2,李四,18810980012,0188"] * swallowed]
    _, rows, _ = read_here(write("\n".join([LINE, *lines])))
    assert len(rows) == 1 + swallowed
    assert found_in(rows) == [(2, None, "has a quotation ma", True)]
    assert rows[0].cells == ["QQ1", "张三", "18810980011", "0188"]


def test_a_quote_alone_is_kept_and_noted(write):
    _, rows, _ = read_here(write(f'{LINE}\nQQ3,王五",1,01\nM2,"李""四",2,01\n\x1a'))
    assert [row.cells[1] for row in rows] == ['王五"', '李"四']
    assert found_in(rows) == [(2, 1, "holds a quotation ", False)]


def test_line_breaks_and_commas_that_belong_into_a_cell_stay(write):
    header = "编号,姓名,手机号,组织编码,职务,标签,地址,备注"
    row = 'M1,王伟,1,01,书记,青年,"北京路1号,3单元\n近东门, 二楼","他说：""好""\n\n下周,再来"'
    assert cells_of(read_here(write(f"{header}\n{row}\nM2,李四,2,01,,,,\n"))[1]) == [
        ["M1", "王伟", "1", "01", "书记", "青年", "北京路1号,3单元\n近东门, 二楼", '他说："好"\n\n下周,再来'],
        ["M2", "李四", "2", "01"],
    ]


def test_a_cell_that_an_export_wrote_as_a_formula_of_text(write):
    assert cells_of(read_here(write(f'{LINE}\n="0012",王伟,="13975840246","=""01"""\n'))[1]) == [
        ["0012", "王伟", "13975840246", "01"]
    ]


def test_errors_and_lost_digits_are_found(write):
    _, rows, _ = read_here(write(f"{LINE}\n4.20106E+17,#REF!,1.34982E+10,#N/A\nM1,C# E+ 1,1,01\n"))
    assert found_in(rows) == [
        (2, 1, "is an error of the", True),
        (2, 3, "is an error of the", True),
        (2, 0, "is a number of ove", True),
        (2, 2, "is a number of ove", True),
    ]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"\n,,,\n ,\n", "empty"),
        (b"\xff\xff\x80", "neither"),
        (b"a\x00b", "neither"),
        (b"\xff\xfe\x00\x00a\x00\x00\x00", "neither"),
        (f"{LINE}\nM1,a\x00b,1,01".encode(), "neither"),
        (f"{LINE}\nM1,a\x00b,1,01".encode("utf-16"), "neither"),
        (",".join("x" * 101).encode(), "more than 100 columns in row 1"),
        (b"x," + b"y" * 10_001, "characters in row 1"),
        (b"x" * 1_000_002, "characters in line 1"),
        (b"," * 1_000_002, "characters in line 1"),
        (b"<html><table><tr><td>a", "web page"),
        (b'<?xml version="1.0"?><Workbook>', "web page"),
        (b"\xd0\xcf\x11\xe0" + bytes(100), "damaged"),
        (b"\xd0\xcf\x11\xe0" + bytes(99) + "EncryptedPackage".encode("utf-16-le"), "password"),
        (b"PK\x03\x04" + bytes(100), "damaged"),
    ],
)
def test_files_that_cannot_be_read_say_why(write, content, reason):
    with pytest.raises(Invalid, match=reason) as caught:
        read_here(write(content))
    assert caught.value.field == "file"


def test_a_quarter_of_a_million_lines_of_commas_are_two_people(write):
    blank = ",,,\n" * 250_000
    _, rows, totals = read_file(write(f"{LINE}\nM1,王伟,1,01\n{blank}M2,李四,2,01\n{blank}"))
    assert [row.number for row in rows] == [2, 250_003]
    assert (totals.rows, totals.blank_rows) == (2, 250_000)


@settings(deadline=None)
@given(content=st.binary(max_size=300) | st.binary(max_size=300).map(lambda tail: b"PK\x03\x04" + tail))
def test_any_bytes_are_a_table_or_a_clear_refusal(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any"
    path.write_bytes(content)
    try:
        _, rows, totals = read_here(path)
    except Invalid:
        return
    assert totals["rows"] == len(rows)
    assert [row.number for row in rows] == sorted({row.number for row in rows})


CELLS = st.text(
    st.characters(codec="gb18030", exclude_categories=["Cs"], exclude_characters="\x00\ufeff"), max_size=12
).filter(lambda text: "\r" not in text and not text.startswith('="'))


@settings(deadline=None)
@given(
    table=st.lists(st.lists(CELLS, min_size=4, max_size=6), max_size=5),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "gb18030", "utf-16"]),
    delimiter=st.sampled_from(",;\t"),
)
def test_any_table_written_as_csv_reads_back(tmp_path_factory, table, encoding, delimiter):
    rows = [[cell.replace("\n", " ") for cell in row] for row in table]
    written = [delimiter.join('"' + cell.replace('"', '""') + '"' for cell in row) for row in [list(HEADER), *rows]]
    path = tmp_path_factory.getbasetemp() / "table.csv"
    path.write_bytes("\r\n".join(written).encode(encoding))
    layout, found, _ = read_here(path, encoding={"utf-8-sig": "utf-8"}.get(encoding, encoding), header_row=1)
    assert (layout.headers, layout.delimiter) == (HEADER, delimiter)
    expected = [[cell if cell.strip() else None for cell in row] for row in rows]
    for cells in expected:
        while cells and cells[-1] is None:
            cells.pop()
    while expected and not expected[-1]:
        expected.pop()
    assert cells_of(found) == expected
