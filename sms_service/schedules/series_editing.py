"""Changing a series while it is a draft and while it runs: texts that are still to come are inserted, moved, corrected
and skipped. What was sent keeps its place, and all that is still to come gets new days.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor
from sms_service.accounts.permissions import Permission
from sms_service.audit import trail
from sms_service.campaigns.acts import UNDER_WAY
from sms_service.campaigns.models import Campaign, CampaignItem
from sms_service.content.models import TemplateVersion
from sms_service.errors import Conflict, EditedMeanwhile, Invalid, NotFound
from sms_service.said import say
from sms_service.schedules.correcting import (
    change_item,
    count_fixed,
    describe_item,
    has_times,
    load_item,
    load_order,
    name_last_author,
    note_items,
    open_items,
    write_order,
)
from sms_service.schedules.series_planning import (
    MOST_TEXTS,
    SeriesRow,
    check_item_values,
    find_text_variable,
    read_item,
    require_series,
)


def insert_text(
    session: Session,
    actor: Actor,
    campaign_id: int,
    after: int,
    row: SeriesRow,
    unchanged_since: datetime | None = None,
) -> CampaignItem:
    """Put a text behind the one at the position `after`, 0: in front of all; it gets the next number. While the series
    runs it waits, it alone, until somebody approves it. `unchanged_since`: the campaign's `updated_at` as the actor
    read it.

    Raises NotFound, Forbidden, Conflict where nothing is to come any more, EditedMeanwhile where anything was changed
    since, and Invalid: `after` where a text behind it was sent, `items[number].<field>`, `items` for the 401st.
    """
    wanted = {"after": after, "label": row.label, "text": row.text, "values": dict(row.values)}
    campaign, path, items = _open_order(session, actor, campaign_id, after + 1, wanted, unchanged_since)
    fixed = count_fixed(items)
    if not fixed <= after <= len(items):
        message = "must be from {least} to {most}: what was sent keeps its place"
        raise Invalid("after", after, say(message, least=fixed, most=len(items)))
    if len(items) >= MOST_TEXTS:
        raise Invalid("items", len(items) + 1, say("must be from 1 to {most} texts", most=MOST_TEXTS))
    number = max(item.number for item in items) + 1
    new = read_item(session, actor, campaign, number, row)
    item = CampaignItem(
        campaign_id=campaign_id,
        number=number,
        label=new.label,
        values=dict(new.values),
        template_version_id=new.template_version_id,
        asks=None if new.asks is None else dict(new.asks),
    )
    write_order([*items[:after], item, *items[after:]])
    session.add(item)
    details = {"item": number, "label": item.label, "position": item.position}
    trail.record_act(session, actor.account_id, "item.insert", "campaign", campaign_id, path, **details)
    note_items(session, actor, campaign, path)
    return item


def move_text(
    session: Session,
    actor: Actor,
    campaign_id: int,
    number: int,
    position: int,
    unchanged_since: datetime | None = None,
) -> CampaignItem:
    """Let a text that is still to come stand at this position, from 1; it needs no other decision.

    Raises NotFound, Forbidden, Conflict where it or one behind it was sent or nothing is to come any more,
    EditedMeanwhile where anything was changed since, and Invalid (`position`) where one at or behind that was sent.
    """
    wanted = {"number": number, "position": position}
    campaign, path, items = _open_order(session, actor, campaign_id, position, wanted, unchanged_since)
    item = load_item(session, campaign, number)
    fixed = count_fixed(items)
    if item in items[:fixed]:
        fast = "item {item} of campaign {campaign} was sent, or stands before one that was; it stays"
        raise Conflict(say(fast, item=number, campaign=campaign_id))
    if not fixed < position <= len(items):
        message = "must be from {least} to {most}: what was sent keeps its place"
        raise Invalid("position", position, say(message, least=fixed + 1, most=len(items)))
    before = item.position
    others = [one for one in items if one is not item]
    write_order([*others[: position - 1], item, *others[position - 1 :]])
    if session.is_modified(item):
        details = {"item": number, "label": item.label, "changes": {"position": [before, position]}}
        trail.record_act(session, actor.account_id, "item.move", "campaign", campaign_id, path, **details)
        note_items(session, actor, campaign, path)
    return item


def correct_text(
    session: Session,
    actor: Actor,
    campaign_id: int,
    number: int,
    changes: Mapping[str, Any],
    unchanged_since: datetime | None = None,
) -> CampaignItem:
    """Change what a text that is still to come says: `label`, `values`, `template_version_id`, `asks`, or `text`, which
    fills the only variable that is left over, as in a row. While the series runs it waits, it alone, until somebody
    approves it. `unchanged_since`: the `updated_at` of the item, or that of the campaign.

    Raises as `change_item` does.
    """
    require_series(session, actor, Permission.edit_campaigns, campaign_id)
    campaign, _ = open_items(session, actor, campaign_id)
    item = load_item(session, campaign, number)
    changes = dict(changes)
    version_id = changes.get("template_version_id", item.template_version_id) or campaign.template_version_id
    version = session.get(TemplateVersion, version_id)
    if version is None:
        raise NotFound("template version", version_id)
    at = f"items[{number}]"
    try:
        if (text := changes.pop("text", None)) is not None:
            name = find_text_variable(version, campaign.values)
            changes["values"] = {**changes.get("values", item.values), name: text}
        if "values" in changes:
            check_item_values(version, changes["values"])
    except Invalid as error:
        raise Invalid(f"{at}.{error.field}", error.value, error.reason) from None
    return change_item(session, actor, campaign_id, number, changes, unchanged_since)


def skip_text(
    session: Session,
    actor: Actor,
    campaign_id: int,
    number: int,
    skipped: bool = True,
    unchanged_since: datetime | None = None,
) -> CampaignItem:
    """Let a text that is still to come not go, so that the others move up; or go after all. Raises as `change_item`
    does.
    """
    require_series(session, actor, Permission.edit_campaigns, campaign_id)
    return change_item(session, actor, campaign_id, number, {"skipped": skipped}, unchanged_since)


def remove_text(
    session: Session, actor: Actor, campaign_id: int, number: int, unchanged_since: datetime | None = None
) -> None:
    """Take a text out of a draft, for good; of a series that runs it is skipped instead. Raises as `move_text` does,
    and Invalid (`items`) for the last one.
    """
    wanted = {"number": number}
    campaign, path, items = _open_order(session, actor, campaign_id, 0, wanted, unchanged_since)
    item = load_item(session, campaign, number)
    if campaign.status in UNDER_WAY:
        raise Conflict(say("campaign {campaign} runs; skip the text instead", campaign=campaign_id))
    if len(items) == 1:
        raise Invalid("items", 0, say("must be from 1 to {most} texts", most=MOST_TEXTS))
    session.delete(item)
    write_order([one for one in items if one is not item])
    details = {"fields": ["items"], "changes": {"label": [item.label, None]}}
    trail.record_act(session, actor.account_id, "campaign.change", "campaign", campaign_id, path, **details)
    note_items(session, actor, campaign, path)


def _open_order(
    session: Session,
    actor: Actor,
    campaign_id: int,
    position: int,
    wanted: Mapping[str, Any],
    unchanged_since: datetime | None,
) -> tuple[Campaign, str, list[CampaignItem]]:
    """The series, locked until the commit, its unit's path and its items in their order."""
    require_series(session, actor, Permission.edit_campaigns, campaign_id)
    campaign, path = open_items(session, actor, campaign_id)
    items = load_order(session, campaign_id)
    if unchanged_since is not None and campaign.updated_at != unchanged_since:
        message = "{who} changed campaign {campaign} since you opened it, and your change was not made; look at both"
        said = say(message, who=name_last_author(session, campaign), campaign=campaign_id)
        standing = describe_item(items[position - 1]) if 1 <= position <= len(items) else None
        raise EditedMeanwhile(said, wanted, standing)
    if campaign.status in UNDER_WAY and not has_times(session, campaign):
        raise Conflict(say("nothing of campaign {campaign} is to come any more", campaign=campaign_id))
    return campaign, path, items
