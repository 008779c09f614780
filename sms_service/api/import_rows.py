"""`/imports/…/rows`, `problems`, `refused`, `answers`: what becomes of each row, what was found, and who is meant."""

from __future__ import annotations

from typing import Any

from flask import Response, g, send_file
from flask.views import MethodView
from marshmallow import fields
from sqlalchemy import select

from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.api.import_shapes import ImportOut
from sms_service.api.people import PhonesQuery
from sms_service.audit import trail
from sms_service.directory import drafts, importing
from sms_service.directory.import_models import Import, ImportOutcome, ImportProblem, RowOutcome
from sms_service.directory.models import Person, Unit
from sms_service.directory.refused_file import write_refused_rows
from sms_service.directory.staging import read_cells
from sms_service.directory.text import LONGEST_WHY, required_line
from sms_service.errors import Forbidden
from sms_service.masking import mask_phone, mask_quoted, mask_said, mask_text
from sms_service.said import say, to_json
from sms_service.web.paging import PageQuery, fetch_page
from sms_service.web.schemas import MESSAGE, VALUES, Id, In, MaskedText, OneLine, Out, list_of
from sms_service.web.validators import ListLength, OneOfWords
from sms_service.web.waking import import_after_commit

blueprint = Blueprint(
    "import-rows",
    description="The rows of an import: what each would do or did, what was found in it, and who is meant.",
)


class AnswerIn(In):
    """Whom a row means."""

    row = Id(required=True, metadata={"description": "The row"})
    person_id = Id(
        required=True, allow_none=True, metadata={"description": "One of the row's candidates; null: somebody new"}
    )


class AnswersBody(In):
    """Whom rows mean."""

    answers = fields.List(
        fields.Nested(AnswerIn),
        required=True,
        validate=ListLength(1, 1000),
        metadata={"description": "An answer for each row that is meant"},
    )


class RefusedQuery(In):
    """What the file is for."""

    why = OneLine(
        LONGEST_WHY,
        load_default="",
        metadata={"description": "What for; it must be given, since the file has whole phones and the trail keeps it"},
    )


class ProblemQuery(PageQuery, PhonesQuery):
    """Which findings."""

    refused = fields.Boolean(
        load_default=None,
        metadata={"description": "True: only what refused a row; false: only what was mended or noted"},
    )


class RowQuery(PageQuery, PhonesQuery):
    """Which rows."""

    outcome = fields.String(
        load_default=None,
        validate=OneOfWords(tuple(RowOutcome)),
        metadata={"description": "Only rows with this outcome"},
    )
    asked = fields.Boolean(
        load_default=None, metadata={"description": "True: only rows of which a person has to say who is meant"}
    )


class ProblemOut(Out):
    """Something found in a row."""

    row = fields.Integer(metadata={"description": "The row as a spreadsheet numbers it; the first is 1"})
    column = fields.String(metadata={"description": "The column's header or letter; empty: the whole row"})
    value = fields.String(allow_none=True, metadata={"description": "What stood there; digits masked unless asked for"})
    reason = fields.String(metadata={"description": "What is wrong with it, or what was decided"})
    message = fields.String(metadata={"description": MESSAGE})
    values = fields.Dict(keys=fields.String(), metadata={"description": VALUES})
    refused = fields.Boolean(metadata={"description": "True: the row is not taken because of this"})


class CandidateOut(Out):
    """Somebody whom a row may mean."""

    person_id = fields.Integer(metadata={"description": "The person's id"})
    name = MaskedText(metadata={"description": "The person's name"})
    number = MaskedText(allow_none=True, metadata={"description": "The office's number for the person"})
    unit = fields.String(metadata={"description": "The name of the person's unit"})
    phone = fields.String(allow_none=True, metadata={"description": "The person's phone, masked"})
    born_on = MaskedText(allow_none=True, metadata={"description": "The person's birthday, if it is known"})


class RowOut(Out):
    """A row of the file."""

    row = fields.Integer(metadata={"description": "The row as a spreadsheet numbers it; the first is 1"})
    outcome = fields.String(metadata={"description": "created, changed, moved, unchanged or refused"})
    cells = fields.List(
        fields.String(allow_none=True), metadata={"description": "What stands in it; digits masked unless asked for"}
    )
    person_id = fields.Integer(allow_none=True, metadata={"description": "The person it is about, if one is known"})
    candidates = fields.List(
        fields.Nested(CandidateOut),
        metadata={"description": "Who may be meant, where a person has to say who; see `answers`"},
    )


@blueprint.route("/imports/<int:import_id>/answers")
class Answers(MethodView):
    """Whom rows mean that may mean several people."""

    @endpoint(Permission.import_people)
    @blueprint.arguments(AnswersBody)
    @blueprint.response(202, ImportOut)
    def post(self, body: dict[str, Any], import_id: int) -> Import:
        """Say whom rows mean; the file is checked anew"""
        record = importing.get_import(g.session, g.actor, import_id)
        answers = {answer["row"]: answer["person_id"] for answer in body["answers"]}
        drafts.answer_rows(g.session, g.actor, record, answers)
        import_after_commit()
        return record


