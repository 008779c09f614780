"""发送计划: what of a campaign was sent and what is to come, and how it is suspended, goes on and ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Response, g

from sms_service.accounts.permissions import Permission
from sms_service.campaigns import overview
from sms_service.campaigns.acts import CampaignAct
from sms_service.campaigns.models import Campaign
from sms_service.campaigns.states import CampaignKind, CampaignStatus
from sms_service.console.coming import foresee_firings
from sms_service.console.forms import read_form
from sms_service.console.pages import act_view, go_to, page_view
from sms_service.console.rendering import render_page
from sms_service.console.texts import compose_in_general
from sms_service.errors import NotFound
from sms_service.said import as_said
from sms_service.schedules import scheduling
from sms_service.schedules.viewing import count_open_runs, find_next_time, view_items
from sms_service.web.schemas import WhyIn

MOST_BEFORE, MOST_AFTER = 3, 7  # items beside each other on a campaign's page: which went last, which come next


def describe_section(campaign: dict[str, Any]) -> dict[str, Any] | None:
    """What a campaign's page says of its schedule: what `foresee_firings` says, its `items`, of many those that went
    last and come next, how many there are (`count`), and what the visitor may do. None of a plain campaign.
    """
    firings = foresee_firings(campaign)
    if firings is None:
        return None
    items = view_items(g.session, campaign["content"])
    return firings | {"items": _pick_near(items), "count": len(items)} | _list_rights(campaign)


@page_view("/campaigns/<int:campaign_id>/items", Permission.read)
def list_items(campaign_id: int) -> str:
    """Every text of a schedule, with its time, its runs and what became of them."""
    campaign = overview.get_campaign(g.session, g.actor, campaign_id)
    items = view_items(g.session, campaign["content"])
    return render_page("items.html", campaign=campaign, items=items, zone=campaign["owner"].timezone)


@page_view("/campaigns/<int:campaign_id>/items/<int:number>", Permission.read)
def show_item(campaign_id: int, number: int) -> str | Response:
    """One text of a schedule: how it reads, when it goes, and its runs."""
    campaign = overview.get_campaign(g.session, g.actor, campaign_id)
    if campaign["kind"] == CampaignKind.plain:  # it has but one text, which stands there
        return go_to("console.show_campaign", campaign_id=campaign_id)
    content = campaign["content"]
    found = next((item for item in content.items if item.number == number), None)
    if found is None:
        raise NotFound("item", number)
    text = content.of_item(found)
    version = text.version
    return render_page(
        "item.html",
        campaign=campaign,
        item=next(one for one in view_items(g.session, content) if one["number"] == number),
        zone=campaign["owner"].timezone,
        text=compose_in_general(version.id, version.body, text.class_, campaign["signature"], text.values),
    )


@page_view("/campaigns/<int:campaign_id>/suspend", Permission.operate_campaigns)
def ask_suspension(campaign_id: int) -> str | Response:
    """What it means that nothing fires for a while."""
    return _ask_schedule_act(campaign_id, "suspend")


@act_view("/campaigns/<int:campaign_id>/suspend", Permission.operate_campaigns, again=ask_suspension)
def suspend_one_schedule(campaign_id: int) -> Response:
    """Let nothing fire until somebody goes on with it."""
    return _do(scheduling.suspend_campaign, campaign_id, as_said("The schedule is suspended."))


@page_view("/campaigns/<int:campaign_id>/continue", Permission.operate_campaigns)
def ask_continuation(campaign_id: int) -> str | Response:
    """When it fires next if it goes on."""
    return _ask_schedule_act(campaign_id, "continue")


@act_view("/campaigns/<int:campaign_id>/continue", Permission.operate_campaigns, again=ask_continuation)
def continue_one_schedule(campaign_id: int) -> Response:
    """Let it fire again, from now on."""
    return _do(scheduling.continue_campaign, campaign_id, as_said("The schedule goes on."))


@page_view("/campaigns/<int:campaign_id>/end", Permission.operate_campaigns)
def ask_ending(campaign_id: int) -> str | Response:
    """What will not be sent any more, and what goes on."""
    return _ask_schedule_act(campaign_id, "end")


@act_view("/campaigns/<int:campaign_id>/end", Permission.operate_campaigns, again=ask_ending)
def end_one_schedule(campaign_id: int) -> Response:
    """Fire nothing more, for good."""
    return _do(scheduling.end_schedule, campaign_id, as_said("The schedule is ended."))


def _ask_schedule_act(campaign_id: int, act: str) -> str | Response:
    campaign = overview.get_campaign(g.session, g.actor, campaign_id)
    g.actor.require(Permission.operate_campaigns, campaign["path"])
    if not _list_rights(campaign)[f"may_{act}"]:  # the back button leads here
        return go_to("console.show_campaign", campaign_id=campaign_id)
    content = campaign["content"]
    coming = [item.next_at for item in content.items if item.next_at is not None]
    return render_page(
        "schedule_act.html",
        campaign=campaign,
        act=act,
        zone=campaign["owner"].timezone,
        next_at=find_next_time(g.session, content) if act == "continue" else min(coming, default=None),
        to_come=len(coming),
        open_runs=count_open_runs(g.session, campaign_id),
    )


def _do(act: Callable[..., Campaign], campaign_id: int, said: str) -> Response:
    act(g.session, g.actor, campaign_id, **read_form(WhyIn))
    return go_to("console.show_campaign", said=said, campaign_id=campaign_id)


def _list_rights(campaign: dict[str, Any]) -> dict[str, bool]:
    """Which acts on its schedule make sense now for the visitor. An event is not ended but called off."""
    acts, coming = campaign["acts"], any(item.next_at is not None for item in campaign["content"].items)
    return {
        "may_suspend": CampaignAct.suspend in acts and coming,
        "may_continue": CampaignAct.go_on in acts,
        "may_end": CampaignAct.end in acts
        and (coming or campaign["status"] == CampaignStatus.suspended)
        and campaign["kind"] != CampaignKind.event,
    }


def _pick_near(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of many items those that went last, wait, or come next, in their order."""
    if len(items) <= MOST_BEFORE + MOST_AFTER:
        return items
    fired = sorted((one for one in items if one["fired_at"] and not one["next_at"]), key=lambda one: one["fired_at"])
    coming = sorted((one for one in items if one["next_at"]), key=lambda one: one["next_at"])
    near = {one["number"] for one in fired[-MOST_BEFORE:] + coming[:MOST_AFTER]}
    near |= {one["number"] for one in items if one["waits"]}
    return [one for one in items if one["number"] in near]
