"""`/campaigns/{id}/schedule`, `/recurrence` and `/items`: campaigns that fire more than once."""

from __future__ import annotations

from typing import Any

from flask import g
from flask.views import MethodView
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.api.campaign_shapes import CampaignOut, NothingIn
from sms_service.campaigns import overview
from sms_service.campaigns.launch import start_campaign
from sms_service.campaigns.models import Campaign
from sms_service.campaigns.states import CampaignKind
from sms_service.schedules import correcting, recurring, scheduling
from sms_service.schedules.viewing import view_schedule
from sms_service.web.schemas import Id, In, MaskedText, OneLine, Out, Whole

blueprint = Blueprint(
    "schedules",
    description="A campaign with a schedule has items; each fires once or by a rule, as a run of its own with its own "
    "audience and counts. One approval covers all of them.",
)


class RecurrenceIn(In):
    """When a campaign is sent again and again, in the time zone of its unit."""

    rrule = fields.String(
        required=True,
        metadata={
            "description": "A rule as RFC 5545 writes it, with "
            + ", ".join(recurring.PARTS)
            + "; FREQ is one of "
            + ", ".join(recurring.FREQUENCIES),
            "example": "FREQ=MONTHLY;BYMONTHDAY=-1",
        },
    )
    first = fields.String(
        required=True, metadata={"description": "The day from which it counts", "example": "2026-12-01"}
    )
    at = fields.String(required=True, metadata={"description": "The time of day", "example": "08:30"})
    until = fields.String(load_default=None, allow_none=True, metadata={"description": "The last day, inclusive"})
    count = Whole(
        load_default=None,
        allow_none=True,
        metadata={"description": f"How many times in all, at most {recurring.MOST_TIMES}; not together with `until`"},
    )


class ItemChange(In):
    """What to change of an item; what is left out stays."""

    label = OneLine(correcting.LONGEST_LABEL, metadata={"description": "What people call it"})
    values = fields.Dict(
        keys=fields.String(), values=fields.Raw(), metadata={"description": "Its own values, over the campaign's"}
    )
    template_version_id = Id(allow_none=True, metadata={"description": "Its own text; null: the campaign's"})
    skipped = fields.Boolean(metadata={"description": "It does not go"})


class WhyScheduleIn(In):
    """Why."""

    why = fields.String(required=True, metadata={"description": "Why, for the trail"})


class ItemOut(Out):
    """An item of a schedule."""

    number = fields.Integer(metadata={"description": "Its number, which its runs carry as `item`"})
    label = fields.String(metadata={"description": "What people call it"})
    values = fields.Dict(metadata={"description": "Its own values, over the campaign's"})
    text = MaskedText(allow_none=True, metadata={"description": "The text with its variables"})
    skipped = fields.Boolean(metadata={"description": "It does not go"})
    next_at = fields.AwareDateTime(allow_none=True, metadata={"description": "When it fires next; null: not any more"})
    fired_at = fields.AwareDateTime(allow_none=True, metadata={"description": "The time for which it fired last"})
    approved = fields.Boolean(metadata={"description": "It is, as it stands, what was approved"})
    waits = fields.Boolean(
        metadata={"description": "It is still to go, and was changed since the approval: it waits for another one"}
    )
    runs = fields.List(fields.Integer(), metadata={"description": "The ids of its runs, newest first, at most 20"})


class CohortOut(Out):
    """People who joined a series late and begin at its first item."""

    firing = fields.Integer(metadata={"description": "Its number, which its runs carry as `firing`; 2 or more"})
    began_at = fields.AwareDateTime(metadata={"description": "When its first text was due"})
    people = fields.Integer(allow_none=True, metadata={"description": "How many they are; null until that is known"})
    had = fields.Integer(metadata={"description": "How many items fired for it"})
    next_item = fields.Integer(
        attribute="next_item.number",
        allow_none=True,
        dump_default=None,
        metadata={"description": "The number of the item that it gets next; null: it had all, or the series was ended"},
    )
    next_at = fields.AwareDateTime(allow_none=True, metadata={"description": "When that fires"})


class ScheduleOut(Out):
    """When a campaign fires."""

    kind = fields.String(metadata={"description": "One of " + ", ".join(CampaignKind)})
    rule = fields.Dict(allow_none=True, metadata={"description": "The rule as it was given; null of a plain campaign"})
    words = MaskedText(allow_none=True, metadata={"description": "The rule in words; null where its kind has none"})
    items = fields.List(fields.Nested(ItemOut), metadata={"description": "Its items, in their order"})
    next_times = fields.List(
        fields.AwareDateTime(), metadata={"description": "When it fires next, at most the next ten times"}
    )
    quiet_days = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        metadata={
            "description": "Those of the next times at which texts of its class do not leave, with the name of the "
            "day; they wait for the day after"
        },
    )
    cohorts = fields.List(
        fields.Nested(CohortOut),
        metadata={"description": "Of a series whose `late` is `first`: those who joined late, in the order of that"},
    )


