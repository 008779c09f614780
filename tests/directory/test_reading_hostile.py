"""Files made to hurt: each is refused with a clear reason, within the memory and the time that reading may take."""

import os
import resource
import signal
import zipfile
from dataclasses import replace

import pytest
from sheet_files import HEADER, MAIN, read_file, sheet_xml, text_rows, write_book

from sms_service.directory.columns import PEOPLE_COLUMNS
from sms_service.directory.reading import ReadChoices, open_table, opening
from sms_service.directory.reading.limits import LIMITS
from sms_service.errors import Invalid

MB = 2**20
SMALL = replace(LIMITS, unpacked_bytes=24 * MB, cells=300_000, strings=100_000, merged=1_000, text=MB)
GOOD = text_rows([HEADER, ("M1", "王伟", "1", "01")])


@pytest.fixture
def book(tmp_path):
    return tmp_path / "book.xlsx"


def styled_rows(first, last, columns="AB"):
    cells = "".join(f'<c r="{column}%d" s="0"/>' for column in columns)
    return "".join(f'<row r="{n}">{cells.replace("%d", str(n))}</row>' for n in range(first, last + 1))


def column(number):
    letters = ""
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def refusal(path, limits=SMALL):
    with pytest.raises(Invalid) as caught:
        read_file(path, limits=limits)
    assert caught.value.field == "file"
    return str(caught.value.reason)


def test_a_zip_bomb(book):
    write_book(book, sheet_xml(GOOD + "<!--" + " " * 30 * MB + "-->"))
    assert book.stat().st_size < 100_000
    assert refusal(book) == "unpacks to more than 24 MB; split it"


def test_a_zip_bomb_that_says_it_is_small(book):
    write_book(book, sheet_xml(GOOD + "<a/>" * 8 * MB))
    content = bytearray(book.read_bytes())
    with zipfile.ZipFile(book) as archive:
        size = archive.getinfo("xl/worksheets/sheet1.xml").file_size
    true, said = size.to_bytes(4, "little"), (1000).to_bytes(4, "little")
    book.write_bytes(content.replace(true, said))
    assert "damaged" in refusal(book) or "unpacks" in refusal(book)


def test_a_bomb_in_a_part_that_is_not_read_does_not_matter(book):
    write_book(book, sheet_xml(GOOD), parts=[("xl/media/image1.png", bytes(30 * MB))])
    assert len(read_file(book, limits=SMALL)[1]) == 1


def test_blanks_up_to_the_last_cell_of_a_sheet_are_nothing(book):
    declared = '<dimension ref="A1:XFD1048576"/><cols><col min="1" max="16384" style="0"/></cols>'
    rows = GOOD + styled_rows(3, 100_000) + '<row r="1048576"><c r="XFD1048576" s="0"/></row>'
    _, found, totals = read_file(write_book(book, sheet_xml(rows, before=declared)), limits=SMALL)
    assert (len(found), totals.rows, totals.blank_rows) == (1, 1, 0)


def test_too_many_cells_without_a_value(book):
    write_book(book, sheet_xml(GOOD + styled_rows(3, 110_000, "ABC")))
    assert (
        refusal(book)
        == "has more than 300,000 cells, empty ones included; delete the rows and columns that hold nothing"
    )


def test_a_million_columns(book, tmp_path):
    wide = "".join(f'<c r="{column(n)}1"><v>1</v></c>' for n in (1, 16_384))
    assert refusal(write_book(book, sheet_xml(f'<row r="1">{wide}</row>'))) == "has more than 100 columns in row 1"
    many = "<c><v>1</v></c>" * 1_000_000
    assert refusal(write_book(book, sheet_xml(f'<row r="1">{many}</row>'))) == "has more than 100 columns in row 1"
    wide_csv = tmp_path / "wide.csv"
    wide_csv.write_text(",".join(["x"] * 400_000))
    assert refusal(wide_csv) == "has more than 100 columns in row 1"


@pytest.mark.parametrize("reference", ["AAAA1", "A0x", "1", "A1:B2", "a1"])
def test_a_cell_that_is_nowhere(book, reference):
    assert "damaged" in refusal(write_book(book, sheet_xml(f'<row r="1"><c r="{reference}"><v>1</v></c></row>')))


