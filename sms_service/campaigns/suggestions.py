"""What a unit wrote last, offered to whoever writes its next campaign. The caller has asked for the unit's scope."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import func, literal, select, union_all
from sqlalchemy.orm import Session

from sms_service.campaigns.models import Campaign
from sms_service.content.days import move_ahead
from sms_service.content.models import Template, TemplateVersion
from sms_service.content.signatures import select_offered
from sms_service.content.values import write_value
from sms_service.directory.models import Person, Unit
from sms_service.directory.units import split_path

OFFERED = 5  # of each kind
_LOOKED_AT = 50  # a unit's last campaigns
_PEOPLE_ASKED = 500


def list_signatures(session: Session, path: str) -> list[str]:
    """The signatures that the unit at `path` can use, its default first, then those of its last campaigns and of those
    of the units above it, nearest first.

    A signature is no secret: everybody who ever got a text has read it.
    """
    ids = split_path(path)
    nearest = func.max(func.length(Unit.path))
    last = (
        select(
            Campaign.signature,
            literal(1) + func.row_number().over(order_by=(nearest.desc(), func.max(Campaign.id).desc())),
            literal(0),
        )
        .join(Unit, Unit.id == Campaign.unit_id)
        .where(Unit.id.in_(ids))
        .group_by(Campaign.signature)
    )
    rows = session.execute(union_all(*select_offered(ids), last)).all()
    return list(dict.fromkeys(row[0] for row in sorted(rows, key=lambda row: (row[1], -row[2]))))[: 2 * OFFERED]


def list_last_values(session: Session, unit: Unit, names: Collection[str], now: datetime) -> dict[str, list[str]]:
    """For each of these variables the last values that campaigns of the unit had, newest first, each once. A day is
    named by its date, and lies ahead: 本周六上午9时 of last week is offered as the Saturday to come.
    """
    zone = ZoneInfo(unit.timezone)
    rows = session.execute(
        select(Campaign.values, Campaign.created_at)
        .where(Campaign.unit_id == unit.id)
        .order_by(Campaign.id.desc())
        .limit(_LOOKED_AT)
    )
    found: dict[str, list[str]] = {name: [] for name in names}
    for values, written in rows:
        for name, offered in found.items():
            value = write_value(values.get(name, "")).strip()
            value = move_ahead(value, written.astimezone(zone).date(), now.astimezone(zone).date()) or ""
            if value and value not in offered and len(offered) < OFFERED:
                offered.append(value)
    return found


def list_attribute_names(session: Session, path: str) -> set[str]:
    """The names of attributes that people within the subtree at `path` have, as far as some hundreds of them tell."""
    some = (
        select(Person.attributes)
        .join(Unit, Unit.id == Person.unit_id)
        .where(Unit.path.op("^@")(path), Person.left_at.is_(None))
        .limit(_PEOPLE_ASKED)
        .subquery()
    )
    return set(session.scalars(select(func.jsonb_object_keys(some.c.attributes)).distinct()))


def find_last_template(session: Session, unit_id: int, class_: str) -> int | None:
    """The template of this class of which the unit last wrote a campaign; None: it never did."""
    return session.scalar(
        select(Template.id)
        .join(TemplateVersion, TemplateVersion.template_id == Template.id)
        .join(Campaign, Campaign.template_version_id == TemplateVersion.id)
        .where(Campaign.unit_id == unit_id, Template.class_ == class_)
        .order_by(Campaign.id.desc())
        .limit(1)
    )
