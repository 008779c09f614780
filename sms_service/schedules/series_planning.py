"""Making a series of a campaign, while it is a draft."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor
from sms_service.accounts.permissions import Permission
from sms_service.campaigns.changing import note_change, open_for_change
from sms_service.campaigns.models import Campaign
from sms_service.campaigns.moving import require_on_campaign
from sms_service.campaigns.placing import place_items
from sms_service.campaigns.states import CampaignKind
from sms_service.content.fields import check_kinds, fields_of
from sms_service.content.models import TemplateVersion
from sms_service.content.values import check_values
from sms_service.directory.models import Unit
from sms_service.directory.text import required_line
from sms_service.errors import Invalid, NotFound
from sms_service.said import say
from sms_service.schedules import series
from sms_service.schedules.correcting import LONGEST_LABEL, check_item_version
from sms_service.schedules.scheduling import NewItem, set_schedule

MOST_TEXTS = 400  # items of a series


@dataclass(frozen=True, slots=True)
class SeriesRow:
    """An item of a series as somebody writes it. `values` fill the variables of its template, `text` the only one that
    is left over (see `find_text_variable`). `label`: by default 第3篇, by its number. `template_version_id`: its own
    text, by default the campaign's.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    text: str | None = None
    label: str | None = None
    template_version_id: int | None = None


def set_series(
    session: Session,
    actor: Actor,
    campaign_id: int,
    given: Mapping[str, Any],
    rows: Sequence[SeriesRow] | None = None,
    unchanged_since: datetime | None = None,
) -> Campaign:
    """Make a draft a series: `given` is its rule (`series.read_rule`), `rows` are its items in their order, at most
    400. They stand in the place of all that it had; None: a series keeps its items and has another rule.

    Raises as `set_schedule` does, and Invalid (`items`, `items[3].<field>`, from 1).
    """
    campaign, path = open_for_change(session, actor, campaign_id, unchanged_since)
    if rows is None and campaign.kind == CampaignKind.series:
        now: datetime = session.scalars(select(func.sms_now())).one()
        before = campaign.schedule
        campaign.schedule = series.read_rule(given, session.get_one(Unit, campaign.unit_id), now)
        place_items(session, campaign)
        note_change(session, actor, campaign, path, ["schedule"], {"schedule": [before, campaign.schedule]})
        return campaign
    rows = rows or ()
    if not 1 <= len(rows) <= MOST_TEXTS:
        raise Invalid("items", len(rows), say("must be from 1 to {most} texts", most=MOST_TEXTS))
    items = [read_item(session, actor, campaign, number, row) for number, row in enumerate(rows, start=1)]
    return set_schedule(session, actor, campaign_id, CampaignKind.series, given, items)


def set_series_days(
    session: Session, actor: Actor, campaign_id: int, given: Mapping[str, Any], unchanged_since: datetime | None = None
) -> Campaign:
    """Give a draft of a series another rule; its items stay. Raises as `change_campaign` does, NotFound where
    it is no series, and Invalid (`schedule.<field>`).
    """
    require_series(session, actor, Permission.edit_campaigns, campaign_id)
    return set_series(session, actor, campaign_id, given, None, unchanged_since)


def require_series(session: Session, actor: Actor, permission: Permission, campaign_id: int) -> tuple[Campaign, str]:
    """The campaign, which is a series, and its unit's path. Raises Forbidden, or NotFound, also where it is none."""
    campaign, path = require_on_campaign(session, actor, permission, campaign_id)
    if campaign.kind != CampaignKind.series:
        raise NotFound("series of campaign", campaign_id)
    return campaign, path


def read_item(session: Session, actor: Actor, campaign: Campaign, number: int, row: SeriesRow) -> NewItem:
    """The row as the item of this number. Raises NotFound, Forbidden, Invalid (`items[number].<field>`)."""
    at = f"items[{number}]"
    version_id = check_item_version(session, actor, campaign, row.template_version_id, at)
    version = session.get_one(TemplateVersion, version_id or campaign.template_version_id)
    label = required_line(f"{at}.label", row.label, LONGEST_LABEL) if row.label else f"第{number}篇"
    values = dict(row.values)
    try:
        if row.text is not None:
            values[find_text_variable(version, campaign.values)] = row.text
        check_item_values(version, values)
    except Invalid as error:
        raise Invalid(f"{at}.{error.field}", error.value, error.reason) from None
    return NewItem(number, label, values, version_id)


def check_item_values(version: TemplateVersion, values: Mapping[str, Any]) -> None:
    """Refuse values that an item with this text cannot have. Raises Invalid (`values`, `values.<name>`)."""
    check_values(values)
    fields = fields_of(version)
    known = [one.name for one in fields]
    for name, value in values.items():
        if name not in known:
            raise Invalid(f"values.{name}", value, say("is no variable of the text; these are: {names}", names=known))
    check_kinds(fields, values)


def find_text_variable(version: TemplateVersion, values: Mapping[str, Any]) -> str:
    """The variable that the texts of a series fill, where rows have nothing but a text: the only one of the template
    that neither a person has nor the campaign's `values`. Raises Invalid (`text`).
    """
    own = [one.name for one in fields_of(version)]
    left = [name for name in own if name not in values] or own
    if len(left) != 1:
        message = "the template must have one variable for it; it has {names}: give the values by these names"
        raise Invalid("text", None, say(message, names=left or ("—",)))
    return left[0]