@pytest.mark.parametrize("row", ["0", "-1", "1048577", "9" * 4000, "x", "1"])
def test_a_row_that_is_nowhere(book, row):
    rows = f'<row r="1"><c><v>1</v></c></row><row r="{row}"><c><v>1</v></c></row>'
    assert "damaged" in refusal(write_book(book, sheet_xml(rows)))


def test_long_texts(book):
    long = "x" * 11_000
    strings = f"<si><t>{long}</t></si>"
    shared = '<row r="1"><c t="s"><v>0</v></c></row>'
    assert refusal(write_book(book, sheet_xml(shared), strings=strings)).startswith("has a cell with more than 10000")
    assert refusal(write_book(book, sheet_xml(text_rows([(long,)])))).startswith("has a cell with more than 10000")
    runs = f"<c t='inlineStr'><is>{f'<r><t>{long}</t></r>' * 500}</is></c>"
    assert refusal(write_book(book, sheet_xml(f'<row r="1">{runs}</row>'))).startswith(
        "has a cell with more than 10000"
    )
    strings = f"<si><r>{f'<t>{long}</t>' * 500}</r></si>"
    assert refusal(write_book(book, sheet_xml(shared), strings=strings)) == "has a text with more than 10000 characters"


def test_one_long_text_in_very_many_cells(book):
    """A small file of which every cell refers to the same shared string."""
    rows = text_rows([HEADER]) + "".join('<row><c t="s"><v>0</v></c></row>' for _ in range(2000))
    strings = f"<si><t>{'x' * 9_000}</t></si>"
    assert refusal(write_book(book, sheet_xml(rows), strings=strings)) == "has more than 1,048,576 characters; split it"


def test_very_many_strings_merged_cells_and_sheets(book):
    assert "texts" in refusal(write_book(book, sheet_xml(GOOD), strings="<si/>" * 100_001))
    many = "".join(f'<mergeCell ref="A{n}:A{n + 1}"/>' for n in range(2, 2004, 2))
    assert "merged cells" in refusal(write_book(book, sheet_xml(GOOD, after=f"<mergeCells>{many}</mergeCells>")))
    assert "sheets" in refusal(write_book(book, *["x"] * 257))


@pytest.mark.parametrize(
    "doctype",
    [
        "<!DOCTYPE a ["
        + '<!ENTITY a0 "ha">'
        + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
        + "]>",
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE a SYSTEM "http://127.0.0.1:1/a.dtd">',
        '<!DOCTYPE a [<!ENTITY % p SYSTEM "file:///etc/passwd"> %p;]>',
    ],
)
def test_entities(book, doctype):
    sheet = sheet_xml(text_rows([HEADER, ("M1", "X", "1", "01")])).replace("X", "&a11;&x;")
    assert "document type" in refusal(write_book(book, doctype + sheet))
    strings = f'{doctype}<sst xmlns="{MAIN}"><si><t>&a11;&x;</t></si></sst>'
    write_book(book, sheet_xml(GOOD), strings="")
    with zipfile.ZipFile(book) as old:
        parts = {name: old.read(name) for name in old.namelist()}
    parts["xl/sharedStrings.xml"] = strings.encode()
    with zipfile.ZipFile(book, "w") as new:
        for name, content in parts.items():
            new.writestr(name, content)
    assert "document type" in refusal(book)


def test_an_entity_that_nobody_declared_and_xml_nested_a_million_deep(book):
    assert "damaged" in refusal(write_book(book, sheet_xml(GOOD).replace("王伟", "&x;")))
    assert refusal(write_book(book, "<a>" * 3_000_000))


def test_a_path_as_the_name_of_a_part(book, tmp_path):
    write_book(book, sheet_xml(GOOD), parts=[("../../../../tmp/evil", "x"), ("/etc/cron.d/evil", "x")])
    assert len(read_file(book)[1]) == 1
    assert not (tmp_path.parent / "evil").exists()
    with zipfile.ZipFile(book, "a") as archive:
        archive.writestr(
            "_rels/.rels",
            '<a><Relationship Id="a" Type="x/officeDocument" Target="../../../etc/passwd"/></a>',
        )
    assert "no workbook" in refusal(book)


