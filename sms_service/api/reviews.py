"""`/campaigns/<id>/review`: what an approver has to know of a campaign beside its outlook."""

from __future__ import annotations

from typing import Any

from flask import g
from flask.views import MethodView
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.campaigns import approvers, authorship, overview
from sms_service.campaigns.approval_rules import ask_approval
from sms_service.masking import mask_values
from sms_service.said import Said
from sms_service.web.schemas import MaskedText, Out, SaidMessage

blueprint = Blueprint(
    "reviews", description="Who wrote a campaign, who may decide on it, and what is different from what was approved."
)


class AuthoredOut(Out):
    """An act by which somebody had a hand in it."""

    account_id = fields.Integer(allow_none=True, metadata={"description": "Who; null: the service itself"})
    name = fields.String(allow_none=True, metadata={"description": "Their name"})
    act = fields.String(metadata={"description": "One of " + ", ".join(authorship.AUTHORSHIP)})
    at = fields.AwareDateTime(metadata={"description": "When"})


class ApprovedBeforeOut(Out):
    """What was approved last."""

    campaign_id = fields.Integer(metadata={"description": "This campaign, or the one that it is a copy of"})
    at = fields.AwareDateTime(metadata={"description": "When"})
    covered = fields.Dict(metadata={"description": "What the approval was for, by name"})
    whom = MaskedText(metadata={"description": "Whom it went to, in words"})
    whom_said = SaidMessage(attribute="whom", metadata={"description": "The same for saying it in another language"})
    changes = fields.List(fields.String(), metadata={"description": "The names of `covered` that are different now"})


class GivenOut(Out):
    """An approval of the campaign as it stands."""

    account_id = fields.Integer(allow_none=True, metadata={"description": "Who approved; null: the service itself"})
    name = fields.String(allow_none=True, metadata={"description": "Their name"})
    lender_id = fields.Integer(
        allow_none=True, metadata={"description": "The account by whose delegation; null: by their own right"}
    )
    lender = fields.String(allow_none=True, metadata={"description": "The name of that account's person"})
    level = fields.String(
        allow_none=True, metadata={"description": "The level of the unit on which the right was held"}
    )
    at = fields.AwareDateTime(metadata={"description": "When"})


class NeededOut(Out):
    """How many approvals it needs as it stands, and how many it has."""

    people = fields.Integer(metadata={"description": "Its recipients, counted now"})
    needed = fields.Integer(metadata={"description": "Approvals that it needs, if it is not self-service"})
    self_service = fields.Boolean(
        metadata={"description": "A rule lets whoever may send for the unit send it without another person"}
    )
    self_service_up_to = fields.Integer(
        allow_none=True, metadata={"description": "To how many people self-service goes here; null: there is none"}
    )
    level = fields.String(
        allow_none=True,
        metadata={"description": "The lowest level of a unit on which an approver must hold the right; null: any"},
    )
    rule_id = fields.Integer(allow_none=True, metadata={"description": "The approval rule; null: none covers it"})
    rule = fields.String(metadata={"description": "That rule in words"})
    rule_said = SaidMessage(attribute="rule", metadata={"description": "The same for saying it in another language"})
    given = fields.List(
        fields.Nested(GivenOut), metadata={"description": "Who approved exactly this since it was submitted"}
    )
    counted = fields.Integer(metadata={"description": "How many of these count for what is needed"})


class ReviewOut(Out):
    """What an approver has to know."""

    authored = fields.List(fields.Nested(AuthoredOut), metadata={"description": "Who had a hand in it, oldest first"})
    approvers = fields.List(
        fields.String(),
        metadata={"description": "The names of up to three people who may approve it, nearest first"},
    )
    why_not = fields.String(
        allow_none=True,
        metadata={"description": "Why the caller may not approve it: a hand in it, or no right"},
    )
    why_not_said = SaidMessage(
        attribute="why_not", metadata={"description": "The same for saying it in another language"}
    )
    approval = fields.Nested(NeededOut, metadata={"description": "How many approvals it needs, and who gave them"})
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
        path = described["path"]
        asked = ask_approval(g.session, described["content"], path, rules=described["approval_rules"])
        given = approvers.read_given(described["given"], bytes.fromhex(described["digest"]))
        if g.actor.can(Permission.approve_campaigns, path):
            about = (g.session, g.actor, campaign, path, authored)
            right = approvers.find_right(*about, asked, given, described["line"])
            why_not = right if isinstance(right, Said) else None
        else:
            why_not = approvers.say_why_author(g.session, g.actor, campaign, authored)
        return {
            "authored": authored,
            "approvers": approvers.find_approvers(g.session, campaign, path, asked=asked, given=given),
            "why_not": why_not,
            "approval": {
                "people": asked.people,
                "needed": asked.by_others,
                "self_service": asked.approvals == 0,
                "self_service_up_to": asked.by_self_up_to,
                "level": asked.level,
                "rule_id": asked.rule_id,
                "rule": asked.words,
                "given": given,
                "counted": approvers.count_given(asked, given),
            },
            "approved_before": before
            and {
                **before,
                "covered": mask_values(before["covered"]),
                "changes": sorted(before["changes"]),
            },
        }
