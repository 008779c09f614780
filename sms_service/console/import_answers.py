"""Rows of an import that may mean somebody who is here already: a person says who it is, or that it is somebody new."""

from __future__ import annotations

from typing import Any

from flask import Response, g

from sms_service.accounts.permissions import Permission
from sms_service.console.forms import read_named, read_query
from sms_service.console.pages import act_view, go_to, page_view
from sms_service.console.rendering import render_page
from sms_service.directory import drafts, importing
from sms_service.directory.import_models import ImportOutcome
from sms_service.directory.models import Person, Unit
from sms_service.directory.staging import read_cells
from sms_service.errors import Invalid
from sms_service.masking import mask_phone, mask_text
from sms_service.said import as_said
from sms_service.web.paging import PageQuery, fetch_page
from sms_service.web.waking import import_after_commit

_ROW = "row."
_NEW = "new"


@page_view("/imports/<int:import_id>/asked", Permission.import_people)
def list_asked(import_id: int) -> str:
    """The rows that are not clear, each with those whom it may mean."""
    query = read_query(PageQuery)
    done = importing.get_import(g.session, g.actor, import_id)
    importing.require_import(g.session, g.actor, done)
    statement = importing.rows_of(done, asked=True)
    items, following = fetch_page(g.session, statement, query, sort="row", key=ImportOutcome.row, id_=ImportOutcome.row)
    outcomes = [item.ImportOutcome for item in items]
    candidates = importing.find_candidates(g.session, outcomes)
    headers = (done.layout or {"headers": []})["headers"]
    rows = [
        {
            "row": outcome.row,
            "cells": _named(headers, item.cells),
            "candidates": [_shown(*one) for one in candidates[outcome.row]],
        }
        for outcome, item in zip(outcomes, items, strict=True)
    ]
    return render_page("import_asked.html", done=done, rows=rows, following=following)


@act_view("/imports/<int:import_id>/asked", Permission.import_people, again=list_asked)
def answer_asked(import_id: int) -> Response:
    """Take the answers; the file is checked anew with them."""
    given = {row: answer for row, answer in read_named(_ROW).items() if row.isdecimal() and row.isascii()}
    if not given:
        raise Invalid("row", None, "is not answered for any row")
    answers = {int(row[:18]): None if answer == _NEW else _person_id(answer) for row, answer in given.items()}
    record = importing.get_import(g.session, g.actor, import_id)
    drafts.answer_rows(g.session, g.actor, record, answers)
    import_after_commit()
    return go_to("console.show_import", import_id=record.id, said=as_said("The file is checked anew."))


def _person_id(answer: str) -> int:
    if not (answer.isdecimal() and answer.isascii() and len(answer) < 19):
        raise Invalid("row", answer, "is none of those who may be meant")
    return int(answer)


def _named(headers: list[str | None], cells: str) -> list[tuple[str, str]]:
    found = zip(headers, read_cells(cells), strict=False)
    return [(mask_text(header), mask_text(cell)) for header, cell in found if header and cell]


def _shown(person: Person, unit: Unit) -> dict[str, Any]:
    return {
        "id": person.id,
        "name": mask_text(person.name),
        "number": mask_text(person.number or ""),
        "unit": unit.name,
        "phone": "" if person.phone is None else mask_phone(person.phone),
        "born_on": mask_text(str(person.attributes.get("born_on", ""))),
    }
