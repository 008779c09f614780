"""Spreadsheets in the OpenDocument format (.ods), made of plain XML."""

import zipfile
from dataclasses import replace

import pytest
from sheet_files import HEADER, cells_of, found_in, read_file, read_here

from sms_service.directory.reading.limits import LIMITS
from sms_service.errors import Invalid

NAMESPACES = " ".join(
    f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in ("office", "table", "text", "style")
)


@pytest.fixture
def book(tmp_path):
    return tmp_path / "book.ods"


def write_ods(path, *tables, styles="", manifest="<a/>"):
    content = (
        f"<office:document-content {NAMESPACES}><office:automatic-styles>{styles}</office:automatic-styles>"
        f"<office:body><office:spreadsheet>{''.join(tables)}</office:spreadsheet></office:body></office:document-content>"
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("META-INF/manifest.xml", manifest)
        archive.writestr("content.xml", content)
    return path


def table(*rows, name="表1", style="", before=""):
    return f'<table:table table:name="{name}" table:style-name="{style}">{before}{"".join(rows)}</table:table>'


def row(*cells, **attributes):
    extra = "".join(f' table:{name.replace("_", "-")}="{value}"' for name, value in attributes.items())
    return f"<table:table-row{extra}>{''.join(cells)}</table:table-row>"


def cell(text=None, kind="string", value="", extra=""):
    valued = {"float": "value", "percentage": "value", "currency": "value", "date": "date-value"}.get(kind)
    value = f' office:{valued}="{value}"' if valued else ""
    kind = f' office:value-type="{kind}"' if kind else ""
    shown = "" if text is None else f"<text:p>{text}</text:p>"
    return f"<table:table-cell{kind}{value}{extra}>{shown}</table:table-cell>"


def texts(*values):
    return row(*(cell(value) if value is not None else cell(kind="") for value in values))


def test_cells_as_a_person_sees_them(book):
    cells = [
        cell("00001234", "float", "1234"),
        cell("13,975,840,246", "float", "13975840246"),
        cell("1.4E+10", "float", "13975840247"),
        cell("###", "float", "13975840248"),
        cell("85%", "percentage", "0.85"),
        cell("¥1,234.50", "currency", "1234.5"),
        cell("99年2月1日", "date", "1999-02-01"),
        cell("x", "date", "1999-02-01T18:00:00"),
        cell("55岁", "float", "55"),
        cell("#N/A", "float", "0", ' table:formula="of:=NA()"'),
        cell(None, "", "", ' table:formula="of:=[.A1]"'),
        cell("5E17", "float", "5.1011219800101299E+17"),
        cell("WAHR", "boolean", "", ' office:boolean-value="true"'),
        cell("36:00", "time"),
    ]
    headers = [*HEADER, *map(str, range(10))]
    layout, rows, _ = read_file(write_ods(book, table(texts(*headers), row(*cells))))
    assert (layout.kind, layout.sheet, layout.sheets) == ("ods", "表1", ("表1",))
    assert cells_of(rows) == [
        [
            *(
                "00001234",
                "13975840246",
                "13975840247",
                "13975840248",
                "85%",
                "1234.50",
                "1999-02-01",
                "1999-02-01 18:00",
            ),
            *("55岁", "#N/A", "=[.A1]", "5.10112E+17", "TRUE", "36:00"),
        ]
    ]
    assert [(position, reason[:12]) for _, position, reason, _ in found_in(rows)] == [
        (9, "is an error "),
        (10, "is a formula"),
        (11, "is a number "),
    ]


def test_texts_of_several_lines_blanks_and_comments(book):
    note = "<office:annotation><text:p>批注</text:p></office:annotation>"
    first, second = '<text:p>甲<text:s text:c="2"/>乙</text:p>', "<text:p>丙<text:tab/></text:p>"
    body = f'<table:table-cell office:value-type="string">{note}{first}{second}</table:table-cell>'
    assert cells_of(read_here(write_ods(book, table(texts(*HEADER), row(body))))[1]) == [["甲  乙\n丙\t"]]


def test_merged_repeated_hidden(book):
    spanned = cell("书记", extra=' table:number-rows-spanned="2"')
    covered = "<table:covered-table-cell/>"
    hidden = '<table:table-column table:number-columns-repeated="2"/><table:table-column table:visibility="collapse"/>'
    rows = [
        texts(*HEADER, "职务"),
        row(*map(cell, ("M1", "王伟", "1", "01")), spanned),
        row(*map(cell, ("M2", "李四", "2", "01")), covered, visibility="filter"),
        row(cell(kind="", extra=' table:number-columns-repeated="16384"'), number_rows_repeated="3"),
        row(cell("x", extra=' table:number-columns-repeated="3"'), number_rows_repeated="2"),
        row(cell(kind=""), number_rows_repeated="1048500"),
    ]
    layout, found, totals = read_here(write_ods(book, table(*rows, before=hidden)))
    assert layout.hidden_columns == (2,)
    assert [(each.number, each.cells) for each in found] == [
        (2, ["M1", "王伟", "1", "01", "书记"]),
        (3, ["M2", "李四", "2", "01", "书记"]),
        (4, []),
        (5, []),
        (6, []),
        (7, ["x", "x", "x"]),
        (8, ["x", "x", "x"]),
    ]
    assert found_in(found) == [(3, None, "is hidden in the s", False)]
    assert totals["hidden_rows"] == 1


def test_sheets(book):
    hidden = '<style:table-properties table:display="false"/>'
    style = f'<style:style style:name="ta2" style:family="table">{hidden}</style:style>'
    sheets = [table(texts(*HEADER), texts(f"M{n}"), name=f"表{n}", style="ta2" if n == 3 else "ta1") for n in (1, 2, 3)]
    write_ods(book, *sheets, table(name="表4"), styles=style)
    with pytest.raises(Invalid, match="several sheets with data: 表1, 表2;"):
        read_here(book)
    assert cells_of(read_here(book, sheet="表3")[1]) == [["M3"]]
    write_ods(book, sheets[0], sheets[2], styles=style)
    assert read_here(book)[0].sheets == ("表1",)
    assert cells_of(read_here(write_ods(book, sheets[2], styles=style))[1]) == [["M3"]]


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: write_ods(path, manifest="<a><encryption-data/></a>"), "password"),
        (lambda path: write_ods(path), "no sheet with data"),
        (
            lambda path: write_ods(path, table(row(cell("x", extra=' table:number-columns-repeated="16384"')))),
            "columns",
        ),
        (lambda path: write_ods(path, table(row(cell("x" * 90), number_rows_repeated="1048576"))), "split it"),
        (lambda path: write_ods(path, table(row(cell('<text:s text:c="999999999"/>')))), "characters in row 1"),
        (lambda path: write_ods(path, "<x>" * 9), "damaged"),
    ],
)
def test_what_cannot_be_read_says_why(book, make, reason):
    make(book)
    with pytest.raises(Invalid, match=reason):
        read_file(book, limits=replace(LIMITS, text=1_000_000))
