"""`/events` and `/campaigns/{id}/event`, `/move`, `/cancel-event`, `/attendance`: theme days and the like."""

from __future__ import annotations

from typing import Any

from flask import g
from flask.views import MethodView
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.api.campaign_shapes import OFFSET
from sms_service.campaigns.models import Campaign
from sms_service.campaigns.states import CampaignStatus
from sms_service.schedules import attendance, event, event_changes, event_planning
from sms_service.schedules.event_viewing import begins_column, describe_event, find_events, view_event
from sms_service.web.paging import ScopedPageQuery, fetch_page, scope_filter
from sms_service.web.schemas import Id, In, MaskedText, Out, SaidMessage, Whole, list_of

blueprint = Blueprint(
    "events",
    description="An event is a campaign with five texts: its invitation (item 1), a reminder (2), thanks to those who "
    "came (3), and two that wait for what may happen: that it is called off (4), that it is moved (5). One approval "
    "covers all of them.",
)

_MISFIT: dict[str, Any] = {"invalid": OFFSET, "invalid_awareness": OFFSET}
_BEGINS = "When it begins, ISO 8601 with offset, at most 365 days ahead"
_ENDS = "When it ends, at most 7 days later; null: its texts name the beginning only"
_VALUES = "Values over those that the campaign has, such as 地点"
_PICKS = "By reference list that the invitation names, the id of a row; null: none is picked"


def _days(name: str, what: str, *, may_lack: bool = True) -> Whole:
    usual, most = event.DAYS[name]
    lacks = "; null: there is none" if may_lack else ""
    return Whole(load_default=usual, allow_none=may_lack, metadata={"description": f"{what}, 0 to {most} days{lacks}"})


def _clock(name: str, what: str) -> fields.String:
    return fields.String(load_default=event.CLOCKS[name], metadata={"description": what, "example": event.CLOCKS[name]})


class EventIn(In):
    """When an event is, and when its texts go, in the time zone of its unit."""

    begins = fields.AwareDateTime(required=True, error_messages=_MISFIT, metadata={"description": _BEGINS})
    ends = fields.AwareDateTime(
        load_default=None, allow_none=True, error_messages=_MISFIT, metadata={"description": _ENDS}
    )
    invitation_days = _days("invitation_days", "How long before it the invitation goes", may_lack=False)
    invitation_at = _clock("invitation_at", "At which time of that day")
    reminder_days = _days("reminder_days", "How long before it the reminder goes, to those who did not say no")
    reminder_at = _clock("reminder_at", "At which time of that day")
    thanks_days = _days("thanks_days", "How long after it the thanks go, to those who came")
    thanks_at = _clock("thanks_at", "At which time of that day")
    texts = fields.Dict(
        keys=Whole(),
        values=Id(),
        load_default=dict,
        metadata={
            "description": "By item (2 reminder, 3 thanks, 4 cancellation, 5 notice of a move) the version of a "
            "template; left out: a template of the unit or of one above whose name says so, else a built-in text",
            "example": {"2": 17},
        },
    )


class MoveIn(In):
    """Another time, and perhaps another place."""

    begins = fields.AwareDateTime(required=True, error_messages=_MISFIT, metadata={"description": _BEGINS})
    ends = fields.AwareDateTime(
        load_default=None,
        allow_none=True,
        error_messages=_MISFIT,
        metadata={"description": "When it ends; left out: it lasts as long as before"},
    )
    values = fields.Dict(
        keys=fields.String(), values=fields.Raw(), load_default=dict, metadata={"description": _VALUES}
    )
    picks = fields.Dict(
        keys=fields.String(),
        values=Id(allow_none=True),
        load_default=None,
        allow_none=True,
        metadata={"description": _PICKS},
    )
    why = fields.String(required=True, metadata={"description": "Why, for the trail"})


class CancelEventIn(In):
    """Why."""

    why = fields.String(required=True, metadata={"description": "Why, for the trail"})


class AttendanceIn(In):
    """Who came."""

    people = fields.List(
        Id(),
        required=True,
        metadata={"description": "The ids of those who came; whoever else it was for did not come"},
    )


class EventQuery(ScopedPageQuery):
    """Filters."""

    since = fields.AwareDateTime(
        load_default=None, metadata={"description": "Only those that begin then or later; by default all"}
    )


