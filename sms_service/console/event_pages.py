"""主题党日: the events that come, and one of them from its invitation to who came."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import Response, g, url_for
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.campaigns.acts import CampaignAct
from sms_service.campaigns.models import Campaign
from sms_service.console.forms import read_form, read_query
from sms_service.console.moments import parse_moment, write_moment
from sms_service.console.pages import act_view, go_to, page_view, show_typed
from sms_service.console.picking import FIND, PICK, ask_picks, read_picks
from sms_service.console.rendering import render_page
from sms_service.console.texts import compose_in_general
from sms_service.console.unit_choice import choose_unit
from sms_service.content.compose import Composed
from sms_service.content.models import TemplateVersion
from sms_service.directory.models import Unit
from sms_service.said import Said, as_said, say
from sms_service.schedules import attendance, event_changes
from sms_service.schedules.event import CANCELLATION, INVITATION, MOVE_NOTICE, REMINDER, THANKS
from sms_service.schedules.event_texts import PLACE, find_place_name
from sms_service.schedules.event_viewing import begins_column, describe_event, find_events, get_event, view_event
from sms_service.web.context import current_context
from sms_service.web.paging import ScopedPageQuery, fetch_page, scope_filter
from sms_service.web.schemas import Id, In
from sms_service.web.waking import begin_after_commit

LOOKED_BACK = timedelta(days=14)  # events that are over stay on the list for so long: who came is ticked off then

LABELS: dict[int, Said] = {
    INVITATION: as_said("Invitation"),
    REMINDER: as_said("Reminder, to all who did not say no"),
    THANKS: as_said("Thanks, to those who came"),
    CANCELLATION: as_said("Notice that it is called off"),
    MOVE_NOTICE: as_said("Notice that it is moved"),
}


class EventsQuery(ScopedPageQuery):
    """Which events; `past`: those that are long over, too."""

    past = fields.Boolean(load_default=False)


class MoveEventForm(In):
    """Another time, and perhaps another place."""

    at = fields.String(required=True)
    ends = fields.String(load_default="")
    place = fields.String(load_default="")
    why = fields.String(required=True)


class WhyCancelForm(In):
    """Why it is called off."""

    why = fields.String(required=True)


class CameForm(In):
    """Those who came."""

    people = fields.List(Id(), load_default=list)


@page_view("/events", Permission.read)
def list_events() -> str:
    """The theme days that come, and those of the last two weeks."""
    query = read_query(EventsQuery)
    scope = scope_filter(g.session, g.actor, Permission.read, query["unit"])
    now = current_context().clock()
    statement = find_events(scope.paths, None if query["past"] else now - LOOKED_BACK)
    rows, following = fetch_page(
        g.session, statement, query, sort="begins", key=begins_column(), id_=Campaign.id, descending=query["past"]
    )
    return render_page(
        "events.html",
        rows=[describe_event(row.Campaign, row.Unit) | {"begun": row.page_key <= now} for row in rows],
        following=following,
        scope=scope.units,
        units=choose_unit(g.session, g.actor, Permission.read, query["unit"], top=True),
        query=query,
        may_write=bool(g.actor.scope(Permission.edit_campaigns)),
    )


@page_view("/campaigns/<int:campaign_id>/event", Permission.read)
def show_event(campaign_id: int) -> str:
    """One theme day: its texts with their times and numbers, who said no, who came, and what can be done."""
    event = view_event(g.session, g.actor, campaign_id)
    acts, is_to_come = event["acts"], not event["begun"] and not event["cancelled"]
    return render_page(
        "event.html",
        event=event,
        labels=LABELS,
        texts=_write_texts(event),
        zone=event["zone"],
        may_change=is_to_come and CampaignAct.cancel in acts,
        may_move=is_to_come and CampaignAct.move in acts,
        may_tick=_may_tick(event),
        may_decide=event["undecided"] and CampaignAct.approve in acts,
        draft=CampaignAct.change in acts,
    )


@page_view("/campaigns/<int:campaign_id>/event/move", Permission.operate_campaigns)
def ask_move(campaign_id: int) -> str:
    """Another day, hour or place, and who is told."""
    event, path = _get(campaign_id, Permission.operate_campaigns)
    campaign = g.session.get_one(Campaign, campaign_id)
    version = g.session.get_one(TemplateVersion, campaign.template_version_id)
    picks = ask_picks(version, path, campaign.picks)
    return render_page(
        "event_move.html",
        event=event,
        zone=event["zone"],
        begins=write_moment(event["begins"], event["zone"]),
        earliest=write_moment(current_context().clock(), event["zone"]),
        picks=picks,
        place=None if picks else event["place"],
        look=url_for("console.look_for_move", campaign_id=campaign_id),
    )


@act_view("/campaigns/<int:campaign_id>/event/move", Permission.operate_campaigns, again=ask_move)
def move_one_event(campaign_id: int) -> Response:
    """Move it; who was invited is told once that is approved."""
    campaign, _ = event_changes.require_event(g.session, g.actor, Permission.operate_campaigns, campaign_id)
    form = read_form(MoveEventForm, apart=(PICK, FIND))
    zone = g.session.get_one(Unit, campaign.unit_id).timezone
    version = g.session.get_one(TemplateVersion, campaign.template_version_id)
    picks = read_picks()
    name = find_place_name(version) or PLACE
    done = event_changes.move_event(
        g.session,
        g.actor,
        campaign_id,
        parse_moment(form["at"], zone=zone),
        ends=parse_moment(form["ends"], "ends", zone) if form["ends"] else None,
        values={name: form["place"].strip()} if form["place"].strip() else {},
        picks=picks or None,
        why=form["why"],
    )
    begin_after_commit()
    said = say("It is moved. {told} people who were invited are told.", told=done.told)
    if not done.told:
        said = as_said("It is moved. Nobody was invited yet, so nobody is told.")
    elif done.campaign.undecided:
        said = say(
            "It is moved. What is still to go waits until somebody approves it; then {told} people are told.",
            told=done.told,
        )
    return go_to("console.show_event", said=said, campaign_id=campaign_id)


@page_view("/campaigns/<int:campaign_id>/event/move/look", Permission.operate_campaigns, methods=("GET", "POST"))
def look_for_move(campaign_id: int) -> str:
    """The form again, with the rows of a reference list that a search found."""
    return show_typed(ask_move, campaign_id)


@page_view("/campaigns/<int:campaign_id>/event/cancel", Permission.operate_campaigns)
def ask_event_cancel(campaign_id: int) -> str:
    """Whom it tells, and why."""
    event, _ = _get(campaign_id, Permission.operate_campaigns)
    return render_page("event_cancel.html", event=event, zone=event["zone"])


@act_view("/campaigns/<int:campaign_id>/event/cancel", Permission.operate_campaigns, again=ask_event_cancel)
def cancel_one_event(campaign_id: int) -> Response:
    """Call it off; exactly those who were invited are told."""
    event_changes.require_event(g.session, g.actor, Permission.operate_campaigns, campaign_id)
    told = event_changes.cancel_event(g.session, g.actor, campaign_id, read_form(WhyCancelForm)["why"]).told
    begin_after_commit()
    said = say("It is called off. {told} people who were invited are told.", told=told)
    if not told:
        said = as_said("It is called off. Nobody was invited, so nobody is told.")
    return go_to("console.show_event", said=said, campaign_id=campaign_id)


@page_view("/campaigns/<int:campaign_id>/attendance", Permission.edit_campaigns)
def show_attendance(campaign_id: int) -> str:
    """Everybody who was to come, ticked off by one press."""
    event, _ = _get(campaign_id, Permission.edit_campaigns)
    found = attendance.list_expected(g.session, g.actor, campaign_id)
    ticked = [one.came if one.came is not None else one.invited and not one.declined for one in found]
    return render_page(
        "attendance.html",
        event=event,
        zone=event["zone"],
        groups=[
            (label, people)
            for label, people in (
                (None, [one for one in found if one.invited]),
                (as_said("Got no invitation"), [one for one in found if not one.invited]),
            )
            if people
        ],
        is_long=len(found) > attendance.MOST_TICKED,
        ticked=[str(one.person_id) for one, on in zip(found, ticked, strict=True) if on],
        may_tick=_may_tick(event),
        units=len({one.unit_id for one in found}),
    )


@act_view("/campaigns/<int:campaign_id>/attendance", Permission.edit_campaigns, again=show_attendance)
def keep_attendance(campaign_id: int) -> Response:
    """Keep who came; they are thanked."""
    people = read_form(CameForm)["people"]
    came, expected = attendance.record_attendance(g.session, g.actor, campaign_id, people)
    begin_after_commit()
    said = say("{came} of {expected} people came.", came=came, expected=expected)
    return go_to("console.show_event", said=said, campaign_id=campaign_id)


def _get(campaign_id: int, permission: Permission) -> tuple[dict[str, Any], str]:
    event = get_event(g.session, g.actor, campaign_id)
    g.actor.require(permission, event["path"])
    return event, event["path"]


def _may_tick(event: dict[str, Any]) -> bool:
    return bool(event["begun"]) and not event["cancelled"] and CampaignAct.tick_off in event["acts"]


def _write_texts(event: dict[str, Any]) -> dict[int, Composed | Said]:
    """Its texts by item, where no particular person is meant; why there is none otherwise."""
    return {
        item["number"]: compose_in_general(
            item["template_version_id"], item["text"], item["class_"], event["signature"], item["values"]
        )
        for item in event["items"]
    }
