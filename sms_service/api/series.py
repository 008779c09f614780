"""`/campaigns/{id}/series`: many texts in their order, one a day."""

from __future__ import annotations

from typing import Any

from flask import g
from flask.views import MethodView
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.campaigns.states import CampaignStatus
from sms_service.schedules import correcting, series, series_editing
from sms_service.schedules.series_planning import MOST_TEXTS, SeriesRow, set_series
from sms_service.schedules.series_viewing import view_series
from sms_service.web.schemas import Id, In, MaskedText, OneLine, Out, SaidMessage, Whole

blueprint = Blueprint(
    "series",
    description="A series sends many texts in their order, one a day at one time of day. One approval covers all of "
    "them; a text that is put in or corrected while it runs waits, it alone, until it is approved. Who changes what "
    "somebody else has changed meanwhile gets 409 with `wanted` and `standing`.",
)


class SeriesRuleIn(In):
    """When a series goes, in the time zone of its unit."""

    first = fields.String(
        required=True, metadata={"description": "The day from which it goes", "example": "2026-12-01"}
    )
    at = fields.String(
        load_default=series.USUAL_CLOCK, metadata={"description": "The time of day", "example": series.USUAL_CLOCK}
    )
    days = fields.String(
        load_default=series.WORKING,
        metadata={
            "description": "`working`: the working days of the unit's calendar; `all`; or days of the week, some of "
            + ", ".join(series.WEEKDAYS),
            "example": series.WORKING,
        },
    )
    late = fields.String(
        load_default=series.LATE_CHOICES[0],
        metadata={
            "description": "What people get first who join later: `today`: the text of that day, with all others; "
            "`first`: the first one"
        },
    )


class SeriesRowIn(In):
    """A text of a series."""

    label = OneLine(
        correcting.LONGEST_LABEL,
        load_default=None,
        allow_none=True,
        metadata={"description": "What people call it; by default 第3篇, by its number"},
    )
    text = fields.String(
        load_default=None,
        allow_none=True,
        metadata={"description": "Fills the only variable of the template that neither people nor the campaign have"},
    )
    values = fields.Dict(
        keys=fields.String(),
        values=fields.Raw(),
        load_default=dict,
        metadata={"description": "Values of the template's variables, over the campaign's"},
    )
    template_version_id = Id(
        load_default=None, allow_none=True, metadata={"description": "Its own text; null: the campaign's"}
    )


class SeriesIn(SeriesRuleIn):
    """A series."""

    items = fields.List(
        fields.Nested(SeriesRowIn),
        load_default=None,
        allow_none=True,
        metadata={
            "description": f"Its texts in their order, at most {MOST_TEXTS}; left out: a series keeps those it has"
        },
    )


class UnchangedIn(In):
    """Since when nobody may have changed it."""

    unchanged_since = fields.AwareDateTime(
        load_default=None,
        allow_none=True,
        metadata={"description": "`updated_at` as it was read; 409 if it was changed since"},
    )


class InsertionIn(SeriesRowIn, UnchangedIn):
    """A further text."""

    after = Whole(required=True, metadata={"description": "The position behind which it goes; 0: in front of all"})


class PositionIn(UnchangedIn):
    """Another place."""

    position = Whole(required=True, metadata={"description": "From 1; it must lie behind all that was sent"})


class SeriesItemChange(UnchangedIn):
    """What to change of a text; what is left out stays. `unchanged_since` can be that of the text or of the series."""

    label = OneLine(correcting.LONGEST_LABEL, metadata={"description": "What people call it"})
    text = fields.String(metadata={"description": "Fills the only variable that is left over"})
    values = fields.Dict(
        keys=fields.String(), values=fields.Raw(), metadata={"description": "Its own values, over the campaign's"}
    )
    template_version_id = Id(allow_none=True, metadata={"description": "Its own text; null: the campaign's"})
    asks = fields.Dict(
        keys=fields.String(),
        allow_none=True,
        metadata={"description": "What it asks, as `asks` of a campaign; null: what the campaign asks"},
    )
    skipped = fields.Boolean(metadata={"description": "It does not go; the others move up"})


class SeriesRunOut(Out):
    """A run of a text."""

    id = fields.Integer(metadata={"description": "Its id"})
    status = fields.String(metadata={"description": "How it stands"})
    held_for = fields.String(allow_none=True, metadata={"description": "Why it is held; null: it is not"})
    due_at = fields.AwareDateTime(metadata={"description": "For which time it was made"})
    people = fields.Integer(metadata={"description": "People in its audience"})
    left = fields.Integer(metadata={"description": "Texts that left or may have left"})


