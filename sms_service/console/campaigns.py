"""The campaigns: which there are, how far each is, and what can be done next with one."""

from __future__ import annotations

from typing import Any

from flask import Response, g
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.audience.wording import describe_rule
from sms_service.campaigns import overview, services
from sms_service.campaigns.acts import CampaignAct
from sms_service.campaigns.approval_rules import ask_approval
from sms_service.campaigns.approvers import count_given, find_approvers, read_given
from sms_service.campaigns.awaited import is_returned
from sms_service.campaigns.models import Campaign
from sms_service.campaigns.moving import list_acts, require_on_campaign
from sms_service.campaigns.states import CampaignKind, CampaignStatus
from sms_service.channels.choosing import name_channels
from sms_service.console.check import change_address
from sms_service.console.forms import read_query
from sms_service.console.pages import act_view, go_to, page_view
from sms_service.console.quiz_asking import name_quizzed
from sms_service.console.rendering import name_here, render_page
from sms_service.console.schedule_pages import describe_section
from sms_service.console.texts import compose_in_general
from sms_service.console.unit_choice import choose_unit
from sms_service.ledger.questions import list_questions
from sms_service.ledger.states import MessageStatus, RunStatus
from sms_service.replies.listing import count_campaign_replies
from sms_service.reports.counts import check_identity
from sms_service.said import Said, as_said, say
from sms_service.web.paging import ScopedPageQuery, fetch_page, scope_filter
from sms_service.web.schemas import OneLine
from sms_service.web.validators import OneOfWords


class CampaignsQuery(ScopedPageQuery):
    """Filters of the list; all that are given must hold."""

    status = fields.String(load_default=None, validate=OneOfWords([*CampaignStatus]))
    name = OneLine(load_default=None)
    waiting = fields.Boolean(load_default=None)  # only one's own that one may change


@page_view("/campaigns", Permission.read)
def list_campaigns() -> str:
    """The campaigns, newest first."""
    query = read_query(CampaignsQuery)
    right = Permission.edit_campaigns if query["waiting"] else Permission.read
    scope = scope_filter(g.session, g.actor, right, query["unit"])
    status, returned = query["status"], None
    if query["waiting"] and status == CampaignStatus.rejected:
        status, returned = None, is_returned()
    statement = overview.find_campaigns(scope.paths, status=status, name=query["name"], where=returned)
    if query["waiting"]:
        statement = statement.where(Campaign.created_by == g.actor.account_id)
    rows, following = fetch_page(
        g.session, statement, query, sort="id", key=Campaign.id, id_=Campaign.id, descending=True
    )
    return render_page(
        "campaigns.html",
        rows=[overview.describe_campaign(row) for row in rows],
        following=following,
        scope=scope.units,
        units=choose_unit(g.session, g.actor, Permission.read, query["unit"], top=True),
        query=query,
        statuses=[(status, name_here(status)) for status in CampaignStatus],
        may_write=bool(g.actor.scope(Permission.edit_campaigns)),
    )


@page_view("/campaigns/<int:campaign_id>", Permission.read)
def show_campaign(campaign_id: int) -> str:
    """One campaign: its text, to whom it goes, how far it is, and what can be done next."""
    campaign = overview.get_campaign(g.session, g.actor, campaign_id)
    path, content = campaign["path"], campaign["content"]
    was_sent = campaign["run_id"] is not None or campaign["schedule"] is not None
    waits: dict[str, Any] = {}
    if campaign["status"] == CampaignStatus.submitted or campaign["undecided"]:
        asked = ask_approval(g.session, content, path, rules=campaign["approval_rules"])
        given = read_given(campaign["given"], content.digest())
        waits = {
            "why_not_self": None,
            "asked": asked,
            "given": given,
            "lacking": asked.by_others - count_given(asked, given),
        }
        waits["approvers"] = find_approvers(g.session, content.campaign, path, asked=asked, given=given)
    return render_page(
        "campaign.html",
        campaign=campaign,
        text=general_text(campaign),
        state=_state(campaign),
        reached=_count_reached(campaign),
        replies=count_campaign_replies(g.session, g.actor, campaign_id) if was_sent else 0,
        questions=list_questions(g.session, campaign_id) if was_sent else [],
        channels=name_channels(g.session, campaign["channels"]),
        quizzed=name_quizzed(campaign["asks"]),
        whom=describe_rule(g.session, g.actor, campaign["unit_id"], campaign["segment_rule"]),
        change=change_address(campaign),
        schedule=describe_section(campaign),
        **waits,
        may_edit=g.actor.can(Permission.edit_campaigns, path),
    )


