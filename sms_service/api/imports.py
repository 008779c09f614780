"""`/imports`: files of units and people, and what became of every row."""

from __future__ import annotations

from typing import Any

from flask import g
from flask.views import MethodView
from flask_smorest.fields import Upload
from marshmallow import fields
from sqlalchemy import select

from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.api.people import PhonesQuery
from sms_service.audience import intake
from sms_service.audit import trail
from sms_service.directory import importing
from sms_service.directory.models import Import, ImportProblem, Unit
from sms_service.directory.units_import import import_units
from sms_service.errors import Forbidden
from sms_service.masking import mask_quoted, mask_said, mask_text
from sms_service.said import say, to_json
from sms_service.web.paging import PageQuery, ScopedPageQuery, fetch_page, scope_filter
from sms_service.web.schemas import MESSAGE, VALUES, Id, In, MaskedText, Out, list_of
from sms_service.web.validators import OneOfWords

blueprint = Blueprint(
    "imports",
    description="Files of units and people, CSV (UTF-8, GB18030) or xlsx. Every row is taken or refused with a reason.",
)

KINDS = ("units", "people")


class ImportForm(In):
    """The fields of the form beside the file."""

    kind = fields.String(
        required=True, validate=OneOfWords(KINDS), metadata={"description": "What is in the file: units or people"}
    )
    unit_id = Id(
        load_default=None,
        metadata={
            "description": "Touch only this unit's subtree; needed if you manage several, else the one you manage"
        },
    )


class ImportFile(In):
    """The file."""

    file = Upload(required=True, metadata={"description": "CSV or xlsx, up to 32 MB and 200,000 rows"})


class ImportQuery(ScopedPageQuery):
    """Filters; all that are given must hold."""

    kind = fields.String(
        load_default=None, validate=OneOfWords(KINDS), metadata={"description": "Only imports of these"}
    )


class ProblemQuery(PageQuery, PhonesQuery):
    """Which findings."""

    refused = fields.Boolean(
        load_default=None,
        metadata={"description": "True: only what refused a row; false: only what was mended or noted"},
    )


class ImportOut(Out):
    """An import; `rows` = created + changed + unchanged + refused."""

    id = fields.Integer(metadata={"description": "The import's id"})
    unit_id = fields.Integer(allow_none=True, metadata={"description": "The unit in whose subtree it was made"})
    account_id = fields.Integer(allow_none=True, metadata={"description": "Who made it; null: the service itself"})
    kind = fields.String(metadata={"description": "units or people"})
    file_name = MaskedText(metadata={"description": "The file's name"})
    rows = fields.Integer(metadata={"description": "Rows below the header"})
    created = fields.Integer(metadata={"description": "Rows that created something"})
    changed = fields.Integer(metadata={"description": "Rows that changed something"})
    unchanged = fields.Integer(metadata={"description": "Rows that said nothing new"})
    refused = fields.Integer(metadata={"description": "Rows that were not taken; see `problems`"})
    created_at = fields.AwareDateTime(metadata={"description": "When it was made"})


class ImportDone(ImportOut):
    """An import just made."""

    suppressed = fields.Integer(
        metadata={"description": "Phone numbers that the file opts out (tag 不接收短信) and that were not before"}
    )


class ProblemOut(Out):
    """Something found in a row."""

    row = fields.Integer(metadata={"description": "The row as a spreadsheet numbers it; the first is 1"})
    column = fields.String(metadata={"description": "The column's header or letter; empty: the whole row"})
    value = fields.String(allow_none=True, metadata={"description": "What stood there; digits masked unless asked for"})
    reason = fields.String(metadata={"description": "What is wrong with it, or what was decided"})
    message = fields.String(metadata={"description": MESSAGE})
    values = fields.Dict(keys=fields.String(), metadata={"description": VALUES})
    refused = fields.Boolean(metadata={"description": "True: the row was not taken because of this"})


@blueprint.route("/imports")
class Imports(MethodView):
    """The imports."""

    @endpoint(Permission.read)
    @blueprint.arguments(ImportQuery, location="query")
    @blueprint.response(200, list_of(ImportOut, "ImportList"))
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List imports, newest first"""
        scope = scope_filter(g.session, g.actor, Permission.read, query["unit"])
        statement = importing.find_imports(scope.covers(Unit.path), kind=query["kind"])
        items, following = fetch_page(
            g.session, statement, query, sort="id", key=Import.id, id_=Import.id, descending=True
        )
        return scope.answer(items, following)

    @endpoint(Permission.manage_directory)
    @blueprint.arguments(ImportForm, location="form")
    @blueprint.arguments(ImportFile, location="files")
    @blueprint.response(201, ImportDone)
    def post(self, form: dict[str, Any], files: dict[str, Any]) -> dict[str, Any]:
        """Import a file (multipart/form-data); all good rows are written in one transaction"""
        file = files["file"]
        data, name = file.stream.read(), file.filename or ""
        if form["kind"] == "units":
            record, suppressed = import_units(g.session, g.actor, data, name, unit_id=form["unit_id"]), 0
        else:
            done = intake.take_in_import(g.session, g.actor, data, name, unit_id=form["unit_id"])
            record, suppressed = done.record, done.suppressed
        return {**{field: getattr(record, field) for field in ImportOut().fields}, "suppressed": suppressed}


@blueprint.route("/imports/<int:import_id>")
class OneImport(MethodView):
    """One import."""

    @endpoint(Permission.read)
    @blueprint.response(200, ImportOut)
    def get(self, import_id: int) -> Import:
        """Show an import"""
        return importing.get_import(g.session, g.actor, import_id)


@blueprint.route("/imports/<int:import_id>/problems")
class Problems(MethodView):
    """What was found in an import's rows."""

    @endpoint(Permission.read)
    @blueprint.arguments(ProblemQuery, location="query")
    @blueprint.response(200, list_of(ProblemOut, "ImportProblemList"))
    def get(self, query: dict[str, Any], import_id: int) -> dict[str, Any]:
        """List what was refused, mended and noted, in the order of the rows"""
        record = importing.get_import(g.session, g.actor, import_id)
        whole = query["phones"] == "whole"
        units = g.session.scalars(select(Unit).where(Unit.id == record.unit_id)).all()
        if whole:
            if not importing.may_see_values(g.session, g.actor, record):
                raise Forbidden(
                    say(
                        "{login} does not hold the permission {permission} over this import",
                        login=g.actor.login,
                        permission=Permission.see_phones,
                    )
                )
            path = units[0].path if units else "/"
            trail.record_act(g.session, g.actor.account_id, "people.see_phones", "import", record.id, path)
        statement = importing.problems_of(record, refused=query["refused"])
        items, following = fetch_page(
            g.session, statement, query, sort="id", key=ImportProblem.id, id_=ImportProblem.id
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


def _reason(found: ImportProblem, *, whole: bool) -> dict[str, Any]:
    said = found.said if whole else mask_said(found.said, lambda text: mask_quoted(text, found.value, found.column))
    return {"reason": said, **to_json(said)}
