"""`/imports`: files of units and people: uploaded, checked by a worker, and applied when a person says so."""

from __future__ import annotations

from typing import Any

from flask import Response, g, send_file
from flask.views import MethodView
from flask_smorest.fields import Upload
from marshmallow import fields
from sqlalchemy import select

from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.api.people import PhonesQuery
from sms_service.audit import trail
from sms_service.directory import drafts, importing
from sms_service.directory.columns import MOST_COLUMNS
from sms_service.directory.import_models import (
    IMPORT_KINDS,
    Import,
    ImportOutcome,
    ImportProblem,
    ImportState,
    RowOutcome,
)
from sms_service.directory.models import Person, Unit
from sms_service.directory.refused_file import write_refused_rows
from sms_service.directory.staging import read_cells
from sms_service.errors import Forbidden
from sms_service.masking import mask_phone, mask_quoted, mask_said, mask_text
from sms_service.said import say, to_json
from sms_service.web.paging import PageQuery, ScopedPageQuery, fetch_page, scope_filter
from sms_service.web.schemas import MESSAGE, VALUES, Id, In, MaskedText, OneLine, Out, list_of
from sms_service.web.validators import ListLength, OneOfWords, TextLength, WithinRange
from sms_service.web.waking import import_after_commit

blueprint = Blueprint(
    "imports",
    description="Files of units, of people and of the recipients of one campaign, CSV (UTF-8, GB18030, UTF-16) or "
    "xlsx, in three steps: uploaded, checked by a worker, applied. Every row is taken or refused with a reason, and "
    "nothing is written before the apply.",
)

CHOICES = ("encoding", "delimiter", "sheet", "header_row")


class ReadingFields(In):
    """How to read the file, where it is not as found."""

    encoding = OneLine(20, load_default=None, metadata={"description": "Of a CSV: utf-8, gb18030, utf-16, …"})
    delimiter = fields.String(
        load_default=None,
        validate=OneOfWords((",", ";", "\t")),
        metadata={"description": "Between the columns of a CSV: a comma, a semicolon or a tab"},
    )
    sheet = OneLine(100, load_default=None, metadata={"description": "Of a workbook: the name of the sheet"})
    header_row = fields.Integer(
        load_default=None,
        validate=WithinRange(1, 1000),
        metadata={"description": "The row in which the columns' headers stand; the first is 1"},
    )


class ImportForm(ReadingFields):
    """The fields of the form beside the file."""

    kind = fields.String(
        required=True,
        validate=OneOfWords(IMPORT_KINDS),
        metadata={"description": "What is in the file: units, people, or recipients: a list for one campaign"},
    )
    unit_id = Id(
        load_default=None,
        metadata={
            "description": "Touch only this unit's subtree; needed if you manage several, else the one you manage"
        },
    )
    complete_for = Id(
        load_default=None,
        metadata={
            "description": "Of people: the file names all members of this unit and below, so that the check shows who "
            "vanished; it can be said and taken back until the apply (`complete`)"
        },
    )


class ImportFileForm(In):
    """The file."""

    file = Upload(required=True, metadata={"description": "CSV or xlsx, up to 32 MB"})


class ReadingChange(ReadingFields):
    """Another way to read the file; what is not given is as found."""

    meanings = fields.List(
        fields.String(validate=TextLength(0, 50)),
        load_default=None,
        validate=ListLength(0, MOST_COLUMNS),
        metadata={
            "description": "What each column means, in the order of `layout.headers`: a field such as `name`, "
            "`attribute` (kept under its header; of a list: a value for the text), `nothing` (left out), or empty for "
            "a column without a header. It is "
            "remembered for the unit."
        },
    )


