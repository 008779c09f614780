"""审批: what waits for an approver, all that there is to know of one, and the yes or no."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response, g, request
from marshmallow import fields, validate

from sms_service.accounts.permissions import Permission
from sms_service.audience.covering import TextKind
from sms_service.audience.sizes import count_reached
from sms_service.audience.wording import describe_rule, describe_rules
from sms_service.campaigns import approval, overview
from sms_service.campaigns.acts import UNDER_WAY
from sms_service.campaigns.approval_rules import ask_approval
from sms_service.campaigns.approvers import HeldRight, count_given, find_right, read_given
from sms_service.campaigns.authorship import find_last_change, is_of_others, list_authors
from sms_service.campaigns.awaited import is_awaiting, list_barred
from sms_service.campaigns.contents import content_of
from sms_service.campaigns.models import Campaign
from sms_service.campaigns.moving import require_on_campaign
from sms_service.campaigns.states import CampaignKind, CampaignStatus
from sms_service.channels.choosing import name_channels
from sms_service.console.check import foresee_campaign
from sms_service.console.differences import list_changes, write_text
from sms_service.console.entering import confirm_password, is_password_fresh
from sms_service.console.event_pages import LABELS
from sms_service.console.forms import read_form, read_query
from sms_service.console.languages import translate_here
from sms_service.console.pages import act_view, go_to, page_view
from sms_service.console.quiz_asking import name_quizzed
from sms_service.console.rendering import render_page
from sms_service.console.series_sums import sum_series
from sms_service.content.findings import Severity
from sms_service.errors import Conflict, Invalid
from sms_service.said import Said, as_said, say
from sms_service.schedules.event_viewing import view_event
from sms_service.schedules.viewing import view_items
from sms_service.web.paging import ScopedPageQuery, fetch_page, scope_filter
from sms_service.web.schemas import In, Whole
from sms_service.web.waking import begin_after_commit

MOST_WAITING = 20  # campaigns on a page: the people of each are counted
PASSWORD_ABOVE = 1_000  # people: the password again, where it is not fresh
# Why campaigns are returned most often; each with room for more words.
REASONS = (
    as_said("The text has a mistake."),
    as_said("It goes to the wrong people."),
    as_said("The time does not fit."),
    as_said("It was sent already, or is not needed."),
)


_hexadecimal = validate.Regexp(r"[0-9a-f]{64}\Z", error="open the page again and send its form")


class ApproveForm(In):
    """What the approver read: the content's digest, and to how many people it goes."""

    digest = fields.String(required=True, validate=_hexadecimal)
    whom = fields.String(load_default="")
    phones = Whole(required=True)
    ticks = fields.List(fields.String(), load_default=list)


class ReturnForm(In):
    """Why it is returned: one of the reasons, words of one's own, or both."""

    digest = fields.String(required=True, validate=_hexadecimal)
    whom = fields.String(load_default="")
    reason = fields.String(load_default="")
    comment = fields.String(load_default="")


class DecisionsQuery(ScopedPageQuery):
    """Which campaigns; `waiting`: only those that one may decide on."""

    waiting = fields.Boolean(load_default=None)


@page_view("/decisions", Permission.approve_campaigns)
def list_decisions() -> str:
    """The campaigns that wait for an approver, the oldest first."""
    query = read_query(DecisionsQuery) | {"limit": MOST_WAITING}
    scope = scope_filter(g.session, g.actor, Permission.approve_campaigns, query["unit"])
    statement = overview.find_campaigns(scope.paths, where=is_awaiting())
    if query["waiting"]:
        barred = list_barred(g.session, g.actor)
        statement = statement.where(is_of_others(g.actor), Campaign.id.not_in(barred))
    rows, following = fetch_page(g.session, statement, query, sort="id", key=Campaign.id, id_=Campaign.id)
    campaigns = [overview.describe_campaign(row) for row in rows]
    rules = [(one["owner"], one["segment_rule"]) for one in campaigns]
    kinds = [TextKind(one["class_"], one["signature"]) for one in campaigns]
    return render_page(
        "decisions.html",
        campaigns=list(
            zip(
                campaigns,
                describe_rules(g.session, g.actor, rules),
                count_reached(
                    g.session, [(unit.path, rule, kind) for (unit, rule), kind in zip(rules, kinds, strict=True)]
                ),
                strict=True,
            )
        ),
        following=following,
        scope=scope.units,
    )


@page_view("/campaigns/<int:campaign_id>/decision", Permission.read)
def show_decision(campaign_id: int) -> str:
    """What is to be sent to whom, and what is different from what was approved last."""
    return _show(overview.get_with_difference(g.session, g.actor, campaign_id), "decision.html")


@page_view("/campaigns/<int:campaign_id>/decision/approve", Permission.approve_campaigns)
def show_approval(campaign_id: int) -> str | Response:
    """The yes once more, with the number of people; the digest in the address is that of what was read."""
    read = request.values.get("digest", "")
    campaign = overview.get_with_difference(g.session, g.actor, campaign_id)
    if not _waits(campaign):  # the back button leads here: what was decided is shown
        return go_to("console.show_decision", campaign_id=campaign_id)
    if read != campaign["digest"]:
        said = as_said("It has changed since you opened it. Read it again.") if read else None
        return go_to("console.show_decision", said=said, campaign_id=campaign_id)
    return _show(campaign, "approval.html")


