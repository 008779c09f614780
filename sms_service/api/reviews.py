"""`/campaigns/<id>/review`: what an approver has to know of a campaign beside its outlook."""

from __future__ import annotations

from typing import Any

from flask import g
from flask.views import MethodView
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.campaigns import authorship, overview
from sms_service.masking import mask_values
from sms_service.web.schemas import MaskedText, Out, SaidMessage

blueprint = Blueprint(
    "reviews", description="Who wrote a campaign, who may decide on it, and what is different from what was approved."
)


class AuthoredOut(Out):
    """An act by which somebody had a hand in it."""

    account_id = fields.Integer(allow_none=True, metadata={"description": "Who; null: the service itself"})
    name = fields.String(allow_none=True, metadata={"description": "Their name"})
    act = fields.String(metadata={"description": "`campaign.create`, `campaign.change` or `campaign.submit`"})
    at = fields.AwareDateTime(metadata={"description": "When"})


class ApprovedBeforeOut(Out):
    """What was approved last."""

    campaign_id = fields.Integer(metadata={"description": "This campaign, or the one that it is a copy of"})
    at = fields.AwareDateTime(metadata={"description": "When"})
    covered = fields.Dict(metadata={"description": "What the approval was for, by name"})
    whom = MaskedText(metadata={"description": "Whom it went to, in words"})
    whom_said = SaidMessage(attribute="whom", metadata={"description": "The same for saying it in another language"})
    changes = fields.List(fields.String(), metadata={"description": "The names of `covered` that are different now"})


class ReviewOut(Out):
    """What an approver has to know."""

    authored = fields.List(fields.Nested(AuthoredOut), metadata={"description": "Who had a hand in it, oldest first"})
    approvers = fields.List(
        fields.String(), metadata={"description": "The names of up to three people who may decide, nearest first"}
    )
    why_not = fields.String(
        allow_none=True, metadata={"description": "Why the caller may not decide on it, as one who had a hand in it"}
    )
    why_not_said = SaidMessage(
        attribute="why_not", metadata={"description": "The same for saying it in another language"}
    )
    approved_before = fields.Nested(
        ApprovedBeforeOut, allow_none=True, metadata={"description": "What was approved last; null: nothing yet"}
    )


@blueprint.route("/campaigns/<int:campaign_id>/review")
class CampaignReview(MethodView):
    """What an approver has to know."""

    @endpoint(Permission.read)
    @blueprint.response(200, ReviewOut)
    def get(self, campaign_id: int) -> dict[str, Any]:
        """Show who wrote a campaign, who may decide on it, and what is different from what was approved last"""
        described = overview.get_with_difference(g.session, g.actor, campaign_id)
        campaign, before = described["content"].campaign, described["approved_before"]
        authored = authorship.list_authors(g.session, campaign)
        why_not = authorship.say_why_not(g.session, g.actor, campaign, authored)
        return {
            "authored": authored,
            "approvers": authorship.find_approvers(g.session, campaign, described["path"]),
            "why_not": why_not,
            "approved_before": before
            and {
                **before,
                "covered": mask_values(before["covered"]),
                "changes": sorted(before["changes"]),
            },
        }
