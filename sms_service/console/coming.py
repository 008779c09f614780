"""When a campaign with a schedule is sent next, as pages show it beside other things."""

from __future__ import annotations

from typing import Any

from flask import g

from sms_service.campaigns.states import CampaignKind
from sms_service.schedules.viewing import describe_schedule, list_coming, mark_quiet_days


def foresee_firings(campaign: dict[str, Any]) -> dict[str, Any] | None:
    """The schedule of a described campaign in `words`, its next times (`coming`), and in which `zone`; None of one that
    has none.
    """
    if campaign["kind"] == CampaignKind.plain:
        return None
    content, unit = campaign["content"], campaign["owner"]
    return {
        "words": describe_schedule(content.campaign),
        "coming": mark_quiet_days(g.session, unit, content.class_, list_coming(g.session, content)),
        "zone": unit.timezone,
    }
