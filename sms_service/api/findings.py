"""`…/lint`: what is odd about a text before it is sent."""

from __future__ import annotations

from typing import Any

from flask import g
from flask.views import MethodView
from marshmallow import fields

from sms_service.accounts.actors import unit_path
from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.campaigns.outlook import lint_campaign
from sms_service.content.compose import check_signature
from sms_service.content.findings import FindingKind
from sms_service.content.library import get_numbered_version
from sms_service.content.lint import lint_template
from sms_service.web.schemas import In, MaskedText, Out, SaidMessage, VersionNumber

blueprint = Blueprint(
    "lint",
    description="What is odd about a text, as one list with severity, place and remedy. What is `refused` keeps a "
    "campaign from being submitted, approved and launched.",
)


class FindingOut(Out):
    """Something odd about a text."""

    kind = fields.String(metadata={"description": "One of " + ", ".join(FindingKind)})
    severity = fields.String(
        metadata={"description": "`refused`; `tick`: an approver has to send its key in `ticks`; `note`"}
    )
    key = fields.String(metadata={"description": "Its name, for `ticks`"})
    place = MaskedText(metadata={"description": "Where: the text, a value, the text of a person"})
    text = MaskedText(metadata={"description": "What was found"})
    remedy = fields.String(metadata={"description": "What helps"})
    said = SaidMessage(attribute="text", metadata={"description": "`text` for saying it in another language"})
    said_remedy = SaidMessage(attribute="remedy", metadata={"description": "`remedy` likewise"})
    people = fields.List(MaskedText(), metadata={"description": "Some of the people whom it is about, at most 30"})


class FindingList(Out):
    """What was found."""

    items = fields.List(fields.Nested(FindingOut), metadata={"description": "What is refused first"})


class TemplateLintQuery(In):
    """Which version, behind which signature."""

    version = VersionNumber(load_default=None, metadata={"description": "The version's number; by default the newest"})
    signature = fields.String(
        load_default="签名", metadata={"description": "Stands in front as 【signature】 and counts in the length"}
    )


@blueprint.route("/campaigns/<int:campaign_id>/lint")
class CampaignLint(MethodView):
    """What is odd about a campaign."""

    @endpoint(Permission.read)
    @blueprint.response(200, FindingList)
    def get(self, campaign_id: int) -> dict[str, Any]:
        """Look through the campaign's text, its values and the texts of some hundred of its people"""
        return {"items": lint_campaign(g.session, g.actor, campaign_id)}


@blueprint.route("/templates/<int:template_id>/lint")
class TemplateLint(MethodView):
    """What is odd about a template."""

    @endpoint(Permission.read)
    @blueprint.arguments(TemplateLintQuery, location="query")
    @blueprint.response(200, FindingList)
    def get(self, query: dict[str, Any], template_id: int) -> dict[str, Any]:
        """Look through a version, with its examples in the places of values, by the lists of the unit that keeps it"""
        template, version = get_numbered_version(g.session, g.actor, template_id, query["version"])
        path, signature = unit_path(g.session, template.unit_id), check_signature(query["signature"])
        return {"items": lint_template(g.session, template.class_, version, path, signature)}
