"""`/imports`: files of units and people: uploaded, checked by a worker, and applied when a person says so."""

from __future__ import annotations

from typing import Any

from flask import g
from flask.views import MethodView
from flask_smorest.fields import Upload
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.api.import_shapes import ImportOut
from sms_service.directory import drafts, importing
from sms_service.directory.columns import MOST_COLUMNS
from sms_service.directory.import_models import IMPORT_KINDS, Import, ImportState
from sms_service.directory.models import Unit
from sms_service.web.paging import ScopedPageQuery, fetch_page, scope_filter
from sms_service.web.schemas import Id, In, OneLine, list_of
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


class ImportQuery(ScopedPageQuery):
    """Filters; all that are given must hold."""

    kind = fields.String(
        load_default=None, validate=OneOfWords(IMPORT_KINDS), metadata={"description": "Only imports of these"}
    )
    state = fields.String(
        load_default=None, validate=OneOfWords(tuple(ImportState)), metadata={"description": "Only in this state"}
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
