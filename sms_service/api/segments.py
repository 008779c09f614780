"""`/segments`: saved rules that find people, and what they find now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import g
from flask.views import MethodView
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.api.rules import RuleTold, rule_field, tell_rule
from sms_service.audience import segments
from sms_service.audience.models import Segment
from sms_service.audience.reach import count_by_unit
from sms_service.audience.segments import LONGEST_NAME, SAMPLE
from sms_service.campaigns import uses
from sms_service.web.paging import ScopedPageQuery, fetch_page, scope_filter
from sms_service.web.schemas import Id, In, MaskedPhone, MaskedText, OneLine, Out, Whole, list_of
from sms_service.web.validators import WithinRange

blueprint = Blueprint(
    "segments", description="Rules that find people. A segment belongs to a unit and never reaches outside its subtree."
)

_LARGEST_SAMPLE = 100


class SegmentQuery(ScopedPageQuery):
    """Filters; all that are given must hold."""

    name = OneLine(load_default=None, metadata={"description": "Part of the name"})


class SegmentIn(In):
    """A new segment."""

    unit_id = Id(required=True, metadata={"description": "The unit that keeps it and whose subtree bounds it"})
    name = OneLine(LONGEST_NAME, required=True, metadata={"description": "Its name, unique in the unit"})
    rule = rule_field(required=True)


class SegmentChange(In):
    """What to change; what is left out stays."""

    name = OneLine(LONGEST_NAME, metadata={"description": "Its name, unique in the unit"})
    rule = rule_field()


class SampleQuery(In):
    """How many recipients to show."""

    sample = Whole(
        load_default=SAMPLE,
        validate=WithinRange(0, _LARGEST_SAMPLE),
        metadata={"description": "How many recipients to show"},
    )


class PreviewQuery(SampleQuery):
    """What to show of what is found."""

    by_unit = fields.Boolean(load_default=False, metadata={"description": "Count by unit, too"})
    below = Id(
        load_default=None,
        metadata={"description": "With `by_unit`: by the units right below this one; by default the segment's own"},
    )


class SavedPreviewQuery(PreviewQuery):
    """What to show, and for which unit."""

    unit = Id(
        load_default=None,
        metadata={
            "description": "Whom it finds within this unit, as for a campaign of it; by default the segment's own"
        },
    )


class SegmentPreviewIn(PreviewQuery):
    """A rule that is not saved yet."""

    unit_id = Id(required=True, metadata={"description": "The unit whose subtree bounds it"})
    rule = rule_field(required=True)


class SegmentListed(Out):
    """A segment as lists show it: without its rule, which `GET /segments/{id}` has."""

    id = fields.Integer(metadata={"description": "The segment's id"})
    unit_id = fields.Integer(metadata={"description": "The unit that keeps it"})
    name = fields.String(metadata={"description": "Its name"})
    created_by = fields.Integer(allow_none=True, metadata={"description": "The account; null: the service itself"})
    created_at = fields.AwareDateTime(metadata={"description": "When it was saved first"})
    updated_at = fields.AwareDateTime(metadata={"description": "When it was saved last"})


class SegmentOut(SegmentListed, RuleTold):
    """A segment."""

    rule = rule_field()


class RecipientOut(Out):
    """A person for one unit."""

    person_id = fields.Integer(attribute="person.id", metadata={"description": "The person"})
    name = MaskedText(attribute="person.name", metadata={"description": "The person's name"})
    phone = MaskedPhone(allow_none=True)
    unit_id = fields.Integer(attribute="unit.id", metadata={"description": "The unit they are found for"})
    unit = fields.String(attribute="unit.name", metadata={"description": "The unit's name"})


class UnitReachOut(Out):
    """How many recipients a unit has."""

    id = fields.Integer(metadata={"description": "The unit"})
    name = fields.String(metadata={"description": "Its name"})
    people = fields.Integer(metadata={"description": "Recipients of the unit and of all below it"})
    textable = fields.Integer(metadata={"description": "Those of them who would get a text, before caps"})


class SegmentPreviewOut(RuleTold):
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
    units = fields.List(
        fields.Nested(UnitReachOut),
        allow_none=True,
        metadata={"description": "Recipients by unit, at most 500 units, those with the most; null unless asked for"},
    )


class UsingSegmentOut(Out):
    """A segment whose rule uses another."""

    id = fields.Integer(metadata={"description": "The segment's id"})
    unit_id = fields.Integer(metadata={"description": "The unit that keeps it"})
    name = MaskedText(metadata={"description": "Its name"})


class UsingCampaignOut(Out):
    """A campaign that goes to a segment."""

    id = fields.Integer(metadata={"description": "The campaign's id"})
    unit_id = fields.Integer(metadata={"description": "Its unit"})
    name = MaskedText(metadata={"description": "Its name"})
    status = fields.String(metadata={"description": "Its status"})
    segment_id = fields.Integer(metadata={"description": "The segment that it names: this one, or one that uses it"})


class SegmentUsesOut(Out):
    """Who uses a segment."""

    segments = fields.List(
        fields.Nested(UsingSegmentOut), metadata={"description": "Segments that use it, directly or by others"}
    )
    hidden = fields.Integer(metadata={"description": "How many more segments, which you may not read, use it"})
    campaigns = fields.List(
        fields.Nested(UsingCampaignOut),
        metadata={
            "description": "Campaigns that go to it or to one of these: those submitted, approved or active, then "
            "the newest; at most 50"
        },
    )


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
    def post(self, body: dict[str, Any]) -> dict[str, Any]:
        """Save a segment"""
        return _shown(segments.create_segment(g.session, g.actor, **body))


@blueprint.route("/segments/<int:segment_id>")
class OneSegment(MethodView):
    """One segment."""

    @endpoint(Permission.read)
    @blueprint.response(200, SegmentOut)
    def get(self, segment_id: int) -> dict[str, Any]:
        """Show a segment"""
        return _shown(segments.get_segment(g.session, g.actor, segment_id))

    @endpoint(Permission.manage_segments)
    @blueprint.arguments(SegmentChange)
    @blueprint.response(200, SegmentOut)
    def patch(self, body: dict[str, Any], segment_id: int) -> dict[str, Any]:
        """Change a segment; audiences already frozen stay what they were"""
        return _shown(segments.change_segment(g.session, g.actor, segment_id, **body))


@blueprint.route("/segments/<int:segment_id>/preview")
class SavedPreview(MethodView):
    """What a segment finds now."""

    @endpoint(Permission.read)
    @blueprint.arguments(SavedPreviewQuery, location="query")
    @blueprint.response(200, SegmentPreviewOut)
    def get(self, query: dict[str, Any], segment_id: int) -> dict[str, Any]:
        """Count what a segment finds now and show the first recipients"""
        found = segments.get_segment(g.session, g.actor, segment_id)
        if query["unit"] is None:
            return _preview(found.unit_id, found.rule, query)
        return _preview(query["unit"], {"segment": found.id}, query)


@blueprint.route("/segments/<int:segment_id>/uses")
class SegmentUses(MethodView):
    """Who uses a segment."""

    @endpoint(Permission.read)
    @blueprint.response(200, SegmentUsesOut)
    def get(self, segment_id: int) -> uses.SegmentUses:
        """List the campaigns and the other segments that use a segment. If its rule changes, what was approved for
        those campaigns counts no longer; audiences already frozen stay what they were
        """
        return uses.list_segment_uses(g.session, g.actor, segments.get_segment(g.session, g.actor, segment_id))


@blueprint.route("/segments/preview")
class UnsavedPreview(MethodView):
    """What a rule finds now."""

    @endpoint(Permission.read)
    @blueprint.arguments(SegmentPreviewIn)
    @blueprint.response(200, SegmentPreviewOut)
    def post(self, body: dict[str, Any]) -> dict[str, Any]:
        """Count what a rule would find, before saving it; changes nothing"""
        return _preview(body["unit_id"], body["rule"], body)


_PREVIEWED = SegmentPreviewOut().fields.keys() - RuleTold().fields.keys() - {"units"}


def _preview(unit_id: int, rule: object, asked: Mapping[str, Any]) -> dict[str, Any]:
    found = segments.preview_audience(g.session, g.actor, unit_id, rule, sample_size=asked["sample"])
    by_unit = None
    if asked["by_unit"]:
        below = asked["below"]
        by_unit = found.units if below is None else count_by_unit(g.session, g.actor, unit_id, rule, below)
    return {**{name: getattr(found, name) for name in _PREVIEWED}, **tell_rule(unit_id, rule), "units": by_unit}


def _shown(segment: Segment) -> dict[str, Any]:
    kept = ("id", "unit_id", "name", "rule", "created_by", "created_at", "updated_at")
    return {**{name: getattr(segment, name) for name in kept}, **tell_rule(segment.unit_id, segment.rule)}