class SeriesItemOut(Out):
    """A text of a series."""

    number = fields.Integer(metadata={"description": "Its number, which never changes; its runs carry it as `item`"})
    position = fields.Integer(metadata={"description": "Its place among the others, from 1"})
    label = MaskedText(metadata={"description": "What people call it"})
    values = fields.Dict(metadata={"description": "Its own values, over the campaign's"})
    text = MaskedText(metadata={"description": "The text with its variables"})
    template_version_id = fields.Integer(
        allow_none=True, metadata={"description": "The version of its own text; null: the campaign's"}
    )
    skipped = fields.Boolean(metadata={"description": "It does not go"})
    next_at = fields.AwareDateTime(
        allow_none=True, metadata={"description": "When it goes, local to the unit; null: not any more"}
    )
    fired_at = fields.AwareDateTime(
        allow_none=True, metadata={"description": "For which time it went, local to the unit"}
    )
    approved = fields.Boolean(metadata={"description": "It is, as it stands, what was approved"})
    updated_at = fields.AwareDateTime(metadata={"description": "When somebody changed it last"})
    runs = fields.List(fields.Nested(SeriesRunOut), metadata={"description": "Its runs, newest first"})


class SeriesOut(Out):
    """A series."""

    campaign_id = fields.Integer(metadata={"description": "Its campaign"})
    name = fields.String(metadata={"description": "The campaign's name"})
    unit_id = fields.Integer(metadata={"description": "The unit that holds it"})
    unit = fields.String(metadata={"description": "The unit's name"})
    zone = fields.String(metadata={"description": "The unit's time zone"})
    status = fields.String(metadata={"description": "One of " + ", ".join(CampaignStatus)})
    undecided = fields.Boolean(metadata={"description": "Something that is still to go is not what was approved"})
    updated_at = fields.AwareDateTime(metadata={"description": "When somebody changed it last"})
    rule = fields.Dict(metadata={"description": "When it goes, as it was given"})
    words = fields.String(attribute="said", metadata={"description": "The same in words"})
    words_message = SaidMessage(attribute="said", metadata={"description": "The words for another language"})
    items = fields.List(fields.Nested(SeriesItemOut), metadata={"description": "Its texts in their order"})
    went = fields.Integer(metadata={"description": "How many of them went"})
    fixed = fields.Integer(metadata={"description": "The position up to which all stay: that of the last that went"})
    last = fields.AwareDateTime(allow_none=True, metadata={"description": "When the last one goes"})
    warning = SaidMessage(
        metadata={"description": "That holidays of a year are not known up to which it goes; null: they are"}
    )


@blueprint.route("/campaigns/<int:campaign_id>/series")
class OneSeries(MethodView):
    """A campaign as a series."""

    @endpoint(Permission.read)
    @blueprint.response(200, SeriesOut)
    def get(self, campaign_id: int) -> dict[str, Any]:
        """Show a series: its texts in their order, with their days and runs"""
        return view_series(g.session, g.actor, campaign_id)

    @endpoint(Permission.edit_campaigns)
    @blueprint.arguments(SeriesIn)
    @blueprint.response(200, SeriesOut)
    def put(self, body: dict[str, Any], campaign_id: int) -> dict[str, Any]:
        """Make a draft a series of these texts, in the place of all that it had, or give a series another rule

        One a day in their order; one that is skipped takes no day.
        """
        items = body.pop("items")
        rows = None if items is None else [SeriesRow(**row) for row in items]
        set_series(g.session, g.actor, campaign_id, body, rows)
        return view_series(g.session, g.actor, campaign_id)


@blueprint.route("/campaigns/<int:campaign_id>/series/items")
class SeriesItems(MethodView):
    """Its texts."""

    @endpoint(Permission.edit_campaigns)
    @blueprint.arguments(InsertionIn)
    @blueprint.response(201, SeriesOut)
    def post(self, body: dict[str, Any], campaign_id: int) -> dict[str, Any]:
        """Put a text into a series, also while it runs; it then waits, it alone, until somebody approves it"""
        after, since = body.pop("after"), body.pop("unchanged_since")
        series_editing.insert_text(g.session, g.actor, campaign_id, after, SeriesRow(**body), since)
        return view_series(g.session, g.actor, campaign_id)


@blueprint.route("/campaigns/<int:campaign_id>/series/items/<int:number>")
class OneSeriesItem(MethodView):
    """One of its texts."""

    @endpoint(Permission.edit_campaigns)
    @blueprint.arguments(SeriesItemChange)
    @blueprint.response(200, SeriesOut)
    def patch(self, body: dict[str, Any], campaign_id: int, number: int) -> dict[str, Any]:
        """Correct a text that is still to come, skip it, or take that back

        Of a running series a corrected text then waits, it alone, until somebody approves it.
        """
        since = body.pop("unchanged_since")
        series_editing.correct_text(g.session, g.actor, campaign_id, number, body, since)
        return view_series(g.session, g.actor, campaign_id)


@blueprint.route("/campaigns/<int:campaign_id>/series/items/<int:number>/move")
class SeriesItemPlace(MethodView):
    """Its place."""

    @endpoint(Permission.edit_campaigns)
    @blueprint.arguments(PositionIn)
    @blueprint.response(200, SeriesOut)
    def post(self, body: dict[str, Any], campaign_id: int, number: int) -> dict[str, Any]:
        """Let a text that is still to come stand at another position; it needs no other decision"""
        series_editing.move_text(g.session, g.actor, campaign_id, number, **body)
        return view_series(g.session, g.actor, campaign_id)