@pytest.mark.parametrize("kept", [4, 30, 0.3, 0.9, -1])
def test_a_truncated_workbook(book, kept):
    write_book(book, sheet_xml(GOOD))
    content = book.read_bytes()
    book.write_bytes(content[: int(kept * len(content)) if isinstance(kept, float) else kept])
    assert "damaged" in refusal(book)


def test_a_broken_part(book):
    for broken in ("<worksheet><sheetData><row>", "", "\x00", "<a></b>"):
        assert "damaged" in refusal(write_book(book, broken))
    content = bytearray(write_book(book, sheet_xml(GOOD)).read_bytes())
    place = content.index(b"xl/worksheets/sheet1.xml") + 60
    content[place : place + 40] = bytes(40)
    book.write_bytes(content)
    assert "damaged" in refusal(book)


def test_other_archives(book):
    with zipfile.ZipFile(book, "w") as archive:
        archive.writestr("word/document.xml", "<a/>")
    assert "no workbook" in refusal(book)
    with zipfile.ZipFile(book, "w"):
        pass
    assert "no workbook" in refusal(book)


def test_a_text_that_needs_more_memory_than_there_is(book):
    """One attribute of 60 MB: the parser must hold all of it."""
    write_book(book, sheet_xml(f'<row r="1" a="{"x" * 60 * MB}"></row>'))
    limits = replace(LIMITS, memory=40 * MB)
    assert "needs more than 40 MB of memory" in refusal(book, limits)


def test_a_file_that_takes_too_long(book):
    write_book(book, sheet_xml(GOOD + styled_rows(3, 400_000)))
    assert "takes too long" in refusal(book, replace(LIMITS, seconds=1))


def test_a_process_that_falls_silent_is_given_up(book):
    write_book(book, sheet_xml(text_rows([HEADER, *[("M1", "王伟", "1", "01")] * 20_000])))
    with open_table(book, ReadChoices(), PEOPLE_COLUMNS) as table:
        answers = table.rows.gi_frame.f_locals["answers"]
        os.kill(answers._child.pid, signal.SIGSTOP)
        answers._limits = replace(LIMITS, patience=1)
        with pytest.raises(Invalid, match="takes too long"):
            list(table.rows)


def test_a_reader_that_dies_is_a_refusal_and_leaves_nothing_behind(book):
    write_book(book, sheet_xml(text_rows([HEADER, *[("M1", "王伟", "1", "01")] * 20_000])))
    with open_table(book, ReadChoices(), PEOPLE_COLUMNS) as table:
        child = table.rows.gi_frame.f_locals["answers"]._child.pid
        os.kill(child, signal.SIGSEGV)
        with pytest.raises(Invalid, match="memory"):
            list(table.rows)
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


def test_rows_that_nobody_reads_are_not_read(book):
    write_book(book, sheet_xml(text_rows([HEADER, *[("M1", "王伟", "1", "01")] * 20_000])))
    with open_table(book, ReadChoices(), PEOPLE_COLUMNS) as table:
        assert next(table.rows).cells[0] == "M1"
        child = table.rows.gi_frame.f_locals["answers"]._child.pid
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


def test_the_process_that_reads_has_no_environment_of_ours(book, monkeypatch):
    monkeypatch.setenv("SMS_SECRET", "x")
    seen = {}
    real = opening.subprocess.Popen

    def start(*args, **kwargs):
        seen.update(kwargs["env"])
        return real(*args, **kwargs)

    monkeypatch.setattr(opening.subprocess, "Popen", start)
    read_file(write_book(book, sheet_xml(GOOD)))
    assert sorted(seen) == ["PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "TMPDIR"]


def test_rows_stream_through_constant_memory(tmp_path):
    path = tmp_path / "many.csv"
    with path.open("w") as file:
        file.write(",".join(HEADER) + "\n")
        for number in range(200_000):
            file.write(f"M{number},王伟{number},13975840246,01010010001,{'x' * 50}\n")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with open_table(path, ReadChoices(), PEOPLE_COLUMNS) as table:
        assert sum(1 for _ in table.rows) == 200_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 30_000  # kB; the rows together are 120 MB
