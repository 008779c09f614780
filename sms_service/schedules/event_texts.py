"""The texts of an event beside the invitation: the unit's own templates by their names, else ones of ours, which are
kept as templates of the top unit, so that they have versions, bindings and readers as any others.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, time
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import SYSTEM
from sms_service.content.days import WEEKDAYS, TimeOfDay, find_meant_date, read_day_and_time
from sms_service.content.fields import FieldKind, fields_of
from sms_service.content.library import create_template, find_templates
from sms_service.content.models import Template, TemplateVersion
from sms_service.content.values import RECIPIENT_FIELDS
from sms_service.directory.models import Unit
from sms_service.directory.units import split_path
from sms_service.schedules.event import CANCELLATION, INVITATION, MOVE_NOTICE, REMINDER, THANKS
from sms_service.vocabulary import TextClass

SUBJECT, TIME, PLACE = "主题", "时间", "地点"
_EVENT = ("主题党日", "活动")  # one of these is part of the name of a template that is chosen by itself


class EventText(NamedTuple):
    """A text of an event: what it is called, by which words a template for it is known, and ours, if there is none."""

    label: str
    words: tuple[str, ...]
    class_: TextClass
    body: str


TEXTS: Mapping[int, EventText] = {
    REMINDER: EventText(
        "提醒",
        ("提醒",),
        TextClass.invitation,
        "{{ name }}同志，提醒您：“{{ 主题 }}”于{{ 时间 }}在{{ 地点 }}开展，请准时参加。不能参加请回复0。",
    ),
    THANKS: EventText(
        "感谢",
        ("感谢", "致谢"),
        TextClass.invitation,
        "{{ name }}同志，感谢您参加“{{ 主题 }}”，期待您继续参加支部的活动。",
    ),
    CANCELLATION: EventText(
        "取消通知",
        ("取消",),
        TextClass.notice,
        "{{ name }}同志，原定{{ 时间 }}在{{ 地点 }}开展的“{{ 主题 }}”取消，请不要前往。",
    ),
    MOVE_NOTICE: EventText(
        "改期通知",
        ("改期", "变更"),
        TextClass.notice,
        "{{ name }}同志，“{{ 主题 }}”改为{{ 时间 }}在{{ 地点 }}开展，请以本通知为准。不能参加请回复0。",
    ),
}
LABELS = {INVITATION: "邀请", **{number: text.label for number, text in TEXTS.items()}}


def choose_event_texts(session: Session, unit: Unit, known: Collection[str]) -> dict[int, int]:
    """By item the version of the template that an event of the unit takes: the nearest unit's whose name says so and
    which asks for nothing but what is `known`, else ours.
    """
    given = {*known, SUBJECT, TIME, PLACE, *RECIPIENT_FIELDS}
    nearest = {unit_id: -place for place, unit_id in enumerate(split_path(unit.path))}
    rows = session.execute(find_templates((unit.path,)).where(Template.unit_id.in_(nearest)))
    usable = [(template, version) for template, version in rows if set(version.variables) <= given]
    usable.sort(key=lambda pair: (nearest[pair[0].unit_id], pair[0].id))
    found = {}
    for number, text in TEXTS.items():
        fits = (version.id for template, version in usable if _is_named(template, text))
        found[number] = next(fits, None) or _keep_ours(session, unit, text)
    return found


def find_time_name(version: TemplateVersion) -> str | None:
    """The variable of an invitation that says when the event is; None: the text has none."""
    fields = fields_of(version)
    moments = [field.name for field in fields if field.kind == FieldKind.moment]
    named = [field.name for field in fields if field.name == TIME]
    return next(iter(named or moments), None)


def find_place_name(version: TemplateVersion) -> str | None:
    """The variable that says where it is, likewise."""
    fields = fields_of(version)
    places = [field.name for field in fields if field.kind == FieldKind.place]
    named = [field.name for field in fields if field.name == PLACE]
    return next(iter(named or places), None)


def read_event_time(text: str, now: datetime, zone: str) -> tuple[datetime, datetime | None] | None:
    """When an event begins and ends, as somebody writes it now: 本周六上午9时, 12月5日9:00至11:00. None: the day or the
    time of day is not there.
    """
    local = now.astimezone(ZoneInfo(zone))
    day, both = find_meant_date(text, local.date()), read_day_and_time(text)
    if day is None or both is None:
        return None
    begins, ends = (
        None if clock is None else datetime.combine(day, time(clock.hour, clock.minute), ZoneInfo(zone))
        for clock in (both.clock, both.until)
    )
    return None if begins is None else (begins, ends)


def write_event_time(begins: datetime, ends: datetime | None, zone: str) -> str:
    """When an event is, as its texts say it: 12月5日（星期六）上午9:00至11:00."""
    local = begins.astimezone(ZoneInfo(zone))
    written = f"{local.month}月{local.day}日（星期{WEEKDAYS[local.weekday()]}）{_write_clock(local)}"
    if ends is None:
        return written
    last = ends.astimezone(ZoneInfo(zone))
    return f"{written}至{_write_clock(last)}" if last.date() == local.date() else written


def _write_clock(local: datetime) -> str:
    return TimeOfDay(local.hour, local.minute).write()


def _is_named(template: Template, text: EventText) -> bool:
    return any(word in template.name for word in text.words) and any(word in template.name for word in _EVENT)


def _keep_ours(session: Session, unit: Unit, text: EventText) -> int:
    """Our text as a template of the top unit of the unit's tree. Two who need it first at once wait for each other."""
    top, name = split_path(unit.path)[0], f"主题党日{text.label}（自带）"
    session.scalars(select(Unit.id).where(Unit.id == top).with_for_update(key_share=True)).one()
    held = select(TemplateVersion.id).join(Template, Template.id == TemplateVersion.template_id)
    held = held.where(Template.unit_id == top, Template.name == name)
    found = session.scalar(held.order_by(TemplateVersion.id.desc()).limit(1))
    if found is not None:
        return found
    return create_template(session, SYSTEM, top, name, text.class_, text.body)[1].id
