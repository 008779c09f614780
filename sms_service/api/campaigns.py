"""`/campaigns`: what is to be sent to whom, and the decisions people take on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import g
from flask.views import MethodView
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.api.campaign_shapes import (
    CampaignChange,
    CampaignIn,
    CampaignListed,
    CampaignOut,
    LaunchIn,
    NothingIn,
    RejectionIn,
    RetimeIn,
    TickedApprovalIn,
)
from sms_service.api.runs import RunOut
from sms_service.audience.segments import get_segment
from sms_service.campaigns import approval, overview, services
from sms_service.campaigns import launch as launching
from sms_service.campaigns.models import Campaign
from sms_service.campaigns.retiming import change_planned_time
from sms_service.campaigns.states import CampaignStatus
from sms_service.content.library import get_template
from sms_service.ledger.models import Run
from sms_service.web.paging import ScopedPageQuery, fetch_page, scope_filter
from sms_service.web.schemas import Id, OneLine, list_of
from sms_service.web.validators import OneOfWords
from sms_service.web.waking import begin_after_commit

blueprint = Blueprint(
    "campaigns",
    description="A template, a segment and how to send it. One person writes and submits it, another one approves "
    "exactly that content, then it is launched, once.",
)


class CampaignQuery(ScopedPageQuery):
    """Filters; all that are given must hold."""

    status = fields.String(
        load_default=None,
        validate=OneOfWords([*CampaignStatus]),
        metadata={"description": "Only campaigns of this status"},
    )
    name = OneLine(load_default=None, metadata={"description": "Part of the name"})
    segment = Id(load_default=None, metadata={"description": "Only campaigns that use this segment"})
    template = Id(load_default=None, metadata={"description": "Only campaigns that use a version of this template"})


@blueprint.route("/campaigns")
class Campaigns(MethodView):
    """The campaigns."""

    @endpoint(Permission.read)
    @blueprint.arguments(CampaignQuery, location="query")
    @blueprint.response(200, list_of(CampaignListed, "CampaignList"))
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List campaigns, newest first, without texts, values and rules"""
        scope = scope_filter(g.session, g.actor, Permission.read, query["unit"])
        _check_named(query)
        statement = overview.find_campaigns(
            scope.paths,
            status=query["status"],
            name=query["name"],
            segment_ids=None if query["segment"] is None else [query["segment"]],
            template_id=query["template"],
        )
        rows, following = fetch_page(
            g.session, statement, query, sort="id", key=Campaign.id, id_=Campaign.id, descending=True
        )
        return scope.answer([overview.describe_campaign(row) for row in rows], following)

    @endpoint(Permission.edit_campaigns)
    @blueprint.arguments(CampaignIn)
    @blueprint.response(201, CampaignOut)
    def post(self, body: dict[str, Any]) -> dict[str, Any]:
        """Write a campaign; it is a draft"""
        return _shown(services.create_campaign(g.session, g.actor, **body))


@blueprint.route("/campaigns/<int:campaign_id>")
class OneCampaign(MethodView):
    """One campaign."""

    @endpoint(Permission.read)
    @blueprint.response(200, CampaignOut)
    def get(self, campaign_id: int) -> dict[str, Any]:
        """Show a campaign"""
        return overview.get_campaign(g.session, g.actor, campaign_id)

    @endpoint(Permission.edit_campaigns)
    @blueprint.arguments(CampaignChange)
    @blueprint.response(200, CampaignOut)
    def patch(self, body: dict[str, Any], campaign_id: int) -> dict[str, Any]:
        """Change a draft; an approved or rejected campaign becomes a draft again"""
        return _shown(services.change_campaign(g.session, g.actor, campaign_id, body))


@blueprint.route("/campaigns/<int:campaign_id>/copy")
class Copy(MethodView):
    """The same once more."""

    @endpoint(Permission.edit_campaigns)
    @blueprint.arguments(NothingIn)
    @blueprint.response(201, CampaignOut)
    def post(self, body: dict[str, Any], campaign_id: int) -> dict[str, Any]:
        """Write a new draft with the content of a campaign, which may be launched long since

        It has the old one's name with a number, and is submitted and approved anew.
        """
        return _shown(services.copy_campaign(g.session, g.actor, campaign_id))


@blueprint.route("/campaigns/<int:campaign_id>/submit")
class Submission(MethodView):
    """Putting it before an approver."""

    @endpoint(Permission.edit_campaigns)
    @blueprint.arguments(NothingIn)
    @blueprint.response(200, CampaignOut)
    def post(self, body: dict[str, Any], campaign_id: int) -> dict[str, Any]:
        """Put a campaign before an approver; nobody can change it until the decision

        Where an approval rule lets the caller send it by themselves (self-service), it is approved at once, with a
        `decision` that names the rule, and launched if it has `launch_on_approval`. The people are counted by the
        service at this moment.
        """
        shown = _shown(services.submit_campaign(g.session, g.actor, campaign_id))
        if shown["run_id"] is not None:
            begin_after_commit()
        return shown