class EventListed(Out):
    """An event as lists show it."""

    campaign_id = fields.Integer(metadata={"description": "Its campaign"})
    name = fields.String(metadata={"description": "The campaign's name"})
    unit_id = fields.Integer(metadata={"description": "The unit that holds it"})
    unit = fields.String(metadata={"description": "The unit's name"})
    status = fields.String(metadata={"description": "One of " + ", ".join(CampaignStatus)})
    undecided = fields.Boolean(metadata={"description": "What is still to go is not what was approved, and is held"})
    begins = fields.AwareDateTime(metadata={"description": "When it begins"})
    ends = fields.AwareDateTime(allow_none=True, metadata={"description": "When it ends; null: nobody said so"})
    subject = MaskedText(allow_none=True, metadata={"description": "What it is about"})
    time = MaskedText(allow_none=True, metadata={"description": "When it is, as its texts say it"})
    place = MaskedText(allow_none=True, metadata={"description": "Where it is"})
    cancelled = fields.Boolean(metadata={"description": "It was called off"})
    moved = fields.Integer(metadata={"description": "How often it was moved after people had been invited"})


class EventRunOut(Out):
    """A run of one of its texts."""

    id = fields.Integer(metadata={"description": "The run's id"})
    status = fields.String(metadata={"description": "How far it is"})
    held_for = fields.String(allow_none=True, metadata={"description": "What it is held for; null unless it is"})
    due_at = fields.AwareDateTime(metadata={"description": "When it begins or began"})
    people = fields.Integer(metadata={"description": "How many people are in its audience"})
    left = fields.Integer(metadata={"description": "How many of its texts left or may have left"})


class EventItemOut(Out):
    """One of its texts."""

    number = fields.Integer(metadata={"description": "1 invitation, 2 reminder, 3 thanks, 4 cancellation, 5 move"})
    label = fields.String(metadata={"description": "What people call it"})
    text = MaskedText(metadata={"description": "The text with its variables"})
    template_version_id = fields.Integer(metadata={"description": "The version of its template"})
    class_ = fields.String(data_key="class", metadata={"description": "What kind of text it is"})
    skipped = fields.Boolean(metadata={"description": "It does not go"})
    next_at = fields.AwareDateTime(allow_none=True, metadata={"description": "When it goes; null: nothing is to come"})
    fired_at = fields.AwareDateTime(allow_none=True, metadata={"description": "When it went last"})
    note = SaidMessage(metadata={"description": "Why it goes at another time than the rule says"})
    approved = fields.Boolean(metadata={"description": "It is, as it stands, what was approved"})
    runs = fields.List(fields.Nested(EventRunOut), metadata={"description": "Its runs, newest first"})


class NamedPersonOut(Out):
    """Somebody."""

    person_id = fields.Integer(metadata={"description": "The person's id"})
    name = fields.String(metadata={"description": "Their name"})


class WholeEventOut(EventListed):
    """An event."""

    rule = fields.Dict(metadata={"description": "When it is and when its texts go, as it was given"})
    items = fields.List(fields.Nested(EventItemOut), metadata={"description": "Its texts"})
    invited = fields.Integer(metadata={"description": "How many people's invitation left or may have left"})
    declined = fields.List(
        fields.Nested(NamedPersonOut),
        metadata={"description": "Whose last yes or no was a no, by name, at most 200"},
    )
    came = fields.Integer(allow_none=True, metadata={"description": "How many came; null: it is not ticked off yet"})
    expected = fields.Integer(metadata={"description": "Of how many people it was ticked off whether they came"})
    begun = fields.Boolean(metadata={"description": "It has begun"})


class ToldOut(WholeEventOut):
    """An event that was moved or called off."""

    told = fields.Integer(metadata={"description": "How many people were invited, and so are told"})


class ExpectedOut(Out):
    """Somebody to whom its invitation went or was to go."""

    person_id = fields.Integer(metadata={"description": "The person's id"})
    person = fields.String(metadata={"description": "Their name"})
    unit_id = fields.Integer(metadata={"description": "The unit for which they are invited"})
    unit = fields.String(metadata={"description": "The unit's name"})
    invited = fields.Boolean(metadata={"description": "The invitation left or may have left"})
    declined = fields.Boolean(metadata={"description": "Their last yes or no was a no"})
    came = fields.Boolean(allow_none=True, metadata={"description": "They came; null: it is not ticked off yet"})


