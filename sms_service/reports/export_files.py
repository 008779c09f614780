"""Files of rows, written as they come, in a memory that does not grow with them: CSV, and xlsx workbooks.

A workbook is a few parts of XML in a ZIP. They are written here and not by a library: those that stream take several
times as long for a million rows.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
import zipfile
from collections.abc import Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import IO, Any, Protocol
from xml.sax.saxutils import escape, quoteattr

Cell = str | int | float | date | datetime | None

MOST_SHEET_ROWS = 1_048_576  # with the headers: what a sheet of Excel holds
MOST_SHEET_BYTES = 1_500_000_000  # of XML; a part of a ZIP that is longer needs what not every reader knows
LONGEST_CELL = 32_767
# What a spreadsheet takes for the beginning of a formula (OWASP, CSV Injection), the full-width signs among it.
FORMULA_SIGNS = "=+-@\t\r\n＝＋－＠"
_UNFIT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_ESCAPE = re.compile("_(?=x[0-9A-Fa-f]{4}_)")
_DAY_ZERO = datetime(1899, 12, 30)
_WIDTH = 16
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_DOCUMENT = "application/vnd.openxmlformats-officedocument"
_RELATED = "application/vnd.openxmlformats-package.relationships+xml"
_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
# Cell formats: 0 general, 1 text, 2 moment, 3 day, 4 header.
_STYLES = (
    f'<styleSheet xmlns="{_MAIN}"><numFmts count="2"><numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd hh:mm:ss"/>'
    '<numFmt numFmtId="165" formatCode="yyyy\\-mm\\-dd"/></numFmts><fonts count="2"><font><sz val="11"/></font>'
    '<font><b/><sz val="11"/></font></fonts><fills count="2"><fill><patternFill patternType="none"/></fill><fill>'
    '<patternFill patternType="gray125"/></fill></fills><borders count="1"><border/></borders><cellStyleXfs count="1">'
    '<xf/></cellStyleXfs><cellXfs count="5"><xf/><xf numFmtId="49" applyNumberFormat="1"/><xf numFmtId="164"'
    ' applyNumberFormat="1"/><xf numFmtId="165" applyNumberFormat="1"/><xf fontId="1" applyFont="1"/></cellXfs>'
    '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
)


class RowsFile(Protocol):
    """A file to which rows are written, the headers first; `close` ends it with notes about it."""

    def write(self, row: Sequence[Cell]) -> None:
        """Add a row."""

    def close(self, notes: Sequence[tuple[str, str]]) -> None:
        """Nothing more comes."""


def begin_rows_file(file: IO[bytes], kind: str, title: str, headers: Sequence[str], *, bom: bool = False) -> RowsFile:
    """The file of this kind, "xlsx" or "csv", with its headers. `title`: of the first sheet; `bom`: of CSV."""
    return CsvFile(file, headers, bom=bom) if kind == "csv" else WorkbookFile(file, title, headers)


def defuse_cell(text: str) -> str:
    """The text as a cell of CSV that no spreadsheet computes: with an apostrophe in front of a sign of a formula."""
    return f"'{text}" if text.startswith(tuple(FORMULA_SIGNS)) else text


class DigestingFile(io.RawIOBase):
    """A file that is written from its beginning to its end and never read again: `digest` is SHA-256 over the `size`
    bytes so far. One cannot seek in it, so that a ZIP has the sizes of its parts behind them.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._hash, self.size = file, hashlib.sha256(), 0

    def writable(self) -> bool:
        """It is for nothing else."""
        return True

    def write(self, data: Any) -> int:
        """Add bytes."""
        self._hash.update(data)
        written = self._file.write(data)
        self.size += written
        return written

    @property
    def digest(self) -> bytes:
        """Of what was written so far."""
        return self._hash.digest()


class CsvFile:
    """UTF-8 with commas, CRLF at the ends of lines. Numbers are written as numbers, every text is defused."""

    def __init__(self, file: IO[bytes], headers: Sequence[str], *, bom: bool = False) -> None:
        self._text = io.TextIOWrapper(file, "utf-8-sig" if bom else "utf-8", newline="", write_through=False)
        self._rows = csv.writer(self._text)
        self.write(headers)

    def write(self, row: Sequence[Cell]) -> None:
        """Add a row."""
        self._rows.writerow([defuse_cell(cell) if isinstance(cell, str) else _plain(cell) for cell in row])

    def close(self, notes: Sequence[tuple[str, str]]) -> None:
        """A table has no place for notes."""
        self._text.flush()
        self._text.detach()


def _plain(cell: Cell) -> object:
    # A moment without its zone, which no spreadsheet reads.
    return cell.isoformat(" ", "seconds") if isinstance(cell, datetime) else cell


