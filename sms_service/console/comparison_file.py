"""The comparison as a file: the list that an office passes on."""

from __future__ import annotations

from datetime import date
from tempfile import TemporaryFile

from flask import Response, g, send_file
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.console.comparison import choose_compared_unit
from sms_service.console.forms import read_query
from sms_service.console.languages import say_here, translate_here
from sms_service.console.pages import page_view
from sms_service.console.rendering import name_here
from sms_service.reports.comparison import ComparedUnit, Comparison
from sms_service.reports.export_files import Cell, begin_rows_file
from sms_service.reports.exports import EXPORT_FORMATS
from sms_service.web.comparing_units import ComparisonQuery, fetch_compared_units
from sms_service.web.context import current_context
from sms_service.web.validators import OneOfWords
from sms_service.web.words import name_word

_TYPES = {"xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "csv": "text/csv"}
# The numbers of a line or of its answers, by the words for them.
_NUMBERS = {
    **{name: ("number", name) for name in ("people", "messages", "left", "delivered", "delivery_rate", "reach_rate")},
    "unreachable": ("comparison", "unreachable"),
    **{name: ("comparison", name) for name in ("asked", "answered", "silent", "unreached", "reply_rate")},
    **{name: ("comparison", name) for name in ("invited", "yes", "no", "yes_rate", "expected", "came", "came_rate")},
    **{name: ("comparison", name) for name in ("quizzed", "quiz_answered", "quiz_right", "quiz_rate", "right_rate")},
}


class ComparisonFileQuery(ComparisonQuery):
    """The whole list, as what file."""

    format = fields.String(load_default="xlsx", validate=OneOfWords(EXPORT_FORMATS))


@page_view("/comparison/file", Permission.read)
def download_comparison() -> Response:
    """All lines in the order in which they stand on the page, the total last."""
    query = read_query(ComparisonFileQuery)
    _, unit = choose_compared_unit(query["unit"])
    now = current_context().clock()
    found = fetch_compared_units(g.session, g.actor, unit, query, now, whole=True).comparison
    kind, title = query["format"], say_here("Comparison")
    content = TemporaryFile()  # noqa: SIM115 - the answer closes it
    headers = [say_here("Unit number"), say_here("Unit"), say_here("Note")]
    headers += [translate_here(name_word(*_NUMBERS[name])) for name in _NUMBERS]
    for one in found.kinds:
        words = {"kind": name_here(one), "year": found.year}
        headers += [say_here("{kind} {year}, target", **words), say_here("{kind} {year}, done", **words)]
    rows = begin_rows_file(content, kind, title, headers, bom=True)
    for line in found.lines:
        rows.write(_cells(found, line, line.unit))
    rows.write(_cells(found, found.total, say_here("Total")))
    rows.close([(name, value) for name, value in _notes(found).items()])
    content.seek(0)
    name = f"{title}-{unit.name}.{kind}"
    return send_file(content, mimetype=_TYPES[kind], as_attachment=True, download_name=name)


def _notes(found: Comparison) -> dict[str, str]:
    """What the numbers are of."""

    def day(one: date | None) -> str:
        return "–" if one is None else one.isoformat()

    return {
        say_here("Unit"): found.unit.name,
        say_here("Launched from"): day(found.rows.since),
        say_here("Launched until"): day(found.rows.until),
        say_here("Units"): name_here(found.compared),
    }


def _cells(found: Comparison, line: ComparedUnit, name: str) -> list[Cell]:
    cells: list[Cell] = [line.code, name, _mark(line), *(_number(line, word) for word in _NUMBERS)]
    for kind in found.kinds:
        cells += [line.targets.get(kind), line.done.get(kind) if kind in line.targets else None]
    return cells


def _number(line: ComparedUnit, name: str) -> Cell:
    found = getattr(line if hasattr(line, name) else line.answers, name, None)
    return round(found, 4) if isinstance(found, float) else found


def _mark(line: ComparedUnit) -> str:
    if line.is_unreachable:
        return say_here("Nothing arrives")
    return say_here("Nobody answers") if line.is_silent else ""
