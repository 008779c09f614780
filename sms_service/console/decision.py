"""审批: what waits for an approver, all that there is to know of one, and the yes or no."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from flask import Response, g, request
from marshmallow import fields, validate

from sms_service.accounts.permissions import Permission
from sms_service.audience.sizes import count_reached
from sms_service.audience.wording import describe_rule, describe_rules
from sms_service.campaigns import approval, overview
from sms_service.campaigns.approval_rules import ask_approval
from sms_service.campaigns.approvers import HeldRight, count_given, find_right, read_given
from sms_service.campaigns.authorship import find_last_change, is_of_others, list_authors
from sms_service.campaigns.contents import content_of
from sms_service.campaigns.models import Campaign
from sms_service.campaigns.moving import require_on_campaign
from sms_service.campaigns.states import CampaignKind, CampaignStatus
from sms_service.channels.choosing import name_channels
from sms_service.console.check import foresee_campaign
from sms_service.console.entering import confirm_password, is_password_fresh
from sms_service.console.forms import read_form, read_query
from sms_service.console.languages import say_here, translate_here, write_number, write_time
from sms_service.console.pages import act_view, go_to, page_view
from sms_service.console.rendering import name_here, render_page
from sms_service.console.texts import compose_in_general
from sms_service.content.compose import Composed
from sms_service.content.lint import Severity
from sms_service.errors import Conflict, Invalid
from sms_service.said import Said, as_said, say
from sms_service.schedules.event_viewing import view_event
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


class Changed(NamedTuple):
    """Something that is different from what was approved last, in words."""

    label: Said
    then: str
    now: str


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
    """Which campaigns; `waiting`: not those that one had a hand in."""

    waiting = fields.Boolean(load_default=None)


@page_view("/decisions", Permission.approve_campaigns)
def list_decisions() -> str:
    """The campaigns that wait for an approver, the oldest first."""
    query = read_query(DecisionsQuery) | {"limit": MOST_WAITING}
    scope = scope_filter(g.session, g.actor, Permission.approve_campaigns, query["unit"])
    statement = overview.find_campaigns(scope.paths, status=CampaignStatus.submitted)
    if query["waiting"]:
        statement = statement.where(is_of_others(g.actor))
    rows, following = fetch_page(g.session, statement, query, sort="id", key=Campaign.id, id_=Campaign.id)
    campaigns = [overview.describe_campaign(row) for row in rows]
    rules = [(one["owner"], one["segment_rule"]) for one in campaigns]
    return render_page(
        "decisions.html",
        campaigns=list(
            zip(
                campaigns,
                describe_rules(g.session, g.actor, rules),
                count_reached(g.session, [(unit.path, rule) for unit, rule in rules]),
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
    if campaign["status"] != CampaignStatus.submitted:  # the back button leads here: what was decided is shown
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
    if decided["status"] == CampaignStatus.submitted:
        said = as_said("Your approval is kept. Another person must approve it too before it is sent.")
        return go_to("console.show_decision", said=said, campaign_id=campaign_id)
    if run_id is None:
        return go_to("console.show_campaign", said=as_said("The campaign is approved."), campaign_id=campaign_id)
    begin_after_commit()
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
    waits = campaign["status"] == CampaignStatus.submitted
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
        refused=any(one.severity == Severity.refused for one in outlook.findings),
        whom=whom,
        channels=name_channels(g.session, campaign["channels"]),
        authored=authored,
        why_not=why_not,
        may_decide=may and waits,
        may_return=may and waits and not why_no_return,
        asked=asked,
        given=given,
        counted=count_given(asked, given),
        changes=_list_changes(campaign, whom),
        reasons=list(enumerate(REASONS)),
        fresh=outlook.phones <= PASSWORD_ABOVE or is_password_fresh(),
    )


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


_TEXT = ("body", "values", "signature", "class")


def _list_changes(campaign: dict[str, Any], whom: Said) -> list[Changed]:
    """What is different from what was approved last."""
    before = campaign["approved_before"]
    if before is None:
        return []
    then, now, names = before["covered"], campaign["content"].covered(), before["changes"]
    changed = []
    if names & set(_TEXT):
        changed.append(Changed(as_said("Text"), _text(then), _text(now)))
    if "segment_rule" in names:
        changed.append(Changed(as_said("To whom"), translate_here(before["whom"]), translate_here(whom)))
    for name, label, write in _OTHERS:
        if name in names:
            changed.append(Changed(label, write(then.get(name)), write(now.get(name))))
    return changed


def _text(covered: Mapping[str, Any]) -> str:
    text = compose_in_general(
        covered["template_version"], covered["body"], covered["class"], covered["signature"], covered["values"]
    )
    return text.text if isinstance(text, Composed) else translate_here(text)


def _yes_or_no(value: Any) -> str:
    return say_here("yes") if value else say_here("no")


def _channels(value: Any) -> str:
    return say_here(", ").join(name_channels(g.session, value or ()).values()) or "–"


def _moment(value: str | None) -> str:
    return write_time(datetime.fromisoformat(value)) if value else say_here("at once")


_OTHERS: tuple[tuple[str, Said, Callable[[Any], str]], ...] = (
    ("planned_at", as_said("When"), _moment),
    ("launch_on_approval", as_said("Sent by its approval"), _yes_or_no),
    ("class", as_said("Kind of text"), name_here),
    ("validity_s", as_said("Valid for"), lambda value: say_here("{hours} hours", hours=write_number(value / 3600))),
    ("urgent", as_said("Urgent"), _yes_or_no),
    ("canary_receipts", as_said("Wait for the first receipts"), _yes_or_no),
    ("channels", as_said("Also posted to"), _channels),
    ("route", as_said("Route"), lambda value: f"{value}"),
)