@blueprint.route("/campaigns/<int:campaign_id>/schedule")
class Schedule(MethodView):
    """When it fires."""

    @endpoint(Permission.read)
    @blueprint.response(200, ScheduleOut)
    def get(self, campaign_id: int) -> dict[str, Any]:
        """Show when a campaign fires, with its items and its next ten times"""
        return view_schedule(g.session, g.actor, campaign_id)

    @endpoint(Permission.edit_campaigns)
    @blueprint.response(200, CampaignOut)
    def delete(self, campaign_id: int) -> dict[str, Any]:
        """Make a draft a plain campaign again"""
        return _shown(scheduling.clear_schedule(g.session, g.actor, campaign_id))


@blueprint.route("/campaigns/<int:campaign_id>/recurrence")
class Recurrence(MethodView):
    """Again and again."""

    @endpoint(Permission.edit_campaigns)
    @blueprint.arguments(RecurrenceIn)
    @blueprint.response(200, ScheduleOut)
    def put(self, body: dict[str, Any], campaign_id: int) -> dict[str, Any]:
        """Let a draft be sent again and again by a rule

        A time that the clocks leave out, when they are put forward, is the one that they show instead; of one that
        comes twice, the first. Days that a month does not have are left out: the last one is `BYMONTHDAY=-1`.
        """
        scheduling.set_schedule(g.session, g.actor, campaign_id, CampaignKind.recurring, body)
        return view_schedule(g.session, g.actor, campaign_id)


@blueprint.route("/campaigns/<int:campaign_id>/items/<int:number>")
class OneItem(MethodView):
    """One of its texts."""

    @endpoint(Permission.edit_campaigns)
    @blueprint.arguments(ItemChange)
    @blueprint.response(200, ScheduleOut)
    def patch(self, body: dict[str, Any], campaign_id: int, number: int) -> dict[str, Any]:
        """Correct an item, skip it, or take that back

        Of a running schedule it then waits, it alone, until somebody approves it.
        """
        correcting.change_item(g.session, g.actor, campaign_id, number, body)
        return view_schedule(g.session, g.actor, campaign_id)


@blueprint.route("/campaigns/<int:campaign_id>/start")
class Start(MethodView):
    """Letting it fire."""

    @endpoint(Permission.operate_campaigns)
    @blueprint.arguments(NothingIn)
    @blueprint.response(200, CampaignOut)
    def post(self, body: dict[str, Any], campaign_id: int) -> dict[str, Any]:
        """Start the schedule of an approved campaign; one that was started stays as it is"""
        return _shown(start_campaign(g.session, g.actor, campaign_id))


@blueprint.route("/campaigns/<int:campaign_id>/suspend")
class Suspension(MethodView):
    """Letting it wait."""

    @endpoint(Permission.operate_campaigns)
    @blueprint.arguments(WhyScheduleIn)
    @blueprint.response(200, CampaignOut)
    def post(self, body: dict[str, Any], campaign_id: int) -> dict[str, Any]:
        """Let nothing of a schedule fire until somebody goes on with it; runs under way go on"""
        return _shown(scheduling.suspend_campaign(g.session, g.actor, campaign_id, body["why"]))


@blueprint.route("/campaigns/<int:campaign_id>/continue")
class Continuation(MethodView):
    """Letting it go on."""

    @endpoint(Permission.operate_campaigns)
    @blueprint.arguments(WhyScheduleIn)
    @blueprint.response(200, CampaignOut)
    def post(self, body: dict[str, Any], campaign_id: int) -> dict[str, Any]:
        """Let a suspended schedule fire again, from now on"""
        return _shown(scheduling.continue_campaign(g.session, g.actor, campaign_id, body["why"]))


@blueprint.route("/campaigns/<int:campaign_id>/end")
class Ending(MethodView):
    """Letting it fire no more."""

    @endpoint(Permission.operate_campaigns)
    @blueprint.arguments(WhyScheduleIn)
    @blueprint.response(200, CampaignOut)
    def post(self, body: dict[str, Any], campaign_id: int) -> dict[str, Any]:
        """Fire nothing more of a schedule, for good; its runs go on, and each can be cancelled by itself"""
        return _shown(scheduling.end_schedule(g.session, g.actor, campaign_id, body["why"]))


def _shown(campaign: Campaign) -> dict[str, Any]:
    return overview.get_campaign(g.session, g.actor, campaign.id)
