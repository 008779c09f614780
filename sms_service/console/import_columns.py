"""What the columns of an imported file mean, and how it is read: shown before anything is written, and changed here."""

from __future__ import annotations

from flask import Response, g
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.console.forms import read_form, read_named
from sms_service.console.pages import act_view, go_to, page_view
from sms_service.console.rendering import render_page
from sms_service.directory import drafts, importing
from sms_service.directory.import_models import Import
from sms_service.directory.meanings import COLUMNS
from sms_service.directory.reading.encodings import CODECS
from sms_service.directory.staging import read_cells
from sms_service.errors import Conflict
from sms_service.masking import mask_text
from sms_service.said import as_said
from sms_service.web.schemas import In, OneLine
from sms_service.web.validators import OneOfWords, WithinRange
from sms_service.web.waking import import_after_commit

_SHOWN = 3  # rows beside the headers
_COLUMN = "column."
DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t"}


class ReadingForm(In):
    """How the file is read; what is left empty is as found."""

    encoding = fields.String(load_default=None, validate=OneOfWords(tuple(CODECS)))
    delimiter = fields.String(load_default=None, validate=OneOfWords(tuple(DELIMITERS)))
    sheet = OneLine(100, load_default=None)
    header_row = fields.Integer(load_default=None, validate=WithinRange(1, 1000))


@page_view("/imports/<int:import_id>/columns", Permission.import_people)
def show_columns(import_id: int) -> str:
    """The columns of the file, some rows of it, and what each column is taken for."""
    done = importing.get_import(g.session, g.actor, import_id)
    importing.require_import(g.session, g.actor, done)
    layout = done.layout or {"headers": [], "meanings": []}
    rows = [read_cells(cells) for cells in g.session.scalars(importing.first_rows(done, _SHOWN))]
    columns = [
        {
            "position": position,
            "header": header,
            "is_hidden": position in layout.get("hidden_columns", ()),
            "meaning": layout["meanings"][position],
            "cells": [mask_text(row[position] or "") if position < len(row) else "" for row in rows],
        }
        for position, header in enumerate(layout["headers"])
        if header
    ]
    return render_page(
        "import_columns.html",
        done=done,
        layout=layout,
        columns=columns,
        meanings=[(name, column.header) for name, column in COLUMNS[done.kind].items()],
        encodings=tuple(CODECS),
        delimiter=next((name for name, sign in DELIMITERS.items() if sign == done.choices.get("delimiter")), ""),
    )


@act_view("/imports/<int:import_id>/columns", Permission.import_people, again=show_columns)
def change_columns(import_id: int) -> Response:
    """Read the file so; it is checked anew, and what the columns mean is remembered for the unit."""
    form, told = read_form(ReadingForm, apart=_COLUMN), read_named(_COLUMN)
    record = importing.get_import(g.session, g.actor, import_id)
    choices = {**form, "delimiter": DELIMITERS.get(form["delimiter"] or "")}
    drafts.change_reading(g.session, g.actor, record, choices=choices, meanings=_meanings(record, told, choices))
    import_after_commit()
    return go_to("console.show_import", import_id=record.id, said=as_said("The file is checked anew."))


def _meanings(record: Import, told: dict[str, str], choices: dict[str, object]) -> list[str] | None:
    """What each column means; None if the file is now read in another way, so that its columns may be others."""
    given = {name: value for name, value in choices.items() if value is not None}
    if record.layout is None or given != record.choices:
        return None
    if not told:
        raise Conflict("the columns of this file are not known; upload it again")
    return [told.get(str(position), "") for position in range(len(record.layout["headers"]))]
