"""Makes workbooks out of plain XML, so that a test says exactly what is in them, and reads files within the test."""

from __future__ import annotations

import zipfile
from dataclasses import asdict
from xml.sax.saxutils import escape, quoteattr

from sms_service.directory.columns import PEOPLE_COLUMNS
from sms_service.directory.reading import Layout, ReadChoices, ReadRow, open_table
from sms_service.directory.reading.limits import LIMITS
from sms_service.directory.reading.tables import pack_columns, unpack_finding
from sms_service.directory.reading.worker import answer_request
from sms_service.errors import Invalid
from sms_service.said import from_json

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
HEADER = ("编号", "姓名", "手机号", "组织编码")


def text_cell(reference, text):
    return f'<c r="{reference}" t="inlineStr"><is><t xml:space="preserve">{escape(text)}</t></is></c>'


def text_rows(rows, first=1):
    """Rows of texts; None leaves a cell out."""
    made = []
    for number, row in enumerate(rows, start=first):
        cells = "".join(text_cell(f"{chr(65 + i)}{number}", cell) for i, cell in enumerate(row) if cell is not None)
        made.append(f'<row r="{number}">{cells}</row>')
    return "".join(made)


def sheet_xml(rows, before="", after=""):
    return f'<worksheet xmlns="{MAIN}">{before}<sheetData>{rows}</sheetData>{after}</worksheet>'


def write_book(path, *sheets, states=(), styles="", strings=None, workbook="", parts=()):
    """A workbook of these sheets' XML, called 表1, 表2 …; `parts` are (name, content) pairs beside them."""
    relations = [f'<Relationship Id="s" Type="{RELATIONS}/styles" Target="styles.xml"/>']
    if strings is not None:
        relations.append(f'<Relationship Id="t" Type="{RELATIONS}/sharedStrings" Target="sharedStrings.xml"/>')
    names = []
    for number, _ in enumerate(sheets, start=1):
        target = f"worksheets/sheet{number}.xml"
        relations.append(f'<Relationship Id="r{number}" Type="{RELATIONS}/worksheet" Target="{target}"/>')
        state = f" state={quoteattr(states[number - 1])}" if number <= len(states) else ""
        names.append(f'<sheet name="表{number}" sheetId="{number}" r:id="r{number}"{state}/>')
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{PACKAGE}"><Relationship Id="a" Type="{RELATIONS}/officeDocument" '
            'Target="xl/workbook.xml"/></Relationships>',
        )
        archive.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns="{MAIN}" xmlns:r="{RELATIONS}">{workbook}<sheets>{"".join(names)}</sheets></workbook>',
        )
        archive.writestr(
            "xl/_rels/workbook.xml.rels", f'<Relationships xmlns="{PACKAGE}">{"".join(relations)}</Relationships>'
        )
        archive.writestr("xl/styles.xml", f'<styleSheet xmlns="{MAIN}">{styles}</styleSheet>')
        if strings is not None:
            archive.writestr("xl/sharedStrings.xml", f'<sst xmlns="{MAIN}">{strings}</sst>')
        for number, sheet in enumerate(sheets, start=1):
            archive.writestr(f"xl/worksheets/sheet{number}.xml", sheet)
        for name, content in parts:
            archive.writestr(name, content)
    return path


def styles_of(*codes):
    """Styles 0, 1, 2 … with these number formats."""
    formats = "".join(f'<numFmt numFmtId="{200 + i}" formatCode={quoteattr(code)}/>' for i, code in enumerate(codes))
    used = "".join(f'<xf numFmtId="{200 + i}"/>' for i in range(len(codes)))
    return f"<numFmts>{formats}</numFmts><cellXfs>{used}</cellXfs>"


def read_file(path, columns=PEOPLE_COLUMNS, limits=LIMITS, **choices):
    """The layout, rows and totals of a file, read in a process of its own as everywhere."""
    with open_table(path, ReadChoices(**choices), columns, limits) as table:
        rows = list(table.rows)
        return table.layout, rows, table.totals


def read_here(path, columns=PEOPLE_COLUMNS, limits=LIMITS, **choices):
    """The same, but within this process: for tests that read many files."""
    answers = []
    request = {
        "path": str(path),
        "choices": asdict(ReadChoices(**choices)),
        "columns": pack_columns(columns),
        "limits": asdict(limits),
    }
    answer_request(request, answers.append)
    refusal = next((answer["invalid"] for answer in answers if "invalid" in answer), None)
    if refusal is not None:
        raise Invalid("file", None, from_json(**refusal))
    layout = Layout(**answers[0]["layout"])
    rows = [
        ReadRow(number, cells, tuple(map(unpack_finding, findings)))
        for answer in answers
        for number, cells, findings in answer.get("rows", ())
    ]
    return layout, rows, answers[-1]["totals"]


def cells_of(rows):
    return [row.cells for row in rows]


def found_in(rows):
    """(row, position, beginning of the reason, fatal) of every finding."""
    return [(row.number, found.position, str(found.reason)[:18], found.fatal) for row in rows for found in row.findings]