@act_view("/campaigns/<int:campaign_id>/copy", Permission.edit_campaigns)
def make_copy(campaign_id: int) -> Response:
    """The same once more, as a new draft."""
    made = services.copy_campaign(g.session, g.actor, campaign_id)
    said = as_said("This is a new draft with the same content. Change what is different, then check it.")
    page = "console.show_series_texts" if made.kind == CampaignKind.series else "console.show_draft"
    return go_to(page, said=said, campaign_id=made.id)


@page_view("/campaigns/<int:campaign_id>/withdraw", Permission.edit_campaigns)
def show_withdrawal(campaign_id: int) -> str:
    """What it means to give it up."""
    campaign, path = require_on_campaign(g.session, g.actor, Permission.edit_campaigns, campaign_id)
    can = CampaignAct.withdraw in list_acts(g.actor, campaign, path)
    return render_page("withdrawal.html", campaign=campaign, can=can)


@act_view("/campaigns/<int:campaign_id>/withdraw", Permission.edit_campaigns)
def give_up_campaign(campaign_id: int) -> Response:
    """Give it up, for good."""
    services.withdraw_campaign(g.session, g.actor, campaign_id)
    return go_to("console.show_campaign", said=as_said("The campaign is withdrawn."), campaign_id=campaign_id)


def general_text(campaign: dict[str, Any]) -> Any:
    """The campaign's text, where no particular person is meant; why there is none otherwise."""
    return compose_in_general(
        campaign["template_version_id"],
        campaign["body"],
        campaign["class_"],
        campaign["signature"],
        campaign["values"],
    )


def _count_reached(campaign: dict[str, Any]) -> tuple[int, int] | None:
    """Of a run that is over: how many people got the text and how many did not, where most of them did not."""
    if campaign["run_status"] != RunStatus.closed or not campaign["audience"]:
        return None
    delivered = check_identity(g.session, campaign["run_id"]).statuses.get(MessageStatus.delivered, 0)
    others = campaign["audience"] - delivered
    return (delivered, others) if others > delivered else None


def _state(campaign: dict[str, Any]) -> Said:
    """Where it stands, in one sentence."""
    decision = campaign["decision"] or {}
    match campaign["status"]:
        case CampaignStatus.draft:
            return as_said("A draft. Nobody has been asked to approve it, and nothing is sent.")
        case CampaignStatus.approved if decision.get("holds") and decision["self_service"]:
            return as_said("It may be sent by self-service. It is not sent yet.")
        case CampaignStatus.approved if decision.get("holds"):
            return say("Approved by {name}. It is not sent yet.", name=decision["name"] or "system")
        case CampaignStatus.approved:
            return as_said("It was approved, but has changed since: submit it again.")
        case CampaignStatus.rejected:
            return say("Returned by {name}. Change it and submit it again.", name=decision.get("name") or "system")
        case CampaignStatus.withdrawn:
            return as_said("It was given up. To send it after all, copy it.")
        case CampaignStatus.ended:
            return as_said("It was sent. To send it again, copy it.")
        case CampaignStatus.suspended:
            return as_said("It is suspended: nothing is sent until somebody goes on with it.")
        case CampaignStatus.active if campaign["schedule"]:
            return as_said("It is sent by its schedule.")
        case _:
            return as_said("It is being sent. Its run shows how far it is.")
