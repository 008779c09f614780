"""Writing campaigns: draft, change, submit, withdraw. The approval, not this module, fixes what is sent."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor, unit_path
from sms_service.accounts.permissions import Permission
from sms_service.audience.earlier import require_campaigns
from sms_service.audience.rules import audience_select
from sms_service.audience.segments import get_segment
from sms_service.audit import trail
from sms_service.campaigns.acts import CampaignAct
from sms_service.campaigns.also_posted import keep_channels, require_channels
from sms_service.campaigns.approval import approve_by_self_service
from sms_service.campaigns.asking import read_asks
from sms_service.campaigns.changing import note_change, open_for_change
from sms_service.campaigns.contents import content_of
from sms_service.campaigns.linting import lint_content
from sms_service.campaigns.models import Campaign
from sms_service.campaigns.moving import move_campaign, open_campaign, require_on_campaign
from sms_service.campaigns.picks import copy_picks, take_picks
from sms_service.campaigns.placing import copy_schedule, place_items
from sms_service.campaigns.row_values import require_rows
from sms_service.campaigns.states import CampaignStatus
from sms_service.content.compose import check_beginning, check_signature
from sms_service.content.fields import check_kinds, fields_of
from sms_service.content.findings import require_clean
from sms_service.content.library import get_version
from sms_service.controls.models import Route
from sms_service.directory.text import required_line
from sms_service.directory.units import are_in_line
from sms_service.errors import Invalid
from sms_service.gateways.config import DEFAULT_ROUTE
from sms_service.said import say

LONGEST_NAME = 100
SHORTEST_VALIDITY_S, LONGEST_VALIDITY_S = 300, 259_200
FURTHEST = timedelta(days=365)  # that a launch is planned ahead
LATEST = timedelta(minutes=1)  # how far a time may lie in the past and still mean now
_NUMBERED = re.compile("（([0-9]{1,5})）$")
CHANGEABLE = (
    "name",
    "template_version_id",
    "segment_id",
    "values",
    "picks",
    "channels",
    "asks",
    "signature",
    "route",
    "validity_s",
    "urgent",
    "canary_receipts",
    "launch_on_approval",
    "planned_at",
)
_FLAGS = ("urgent", "canary_receipts", "launch_on_approval")


def create_campaign(
    session: Session,
    actor: Actor,
    *,
    unit_id: int,
    name: str,
    template_version_id: int,
    segment_id: int,
    signature: str,
    values: Mapping[str, Any] | None = None,
    picks: Mapping[str, int | None] | None = None,
    channels: Collection[int] = (),
    asks: Mapping[str, Any] | None = None,
    route: str = DEFAULT_ROUTE,
    validity_s: int = 86_400,
    urgent: bool = False,
    canary_receipts: bool = False,
    launch_on_approval: bool = False,
    planned_at: datetime | None = None,
) -> Campaign:
    """A new draft of the unit. `validity_s`: seconds from launch until texts that have not left expire. `urgent`: its
    texts go before all that are not urgent. `canary_receipts`: after its first texts, the run waits for their receipts.
    `picks`: by reference list that the text names, the id of a row; its cells are taken into the values. `channels`:
    the ids of those to which it is also posted. `asks`: what its texts ask (`asking.read_asks`).

    Raises NotFound, Forbidden, or Invalid naming the field that cannot be used.
    """
    given = {
        "name": name,
        "template_version_id": template_version_id,
        "segment_id": segment_id,
        "signature": signature,
        "values": dict(values or {}),
        "picks": dict(picks or {}),
        "channels": channels,
        "asks": asks,
        "route": route,
        "validity_s": validity_s,
        "urgent": urgent,
        "canary_receipts": canary_receipts,
        "launch_on_approval": launch_on_approval,
        "planned_at": planned_at,
    }
    return _create(session, actor, unit_id, given)


def copy_campaign(session: Session, actor: Actor, campaign_id: int) -> Campaign:
    """A new draft of the same unit with the same content, under a name with the next number: 主题党日, 主题党日（2）.

    What was decided on the old one counts nothing for it. Raises NotFound, Forbidden, or Invalid where something that
    the old one uses can be used no longer.
    """
    old, _ = require_on_campaign(session, actor, Permission.edit_campaigns, campaign_id)
    given = {field: getattr(old, field) for field in CHANGEABLE if field not in ("name", "route", "planned_at")}
    given["route"] = session.scalars(select(Route.name).where(Route.id == old.route_id)).one()
    given["name"] = _next_name(session, old)
    given |= copy_picks(session, old) | {
        "channels": keep_channels(session, unit_path(session, old.unit_id), old.channels)
    }
    new = _create(session, actor, old.unit_id, given, copy_of=campaign_id)
    if old.schedule is not None:
        copy_schedule(session, old, new)
    return new


def change_campaign(
    session: Session,
    actor: Actor,
    campaign_id: int,
    changes: Mapping[str, Any],
    unchanged_since: datetime | None = None,
) -> Campaign:
    """Change a draft; a rejected or approved campaign becomes a draft again, since the decision was on other content.

    Raises Conflict in any other status, and where it was changed after `unchanged_since`, its `updated_at` as the actor
    read it.
    """
    campaign, path = open_for_change(session, actor, campaign_id, unchanged_since)
    with session.no_autoflush:  # a flush would hide from the code below what has changed
        _set(session, actor, campaign, path, changes)
    if session.is_modified(campaign):
        note_change(session, actor, campaign, path, changes)
    return campaign


def submit_campaign(session: Session, actor: Actor, campaign_id: int) -> Campaign:
    """Put a campaign before an approver; where a rule lets the actor send it by themselves, it is approved by that, as
    by an approver. Raises Conflict unless it is a draft, rejected or approved, and where lint refuses its text.

    One that its approval launches is submitted by somebody who may launch it (Forbidden), for a time that is not past
    (Invalid).
    """
    campaign, path = open_campaign(session, actor, CampaignAct.submit, campaign_id)
    if campaign.launch_on_approval:
        actor.require(Permission.operate_campaigns, path)
        if campaign.planned_at is not None:
            _check_planned(session, campaign.planned_at)
    if campaign.schedule is not None:
        place_items(session, campaign)
    content = content_of(session, campaign)
    findings = lint_content(session, content, path)
    require_clean(findings)
    move_campaign(session, campaign, CampaignAct.submit, CampaignStatus.submitted)
    campaign.submissions += 1
    session.flush()
    trail.record_act(session, actor.account_id, "campaign.submit", "campaign", campaign_id, path)
    approve_by_self_service(session, actor, content, path, findings)
    return campaign


def withdraw_campaign(session: Session, actor: Actor, campaign_id: int) -> Campaign:
    """Give up a campaign that was never launched."""
    campaign, path = open_campaign(session, actor, CampaignAct.withdraw, campaign_id)
    move_campaign(session, campaign, CampaignAct.withdraw, CampaignStatus.withdrawn)
    trail.record_act(session, actor.account_id, "campaign.withdraw", "campaign", campaign_id, path)
    return campaign


def _create(session: Session, actor: Actor, unit_id: int, given: Mapping[str, Any], **details: int) -> Campaign:
    path = unit_path(session, unit_id)
    actor.require(Permission.edit_campaigns, path)
    campaign = Campaign(unit_id=unit_id, created_by=actor.account_id)
    _set(session, actor, campaign, path, given)
    session.add(campaign)
    session.flush()
    trail.record_act(session, actor.account_id, "campaign.create", "campaign", campaign.id, path, **details)
    return campaign


def _next_name(session: Session, old: Campaign) -> str:
    """The old name with the first free number; two who copy at once may get the same one, which harms nothing."""
    stem = _NUMBERED.sub("", old.name)[: LONGEST_NAME - 8]
    taken = session.scalars(
        select(Campaign.name).where(Campaign.unit_id == old.unit_id, Campaign.name.startswith(stem, autoescape=True))
    )
    numbers = [int(match[1]) for name in taken if (match := _NUMBERED.search(name))]
    return f"{stem}（{max([1, *numbers]) + 1}）"


def check_ahead(field: str, at: datetime, now: datetime, past: str) -> None:
    """Raises Invalid unless the time carries its offset and lies ahead, by at most a year; `past` is what is said of
    one that does not.
    """
    if at.tzinfo is None:
        raise Invalid(field, at.isoformat(), "must carry its offset, such as 2026-12-01T09:00:00+08:00")
    if at < now - LATEST:
        raise Invalid(field, at.isoformat(), past)
    if at > now + FURTHEST:
        raise Invalid(field, at.isoformat(), say("lies more than {most} days ahead", most=FURTHEST.days))


def _check_planned(session: Session, at: datetime) -> None:
    now = session.scalars(select(func.sms_now())).one()
    check_ahead("planned_at", at, now, "lies in the past; choose a later time, or leave it out")


def _set(session: Session, actor: Actor, campaign: Campaign, path: str, given: Mapping[str, Any]) -> None:
    for field in given:
        if field not in CHANGEABLE:
            raise Invalid(field, given[field], say("cannot be set; these can: {fields}", fields=CHANGEABLE))
    worded = campaign.template_version_id
    if "name" in given:
        campaign.name = required_line("name", given["name"], LONGEST_NAME)
    if "validity_s" in given:
        if not SHORTEST_VALIDITY_S <= given["validity_s"] <= LONGEST_VALIDITY_S:
            reason = say("must be {least} to {most} seconds", least=SHORTEST_VALIDITY_S, most=LONGEST_VALIDITY_S)
            raise Invalid("validity_s", given["validity_s"], reason)
        campaign.validity_s = given["validity_s"]
    for flag in _FLAGS:
        if flag in given:
            setattr(campaign, flag, given[flag])
    if "planned_at" in given:
        if given["planned_at"] is not None and given["planned_at"] != campaign.planned_at:
            _check_planned(session, given["planned_at"])
        campaign.planned_at = given["planned_at"]
    if "route" in given:
        route_id = session.scalar(select(Route.id).where(Route.name == given["route"]))
        if route_id is None:
            raise Invalid("route", given["route"], "is no route of gateways.toml")
        campaign.route_id = route_id
    if "channels" in given and sorted(set(given["channels"])) != campaign.channels:
        campaign.channels = require_channels(session, path, given["channels"])
    if "segment_id" in given:
        segment = get_segment(session, actor, given["segment_id"])
        if not are_in_line(path, unit_path(session, segment.unit_id)):
            raise Invalid("segment_id", segment.id, "belongs to another part of the tree than the campaign's unit")
        try:
            require_campaigns(session, actor, {"segment": segment.id}, path)
            audience_select(session, segment.rule, path)
        except Invalid as error:
            raise Invalid(
                "segment_id", segment.id, say("cannot be used in this unit: {error}", error=error.said)
            ) from None
        campaign.segment_id = segment.id
    if "signature" in given:
        campaign.signature = check_signature(given["signature"])
    if "template_version_id" in given:
        template, version = get_version(session, actor, given["template_version_id"])
        if template.archived_at is not None and version.id != campaign.template_version_id:
            raise Invalid("template_version_id", version.id, "belongs to a template that is archived")
        campaign.template_version_id = version.id
    if not {"template_version_id", "segment_id", "signature", "values", "picks", "asks"} & given.keys():
        return
    version = get_version(session, actor, campaign.template_version_id)[1]
    if "asks" in given:
        asks = given["asks"] and read_asks(session, actor, path, given["asks"], version)
        if asks != campaign.asks:
            campaign.asks = asks
    if {"template_version_id", "signature", "values", "picks"} & given.keys():
        check_beginning(version.body, campaign.signature)
        take_picks(session, campaign, path, version, given, reworded=version.id != worded)
        check_kinds(fields_of(version), campaign.values)
    if {"template_version_id", "segment_id", "values"} & given.keys():
        require_rows(session, version, campaign.segment_id, path)
