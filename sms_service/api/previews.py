"""`/templates/…/preview`: what a text will look like, of a version that is kept and of one that is not."""

from __future__ import annotations

from typing import Any

from flask import g
from flask.views import MethodView
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.api.templates import BODY, CLASS
from sms_service.content.fields import check_kinds, fields_of
from sms_service.content.library import get_numbered_version
from sms_service.content.preview import preview_text
from sms_service.vocabulary import TextClass
from sms_service.web.schemas import Id, In, MaskedText, Out, VersionNumber
from sms_service.web.validators import ListLength, OneOfWords

blueprint = Blueprint("previews", description="What a text will look like. Nothing is kept or sent.")

_LARGEST_SAMPLE = 100


class PreviewIn(In):
    """What to fill in."""

    signature = fields.String(
        required=True,
        metadata={"description": "Stands in front as 【signature】: 2 to 16 characters, written without brackets"},
    )
    values = fields.Dict(
        keys=fields.String(),
        values=fields.Raw(),
        load_default=dict,
        metadata={"description": "The campaign's values, the same for all: texts, numbers or lists by variable"},
    )
    unit_id = Id(
        load_default=None,
        metadata={
            "description": "Look for the people with the shortest and the longest values in this unit's subtree; "
            "by default in everything that the caller may read"
        },
    )
    recipients = fields.List(
        fields.Dict(keys=fields.String(), values=fields.Raw()),
        load_default=None,
        validate=ListLength(1, _LARGEST_SAMPLE),
        metadata={"description": "Instead of people: the own values of each recipient to render"},
    )


class SavedPreviewIn(PreviewIn):
    """What to fill into which version."""

    version = VersionNumber(load_default=None, metadata={"description": "The version's number; by default the newest"})


class UnsavedPreviewIn(PreviewIn):
    """What to fill into a text that is not saved yet."""

    class_ = fields.String(
        data_key="class", required=True, validate=OneOfWords(list(TextClass)), metadata={"description": CLASS}
    )
    body = fields.String(required=True, metadata={"description": BODY})


class TextOut(Out):
    """A whole text as it would be sent."""

    text = MaskedText(metadata={"description": "With signature and unsubscribe line; phone numbers in it are masked"})
    encoding = fields.String(metadata={"description": "`GSM-7` or `UCS-2`"})
    units = fields.Integer(metadata={"description": "Its length in septets (GSM-7) or UTF-16 code units (UCS-2)"})
    parts = fields.Integer(metadata={"description": "How many SMS it takes"})


class PreviewOut(Out):
    """The shortest and the longest text."""

    variables = fields.List(fields.String(), metadata={"description": "All variables, sorted"})
    required = fields.List(
        fields.String(), metadata={"description": "Those that are used somewhere without a default, sorted"}
    )
    shortest = fields.Nested(TextOut, metadata={"description": "The text that takes the fewest parts and units"})
    longest = fields.Nested(TextOut, metadata={"description": "The text that takes the most"})
    people = fields.Integer(
        allow_none=True,
        metadata={"description": "From how many people the two were chosen; null if none were looked for"},
    )
    lacking = fields.Dict(
        keys=fields.String(),
        values=fields.Integer(),
        metadata={"description": "By variable: how many of these people have no value and could not be sent the text"},
    )


@blueprint.route("/templates/<int:template_id>/preview")
class SavedPreview(MethodView):
    """What a version will look like."""

    @endpoint(Permission.read)
    @blueprint.arguments(SavedPreviewIn)
    @blueprint.response(200, PreviewOut)
    def post(self, body: dict[str, Any], template_id: int) -> Any:
        """Render a version for the recipients with the shortest and the longest values; changes nothing"""
        template, version = get_numbered_version(g.session, g.actor, template_id, body.pop("version"))
        check_kinds(fields_of(version), body["values"])
        return preview_text(g.session, g.actor, version.body, template.class_, **body)


@blueprint.route("/templates/preview")
class UnsavedPreview(MethodView):
    """What a text will look like before it is saved."""

    @endpoint(Permission.read)
    @blueprint.arguments(UnsavedPreviewIn)
    @blueprint.response(200, PreviewOut)
    def post(self, body: dict[str, Any]) -> Any:
        """Render a text that is not saved yet; changes nothing"""
        return preview_text(g.session, g.actor, **body)