class AttendanceOut(Out):
    """Who came."""

    people = fields.List(fields.Nested(ExpectedOut), metadata={"description": "By unit and name, at most 2,001 people"})


@blueprint.route("/events")
class Events(MethodView):
    """Those of the units in scope."""

    @endpoint(Permission.read)
    @blueprint.arguments(EventQuery, location="query")
    @blueprint.response(200, list_of(EventListed, "EventPage"))
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List events by when they begin, but for those that were given up"""
        scope = scope_filter(g.session, g.actor, Permission.read, query["unit"])
        statement = find_events(scope.paths, query["since"])
        rows, following = fetch_page(g.session, statement, query, sort="begins", key=begins_column(), id_=Campaign.id)
        return scope.answer([describe_event(row.Campaign, row.Unit) for row in rows], following)


@blueprint.route("/campaigns/<int:campaign_id>/event")
class OneEvent(MethodView):
    """A campaign as an event."""

    @endpoint(Permission.read)
    @blueprint.response(200, WholeEventOut)
    def get(self, campaign_id: int) -> dict[str, Any]:
        """Show an event: its texts with their times and numbers, who said no, who came"""
        return view_event(g.session, g.actor, campaign_id)

    @endpoint(Permission.edit_campaigns)
    @blueprint.arguments(EventIn)
    @blueprint.response(200, WholeEventOut)
    def put(self, body: dict[str, Any], campaign_id: int) -> dict[str, Any]:
        """Make a draft an event, with the draft's text as its invitation

        All texts share the values 主题 (by default the campaign's name), 时间 (written from `begins`), and 地点.
        A text whose time its unit does not allow goes at the nearest allowed time before the event; its `note` says so.
        """
        event_planning.plan_event(g.session, g.actor, campaign_id, body, body.pop("texts"))
        return view_event(g.session, g.actor, campaign_id)


@blueprint.route("/campaigns/<int:campaign_id>/move")
class Move(MethodView):
    """Another time."""

    @endpoint(Permission.operate_campaigns)
    @blueprint.arguments(MoveIn)
    @blueprint.response(200, ToldOut)
    def post(self, body: dict[str, Any], campaign_id: int) -> dict[str, Any]:
        """Move an event that is under way, and perhaps its place

        What is still to go is placed anew and waits for a decision; everybody who was invited gets the notice of it.
        """
        done = event_changes.move_event(g.session, g.actor, campaign_id, **body)
        return view_event(g.session, g.actor, campaign_id) | {"told": done.told}


@blueprint.route("/campaigns/<int:campaign_id>/cancel-event")
class Cancellation(MethodView):
    """It does not take place."""

    @endpoint(Permission.operate_campaigns)
    @blueprint.arguments(CancelEventIn)
    @blueprint.response(200, ToldOut)
    def post(self, body: dict[str, Any], campaign_id: int) -> dict[str, Any]:
        """Call an event off: exactly those who were invited are told, all else of it is stopped"""
        done = event_changes.cancel_event(g.session, g.actor, campaign_id, body["why"])
        return view_event(g.session, g.actor, campaign_id) | {"told": done.told}


@blueprint.route("/campaigns/<int:campaign_id>/attendance")
class Attendances(MethodView):
    """Who came."""

    @endpoint(Permission.read)
    @blueprint.response(200, AttendanceOut)
    def get(self, campaign_id: int) -> dict[str, Any]:
        """List the people of an event: who was invited, who said no, who came"""
        return {"people": attendance.list_expected(g.session, g.actor, campaign_id)}

    @endpoint(Permission.edit_campaigns)
    @blueprint.arguments(AttendanceIn)
    @blueprint.response(200, AttendanceOut)
    def put(self, body: dict[str, Any], campaign_id: int) -> dict[str, Any]:
        """Tick off who came to an event that has begun

        Those who came and were not thanked yet get the thanks, at their time or, if that is over, as soon as they may.
        """
        attendance.record_attendance(g.session, g.actor, campaign_id, body["people"])
        return {"people": attendance.list_expected(g.session, g.actor, campaign_id)}
