"""Two people change the same text of a series: the second sees both wordings, and takes the other one or goes on."""

from __future__ import annotations

from typing import Any

from flask import g, request
from werkzeug.datastructures import MultiDict

from sms_service.campaigns.models import Campaign, CampaignItem
from sms_service.console.drafts import ask_values
from sms_service.console.once import FIELD
from sms_service.console.rendering import render_page
from sms_service.content.models import TemplateVersion
from sms_service.directory.models import Unit
from sms_service.errors import EditedMeanwhile
from sms_service.web.context import current_context


def show_both_wordings(error: EditedMeanwhile) -> str:
    """The page of a form of `series_items` whose text somebody else changed since it was opened: what was typed, which
    can be sent on, beside what stands there now.
    """
    at: dict[str, Any] = dict(request.view_args or {})
    with current_context().database.session() as session:
        g.session = session
        campaign = session.get_one(Campaign, at["campaign_id"])
        number = at.get("number") or (error.standing or {}).get("number")
        item = session.get(CampaignItem, (campaign.id, number)) if number else None
        version_id = (item and item.template_version_id) or campaign.template_version_id
        version = session.get_one(TemplateVersion, version_id)
        g.submitted = MultiDict(request.form)
        g.submitted.pop(FIELD, None)  # the form that is shown has a key of its own
        g.submitted["seen"] = campaign.updated_at.isoformat()
        return render_page(
            "series_conflict.html",
            campaign=campaign,
            item=item,
            said=error.said,
            variables=ask_values(version, session.get_one(Unit, campaign.unit_id).path),
            typed=[name for name in request.form if not name.startswith("_")],
        )
