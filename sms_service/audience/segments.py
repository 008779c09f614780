"""Segments are saved rules: create, change and find them, and preview what they find now."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from sqlalchemy import Select, false, func, or_, select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor, unit_path
from sms_service.accounts.permissions import Permission
from sms_service.audience.models import Segment
from sms_service.audience.rules import Recipient, audience_select, sample_audience
from sms_service.audience.skipping import PEOPLE, find_reason
from sms_service.audience.suppression import REASONS
from sms_service.audit import trail
from sms_service.db.locks import LockedName, lock_name
from sms_service.directory.models import Person, Unit
from sms_service.directory.text import required_line
from sms_service.errors import Conflict, Invalid, NotFound
from sms_service.said import say
from sms_service.vocabulary import MessageReason

LONGEST_NAME = 100
LARGEST_RULE = 20_000  # characters of a rule's JSON
SAMPLE = 10


@dataclass(frozen=True, slots=True)
class AudiencePreview:
    """What a rule finds now, counted as freeze would write it: all recipients, the `phones` that would each get a text,
    and the `skipped` recipients by reason.
    """

    count: int
    phones: int
    skipped: Mapping[MessageReason, int]
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
    """The segments of the units within the subtrees at `paths`, to be ordered and paged. `name`: part of the name."""
    statement = select(Segment).join(Unit, Unit.id == Segment.unit_id)
    statement = statement.where(or_(false(), *(Unit.path.op("^@")(path) for path in paths)))
    return statement.where(Segment.name.contains(name, autoescape=True)) if name is not None else statement


def get_segment(session: Session, actor: Actor, segment_id: int) -> Segment:
    """The segment. Raises NotFound, or Forbidden if the actor may not read its unit."""
    segment = session.get(Segment, segment_id)
    if segment is None:
        raise NotFound("segment", segment_id)
    actor.require(Permission.read, unit_path(session, segment.unit_id))
    return segment


def create_segment(session: Session, actor: Actor, unit_id: int, name: str, rule: dict[str, Any]) -> Segment:
    """Save a rule for the unit; it never reaches outside the unit's subtree.

    Raises Invalid (field: the place in the rule), NotFound (unit), Forbidden (no manage_segments over the unit),
    Conflict (the unit has a segment of this name).
    """
    path = unit_path(session, unit_id)
    actor.require(Permission.manage_segments, path)
    name = required_line("name", name, LONGEST_NAME)
    _check_size(rule)
    audience_select(session, rule, path)
    _check_name_free(session, unit_id, name, None)
    segment = Segment(unit_id=unit_id, name=name, rule=rule, created_by=actor.account_id)
    session.add(segment)
    session.flush()
    session.refresh(segment)
    trail.record_act(session, actor.account_id, "segment.create", "segment", segment.id, path)
    return segment


def change_segment(
    session: Session, actor: Actor, segment_id: int, *, name: str | None = None, rule: dict[str, Any] | None = None
) -> Segment:
    """Change the name or the rule (None: leave it). Audiences already frozen stay what they were.

    Raises as `create_segment` does, and NotFound for the segment.
    """
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
            _check_size(rule)
            audience_select(session, rule, path)
            segment.rule = rule
    if session.is_modified(segment):
        segment.updated_at = session.scalar(select(func.now())) or segment.updated_at
    session.flush()
    session.refresh(segment)
    fields = [field for field, value in (("name", name), ("rule", rule)) if value is not None]
    if fields:
        trail.record_act(session, actor.account_id, "segment.change", "segment", segment.id, path, fields=fields)
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

    Raises Invalid (field: the place in the rule), NotFound (unit), Forbidden (the actor may not read the unit).
    """
    path = unit_path(session, unit_id)
    actor.require(Permission.read, path)
    found = audience_select(session, rule, path).subquery("found")
    people = found.join(PEOPLE, Person.id == found.c.person_id).join(Unit, Unit.id == found.c.unit_id)
    reason = find_reason(path).label("reason")
    counted = session.execute(
        select(reason, func.count(), func.count(Person.phone.distinct())).select_from(people).group_by(reason)
    ).all()
    skipped = {MessageReason(why): number for why, number, _ in counted if why is not None}
    textable, phones = next(((number, phones) for why, number, phones in counted if why is None), (0, 0))
    if textable > phones:
        skipped[MessageReason.duplicate_phone] = textable - phones
    in_all = sum(number for _, number, _ in counted)
    return AudiencePreview(in_all, phones, skipped, sample_audience(session, rule, path, sample_size))


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