@act_view("/campaigns/<int:campaign_id>/decision/approve", Permission.approve_campaigns, again=show_approval)
def approve_one_campaign(campaign_id: int) -> Response:
    """Approve exactly what was read."""
    form = read_form(ApproveForm)
    campaign, _ = require_on_campaign(g.session, g.actor, Permission.approve_campaigns, campaign_id)
    _require_as_read(campaign, form)
    phones = foresee_campaign(overview.get_campaign(g.session, g.actor, campaign_id)).phones
    if max(phones, form["phones"]) > PASSWORD_ABOVE:
        confirm_password()
    if phones > form["phones"]:
        reason = say("it reaches {now:,} people by now, not {then:,}; look again", now=phones, then=form["phones"])
        raise Invalid("phones", None, reason)
    digest = bytes.fromhex(form["digest"])
    approval.decide_approval(g.session, g.actor, campaign_id, approve=True, digest=digest, ticks=form["ticks"])
    decided = overview.get_campaign(g.session, g.actor, campaign_id)
    run_id = decided["run_id"]
    if _waits(decided):
        said = as_said("Your approval is kept. Another person must approve it too before it is sent.")
        return go_to("console.show_decision", said=said, campaign_id=campaign_id)
    begin_after_commit()
    if run_id is None:
        return go_to("console.show_campaign", said=as_said("The campaign is approved."), campaign_id=campaign_id)
    return go_to("console.show_run", said=as_said("The campaign is approved and on its way."), run_id=run_id)


@act_view("/campaigns/<int:campaign_id>/decision/return", Permission.approve_campaigns, again=show_decision)
def return_one_campaign(campaign_id: int) -> Response:
    """Give it back to who wrote it, with the reason."""
    form = read_form(ReturnForm)
    campaign, _ = require_on_campaign(g.session, g.actor, Permission.approve_campaigns, campaign_id)
    _require_as_read(campaign, form)
    reasons = [translate_here(reason) for number, reason in enumerate(REASONS) if form["reason"] == str(number)]
    comment = " ".join([*reasons, form["comment"].strip()]).strip()
    if not comment:
        raise Invalid("comment", None, "say why it is returned, or choose a reason")
    approval.decide_approval(
        g.session,
        g.actor,
        campaign_id,
        approve=False,
        comment=comment,
        digest=bytes.fromhex(form["digest"]),
    )
    return go_to("console.list_decisions", said=as_said("The campaign is returned to who wrote it."))


def _show(campaign: dict[str, Any], template: str) -> str:
    content = campaign["content"]
    authored = list_authors(g.session, content.campaign)
    may = g.actor.can(Permission.approve_campaigns, campaign["path"])
    waits = _waits(campaign)
    event = view_event(g.session, g.actor, campaign["id"]) if campaign["kind"] == CampaignKind.event else None
    outlook = foresee_campaign(campaign)
    asked = ask_approval(g.session, content, campaign["path"], outlook.people, campaign["approval_rules"])
    given = read_given(campaign["given"], bytes.fromhex(campaign["digest"])) if waits else []
    why_not, why_no_return = None, None
    if may and waits:
        about = (g.session, g.actor, content.campaign, campaign["path"], authored)
        why_not = _as_reason(find_right(*about, asked, given, campaign["line"]))
        why_no_return = why_not and _as_reason(
            find_right(*about, line=campaign["line"])
        )  # whoever may approve may return it
    whom = describe_rule(g.session, g.actor, campaign["unit_id"], campaign["segment_rule"])
    return render_page(
        template,
        campaign=campaign,
        outlook=outlook,
        event=event,
        labels=LABELS,
        total=sum_series(outlook) if campaign["kind"] == CampaignKind.series else None,
        refused=any(one.severity == Severity.refused for one in outlook.findings),
        whom=whom,
        channels=name_channels(g.session, campaign["channels"]),
        quizzed=name_quizzed(campaign["asks"]),
        authored=authored,
        why_not=why_not,
        waits=waits,
        held=_list_held(campaign) if campaign["undecided"] else None,
        may_decide=may and waits,
        may_return=may and waits and not why_no_return,
        asked=asked,
        given=given,
        counted=count_given(asked, given),
        changes=list_changes(campaign, whom),
        reasons=list(enumerate(REASONS)),
        fresh=outlook.phones <= PASSWORD_ABOVE or is_password_fresh(),
    )


def _waits(campaign: Mapping[str, Any]) -> bool:
    """Whether somebody may decide on it: it is submitted, or was changed while it is under way."""
    return campaign["status"] == CampaignStatus.submitted or (campaign["undecided"] and campaign["status"] in UNDER_WAY)


def _list_held(campaign: dict[str, Any]) -> list[dict[str, Any]]:
    """Of a campaign that was changed while it is under way: what waits, each with its `label`, how it reads now
    (`text`), when it goes next, and its `runs` that wait.
    """
    content = campaign["content"]
    texts = {item.number: content.of_item(item) for item in content.items}
    found = []
    for item in view_items(g.session, content):
        if item["waits"]:
            covered = texts[item["number"]].covered()
            runs = [run for run in item["runs"] if run.is_to_come]
            found.append({**item, "runs": runs, "text": write_text(covered)})
    return found


def _as_reason(right: HeldRight | Said) -> Said | None:
    return right if isinstance(right, Said) else None


def _require_as_read(campaign: Campaign, form: Mapping[str, Any]) -> None:
    """Raises Conflict where the content is another one than that of the page on which somebody decided; while it waits
    for a decision only its segment can change.
    """
    content = content_of(g.session, campaign)
    if content.digest().hex() == form["digest"]:
        return
    who = find_last_change(g.session, campaign.segment_id)
    raise Conflict(
        say(
            "It is not what you read any more, and nothing was decided. It went to: {then} Now it goes to: {now} "
            "Changed by: {who}.",
            then=form["whom"],
            now=describe_rule(g.session, g.actor, campaign.unit_id, content.segment_rule),
            who=who or as_said("unknown"),
        )
    )
