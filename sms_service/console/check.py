"""核对: what will happen if it is sent, then the one button that does it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from flask import Response, g, request, url_for
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.audience.wording import describe_rule
from sms_service.campaigns import launch as launching
from sms_service.campaigns import overview, services
from sms_service.campaigns.acts import EDITABLE, CampaignAct
from sms_service.campaigns.approval_rules import AskedApproval, ask_approval
from sms_service.campaigns.approvers import GivenApproval, count_given, find_approvers, read_given
from sms_service.campaigns.contents import content_of
from sms_service.campaigns.models import Campaign
from sms_service.campaigns.moving import require_on_campaign
from sms_service.campaigns.outlook import Outlook, foresee_content
from sms_service.campaigns.picks import list_picked
from sms_service.campaigns.self_service import say_why_no_self_service
from sms_service.campaigns.states import CampaignKind, CampaignStatus
from sms_service.channels.choosing import name_channels
from sms_service.console.coming import foresee_firings
from sms_service.console.event_pages import LABELS
from sms_service.console.forms import read_form
from sms_service.console.languages import write_number
from sms_service.console.moments import parse_moment, write_moment
from sms_service.console.pages import act_view, go_to, page_view
from sms_service.console.quiz_asking import name_quizzed
from sms_service.console.rendering import link_to, render_page
from sms_service.console.series_sums import sum_series
from sms_service.content.findings import Severity
from sms_service.directory.models import Unit
from sms_service.directory.units import format_clock
from sms_service.errors import Conflict, Invalid
from sms_service.gateways.config import DEFAULT_ROUTE
from sms_service.said import as_said, say
from sms_service.schedules.event_viewing import view_event
from sms_service.vocabulary import TextClass
from sms_service.web.context import current_context
from sms_service.web.rates import read_rates_and_prices
from sms_service.web.schemas import In, Whole
from sms_service.web.waking import begin_after_commit

READ_ABOVE = 1_000  # people: whoever sends to more ticks that the text is read
TYPED_ABOVE = 10_000  # people: whoever sends to more types how many


class SendForm(In):
    """What the page said when its button was pressed: the content's digest, to how many people, at which time; and
    `by_self`, that it is sent without an approval.
    """

    digest = fields.String(required=True)
    phones = Whole(required=True)
    when = fields.String(load_default="now")
    at = fields.String(load_default=None)
    read = fields.Boolean(load_default=False)
    number = fields.String(load_default="")
    by_self = fields.Boolean(load_default=False)


@page_view("/campaigns/<int:campaign_id>/check", Permission.read)
def show_check(campaign_id: int) -> str | Response:
    """Whom it reaches, who is skipped and why, what three of them read, what it costs and when it is through."""
    campaign = overview.get_campaign(g.session, g.actor, campaign_id)
    status, path = campaign["status"], campaign["path"]
    if status in (CampaignStatus.active, CampaignStatus.ended):
        return go_to("console.show_campaign", campaign_id=campaign_id)
    unit: Unit = campaign["owner"]
    fault, at = None, None
    try:
        at = _chosen_time(unit.timezone, campaign["planned_at"])
    except Invalid as error:
        fault = error.reason
    event = view_event(g.session, g.actor, campaign_id) if campaign["kind"] == CampaignKind.event else None
    is_plain = campaign["kind"] == CampaignKind.plain
    outlook = foresee_campaign(campaign, (at or campaign["now"]) if is_plain else None)
    content = campaign["content"]
    asked = ask_approval(g.session, content, path, outlook.people, campaign["approval_rules"])
    given = read_given(campaign["given"], content.digest()) if status == CampaignStatus.submitted else []
    holds = status == CampaignStatus.approved and campaign["decision"]["holds"]
    may_send = holds and bool({CampaignAct.launch, CampaignAct.start} & set(campaign["acts"]))
    may_submit = not holds and CampaignAct.submit in campaign["acts"]
    why_not_self = say_why_no_self_service(g.session, g.actor, content, path, asked, outlook.findings)
    by_self = may_submit and why_not_self is None
    return render_page(
        "check.html",
        campaign=campaign,
        outlook=outlook,
        event=event,
        labels=LABELS,
        total=sum_series(outlook) if campaign["kind"] == CampaignKind.series else None,
        schedule=None if event else foresee_firings(campaign),
        may_repeat=campaign["kind"] in (CampaignKind.plain, CampaignKind.recurring),
        refused=any(one.severity == Severity.refused for one in outlook.findings),
        at=write_moment(at, unit.timezone),
        time_fault=fault,
        earliest=write_moment(current_context().clock(), unit.timezone),
        opens=format_clock(unit.window_opens),
        closes=format_clock(unit.window_closes),
        may_send=may_send,
        by_itself=g.actor.can(Permission.operate_campaigns, path),
        may_submit=may_submit,
        by_self=by_self,
        why_not_self=why_not_self if asked.approvals == 0 else None,
        asked=asked,
        given=given,
        lacking=asked.by_others - count_given(asked, given),
        may_edit=CampaignAct.change in campaign["acts"],
        change=change_address(campaign),
        approvers=None if may_send or by_self else _find_approvers(campaign, asked, given),
        changed_rows=[
            one.row.name
            for one in list_picked(g.session, content.campaign, content.version)
            if one.changed and one.row is not None
        ],
        channels=name_channels(g.session, campaign["channels"]),
        quizzed=name_quizzed(campaign["asks"]),
        whom=describe_rule(g.session, g.actor, campaign["unit_id"], campaign["segment_rule"]),
        must_read=outlook.phones > READ_ABOVE,
        must_type=outlook.phones > TYPED_ABOVE,
    )


@act_view("/campaigns/<int:campaign_id>/submit", Permission.edit_campaigns, again=show_check)
def submit_one_campaign(campaign_id: int) -> Response:
    """Put it before an approver; where a rule lets the sender send it by themselves, it is sent."""
    _, path = require_on_campaign(g.session, g.actor, Permission.edit_campaigns, campaign_id)
    at, by_self = _read_what_was_seen(campaign_id)
    by_itself = g.actor.can(Permission.operate_campaigns, path)
    services.change_campaign(g.session, g.actor, campaign_id, {"planned_at": at, "launch_on_approval": by_itself})
    submitted = services.submit_campaign(g.session, g.actor, campaign_id)
    if submitted.status == CampaignStatus.submitted:
        said = as_said("It is submitted. Nothing is sent before somebody has approved it.")
        return go_to("console.show_campaign", said=said, campaign_id=campaign_id)
    if not by_self:
        raise Conflict("by the rules of now it is sent without an approval; look again before you send it")
    begin_after_commit()
    if submitted.schedule is not None:
        return _lead_to_started(submitted)
    run_id = overview.get_campaign(g.session, g.actor, campaign_id)["run_id"]
    said = as_said("It is on its way.")
    if run_id is None:  # its schedule has begun, and what it sends comes by and by
        return go_to("console.show_campaign", said=said, campaign_id=campaign_id)
    return go_to("console.show_run", said=said, run_id=run_id)


@act_view("/campaigns/<int:campaign_id>/send", Permission.operate_campaigns, again=show_check)
def send_one_campaign(campaign_id: int) -> Response:
    """Launch it, now or at the time that was chosen, or start its schedule. Once it was sent, this does nothing and
    leads to its run.
    """
    campaign, _ = require_on_campaign(g.session, g.actor, Permission.operate_campaigns, campaign_id)
    at, _ = _read_what_was_seen(campaign_id)
    if campaign.schedule is not None:
        return _lead_to_started(launching.start_campaign(g.session, g.actor, campaign_id))
    run, made = launching.launch_campaign(g.session, g.actor, campaign_id, at)
    if made and at is None:
        begin_after_commit()
    if link_to("console.show_run", run_id=run.id):
        return go_to("console.show_run", run_id=run.id)
    return go_to("console.show_campaign", campaign_id=campaign_id)


@act_view("/campaigns/<int:campaign_id>/rows", Permission.edit_campaigns)
def take_rows_over(campaign_id: int) -> Response:
    """Take what the picked rows say by now; an approval of the old content counts no longer."""
    campaign, _ = require_on_campaign(g.session, g.actor, Permission.edit_campaigns, campaign_id)
    services.change_campaign(g.session, g.actor, campaign_id, {"picks": dict(campaign.picks)})
    return go_to("console.show_check", said=as_said("The text has what the rows say now."), campaign_id=campaign_id)


def _lead_to_started(campaign: Campaign) -> Response:
    pages = {CampaignKind.event: "console.show_event", CampaignKind.series: "console.show_series"}
    page = pages.get(CampaignKind(campaign.kind), "console.show_campaign")
    return go_to(page, said=as_said("The schedule is started."), campaign_id=campaign.id)


def foresee_campaign(campaign: dict[str, Any], at: datetime | None = None) -> Outlook:
    """What will happen to the campaign if it is sent then, by default at its planned time, by this installation's
    gateways.
    """
    rates, prices = read_rates_and_prices()
    known = (campaign["now"], campaign["stopped"], campaign["for_lint"])
    return foresee_content(g.session, g.actor, campaign["content"], campaign["path"], rates, prices, at, known)


def _find_approvers(campaign: dict[str, Any], asked: AskedApproval, given: Sequence[GivenApproval]) -> list[str]:
    submitter = None if campaign["status"] == CampaignStatus.submitted else g.actor.account_id
    return find_approvers(
        g.session, campaign["content"].campaign, campaign["path"], submitter, asked=asked, given=given
    )


def change_address(campaign: dict[str, Any]) -> str:
    """Where it is changed: an event under way on its own pages, an invitation on the short form, a series in its steps,
    whatever else on the whole form.
    """
    if campaign["kind"] == CampaignKind.event and campaign["status"] not in EDITABLE:
        return url_for("console.show_event", campaign_id=campaign["id"])
    if campaign["kind"] == CampaignKind.series:
        return url_for("console.show_series_texts", campaign_id=campaign["id"])
    short = campaign["class_"] == TextClass.invitation and campaign["segment_rule"].keys() <= {"people", "everyone"}
    if short and campaign["route"] == DEFAULT_ROUTE:
        return url_for("console.show_invite", campaign=campaign["id"])
    return url_for("console.show_draft", campaign_id=campaign["id"])


def _chosen_time(zone: str, planned: datetime | None) -> datetime | None:
    """What was asked for; otherwise the planned time, unless it is past."""
    written = request.values.get("at", "")
    if request.values.get("when") == "now":
        return None
    if written:
        return parse_moment(written, zone=zone)
    return planned if planned is not None and planned > current_context().clock() else None


def _read_what_was_seen(campaign_id: int) -> tuple[datetime | None, bool]:
    """The time that was chosen, and whether the page said that it is sent without an approval. Raises Conflict or
    Invalid where the sender has not seen what would be done now.
    """
    form = read_form(SendForm)
    campaign = overview.get_campaign(g.session, g.actor, campaign_id)
    content = content_of(g.session, campaign["content"].campaign)  # held: it is what is submitted or sent
    if content.digest().hex() != form["digest"]:
        raise Conflict("the content has changed since you looked at it; look again before you send it")
    zone = campaign["owner"].timezone
    at = parse_moment(form["at"], zone=zone) if form["at"] else None
    phones = foresee_campaign(
        campaign, at or (campaign["now"] if campaign["kind"] == CampaignKind.plain else None)
    ).phones
    if phones == 0:
        raise Invalid("phones", None, "nobody would get a text")
    if phones != form["phones"]:
        reason = say("it reaches {now:,} people by now, not {then:,}; look again", now=phones, then=form["phones"])
        raise Invalid("phones", None, reason)
    if phones > READ_ABOVE and not form["read"]:
        raise Invalid("read", None, "tick that you have read the whole text")
    if phones > TYPED_ABOVE and _digits(form["number"]) != str(phones):
        raise Invalid("number", None, say("type the number of people: {number}", number=write_number(phones)))
    return at, form["by_self"]


def _digits(written: str) -> str:
    return "".join(character for character in written if character.isdecimal())
