"""What a campaign sends to whom: the one thing that an approver reads, a run carries and a digest names."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from sms_service.audience.grammar import parse_rule
from sms_service.audience.listed import USED_LISTS, list_ids_of, load_used_lists
from sms_service.audience.models import Segment
from sms_service.audience.nesting import USED_SEGMENTS, UsedSegment, load_used, read_used, write_out
from sms_service.campaigns.items import ITEMS, Item, read_items
from sms_service.campaigns.models import Campaign
from sms_service.campaigns.quiz_asks import POOLS, QuizPool, key_of, read_pools
from sms_service.campaigns.states import CANCELLED, CampaignKind
from sms_service.content.models import Template, TemplateVersion
from sms_service.content.values import QUESTION
from sms_service.directory.models import Unit
from sms_service.errors import Invalid

_USUAL_WINDOW = ("Asia/Shanghai", 8 * 60, 20 * 60)


@dataclass(frozen=True, slots=True)
class Content:
    """What is sent to whom, as an approver sees it and a run carries it. `lists`: the digests (hexadecimal) of the
    lists that the rule names, by id. `window`: the time zone of the campaign's unit, and when texts may leave there, in
    minutes of the day.

    `pools`: of a quiz which questions may be asked, by what it names (`quiz_asks.py`).

    A campaign with a schedule has `items`, in their order. `item`: the content is that of one of them alone.
    """

    campaign: Campaign
    version: TemplateVersion
    class_: str
    segment_rule: dict[str, Any]
    lists: Mapping[str, str] = field(default_factory=dict)
    window: tuple[str, int, int] = _USUAL_WINDOW
    items: Sequence[Item] = ()
    item: Item | None = None
    pools: Mapping[str, QuizPool] = field(default_factory=dict)

    @property
    def values(self) -> dict[str, Any]:
        """The values that are the same for all recipients."""
        values = self.campaign.values if self.item is None else {**self.campaign.values, **self.item.values}
        pool = self.pool
        return values if pool is None or pool.written is None else {**values, QUESTION: pool.written}

    @property
    def pool(self) -> QuizPool | None:
        """Of a quiz, or a reminder of one, the questions of which each person is asked one."""
        return self.pools.get(key_of(self.asks)) if self.asks else None

    @property
    def asks(self) -> dict[str, Any] | None:
        """What the texts ask, if they ask something. Of an event only the items that invite do."""
        own = None if self.item is None else self.item.asks
        return own if self.campaign.kind == CampaignKind.event else own or self.campaign.asks

    def of_item(self, item: Item) -> Content:
        """What this item sends to whom. The texts that follow the invitation of an event, its item 1, go to whom their
        own rules find: who was invited is told, also if the segment would not find them any more. A list does not
        change, and has values.
        """
        rule = self.segment_rule if item.rule is None else {"all": [self.segment_rule, item.rule]}
        if item.rule is not None and self.campaign.kind == CampaignKind.event and item.number > 1 and not self.lists:
            rule = item.rule
        version, class_ = (item.version, item.class_) if item.version and item.class_ else (self.version, self.class_)
        return replace(self, version=version, class_=class_, segment_rule=rule, items=(), item=item)

    def next_text(self) -> Content:
        """That of the item that fires next; itself, if it has no items or none is to come."""
        coming = [(item.next_at, item.number, item) for item in self.items if item.next_at is not None]
        return self.of_item(min(coming)[2]) if coming else self

    def covered(self) -> dict[str, Any]:
        """Everything that decides what is sent, to whom, how and when, as JSON takes it."""
        covered: dict[str, Any] = {
            "unit": self.campaign.unit_id,
            "template_version": self.version.id,
            "body": self.version.body,
            "class": self.class_,
            "values": self.values,
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
        if self.asks:
            covered["asks"] = self.asks
        pools = self.pools if self.item is None else {} if self.pool is None else {"": self.pool}
        if pools:
            covered["pools"] = {key: [len(one.ids), one.digest()] for key, one in pools.items()}
        if self.campaign.channels:
            covered["channels"] = sorted(self.campaign.channels)
        if self.campaign.planned_at is not None:
            covered["planned_at"] = self.campaign.planned_at.astimezone(UTC).isoformat()
        if self.window != _USUAL_WINDOW:
            covered["window"] = list(self.window)
        if self.campaign.schedule is not None:
            # That an event is called off needs no decision: the text that says so was approved with the invitation.
            decided = {name: value for name, value in self.campaign.schedule.items() if name != CANCELLED}
            covered |= {"kind": self.campaign.kind, "schedule": decided}
        if self.items:
            covered["items"] = [item.covered() for item in self.items]
        if self.item is not None:
            covered["item"] = self.item.number
        return covered

    def digest(self) -> bytes:
        """SHA-256 over what `covered` says; equal contents have equal digests."""
        text = json.dumps(self.covered(), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).digest()


def content_of(session: Session, campaign: Campaign, *, held: bool = True) -> Content:
    """The campaign's content as it stands now. `held`: the segment's row is locked and cannot change before the commit,
    for whoever decides on it.
    """
    segment_unit = aliased(Unit)
    statement = (
        select(TemplateVersion, Template.class_, Segment, segment_unit.path, Unit, ITEMS, POOLS)
        .select_from(Campaign)
        .join(TemplateVersion, TemplateVersion.id == campaign.template_version_id)
        .join(Template, Template.id == TemplateVersion.template_id)
        .join(Segment, Segment.id == campaign.segment_id)
        .join(segment_unit, segment_unit.id == Segment.unit_id)
        .join(Unit, Unit.id == campaign.unit_id)
        .where(Campaign.id == campaign.id)
        .execution_options(populate_existing=True)
    )
    if held:
        statement = statement.with_for_update(read=True, of=Segment)
    version, class_, segment, segment_path, unit, items, pools = session.execute(statement).one()
    used = load_used(session, segment.uses, held=held) if segment.uses else {}
    rule = bounded_rule(segment, segment_path, unit.path, used)
    lists = {str(one.id): one.digest.hex() for one in load_used_lists(session, _list_ids(rule)).values()}
    found = Content(campaign, version, class_, rule, lists, window_of(unit), read_items(items))
    return replace(found, pools=read_pools(pools)) if pools else found


def load_contents(session: Session, campaign_ids: Collection[int]) -> dict[int, Content]:
    """The contents of many campaigns as they stand now, by their ids, in one query."""
    segment_unit = aliased(Unit)
    rows = session.execute(
        select(Campaign, TemplateVersion, Template.class_, Segment, segment_unit.path, Unit)
        .add_columns(USED_SEGMENTS, USED_LISTS, ITEMS, POOLS)
        .join(TemplateVersion, TemplateVersion.id == Campaign.template_version_id)
        .join(Template, Template.id == TemplateVersion.template_id)
        .join(Segment, Segment.id == Campaign.segment_id)
        .join(segment_unit, segment_unit.id == Segment.unit_id)
        .join(Unit, Unit.id == Campaign.unit_id)
        .where(Campaign.id.in_(campaign_ids))
        .execution_options(populate_existing=True)
    )
    found = {}
    for campaign, version, class_, segment, segment_path, unit, used, lists, items, pools in rows:
        rule = bounded_rule(segment, segment_path, unit.path, read_used(used))
        digests = pick_digests(lists or {}, rule)
        made = Content(campaign, version, class_, rule, digests, window_of(unit), read_items(items))
        found[campaign.id] = replace(made, pools=read_pools(pools)) if pools else made
    return found


def window_of(unit: Unit) -> tuple[str, int, int]:
    """The unit's time zone and when texts may leave there (minutes of the day), as a digest covers them."""
    return unit.timezone, unit.window_opens, unit.window_closes


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