class WorkbookFile:
    """An xlsx workbook: sheets of rows, each with the headers, and a sheet with the notes. A text is a text, whatever
    it begins with.
    """

    def __init__(self, file: IO[bytes], title: str, headers: Sequence[str], most_rows: int = MOST_SHEET_ROWS) -> None:
        self._zip = zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=2)
        self._title, self._headers, self._most_rows = title, headers, most_rows
        self._names: list[str] = []
        self._begin(title, len(headers))
        self._write_headers()

    def write(self, row: Sequence[Cell]) -> None:
        """Add a row, on a new sheet where it has no place on this one."""
        if self._rows >= self._most_rows or self._written > MOST_SHEET_BYTES:
            self._end()
            self._begin(f"{self._title} {len(self._names) + 1}", len(self._headers))
            self._write_headers()
        self._put(f"<row>{''.join(map(_cell, row))}</row>")

    def close(self, notes: Sequence[tuple[str, str]]) -> None:
        """Write the notes on a sheet of their own, and what holds the sheets together."""
        self._end()
        if notes:
            self._begin("说明", 2)
            for name, value in notes:
                self._put(f"<row>{_header(name)}{_text(value)}</row>")
            self._end()
        numbers = range(1, len(self._names) + 1)
        parts = {"workbook": "sheet.main", "styles": "styles"} | {f"worksheets/sheet{n}": "worksheet" for n in numbers}
        overrides = "".join(
            f'<Override PartName="/xl/{part}.xml" ContentType="{_DOCUMENT}.spreadsheetml.{kind}+xml"/>'
            for part, kind in parts.items()
        )
        self._part(
            "[Content_Types].xml",
            f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" ContentType="{_RELATED}"/><Default'
            f' Extension="xml" ContentType="application/xml"/>{overrides}</Types>',
        )
        self._part("_rels/.rels", _relations([("rId1", "officeDocument", "xl/workbook.xml")]))
        sheets = "".join(
            f'<sheet name={quoteattr(name)} sheetId="{n}" r:id="rId{n}"/>' for n, name in enumerate(self._names, 1)
        )
        self._part(
            "xl/workbook.xml", f'<workbook xmlns="{_MAIN}" xmlns:r="{_RELATIONS}"><sheets>{sheets}</sheets></workbook>'
        )
        related = [(f"rId{n}", "worksheet", f"worksheets/sheet{n}.xml") for n in numbers]
        self._part("xl/_rels/workbook.xml.rels", _relations([*related, ("rIdStyles", "styles", "styles.xml")]))
        self._part("xl/styles.xml", _STYLES)
        self._zip.close()

    def _begin(self, name: str, width: int) -> None:
        self._names.append(name)
        self._sheet = self._zip.open(f"xl/worksheets/sheet{len(self._names)}.xml", "w")
        self._rows, self._written, self._waiting, self._length = 0, 0, list[str](), 0
        # The headers stay in sight.
        pane = '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/>'
        self._waiting.append(
            f'{_XML}<worksheet xmlns="{_MAIN}"><sheetViews><sheetView workbookViewId="0">{pane}</sheetView>'
            f'</sheetViews><cols><col min="1" max="{width}" width="{_WIDTH}" customWidth="1"/></cols><sheetData>'
        )

    def _write_headers(self) -> None:
        self._put(f"<row>{''.join(map(_header, self._headers))}</row>")

    def _put(self, row: str) -> None:
        self._rows += 1
        self._waiting.append(row)
        self._length += len(row)
        if self._length > 60_000:
            self._flush()

    def _flush(self) -> None:
        self._written += self._sheet.write("".join(self._waiting).encode())
        self._waiting.clear()
        self._length = 0

    def _end(self) -> None:
        self._waiting.append("</sheetData></worksheet>")
        self._flush()
        self._sheet.close()

    def _part(self, name: str, xml: str) -> None:
        self._zip.writestr(name, _XML + xml)


def _relations(related: Sequence[tuple[str, str, str]]) -> str:
    lines = (
        f'<Relationship Id="{id_}" Type="{_RELATIONS}/{kind}" Target="{target}"/>' for id_, kind, target in related
    )
    return f'<Relationships xmlns="{_PACKAGE}/relationships">{"".join(lines)}</Relationships>'


def _cell(cell: Cell) -> str:
    if cell is None:
        return "<c/>"
    if isinstance(cell, str):
        return _text(cell)
    if isinstance(cell, datetime):
        since = cell - _DAY_ZERO
        return f'<c s="2"><v>{since.days + since.seconds / 86400:.8f}</v></c>'
    if isinstance(cell, date):
        return f'<c s="3"><v>{cell.toordinal() - _DAY_ZERO.toordinal()}</v></c>'
    return f"<c><v>{cell}</v></c>"


def _header(text: str) -> str:
    return f'<c s="4" t="inlineStr"><is><t>{escape(text)}</t></is></c>'


@lru_cache(maxsize=20_000)  # names of units, statuses and the like come again and again
def _text(text: str) -> str:
    clean = escape(_ESCAPE.sub("_x005F_", _UNFIT.sub("", text[:LONGEST_CELL])))
    return f'<c s="1" t="inlineStr"><is><t xml:space="preserve">{clean}</t></is></c>'