class ApplyBody(In):
    """Which check the caller has seen."""

    version = fields.Integer(
        load_default=None,
        metadata={"description": "The `version` of the check; with another one now, the answer is 409"},
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


class ImportQuery(ScopedPageQuery):
    """Filters; all that are given must hold."""

    kind = fields.String(
        load_default=None, validate=OneOfWords(IMPORT_KINDS), metadata={"description": "Only imports of these"}
    )
    state = fields.String(
        load_default=None, validate=OneOfWords(tuple(ImportState)), metadata={"description": "Only in this state"}
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


class LayoutOut(Out):
    """What was found in the file."""

    kind = fields.String(metadata={"description": "csv or xlsx"})
    encoding = fields.String(allow_none=True, metadata={"description": "Of a CSV: its encoding"})
    delimiter = fields.String(allow_none=True, metadata={"description": "Of a CSV: what separates its columns"})
    sheet = MaskedText(allow_none=True, metadata={"description": "Of a workbook: the sheet that was read"})
    sheets = fields.List(MaskedText(), metadata={"description": "Of a workbook: all sheets"})
    header_row = fields.Integer(metadata={"description": "The row of the headers; the first is 1"})
    headers = fields.List(
        MaskedText(allow_none=True), metadata={"description": "The columns' headers; null: the column has none"}
    )
    meanings = fields.List(
        fields.String(), metadata={"description": "What each column was taken for: a field, `attribute` or `nothing`"}
    )


class CompleteOut(Out):
    """For which unit the file is said to be complete. Once it is checked, `members` = present + unclear + vanished."""

    unit_id = fields.Integer(metadata={"description": "The unit: it and all below it"})
    members = fields.Integer(
        allow_none=True, metadata={"description": "Its members who had not left; null, as the others: not checked yet"}
    )
    present = fields.Integer(allow_none=True, metadata={"description": "Of these, whom a row means that is taken"})
    unclear = fields.Integer(
        allow_none=True,
        metadata={
            "description": "Whom only refused rows may mean: by a name, number or phone in them, or as one of those of "
            "whom a person has to choose. They are not proposed"
        },
    )
    unclear_rows = fields.Integer(allow_none=True, metadata={"description": "How many refused rows may mean them"})
    vanished = fields.Integer(allow_none=True, metadata={"description": "Whom no row means: `vanished` lists them"})
    left = fields.Integer(
        allow_none=True, metadata={"description": "How many of these a person has said to have left (`vanished/leave`)"}
    )


class ImportOut(Out):
    """An import. Once it is checked, `rows` = created + changed + moved + unchanged + refused: what the rows would do
    and, once it is applied, what they did.
    """

    id = fields.Integer(metadata={"description": "The import's id"})
    unit_id = fields.Integer(allow_none=True, metadata={"description": "The unit in whose subtree it is made"})
    account_id = fields.Integer(allow_none=True, metadata={"description": "Who made it; null: the service itself"})
    kind = fields.String(metadata={"description": "units, people or recipients"})
    file_name = MaskedText(metadata={"description": "The file's name"})
    state = fields.String(metadata={"description": "uploaded, checking, checked, applying, applied, failed or expired"})
    reason = fields.Method(
        "_reason", metadata={"description": "Why it failed, or why it was checked anew; null: nothing of the kind"}
    )
    message = fields.Method("_message", metadata={"description": MESSAGE})
    values = fields.Method("_values", metadata={"description": VALUES})
    progress = fields.Integer(metadata={"description": "Rows read so far"})
    version = fields.Integer(metadata={"description": "Grows with each check; send it with the apply"})
    rows = fields.Integer(metadata={"description": "Rows below the header"})
    created = fields.Integer(
        metadata={"description": "Rows that create something; of a list: guests, who are not in the register"}
    )
    changed = fields.Integer(metadata={"description": "Rows that change something"})
    moved = fields.Integer(metadata={"description": "Rows that move a person, or a unit, to another unit"})
    unchanged = fields.Integer(metadata={"description": "Rows that say nothing new; of a list: people of the register"})
    refused = fields.Integer(metadata={"description": "Rows that are not taken; see `problems`"})
    asked = fields.Integer(
        metadata={"description": "Refused rows of which a person has to say who is meant: `rows?asked=true`, `answers`"}
    )
    noted = fields.Integer(metadata={"description": "Rows that are taken with a note; see `problems`"})
    suppressed = fields.Integer(
        metadata={"description": "Phone numbers that the file opted out (tag 不接收短信) and that were not before"}
    )
    layout = fields.Nested(LayoutOut, allow_none=True, metadata={"description": "What was found; null: not read yet"})
    complete = fields.Nested(
        CompleteOut,
        allow_none=True,
        attribute="completeness",
        metadata={"description": "For which unit the file names everybody, and who vanished; null: for none"},
    )
    created_at = fields.AwareDateTime(metadata={"description": "When it was uploaded"})
    applied_at = fields.AwareDateTime(allow_none=True, metadata={"description": "When it was applied"})
    expires_at = fields.AwareDateTime(
        allow_none=True, metadata={"description": "When its file and rows are deleted; null: they are"}
    )

    def _reason(self, record: Import) -> str | None:
        said = record.said_notice
        return None if said is None else mask_said(said, mask_text)

    def _message(self, record: Import) -> str | None:
        return None if record.notice is None else str(record.notice["message"])

    def _values(self, record: Import) -> dict[str, Any]:
        said = record.said_notice
        return {} if said is None else dict(to_json(mask_said(said, mask_text))["values"])


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


@blueprint.route("/imports")
class Imports(MethodView):
    """The imports."""

    @endpoint(Permission.read)
    @blueprint.arguments(ImportQuery, location="query")
    @blueprint.response(200, list_of(ImportOut, "ImportList"))
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List imports, newest first"""
        scope = scope_filter(g.session, g.actor, Permission.read, query["unit"])
        statement = importing.find_imports(scope.covers(Unit.path), kind=query["kind"], state=query["state"])
        items, following = fetch_page(
            g.session, statement, query, sort="id", key=Import.id, id_=Import.id, descending=True
        )
        return scope.answer(items, following)

    @endpoint(Permission.import_people)
    @blueprint.arguments(ImportForm, location="form")
    @blueprint.arguments(ImportFileForm, location="files")
    @blueprint.response(202, ImportOut)
    def post(self, form: dict[str, Any], files: dict[str, Any]) -> Import:
        """Upload a file (multipart/form-data); a worker checks it, and nothing is written before the apply"""
        file = files["file"]
        choices = {name: form[name] for name in CHOICES}
        data, name = file.stream.read(), file.filename or ""
        import_after_commit()
        units = {"unit_id": form["unit_id"], "complete_for": form["complete_for"]}
        return drafts.upload_import(g.session, g.actor, form["kind"], data, name, **units, choices=choices)


@blueprint.route("/imports/<int:import_id>")
class OneImport(MethodView):
    """One import."""

    @endpoint(Permission.read)
    @blueprint.response(200, ImportOut)
    def get(self, import_id: int) -> Import:
        """Show an import: how far it is, and what its rows would do or did"""
        return importing.get_import(g.session, g.actor, import_id)

    @endpoint(Permission.import_people)
    @blueprint.arguments(ReadingChange)
    @blueprint.response(202, ImportOut)
    def patch(self, body: dict[str, Any], import_id: int) -> Import:
        """Read the file in another way; it is checked anew"""
        record = importing.get_import(g.session, g.actor, import_id)
        choices = {name: body[name] for name in CHOICES}
        drafts.change_reading(g.session, g.actor, record, choices=choices, meanings=body["meanings"])
        import_after_commit()
        return record


@blueprint.route("/imports/<int:import_id>/apply")
class Apply(MethodView):
    """The third step."""

    @endpoint(Permission.import_people)
    @blueprint.arguments(ApplyBody)
    @blueprint.response(202, ImportOut)
    def post(self, body: dict[str, Any], import_id: int) -> Import:
        """Write what the check has shown, all of it or nothing

        A worker does it: `state` goes from `applying` to `applied`. If the register has changed so that any row would
        do something else, nothing is written, and the file is checked anew: `state` is `checked` again, `version` is
        higher, and `reason` says what had been shown before.
        """
        record = importing.get_import(g.session, g.actor, import_id)
        drafts.request_apply(g.session, g.actor, record, body["version"])
        import_after_commit()
        return record


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
                "candidates": [_candidate(*candidates[one]) for one in outcome.candidates or () if one in candidates],
            }
            for outcome, row in zip(outcomes, items, strict=True)
        ]
        return {"scope": units, "items": shown, "next": following}


@blueprint.route("/imports/<int:import_id>/refused")
class RefusedRows(MethodView):
    """The refused rows as a file."""

    @endpoint(Permission.import_people)
    @blueprint.response(200, {"type": "string", "format": "binary"}, content_type="application/octet-stream")
    def get(self, import_id: int) -> Response:
        """Download the refused rows in the layout of the uploaded file, with a column that says why

        Mend them and upload the file; that column is left out. Phones are whole, so this goes into the trail.
        """
        record = importing.get_import(g.session, g.actor, import_id)
        file = write_refused_rows(g.session, g.actor, record)
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
    trail.record_act(g.session, g.actor.account_id, "people.see_phones", "import", record.id, path)
    return True


def _reason(found: ImportProblem, *, whole: bool) -> dict[str, Any]:
    said = found.said if whole else mask_said(found.said, lambda text: mask_quoted(text, found.value, found.column))
    return {"reason": said, **to_json(said)}
