"""`/campaigns/{id}/series/text` and `/file`: a series from pasted texts or from a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import g
from flask.views import MethodView
from flask_smorest.fields import Upload
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.api.series import SeriesOut, SeriesRuleIn
from sms_service.schedules import series_files
from sms_service.schedules.series_planning import MOST_TEXTS, set_series
from sms_service.schedules.series_viewing import view_series
from sms_service.web.schemas import In, MaskedText, Out, SaidMessage

blueprint = Blueprint(
    "reading series",
    description="The texts of a series from a file or as somebody pastes them. Nothing is set where a cell cannot be "
    "taken.",
)

_DRY = "Only say what would be set; nothing changes"
_ROWS = (
    "a column that is called as a variable of the template is its value, 标题 is the label; where the template has one "
    "variable of its own, texts alone are enough"
)


class SeriesTextIn(SeriesRuleIn):
    """Texts as somebody pastes them."""

    text = fields.String(
        required=True,
        metadata={"description": f"A text a line, or rows with tabs between their cells: {_ROWS}"},
    )
    dry_run = fields.Boolean(load_default=False, metadata={"description": _DRY})


class SeriesFileForm(SeriesRuleIn):
    """When the series goes whose texts are in a file."""

    dry_run = fields.Boolean(load_default=False, metadata={"description": _DRY})


class SeriesFile(In):
    """The file."""

    file = Upload(
        required=True,
        metadata={
            "description": f"xlsx, CSV (UTF-8 or GB18030) or a text file (.txt), a row for each text: {_ROWS}; "
            f"at most {MOST_TEXTS} rows"
        },
    )


class RefusedCellOut(Out):
    """A cell that cannot be taken."""

    row = fields.Integer(metadata={"description": "Its row in the file or text"})
    column = fields.String(metadata={"description": "Its column"})
    value = MaskedText(metadata={"description": "What it holds, at most 50 characters of it"})
    reason = fields.String(metadata={"description": "Why not, and what would be right"})
    reason_message = SaidMessage(
        attribute="reason", metadata={"description": "The same, for saying it in another language"}
    )


class ReadSeriesOut(Out):
    """What was read, and what became of it."""

    is_set = fields.Boolean(metadata={"description": "Whether it is set; false: a dry run, or a cell was refused"})
    texts = fields.Integer(metadata={"description": "How many texts were read"})
    refused = fields.List(
        fields.Nested(RefusedCellOut),
        metadata={"description": "Cells that cannot be taken; nothing is set if there is one"},
    )
    series = fields.Nested(SeriesOut, allow_none=True, metadata={"description": "The series; null where none was set"})


@blueprint.route("/campaigns/<int:campaign_id>/series/text")
class SeriesTexts(MethodView):
    """Pasted texts."""

    @endpoint(Permission.edit_campaigns)
    @blueprint.arguments(SeriesTextIn)
    @blueprint.response(200, ReadSeriesOut)
    def post(self, body: dict[str, Any], campaign_id: int) -> dict[str, Any]:
        """Read pasted texts and make a draft a series of them, or, where a cell cannot be taken, nothing"""
        read = series_files.read_series_text(g.session, g.actor, campaign_id, body.pop("text"))
        return _bring(campaign_id, read, body)


@blueprint.route("/campaigns/<int:campaign_id>/series/file")
class SeriesFiles(MethodView):
    """Texts in a file."""

    @endpoint(Permission.edit_campaigns)
    @blueprint.arguments(SeriesFileForm, location="form")
    @blueprint.arguments(SeriesFile, location="files")
    @blueprint.response(200, ReadSeriesOut)
    def post(self, form: dict[str, Any], files: dict[str, Any], campaign_id: int) -> dict[str, Any]:
        """Read a file (multipart/form-data) and make a draft a series of its texts, as with pasted ones"""
        file = files["file"]
        data, name = file.stream.read(), file.filename or ""
        return _bring(campaign_id, series_files.read_series_file(g.session, g.actor, campaign_id, data, name), form)


def _bring(campaign_id: int, read: series_files.ReadSeries, wanted: dict[str, Any]) -> dict[str, Any]:
    """The answer about what was read; set, unless it is a dry run or something cannot be taken."""
    does = not (wanted.pop("dry_run") or read.refused)
    if does:
        set_series(g.session, g.actor, campaign_id, wanted, read.rows)
    shown: Mapping[str, Any] | None = view_series(g.session, g.actor, campaign_id) if does else None
    return {"is_set": does, "texts": len(read.rows), "refused": read.refused, "series": shown}
