"""Opens an xlsx workbook: its sheets, number formats and shared strings. openpyxl and calamine: see docs/import.md."""

from __future__ import annotations

import posixpath
import zipfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from sms_service.directory.reading.limits import Limits
from sms_service.directory.reading.merges import Merges, read_merges
from sms_service.directory.reading.number_formats import BUILT_IN, Shown, read_format
from sms_service.directory.reading.sheets import SheetContext, SheetParser, read_sheet
from sms_service.directory.reading.strings import read_strings
from sms_service.directory.reading.tables import RawTable, ReadChoices, refuse_file
from sms_service.directory.reading.xml_parts import (
    Attributes,
    Started,
    Unpacked,
    attribute_map,
    local_name,
    new_parser,
    parse_part,
)
from sms_service.said import say


class _Relation(NamedTuple):
    kind: str  # the last word of its type: worksheet, sharedStrings, styles, officeDocument
    target: str


class _Sheet(NamedTuple):
    name: str
    part: str
    visible: bool


@dataclass(slots=True)
class _Book:
    sheets: list[_Sheet]
    strings: str | None
    styles: str | None
    epoch_1904: bool


def open_workbook(path: Path, choices: ReadChoices, limits: Limits, stack: ExitStack) -> RawTable:
    """The rows of the sheet that is chosen, or of the only visible one with data. Raises Invalid("file", …)."""
    archive = stack.enter_context(zipfile.ZipFile(path))
    unpacked = Unpacked(archive, limits)
    book = _read_book(unpacked, limits)
    styles = _read_styles(unpacked, book, limits)
    find_string = read_strings(unpacked, book.strings, limits, stack)
    context = SheetContext(find_string, styles, limits)
    sheets = [sheet for sheet in book.sheets if sheet.visible and _has_data(unpacked, sheet, context)]
    every = {sheet.name: sheet for sheet in book.sheets}

    def list_hidden() -> list[str]:
        return [name for name, one in every.items() if not one.visible and _has_data(unpacked, one, context)]

    chosen = every[choose_sheet([sheet.name for sheet in sheets], list_hidden, choices.sheet, list(every))]
    parser = SheetParser(context, read_merges(unpacked, chosen.part, limits))
    rows = read_sheet(unpacked, chosen.part, parser)
    names = tuple(sheet.name for sheet in sheets)
    return RawTable("xlsx", rows, sheet=chosen.name, sheets=names, hidden_columns=lambda: parser.hidden_columns)


def choose_sheet(visible: list[str], list_hidden: Callable[[], list[str]], chosen: str | None, every: list[str]) -> str:
    """The sheet to read among those with data: the visible ones, or where there is none those that are hidden.

    Raises Invalid if there is none, or several and none chosen.
    """
    if chosen is not None:
        if chosen in every:
            return chosen
        raise refuse_file(say("has no sheet {sheet}; its sheets are {sheets}", sheet=chosen, sheets=every))
    names = visible or list_hidden()
    if not names:
        raise refuse_file("has no sheet with data")
    if len(names) > 1:
        raise refuse_file(say("has several sheets with data: {sheets}; choose the one to read", sheets=names))
    return names[0]


def _has_data(unpacked: Unpacked, sheet: _Sheet, context: SheetContext) -> bool:
    return next(read_sheet(unpacked, sheet.part, SheetParser(context, Merges())), None) is not None


def _read_book(unpacked: Unpacked, limits: Limits) -> _Book:
    top = _relations(unpacked, "_rels/.rels", "")
    part = next((found.target for found in top.values() if found.kind == "officeDocument"), "xl/workbook.xml")
    if part.endswith(".bin"):
        raise refuse_file("is a binary workbook (.xlsb); open it and save it as .xlsx")
    if not unpacked.holds(part):
        raise refuse_file("is a zip archive, but no workbook; save the table as .xlsx or CSV")
    folder, name = posixpath.split(part)
    related = _relations(unpacked, f"{folder}/_rels/{name}.rels", folder)
    sheets: list[_Sheet] = []
    flags = {"1904": False}

    def started(tag: str, attributes: Attributes) -> None:
        found = attribute_map(attributes)
        if local_name(tag) == "workbookPr":
            flags["1904"] = found.get("date1904") in ("1", "true")
        elif local_name(tag) == "sheet":
            relation = related.get(found.get("id", ""))
            if relation is not None and relation.kind == "worksheet":
                sheets.append(_Sheet(found["name"], relation.target, found.get("state", "visible") == "visible"))
            if len(sheets) > limits.sheets:
                raise refuse_file(say("has more than {most} sheets", most=limits.sheets))

    _parse(unpacked, part, started)
    parts = {found.kind: found.target for found in related.values()}
    return _Book(sheets, parts.get("sharedStrings"), parts.get("styles"), flags["1904"])


def _relations(unpacked: Unpacked, part: str, folder: str) -> dict[str, _Relation]:
    relations: dict[str, _Relation] = {}

    def started(tag: str, attributes: Attributes) -> None:
        found = attribute_map(attributes)
        if local_name(tag) == "Relationship" and found.get("TargetMode") != "External":
            target = found["Target"]
            path = target.lstrip("/") if target.startswith("/") else posixpath.normpath(posixpath.join(folder, target))
            relations[found["Id"]] = _Relation(found["Type"].rpartition("/")[2], path)

    if unpacked.holds(part):
        _parse(unpacked, part, started)
    return relations


def _read_styles(unpacked: Unpacked, book: _Book, limits: Limits) -> list[Shown]:
    """How each style of the workbook shows numbers."""
    codes = dict(BUILT_IN)
    used: list[str] = []
    inside = {"cellXfs": False}

    def started(tag: str, attributes: Attributes) -> None:
        match local_name(tag):
            case "numFmt" if len(codes) < limits.styles:
                found = attribute_map(attributes)
                codes[int(found["numFmtId"])] = found.get("formatCode", "General")
            case "cellXfs":
                inside["cellXfs"] = True
            case "xf" if inside["cellXfs"]:
                used.append(codes.get(int(attribute_map(attributes).get("numFmtId", "0")), "General"))
                if len(used) > limits.styles:
                    raise refuse_file(say("has more than {most:,} cell styles", most=limits.styles))

    def ended(tag: str) -> None:
        if local_name(tag) == "cellXfs":
            inside["cellXfs"] = False

    if book.styles is not None and unpacked.holds(book.styles):
        for _ in parse_part(unpacked, book.styles, new_parser(started, ended, _ignore)):
            pass
    return [read_format(code, book.epoch_1904) for code in used or ["General"]]


def _parse(unpacked: Unpacked, part: str, started: Started) -> None:
    for _ in parse_part(unpacked, part, new_parser(started, _ignore, _ignore)):
        pass


def _ignore(_: str) -> None:
    pass
