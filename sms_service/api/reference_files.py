"""`/reference-lists/…/file` and `plan`: a list as a file, and a file for a whole list."""

from __future__ import annotations

from typing import Any

from flask import Response, g, send_file
from flask.views import MethodView
from flask_smorest.fields import Upload
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.api.reference_lists import ListColumnOut, ReferenceListShown, show_reference_list
from sms_service.content.list_drafts import ListPlan, apply_list_draft, plan_list_draft, upload_list_file
from sms_service.content.list_files import FORMATS, write_list_file
from sms_service.web.schemas import Id, In, Out, SaidMessage
from sms_service.web.validators import OneOfWords

MOST_SHOWN = 200  # names of rows in a plan, of each kind

blueprint = Blueprint(
    "reference-files",
    description="A reference list as a file, and a file for a whole list: an upload says what it would change, and "
    "only applying it changes anything.",
)


class ListFile(In):
    """The file."""

    file = Upload(
        required=True,
        metadata={
            "description": "A CSV or xlsx file of at most 20,000 rows and 20 columns. The first column names the rows. "
            "A header is the column's label, and in brackets behind it the name by which templates call it, where that "
            "is another one: 地址(address)"
        },
    )


class ReplacementIn(In):
    """Which plan was seen."""

    draft_id = Id(required=True, metadata={"description": "`draft_id` of the plan"})
    version = Id(required=True, metadata={"description": "`version` of the plan"})


class FormatQuery(In):
    """As which kind of file."""

    format = fields.String(
        load_default="xlsx", validate=OneOfWords(FORMATS), metadata={"description": "`xlsx` or `csv`"}
    )


class CellChangeOut(Out):
    """A cell that changes."""

    row = fields.String(metadata={"description": "The row's name"})
    column = fields.String(metadata={"description": "The column's name"})
    old = fields.String(metadata={"description": "What stands there now; empty: nothing"})
    new = fields.String(metadata={"description": "What would stand there"})


class RefusedRowOut(Out):
    """A row that cannot be used."""

    row = fields.Integer(metadata={"description": "Its number in the file"})
    reason = fields.String(metadata={"description": "Why"})
    reason_message = SaidMessage(metadata={"description": "The same, for saying it in another language"})


class ListPlanOut(Out):
    """What a file would make of a list."""

    draft_id = fields.Integer(metadata={"description": "The file as it waits, for the replacement"})
    version = fields.Integer(metadata={"description": "The list as it was compared, for the replacement"})
    columns = fields.List(fields.Nested(ListColumnOut), metadata={"description": "The columns of the file"})
    added = fields.Integer(metadata={"description": "Rows that the list has not yet"})
    changed = fields.Integer(metadata={"description": "Rows that differ"})
    gone = fields.Integer(metadata={"description": "Rows that the file has not; they are archived"})
    same = fields.Integer(metadata={"description": "Rows that stay as they are"})
    added_rows = fields.List(fields.String(), metadata={"description": f"Their names, at most {MOST_SHOWN}"})
    gone_rows = fields.List(fields.String(), metadata={"description": f"Their names, at most {MOST_SHOWN}"})
    changed_cells = fields.List(
        fields.Nested(CellChangeOut), metadata={"description": f"What differs, at most {MOST_SHOWN} cells"}
    )
    refused = fields.List(
        fields.Nested(RefusedRowOut),
        metadata={"description": "Rows that cannot be used. With any of them nothing can be applied: mend the file"},
    )


@blueprint.route("/reference-lists/<int:list_id>/file")
class ReferenceFile(MethodView):
    """A list as a file."""

    @endpoint(Permission.read)
    @blueprint.arguments(FormatQuery, location="query")
    @blueprint.response(200, {"type": "string", "format": "binary"}, content_type="application/octet-stream")
    def get(self, query: dict[str, Any], list_id: int) -> Response:
        """Download the list, in a form that can be read in again"""
        file = write_list_file(g.session, g.actor, list_id, query["format"])
        return send_file(file.content, mimetype=file.media_type, as_attachment=True, download_name=file.name)

    @endpoint(Permission.manage_templates)
    @blueprint.arguments(ListFile, location="files")
    @blueprint.response(200, ListPlanOut)
    def post(self, files: dict[str, Any], list_id: int) -> dict[str, Any]:
        """Upload a file for the whole list (multipart/form-data) and say what it would change; nothing changes yet"""
        file = files["file"]
        plan = upload_list_file(g.session, g.actor, list_id, file.stream.read(), file.filename or "")
        return _describe_plan(plan)


@blueprint.route("/reference-lists/<int:list_id>/plan")
class ReferencePlan(MethodView):
    """What the uploaded file would change."""

    @endpoint(Permission.manage_templates)
    @blueprint.response(200, ListPlanOut)
    def get(self, list_id: int) -> dict[str, Any]:
        """Say what the file that waits for the list would change by now"""
        return _describe_plan(plan_list_draft(g.session, g.actor, list_id))

    @endpoint(Permission.manage_templates)
    @blueprint.arguments(ReplacementIn)
    @blueprint.response(200, ReferenceListShown)
    def post(self, body: dict[str, Any], list_id: int) -> dict[str, Any]:
        """Make the list what the file says, all of it or nothing; 409 if either changed since the plan"""
        apply_list_draft(g.session, g.actor, list_id, body["draft_id"], body["version"])
        return show_reference_list(list_id)


def _describe_plan(plan: ListPlan) -> dict[str, Any]:
    cells = [
        {"row": row, "column": column, "old": old, "new": new}
        for row, columns in plan.changed.items()
        for column, (old, new) in columns.items()
    ]
    return {
        "draft_id": plan.draft_id,
        "version": plan.version,
        "columns": plan.columns,
        "added": len(plan.added),
        "changed": len(plan.changed),
        "gone": len(plan.gone),
        "same": plan.same,
        "added_rows": plan.added[:MOST_SHOWN],
        "gone_rows": plan.gone[:MOST_SHOWN],
        "changed_cells": cells[:MOST_SHOWN],
        "refused": [{"row": one.row, "reason": one.reason, "reason_message": one.reason} for one in plan.refused],
    }
