"""`/segments`: saved rules that find people, and what they find now."""

from __future__ import annotations

from typing import Any

from flask import g
from flask.views import MethodView
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.audience import segments
from sms_service.audience.models import Segment
from sms_service.audience.segments import LONGEST_NAME, SAMPLE
from sms_service.web.paging import ScopedPageQuery, fetch_page, scope_filter
from sms_service.web.schemas import Id, In, MaskedPhone, MaskedText, OneLine, Out, Whole, list_of
from sms_service.web.validators import WithinRange

blueprint = Blueprint(
    "segments", description="Rules that find people. A segment belongs to a unit and never reaches outside its subtree."
)

_RULE = (
    'One of `{"all": [rules]}`, `{"any": [rules]}`, `{"not": rule}`, `{"everyone": true}`, `{"unit": id}`, '
    '`{"unit": {"code": "0101"}}`, `{"role": "书记"}`, `{"tag": "退休"}`, `{"kind": "member"}` (or contact), '
    '`{"suspect": true}` (the phone seems dead), `{"people": [17, 23]}` (at most 500 ids of people), '
    '`{"attribute": {"name": "gender", "is": "女"}}` (or in: [texts], exists: true, before or after: "1985-03-01")'
)
_LARGEST_SAMPLE = 100


def _rule(**kwargs: Any) -> fields.Raw:
    return fields.Raw(metadata={"type": "object", "description": _RULE}, **kwargs)


class SegmentQuery(ScopedPageQuery):
    """Filters; all that are given must hold."""

    name = OneLine(load_default=None, metadata={"description": "Part of the name"})


class SegmentIn(In):
    """A new segment."""

    unit_id = Id(required=True, metadata={"description": "The unit that keeps it and whose subtree bounds it"})
    name = OneLine(LONGEST_NAME, required=True, metadata={"description": "Its name, unique in the unit"})
    rule = _rule(required=True)


class SegmentChange(In):
    """What to change; what is left out stays."""

    name = OneLine(LONGEST_NAME, metadata={"description": "Its name, unique in the unit"})
    rule = _rule()


class SampleQuery(In):
    """How many recipients to show."""

    sample = Whole(
        load_default=SAMPLE,
        validate=WithinRange(0, _LARGEST_SAMPLE),
        metadata={"description": "How many recipients to show"},
    )


class SegmentPreviewIn(SampleQuery):
    """A rule that is not saved yet."""

    unit_id = Id(required=True, metadata={"description": "The unit whose subtree bounds it"})
    rule = _rule(required=True)


class SegmentListed(Out):
    """A segment as lists show it: without its rule, which `GET /segments/{id}` has."""

    id = fields.Integer(metadata={"description": "The segment's id"})
    unit_id = fields.Integer(metadata={"description": "The unit that keeps it"})
    name = fields.String(metadata={"description": "Its name"})
    created_by = fields.Integer(allow_none=True, metadata={"description": "The account; null: the service itself"})
    created_at = fields.AwareDateTime(metadata={"description": "When it was saved first"})
    updated_at = fields.AwareDateTime(metadata={"description": "When it was saved last"})


class SegmentOut(SegmentListed):
    """A segment."""

    rule = fields.Raw(metadata={"type": "object", "description": _RULE})


class RecipientOut(Out):
    """A person for one unit."""

    person_id = fields.Integer(attribute="person.id", metadata={"description": "The person"})
    name = MaskedText(attribute="person.name", metadata={"description": "The person's name"})
    phone = MaskedPhone(allow_none=True)
    unit_id = fields.Integer(attribute="unit.id", metadata={"description": "The unit they are found for"})
    unit = fields.String(attribute="unit.name", metadata={"description": "The unit's name"})


class SegmentPreviewOut(Out):
    """What a rule finds now. textable, opted_out, no_phone, bad_number and lost_contact add up to count."""

    count = fields.Integer(metadata={"description": "Recipients in all"})
    textable = fields.Integer(metadata={"description": "Recipients who would get a text, before caps"})
    phones = fields.Integer(metadata={"description": "Distinct numbers among these: each gets one text"})
    opted_out = fields.Integer(metadata={"description": "Recipients whose number is suppressed"})
    no_phone = fields.Integer(metadata={"description": "Recipients without a number"})
    bad_number = fields.Integer(metadata={"description": "Recipients whose number is unusable"})
    lost_contact = fields.Integer(metadata={"description": "Recipients known to be out of reach"})
    skipped = fields.Dict(
        keys=fields.String(),
        values=fields.Integer(),
        metadata={
            "description": "Recipients who would get no text, by the reason that their message would have; with "
            "`phones` they add up to count"
        },
    )
    sample = fields.List(fields.Nested(RecipientOut), metadata={"description": "The first of them by id"})


@blueprint.route("/segments")
class Segments(MethodView):
    """The segments."""

    @endpoint(Permission.read)
    @blueprint.arguments(SegmentQuery, location="query")
    @blueprint.response(200, list_of(SegmentListed, "SegmentList"))
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List segments by name"""
        scope = scope_filter(g.session, g.actor, Permission.read, query["unit"])
        statement = segments.find_segments(scope.paths, name=query["name"])
        items, following = fetch_page(g.session, statement, query, sort="name", key=Segment.name, id_=Segment.id)
        return scope.answer(items, following)

    @endpoint(Permission.manage_segments)
    @blueprint.arguments(SegmentIn)
    @blueprint.response(201, SegmentOut)
    def post(self, body: dict[str, Any]) -> Segment:
        """Save a segment"""
        return segments.create_segment(g.session, g.actor, **body)


@blueprint.route("/segments/<int:segment_id>")
class OneSegment(MethodView):
    """One segment."""

    @endpoint(Permission.read)
    @blueprint.response(200, SegmentOut)
    def get(self, segment_id: int) -> Segment:
        """Show a segment"""
        return segments.get_segment(g.session, g.actor, segment_id)

    @endpoint(Permission.manage_segments)
    @blueprint.arguments(SegmentChange)
    @blueprint.response(200, SegmentOut)
    def patch(self, body: dict[str, Any], segment_id: int) -> Segment:
        """Change a segment; audiences already frozen stay what they were"""
        return segments.change_segment(g.session, g.actor, segment_id, **body)


@blueprint.route("/segments/<int:segment_id>/preview")
class SavedPreview(MethodView):
    """What a segment finds now."""

    @endpoint(Permission.read)
    @blueprint.arguments(SampleQuery, location="query")
    @blueprint.response(200, SegmentPreviewOut)
    def get(self, query: dict[str, Any], segment_id: int) -> segments.AudiencePreview:
        """Count what a segment finds now and show the first recipients"""
        found = segments.get_segment(g.session, g.actor, segment_id)
        return segments.preview_audience(g.session, g.actor, found.unit_id, found.rule, sample_size=query["sample"])


@blueprint.route("/segments/preview")
class UnsavedPreview(MethodView):
    """What a rule finds now."""

    @endpoint(Permission.read)
    @blueprint.arguments(SegmentPreviewIn)
    @blueprint.response(200, SegmentPreviewOut)
    def post(self, body: dict[str, Any]) -> segments.AudiencePreview:
        """Count what a rule would find, before saving it; changes nothing"""
        return segments.preview_audience(g.session, g.actor, body["unit_id"], body["rule"], sample_size=body["sample"])
