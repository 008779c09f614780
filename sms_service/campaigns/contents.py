"""What a campaign sends to whom: the one thing that an approver reads, a run carries and a digest names."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from sms_service.audience.grammar import parse_rule
from sms_service.audience.listed import list_ids_of, load_used_lists
from sms_service.audience.models import Segment
from sms_service.audience.nesting import UsedSegment, load_used, write_out
from sms_service.campaigns.models import Campaign
from sms_service.content.models import Template, TemplateVersion
from sms_service.directory.models import Unit
from sms_service.errors import Invalid


@dataclass(frozen=True, slots=True)
class Content:
    """What is sent to whom, as an approver sees it and a run carries it. `lists`: the digests (hexadecimal) of the
    lists that the rule names, by id.
    """

    campaign: Campaign
    version: TemplateVersion
    class_: str
    segment_rule: dict[str, Any]
    lists: Mapping[str, str] = field(default_factory=dict)

    def covered(self) -> dict[str, Any]:
        """Everything that decides what is sent, to whom and how, as JSON takes it."""
        covered: dict[str, Any] = {
            "unit": self.campaign.unit_id,
            "template_version": self.version.id,
            "body": self.version.body,
            "class": self.class_,
            "values": self.campaign.values,
            "signature": self.campaign.signature,
            "segment_rule": self.segment_rule,
            "route": self.campaign.route_id,
            "validity_s": self.campaign.validity_s,
        }
        if self.lists:
            covered["lists"] = dict(self.lists)
        # Only where they are set, so that campaigns approved before these fields existed keep their digest.
        for flag in ("urgent", "canary_receipts", "launch_on_approval"):
            if getattr(self.campaign, flag):
                covered[flag] = True
        if self.campaign.channels:
            covered["channels"] = sorted(self.campaign.channels)
        if self.campaign.planned_at is not None:
            covered["planned_at"] = self.campaign.planned_at.astimezone(UTC).isoformat()
        return covered

    def digest(self) -> bytes:
        """SHA-256 over what `covered` says; equal contents have equal digests."""
        text = json.dumps(self.covered(), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).digest()


def content_of(session: Session, campaign: Campaign, *, held: bool = True) -> Content:
    """The campaign's content as it stands now. `held`: the segment's row is locked and cannot change before the commit,
    for whoever decides on it.
    """
    segment_unit, campaign_unit = aliased(Unit), aliased(Unit)
    statement = (
        select(TemplateVersion, Template.class_, Segment, segment_unit.path, campaign_unit.path)
        .join(Template, Template.id == TemplateVersion.template_id)
        .join(Segment, Segment.id == campaign.segment_id)
        .join(segment_unit, segment_unit.id == Segment.unit_id)
        .join(campaign_unit, campaign_unit.id == campaign.unit_id)
        .where(TemplateVersion.id == campaign.template_version_id)
        .execution_options(populate_existing=True)
    )
    if held:
        statement = statement.with_for_update(read=True, of=Segment)
    version, class_, segment, segment_path, campaign_path = session.execute(statement).one()
    used = load_used(session, segment.uses, held=held) if segment.uses else {}
    rule = bounded_rule(segment, segment_path, campaign_path, used)
    lists = {str(one.id): one.digest.hex() for one in load_used_lists(session, _list_ids(rule)).values()}
    return Content(campaign, version, class_, rule, lists)


def pick_digests(known: Mapping[str, str], rule: object) -> dict[str, str]:
    """The digests of the lists that a written-out rule names, of those that are known by their ids."""
    return {str(one): known[str(one)] for one in _list_ids(rule) if str(one) in known}


def _list_ids(rule: object) -> set[int]:
    """The lists that the rule names; none of one that cannot be read any more."""
    try:
        return list_ids_of(parse_rule(rule))
    except Invalid:
        return set()


def bounded_rule(
    segment: Segment, segment_path: str, campaign_path: str, used: Mapping[int, UsedSegment]
) -> dict[str, Any]:
    """The segment's rule for a run of the campaign's unit, with the segments that it uses written out (`used`), so that
    who changes one of them changes what was approved.

    A run reaches the campaign's subtree. If the segment belongs to a unit below, it still must not reach outside that
    unit. A rule that cannot be written out for this unit stays as it is, and whoever asks whom it finds is refused.
    """
    own = UsedSegment(segment.id, segment.name, segment.rule, segment.unit_id, segment_path)
    try:
        return write_out({"segment": segment.id}, {**used, segment.id: own}, campaign_path).rule
    except Invalid:
        return {"all": [{"unit": segment.unit_id}, segment.rule]}
