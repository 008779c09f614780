"""Reading files: how long it takes until all rows of a workbook and of a CSV file have arrived, and in what memory."""

from __future__ import annotations

import random
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import psutil

from benchmarks.figures import Benchmark, Measured
from benchmarks.laboratory import BenchmarkError, Laboratory
from benchmarks.usage import read_peak_kb, read_processor_s
from sms_service.directory.columns import PEOPLE_COLUMNS
from sms_service.directory.reading import ReadChoices, open_table

HEADERS = ("编号", "姓名", "手机号", "入党日期", "性别", "组织编码", "所在组织", "职务", "标签", "籍贯")
LOOK_EVERY = 5_000  # rows
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"


def make_rows(number: int) -> Iterator[list[str]]:
    """Invented people, always the same, with phones and dates as the numbers that a workbook has for them."""
    chance = random.Random(1)
    for n in range(number):
        name = chance.choice("王李张刘陈杨") + chance.choice("伟芳娜秀英敏静") + chance.choice("伟芳娜秀英敏静丽强磊")
        yield [
            *(f"M{n:07}", name, str(13_000_000_000 + n * 7), str(30_000 + n % 9_000), chance.choice("男女")),
            *(f"01010010{n % 400:03}", f"云州市/城东区/永安街道/社区第{n % 400}党支部"),
            *(
                chance.choice(("书记", "组织委员", "党员")),
                chance.choice(("困难党员", "志愿者", "退休")),
                f"云州{n % 97}",
            ),
        ]


def write_workbook(path: Path, number: int) -> None:
    """A workbook as Excel writes it: shared strings, numbers as numbers, dates by their format."""
    strings: dict[str, int] = {}

    def cells(values: list[str], row: int) -> Iterator[str]:
        for letter, value in zip("ABCDEFGHIJ", values, strict=True):
            if letter in "CD" and row > 1:
                yield f'<c r="{letter}{row}" s="{int(letter == "D")}"><v>{value}</v></c>'
            else:
                yield f'<c r="{letter}{row}" t="s"><v>{strings.setdefault(value, len(strings))}</v></c>'

    related = "".join(
        f'<Relationship Id="{part}" Type="{_RELATIONS}/{part}" Target="{part}.xml"/>'
        for part in ("worksheet", "sharedStrings", "styles")
    )
    book = f'<Relationship Id="book" Type="{_RELATIONS}/officeDocument" Target="xl/workbook.xml"/>'
    formats = '<numFmts><numFmt numFmtId="170" formatCode="yyyy-mm-dd"/></numFmts>'
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("_rels/.rels", f'<Relationships xmlns="{_PACKAGE}">{book}</Relationships>')
        archive.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns="{_MAIN}" xmlns:r="{_RELATIONS}"><sheets><sheet name="名册" r:id="worksheet"/></sheets>'
            "</workbook>",
        )
        archive.writestr("xl/_rels/workbook.xml.rels", f'<Relationships xmlns="{_PACKAGE}">{related}</Relationships>')
        archive.writestr(
            "xl/styles.xml",
            f'<styleSheet xmlns="{_MAIN}">{formats}<cellXfs><xf/><xf numFmtId="170"/></cellXfs></styleSheet>',
        )
        with archive.open("xl/worksheet.xml", "w", force_zip64=True) as sheet:
            sheet.write(f'<worksheet xmlns="{_MAIN}"><sheetData>'.encode())
            for row, values in enumerate([list(HEADERS), *make_rows(number)], start=1):
                sheet.write(f'<row r="{row}">{"".join(cells(values, row))}</row>'.encode())
            sheet.write(b"</sheetData></worksheet>")
        with archive.open("xl/sharedStrings.xml", "w", force_zip64=True) as part:
            part.write(f'<sst xmlns="{_MAIN}">'.encode())
            for string in strings:
                part.write(f"<si><t>{string}</t></si>".encode())
            part.write(b"</sst>")


def write_csv(path: Path, number: int) -> None:
    """The same people as a CSV file in GB18030."""
    with path.open("w", encoding="gb18030") as file:
        file.write(",".join(HEADERS) + "\n")
        for values in make_rows(number):
            file.write(",".join(values) + "\n")


def read_all(path: Path, number: int) -> tuple[float, float, float]:
    """Seconds until all rows have arrived, seconds of processor (both processes), and MB of the reader at its peak."""
    began, cpu = time.perf_counter(), read_processor_s()
    rows = peak = 0
    with open_table(path, ReadChoices(), PEOPLE_COLUMNS) as table:
        (reader,) = (
            child for child in psutil.Process().children() if "sms_service.directory.reading.worker" in child.cmdline()
        )
        for _ in table.rows:
            if rows % LOOK_EVERY == 0:
                peak = max(peak, read_peak_kb(reader.pid))
            rows += 1
        seconds = time.perf_counter() - began
    if rows != number:
        raise BenchmarkError(f"{rows} rows of {number} arrived")
    return seconds, read_processor_s() - cpu, peak / 1024


def _read(laboratory: Laboratory, number: int, name: str) -> Measured:
    workbook, csv_file = (laboratory.folder / f"{name}.{kind}" for kind in ("xlsx", "csv"))
    write_workbook(workbook, number)
    write_csv(csv_file, number)
    seconds, cpu, peak = read_all(workbook, number)
    csv_seconds, _, csv_peak = read_all(csv_file, number)
    workbook.unlink()
    csv_file.unlink()
    return {
        f"read_{name}_s": seconds,
        f"read_{name}_rows_per_cpu_s": number / cpu,
        f"read_{name}_csv_s": csv_seconds,
        f"read_{name}_mb": max(peak, csv_peak),
    }


def _reading(name: str, number: int, runs: int) -> Benchmark:
    units = {"s": "s", "rows_per_cpu_s": "rows/s", "csv_s": "s", "mb": "MB"}
    figures = {f"read_{name}_{figure}": unit for figure, unit in units.items()}
    return Benchmark(lambda laboratory: _read(laboratory, number, name), figures, runs=runs, group=500, size=number)


READINGS = (_reading("100k", 100_000, 3), _reading("1m", 1_000_000, 1))
