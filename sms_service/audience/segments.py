"""Segments are saved rules: create, change and find them, and preview what they find now."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor, unit_path
from sms_service.accounts.permissions import Permission
from sms_service.audience.earlier import require_campaigns
from sms_service.audience.measuring import measure_reach
from sms_service.audience.models import Segment
from sms_service.audience.nesting import UsedSegment, find_users, list_used, load_used, write_out
from sms_service.audience.reach import UnitReach
from sms_service.audience.rules import Recipient, audience_select, sample_audience
from sms_service.audience.suppression import REASONS
from sms_service.audit import trail
from sms_service.audit.changes import read_before_after
from sms_service.db.locks import LockedName, lock_name
from sms_service.directory.models import Unit
from sms_service.directory.text import required_line
from sms_service.directory.units import usable_from
from sms_service.errors import Conflict, Invalid, NotFound
from sms_service.said import say
from sms_service.vocabulary import MessageReason

LONGEST_NAME = 100
LARGEST_RULE = 20_000  # characters of a rule's JSON
SAMPLE = 10


@dataclass(frozen=True, slots=True)
class AudiencePreview:
    """What a rule finds now, counted as freeze would write it: all recipients, the `phones` that would each get a text,
    the `skipped` recipients by reason, and all recipients by the `units` right below.
    """

    count: int
    phones: int
    skipped: Mapping[MessageReason, int]
    units: Sequence[UnitReach]
    sample: list[Recipient]

    @property
    def textable(self) -> int:
        """Recipients who have no reason to be skipped, or only that another recipient has the same phone."""
        return self.phones + self._skipped(MessageReason.duplicate_phone)

    @property
    def opted_out(self) -> int:
        """Those whose phone is suppressed, for whatever reason."""
        return self._skipped(*REASONS, MessageReason.blacklisted)

    @property
    def no_phone(self) -> int:
        """Those without a phone."""
        return self._skipped(MessageReason.no_phone)

    @property
    def bad_number(self) -> int:
        """Those whose phone is unusable."""
        return self._skipped(MessageReason.bad_number)

    @property
    def lost_contact(self) -> int:
        """Those who are known to be out of reach."""
        return self._skipped(MessageReason.lost_contact)

    def _skipped(self, *reasons: MessageReason) -> int:
        return sum(self.skipped.get(reason, 0) for reason in reasons)


def find_segments(paths: Sequence[str], *, name: str | None = None) -> Select[Segment]:
    """The segments that may be used within the subtrees at `paths`: those of the units there and of the units above
    them; to be ordered and paged. `name`: part of the name.
    """
    statement = select(Segment).join(Unit, Unit.id == Segment.unit_id).where(usable_from(paths))
    return statement.where(Segment.name.contains(name, autoescape=True)) if name is not None else statement


def get_segment(session: Session, actor: Actor, segment_id: int) -> Segment:
    """A segment that the actor may read and use. Raises NotFound or Forbidden."""
    segment = session.get(Segment, segment_id)
    if segment is None:
        raise NotFound("segment", segment_id)
    actor.require_use(unit_path(session, segment.unit_id), say("segment {segment}", segment=segment.id))
    return segment


def create_segment(session: Session, actor: Actor, unit_id: int, name: str, rule: dict[str, Any]) -> Segment:
    """Save a rule for the unit; it never reaches outside the unit's subtree.

    Raises Invalid (field: the place in the rule), NotFound (unit), Forbidden (no manage_segments over the unit, or a
    campaign that the rule asks about may not be read),
    Conflict (the unit has a segment of this name).
    """
    path = unit_path(session, unit_id)
    actor.require(Permission.manage_segments, path)
    name = required_line("name", name, LONGEST_NAME)
    uses = _check_rule(session, actor, rule, path)
    _check_name_free(session, unit_id, name, None)
    segment = Segment(unit_id=unit_id, name=name, rule=rule, uses=uses, created_by=actor.account_id)
    session.add(segment)
    session.flush()
    session.refresh(segment)
    trail.record_act(session, actor.account_id, "segment.create", "segment", segment.id, path)
    return segment


def change_segment(
    session: Session, actor: Actor, segment_id: int, *, name: str | None = None, rule: dict[str, Any] | None = None
) -> Segment:
    """Change the name or the rule (None: leave it). Audiences already frozen stay what they were.

    Raises as `create_segment` does, NotFound for the segment, and Invalid if with this rule a segment would use itself
    or one that uses this segment could not be used any more.
    """
    if rule is not None:  # two changes at once must not close a circle that neither of them sees
        lock_name(session, LockedName.segment, "uses")
    segment = session.get(Segment, segment_id, with_for_update=True, populate_existing=True)
    if segment is None:
        raise NotFound("segment", segment_id)
    path = unit_path(session, segment.unit_id)
    actor.require(Permission.manage_segments, path)
    with session.no_autoflush:  # a flush would hide from the code below what has changed
        if name is not None:
            name = required_line("name", name, LONGEST_NAME)
            _check_name_free(session, segment.unit_id, name, segment.id)
            segment.name = name
        if rule is not None:
            uses = _check_rule(session, actor, rule, path, segment)
            segment.rule, segment.uses = rule, uses
    changes = read_before_after(segment, ("name", "rule"))
    if session.is_modified(segment):
        segment.updated_at = session.scalar(select(func.now())) or segment.updated_at
    session.flush()
    session.refresh(segment)
    if changes:
        trail.record_act(session, actor.account_id, "segment.change", "segment", segment.id, path, changes=changes)
    return segment


def find_free_name(session: Session, unit_id: int, name: str) -> str:
    """The name, or where a segment of the unit has it, the name with the first number that is free: 全体（2）."""
    stem = name[: LONGEST_NAME - 8]
    taken = set(
        session.scalars(
            select(Segment.name).where(Segment.unit_id == unit_id, Segment.name.startswith(stem, autoescape=True))
        )
    )
    if name not in taken and len(name) <= LONGEST_NAME:
        return name
    return next(free for number in count(2) if (free := f"{stem}（{number}）") not in taken)


def preview_audience(
    session: Session, actor: Actor, unit_id: int, rule: object, *, sample_size: int = SAMPLE
) -> AudiencePreview:
    """What the rule finds now within the unit: counts and the first `sample_size` recipients by id.

    Raises Invalid (field: the place in the rule), NotFound (unit), Forbidden (the actor may not read the unit, or a
    campaign that the rule asks about).
    """
    path = unit_path(session, unit_id)
    actor.require(Permission.read, path)
    require_campaigns(session, actor, rule, path)
    reach = measure_reach(session, rule, path)
    sample = sample_audience(session, rule, path, sample_size)
    return AudiencePreview(reach.people, reach.phones, reach.skipped, reach.units, sample)


def _check_rule(
    session: Session, actor: Actor, rule: dict[str, Any], path: str, changed: Segment | None = None
) -> list[int]:
    """Check the rule of a segment at the path; returns the segments that it uses."""
    _check_size(rule)
    uses = list_used(rule)
    used = load_used(session, uses) if uses else {}
    own = None if changed is None else UsedSegment(changed.id, changed.name, rule, changed.unit_id, path)
    _check_size(write_out(rule, used, path, () if own is None else (own,)).rule)
    require_campaigns(session, actor, rule, path)
    audience_select(session, rule, path)
    if own is not None:
        _check_users(session, own, used)
    return uses


def _check_users(session: Session, changed: UsedSegment, used: Mapping[int, UsedSegment]) -> None:
    """Those who use the changed segment must still be able to."""
    users = find_users(session, changed.id)
    others = load_used(session, users) if users else {}
    for user in users.values():
        try:
            _check_size(write_out(user.rule, {**others, **used, changed.id: changed}, user.path, (user,)).rule)
        except Invalid as error:
            reason = say("with it, segment {segment} cannot be used: {error}", segment=user.id, error=error.reason)
            raise Invalid("rule", None, reason) from None


def _check_size(rule: Mapping[str, Any]) -> None:
    length = len(json.dumps(rule, ensure_ascii=False))
    if length > LARGEST_RULE:
        raise Invalid(
            "rule",
            None,
            say("has {length} characters as JSON; at most {most} are allowed", length=length, most=LARGEST_RULE),
        )


def _check_name_free(session: Session, unit_id: int, name: str, own_id: int | None) -> None:
    lock_name(session, LockedName.segment, f"{unit_id} {name}")
    holder = session.scalar(select(Segment.id).where(Segment.unit_id == unit_id, Segment.name == name))
    if holder not in (None, own_id):
        raise Conflict("the unit has a segment of this name already; choose another")