@blueprint.route("/imports/<int:import_id>/rows")
class Rows(MethodView):
    """The rows of an import whose file is still kept."""

    @endpoint(Permission.read)
    @blueprint.arguments(RowQuery, location="query")
    @blueprint.response(200, list_of(RowOut, "ImportRowList"))
    def get(self, query: dict[str, Any], import_id: int) -> dict[str, Any]:
        """List the rows of the file and what each would do or did, until they expire"""
        record = importing.get_import(g.session, g.actor, import_id)
        units, whole = _units_of(record), _asks_whole(record, query)
        items, following = fetch_page(
            g.session,
            importing.rows_of(record, outcome=query["outcome"], asked=query["asked"]),
            query,
            sort="row",
            key=ImportOutcome.row,
            id_=ImportOutcome.row,
        )
        outcomes = [row.ImportOutcome for row in items]
        candidates = importing.find_candidates(g.session, outcomes)
        shown = [
            {
                "row": outcome.row,
                "outcome": outcome.outcome,
                "person_id": outcome.person_id,
                "cells": [cell if whole or cell is None else mask_text(cell) for cell in read_cells(row.cells)],
                "candidates": [_candidate(*one) for one in candidates[outcome.row]],
            }
            for outcome, row in zip(outcomes, items, strict=True)
        ]
        return {"scope": units, "items": shown, "next": following}


@blueprint.route("/imports/<int:import_id>/refused")
class RefusedRows(MethodView):
    """The refused rows as a file."""

    @endpoint(Permission.import_people)
    @blueprint.arguments(RefusedQuery, location="query")
    @blueprint.response(200, {"type": "string", "format": "binary"}, content_type="application/octet-stream")
    def get(self, query: dict[str, Any], import_id: int) -> Response:
        """Download the refused rows in the layout of the uploaded file, with a column that says why

        Mend them and upload the file; that column is left out. Phones are whole, so this goes into the trail.
        """
        record = importing.get_import(g.session, g.actor, import_id)
        file = write_refused_rows(g.session, g.actor, record, query["why"])
        return send_file(file.content, mimetype=file.media_type, as_attachment=True, download_name=file.name)


@blueprint.route("/imports/<int:import_id>/problems")
class Problems(MethodView):
    """What was found in an import's rows."""

    @endpoint(Permission.read)
    @blueprint.arguments(ProblemQuery, location="query")
    @blueprint.response(200, list_of(ProblemOut, "ImportProblemList"))
    def get(self, query: dict[str, Any], import_id: int) -> dict[str, Any]:
        """List what was refused, mended and noted, in the order of the rows"""
        record = importing.get_import(g.session, g.actor, import_id)
        units, whole = _units_of(record), _asks_whole(record, query)
        statement = importing.problems_of(record, refused=query["refused"])
        items, following = fetch_page(
            g.session, statement, query, sort="row", key=ImportProblem.row, id_=ImportProblem.id
        )
        shown = [
            {
                **_reason(found, whole=whole),
                "row": found.row,
                "value": found.value if whole or found.value is None else mask_text(found.value),
                "column": found.column if whole else mask_text(found.column),
                "refused": found.refused,
            }
            for found in items
        ]
        return {"scope": units, "items": shown, "next": following}


def _candidate(person: Person, unit: Unit) -> dict[str, Any]:
    return {
        "person_id": person.id,
        "name": person.name,
        "number": person.number,
        "unit": unit.name,
        "phone": None if person.phone is None else mask_phone(person.phone),
        "born_on": person.attributes.get("born_on"),
    }


def _units_of(record: Import) -> list[Unit]:
    return list(g.session.scalars(select(Unit).where(Unit.id == record.unit_id)))


def _asks_whole(record: Import, query: dict[str, Any]) -> bool:
    """Whether whole numbers are asked for; then that is in the trail. Raises Forbidden."""
    if query["phones"] != "whole":
        return False
    if not importing.may_see_values(g.session, g.actor, record):
        raise Forbidden(
            say(
                "{login} does not hold the permission {permission} over this import",
                login=g.actor.login,
                permission=Permission.see_phones,
            )
        )
    path = importing.scope_path_of(g.session, record)
    why = required_line("why", query["why"], LONGEST_WHY)
    trail.record_act(g.session, g.actor.account_id, "people.see_phones", "import", record.id, path, why=why)
    return True


def _reason(found: ImportProblem, *, whole: bool) -> dict[str, Any]:
    said = found.said if whole else mask_said(found.said, lambda text: mask_quoted(text, found.value, found.column))
    return {"reason": said, **to_json(said)}
