"""`/exports`: rows of the ledger as a file, which a worker writes."""

from __future__ import annotations

from typing import Any

from flask import Response, g
from flask.views import MethodView
from marshmallow import fields

from sms_service.accounts.models import LANGUAGES
from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import Own, endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.reports.export_models import Export, ExportState
from sms_service.reports.export_rows import COLUMNS, DEFAULT_COLUMNS
from sms_service.reports.exports import (
    EXPORT_FORMATS,
    ExportChoice,
    delete_export,
    find_exports,
    get_export,
    request_export,
)
from sms_service.web.export_answers import send_export
from sms_service.web.ledger_rows import MessageFilter, name_filters, scope_messages
from sms_service.web.paging import PageQuery, fetch_page
from sms_service.web.schemas import OneLine, Out, SaidMessage, list_of
from sms_service.web.validators import OneOfWords
from sms_service.web.waking import export_after_commit

blueprint = Blueprint(
    "exports",
    description="Rows of the ledger as files. A worker writes each in the background, all rows as of one moment; it is "
    "kept for seven days (`EXPORT_DAYS`), and is over at once when somebody is erased whom it may name.",
)


class ExportBody(MessageFilter):
    """Which rows, by the filters of /messages, and how the file shall be."""

    columns = fields.List(
        fields.String(validate=OneOfWords(tuple(COLUMNS))),
        load_default=list(DEFAULT_COLUMNS),
        metadata={"description": "Which columns, in which order"},
    )
    format = fields.String(
        load_default="xlsx",
        validate=OneOfWords(EXPORT_FORMATS),
        metadata={"description": "`xlsx`: a workbook, a new sheet after 1,048,576 rows; `csv`: UTF-8, commas"},
    )
    bom = fields.Boolean(
        load_default=True, metadata={"description": "CSV begins with a byte order mark, by which Excel knows UTF-8"}
    )
    language = fields.String(
        load_default=LANGUAGES[0], validate=OneOfWords(LANGUAGES), metadata={"description": "Of headers and words"}
    )
    whole_phones = fields.Boolean(
        load_default=False,
        metadata={"description": "Whole phone numbers; needs `see_phones` over all units covered, and `why`"},
    )
    why = OneLine(200, load_default=None, metadata={"description": "What whole numbers are for; goes into the trail"})


class ExportOut(Out):
    """One export."""

    id = fields.Integer(metadata={"description": "The export's id"})
    state = fields.String(metadata={"description": "One of " + ", ".join(ExportState)})
    reason = fields.String(
        allow_none=True, metadata={"description": "Why it failed, or is over before its time; else null"}
    )
    reason_message = SaidMessage(
        attribute="said_reason", metadata={"description": "The reason as message and values; null if there is none"}
    )
    filter = fields.Dict(
        attribute="asked",
        keys=fields.String(),
        values=fields.String(),
        metadata={"description": "The filters, as /messages takes them"},
    )
    columns = fields.List(fields.String(), metadata={"description": "The columns, in their order"})
    format = fields.String(metadata={"description": "`xlsx` or `csv`"})
    bom = fields.Boolean(metadata={"description": "Whether a CSV begins with a byte order mark"})
    language = fields.String(metadata={"description": "Of headers and words"})
    whole_phones = fields.Boolean(metadata={"description": "Whether it has whole phone numbers"})
    rows_done = fields.Integer(metadata={"description": "Rows written so far"})
    rows_total = fields.Integer(allow_none=True, metadata={"description": "Of so many; null before it is begun"})
    as_of = fields.AwareDateTime(allow_none=True, metadata={"description": "The moment as of which all rows are"})
    head = fields.String(
        allow_none=True,
        metadata={"description": "The head of the trail's chain at that moment; null while it is empty"},
    )
    size = fields.Integer(allow_none=True, metadata={"description": "Bytes of the file; null while there is none"})
    digest = fields.Function(
        lambda export: None if export.digest is None else export.digest.hex(),
        metadata={"type": ["string", "null"], "description": "SHA-256 over the file, hexadecimal; also its ETag"},
    )
    created_at = fields.AwareDateTime(metadata={"description": "When it was asked for"})
    finished_at = fields.AwareDateTime(allow_none=True, metadata={"description": "When it was ready, or failed"})
    expires_at = fields.AwareDateTime(allow_none=True, metadata={"description": "When its file is deleted"})


@blueprint.route("/exports")
class Exports(MethodView):
    """The caller's exports."""

    @endpoint(Own.account)
    @blueprint.arguments(PageQuery, location="query")
    @blueprint.response(200, list_of(ExportOut, "ExportList", scoped=False))
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List the caller's own exports, newest first"""
        statement = find_exports(g.actor)
        items, following = fetch_page(
            g.session, statement, query, sort="id", key=Export.id, id_=Export.id, descending=True
        )
        return {"items": items, "next": following}

    @endpoint(Permission.read)
    @blueprint.arguments(ExportBody)
    @blueprint.response(202, ExportOut)
    def post(self, body: dict[str, Any]) -> Export:
        """Have rows of the ledger written into a file; at most three at once for an account"""
        _, rows = scope_messages(g.session, g.actor, body)
        export_after_commit()
        return request_export(g.session, g.actor, rows, name_filters(body), choose_export(body))


@blueprint.route("/exports/<int:export_id>")
class OneExport(MethodView):
    """One export of the caller's."""

    @endpoint(Own.account)
    @blueprint.response(200, ExportOut)
    def get(self, export_id: int) -> Export:
        """Show how far an export is"""
        return get_export(g.session, g.actor, export_id)

    @endpoint(Own.account)
    @blueprint.response(204)
    def delete(self, export_id: int) -> None:
        """Delete an export and its file, also while it is written"""
        delete_export(g.session, g.actor, export_id)


@blueprint.route("/exports/<int:export_id>/file")
class ExportFile(MethodView):
    """Its file."""

    @endpoint(Own.account)
    @blueprint.response(200, {"type": "string", "format": "binary"}, content_type="application/octet-stream")
    def get(self, export_id: int) -> Response:
        """Download the file; `Range` and `If-Range` let a download go on where it broke off

        Each request goes into the trail. 409 while there is no file, or no more.
        """
        return send_export(g.session, g.actor, export_id)


def choose_export(body: dict[str, Any]) -> ExportChoice:
    """How the file shall be, from the fields of an ExportBody."""
    names = ("format", "bom", "language", "whole_phones", "why")
    return ExportChoice(columns=tuple(body["columns"]), **{name: body[name] for name in names})