@blueprint.route("/campaigns/<int:campaign_id>/approve")
class Approval(MethodView):
    """Saying yes."""

    @endpoint(Permission.approve_campaigns)
    @blueprint.arguments(TickedApprovalIn)
    @blueprint.response(200, CampaignOut)
    def post(self, body: dict[str, Any], campaign_id: int) -> dict[str, Any]:
        """Approve a submitted campaign as it stands; not by anyone who wrote, changed or submitted it

        Where the approval rules ask for two approvals it stays `submitted` after the first, until another person has
        approved exactly the same; where they ask for an approver of a level, others are refused with 403.
        `/campaigns/{id}/review` says what it needs and who has approved it.

        With `launch_on_approval` this launches it, at `planned_at` or at once. If its time was missed by more than 30
        minutes it stays approved, and `unlaunched` says so: launch it, or withdraw it.

        These accounts may not approve it either: an account that one of those people created, or whose password they
        set last; an account that did this to one of theirs; and so on over any number of accounts.
        """
        return _decided(campaign_id, True, body)


@blueprint.route("/campaigns/<int:campaign_id>/reject")
class Rejection(MethodView):
    """Saying no."""

    @endpoint(Permission.approve_campaigns)
    @blueprint.arguments(RejectionIn)
    @blueprint.response(200, CampaignOut)
    def post(self, body: dict[str, Any], campaign_id: int) -> dict[str, Any]:
        """Reject a submitted campaign and say why; not by anyone who wrote, changed or submitted it

        As for an approval, an account that may belong to one of those people may not reject it either.
        """
        return _decided(campaign_id, False, body)


@blueprint.route("/campaigns/<int:campaign_id>/withdraw")
class Withdrawal(MethodView):
    """Giving it up."""

    @endpoint(Permission.edit_campaigns)
    @blueprint.arguments(NothingIn)
    @blueprint.response(200, CampaignOut)
    def post(self, body: dict[str, Any], campaign_id: int) -> dict[str, Any]:
        """Give up a campaign that was never launched; that is final"""
        return _shown(services.withdraw_campaign(g.session, g.actor, campaign_id))


@blueprint.route("/campaigns/<int:campaign_id>/launch")
class Launch(MethodView):
    """Sending it."""

    @endpoint(Permission.operate_campaigns)
    @blueprint.arguments(LaunchIn)
    @blueprint.response(201, RunOut)
    @blueprint.alt_response(200, schema=RunOut, description="It was launched already: its run")
    def post(self, body: dict[str, Any], campaign_id: int) -> tuple[Run, int]:
        """Launch an approved campaign, now or at a time

        It has one run: launching it again, without a time or for the time the run has, answers that run with status
        200 and does nothing. It is 409 for another time, while the run waits for its time, after it was cancelled, and
        for a campaign with a schedule: start that.
        """
        run, made = launching.launch_campaign(g.session, g.actor, campaign_id, body["at"])
        if made and body["at"] is None:
            begin_after_commit()
        return run, 201 if made else 200


@blueprint.route("/campaigns/<int:campaign_id>/retime")
class Retiming(MethodView):
    """Another time."""

    @endpoint(Permission.edit_campaigns)
    @blueprint.arguments(RetimeIn)
    @blueprint.response(200, CampaignOut)
    def post(self, body: dict[str, Any], campaign_id: int) -> dict[str, Any]:
        """Let a launched campaign's run begin at another time, as long as it waits for its time

        Whoever does this needs the right to launch it, too. Where the approver saw a planned time, the run is held
        until the new one is approved.
        """
        return _shown(change_planned_time(g.session, g.actor, campaign_id, body["at"]))


def _check_named(query: Mapping[str, Any]) -> None:
    """What is asked for by name must be there and readable: an empty list would say that nothing uses it."""
    if query["segment"] is not None:
        get_segment(g.session, g.actor, query["segment"])
    if query["template"] is not None:
        get_template(g.session, g.actor, query["template"])


def _shown(campaign: Campaign) -> dict[str, Any]:
    return overview.get_campaign(g.session, g.actor, campaign.id)


def _decided(campaign_id: int, approve: bool, body: dict[str, Any]) -> dict[str, Any]:
    digest = bytes.fromhex(body["digest"]) if body["digest"] else None
    decided = approval.decide_approval(
        g.session,
        g.actor,
        campaign_id,
        approve=approve,
        comment=body["comment"],
        digest=digest,
        ticks=body.get("ticks", ()),
    )
    shown = _shown(decided)
    if approve and shown["run_id"] is not None:
        begin_after_commit()
    return shown
