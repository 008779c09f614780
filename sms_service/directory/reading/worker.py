"""The process that reads one file: `python -m sms_service.directory.reading.worker`.

It is a process of its own, with limits of memory and computing time, because its input comes from anywhere. It has no
settings and no connections. Its standard input is one line of JSON, what to read; its standard output lines of JSON:
the layout, batches of rows, the totals; or, at any place, why the file cannot be read.
"""

from __future__ import annotations

import json
import resource
import struct
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO
from xml.parsers import expat

from sms_service.directory.columns import Column, column_letter, is_header
from sms_service.directory.reading.csv_files import open_csv
from sms_service.directory.reading.headers import WITHIN, find_headers
from sms_service.directory.reading.limits import Limits
from sms_service.directory.reading.open_documents import CONTENT, open_spreadsheet
from sms_service.directory.reading.tables import (
    CellFinding,
    Layout,
    RawRow,
    RawTable,
    ReadChoices,
    ReadRow,
    note_cell,
    pack_finding,
    refuse_file,
)
from sms_service.directory.reading.workbooks import open_workbook
from sms_service.errors import Invalid
from sms_service.said import say, to_json

_DIRECTORY = 16 * 2**20  # bytes within which an encrypted workbook names its content
BATCH = 500  # rows
LISTED_BLANK_ROWS = 20  # one after the other: a person took something out; more than that is the form of the sheet
_HIDDEN_ROW = say("is hidden in the sheet; it was read like the others")
_DAMAGED = say("is a damaged file; open it and save it again, or save it as CSV")
_FAULTS = (
    zipfile.BadZipFile, zlib.error, struct.error, KeyError, ValueError, IndexError, EOFError, OSError, RuntimeError,
    OverflowError,
)  # fmt: skip


def open_raw_table(
    path: Path, choices: ReadChoices, limits: Limits, columns: Mapping[str, Column], stack: ExitStack
) -> RawTable:
    """The file's rows from the top; its first bytes decide what it is, not its name. Raises Invalid("file", …)."""
    size = path.stat().st_size
    if size > limits.file_bytes:
        raise refuse_file(say("is larger than {most} MB; split it", most=limits.file_bytes // 2**20))
    with path.open("rb") as file:
        head = file.read(8)
        if head.startswith(b"\xd0\xcf\x11\xe0"):
            if "EncryptedPackage".encode("utf-16-le") in file.read(_DIRECTORY):
                raise refuse_file(say("is protected by a password; save it without one"))
            # Few files are so old; the others need not wait for this import.
            from sms_service.directory.reading.old_workbooks import open_old_workbook

            return open_old_workbook(path, choices, limits)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        with zipfile.ZipFile(path) as archive:
            is_open_document = CONTENT in archive.namelist()
        opener = open_spreadsheet if is_open_document else open_workbook
        return opener(path, choices, limits, stack)
    return open_csv(path, choices, limits, stack, lambda cell: is_header(cell, columns))


def lay_out_rows(raw: RawTable, choices: ReadChoices, columns: Mapping[str, Column]) -> tuple[Layout, Iterator[RawRow]]:
    """The layout and the rows below the headers."""
    first = list(islice(raw.rows, WITHIN))
    if choices.header_row is not None:
        while first[-1:] and first[-1].number < choices.header_row and len(first) < 1000:
            following = next(raw.rows, None)
            if following is None:
                break
            first.append(following)
    if not first:
        raise refuse_file("is empty")
    found = find_headers(first, lambda cell: is_header(cell, columns), choices.header_row)
    hidden = [
        position
        for position, header in enumerate(found.headers)
        if header and any(low <= position <= high for low, high in raw.hidden_columns())
    ]
    layout = Layout(
        kind=raw.kind,
        encoding=raw.encoding,
        delimiter=raw.delimiter,
        sheet=raw.sheet,
        sheets=raw.sheets,
        header_row=first[found.last].number,
        headers=found.headers,
        header_rows=found.rows,
        hidden_columns=tuple(hidden),
    )
    return layout, chain(first[found.last + 1 :], raw.rows)


def finish_row(raw: RawRow, headers: tuple[str | None, ...]) -> ReadRow:
    """The row with the findings that need the headers."""
    findings: list[CellFinding] = raw.findings
    if raw.hidden:
        findings = [*findings, note_cell(None, _HIDDEN_ROW, fatal=False)]
    for first, last in raw.merged.across:
        held = [position for position in range(first, min(last + 1, len(headers))) if headers[position]]
        if len(held) > 1 and first < len(raw.cells) and raw.cells[first] is not None:
            reason = say(
                "is merged over the columns {first} to {last}; the value counts for the first of them",
                first=column_letter(first),
                last=column_letter(last),
            )
            findings = [*findings, note_cell(first, reason, fatal=False)]
    return ReadRow(raw.number, raw.cells, tuple(findings))


def _run(request: dict[str, Any], write: Callable[[dict[str, Any]], None], stack: ExitStack) -> None:
    limits = Limits(**request["limits"])
    choices = ReadChoices(**request["choices"])
    columns = {name: Column(headers[0], tuple(headers[1:])) for name, headers in request["columns"].items()}
    raw = open_raw_table(Path(request["path"]), choices, limits, columns, stack)
    layout, rows = lay_out_rows(raw, choices, columns)
    write({"layout": asdict(layout)})
    count = blank = hidden = 0
    batch: list[Any] = []
    for each in rows:
        row = finish_row(each, layout.headers)
        if each.blank_before <= LISTED_BLANK_ROWS:
            batch += [[number, [], []] for number in range(row.number - each.blank_before, row.number)]
            count += each.blank_before
        else:
            blank += each.blank_before
        batch.append([row.number, row.cells, [pack_finding(found) for found in row.findings]])
        count, hidden = count + 1, hidden + each.hidden
        if count > limits.rows:
            raise refuse_file(say("has more than {most:,} rows; split it", most=limits.rows))
        if len(batch) >= BATCH:
            write({"rows": batch})
            batch = []
    write({"rows": batch})
    write({"totals": {"rows": count, "blank_rows": blank, "hidden_rows": hidden}})


def _limit(limits: Mapping[str, int]) -> None:
    resource.setrlimit(resource.RLIMIT_DATA, (limits["memory"], limits["memory"]))
    resource.setrlimit(resource.RLIMIT_CPU, (limits["seconds"], limits["seconds"] + 5))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def answer_request(request: dict[str, Any], write: Callable[[dict[str, Any]], None]) -> None:
    """Read one file and write what was found, or why it cannot be read."""
    with ExitStack() as stack:
        try:
            _run(request, write, stack)
        except Invalid as error:
            write({"invalid": to_json(error.reason)})
        except MemoryError:
            write({"memory": True})
        except expat.ExpatError as error:
            no_memory = error.code == expat.errors.codes[expat.errors.XML_ERROR_NO_MEMORY]
            write({"memory": True} if no_memory else {"invalid": to_json(_DAMAGED)})
        except BrokenPipeError:
            return  # nobody listens any more
        except _FAULTS:
            # For a damaged file the parsers raise whatever they raise.
            write({"invalid": to_json(_DAMAGED)})


def main(stdin: BinaryIO, stdout: BinaryIO) -> None:
    """Read one request, and answer it within its limits."""
    request = json.loads(stdin.readline())
    _limit(request["limits"])

    def write(answer: dict[str, Any]) -> None:
        stdout.write(json.dumps(answer, separators=(",", ":")).encode() + b"\n")
        stdout.flush()

    answer_request(request, write)


if __name__ == "__main__":
    main(sys.stdin.buffer, sys.stdout.buffer)
