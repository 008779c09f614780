"""What is written beside a row of a rule: a number, a day, a unit or a campaign by its name, as the list offers it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from flask import g
from sqlalchemy import Select, func, or_, select

from sms_service.accounts.permissions import Permission
from sms_service.audience.attributes import NUMBERS
from sms_service.campaigns.models import Campaign
from sms_service.campaigns.states import CampaignStatus
from sms_service.directory.models import Unit
from sms_service.errors import Invalid
from sms_service.masking import mask_text
from sms_service.said import say

MOST_OFFERED = 30
_MARK = " · "  # between a name and what makes it unique
_LAUNCHED = (CampaignStatus.active, CampaignStatus.suspended, CampaignStatus.ended)
_NUMBER = re.compile(r"[+-]?\d{1,15}(\.\d{1,6})?")


def fill_rule(rule: dict[str, Any], text: str, field: str, path: str) -> None:
    """Put what was written into the place that the rule leaves open, if it leaves one. Raises Invalid (`field`)."""
    [(key, value)] = rule.items()
    if key == "unit" and value is None:
        rule["unit"] = _find_unit(_required(text, field), field, path)
    elif key == "campaign" and value["id"] is None:
        value["id"] = _find_campaign(_required(text, field), field)
    elif key == "attribute":
        comparison = next(one for one in value if one != "name")
        operand = value[comparison]
        if isinstance(operand, dict) and [*operand.values()] == [None]:
            operand[next(iter(operand))] = _whole(_required(text, field), field)
        elif operand is None:
            written = _required(text, field)
            value[comparison] = _number(written, field) if comparison in NUMBERS else written


def take_out(rule: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """The rule with its place open, and what was written there; as it is where nothing is written."""
    [(key, value)] = rule.items()
    if key == "campaign":
        return {key: {**value, "id": None}}, str(value["id"])
    if key == "attribute":
        comparison = next(one for one in value if one != "name")
        operand = value[comparison]
        if isinstance(operand, dict):
            [(inner, number)] = operand.items()
            return {key: {"name": value["name"], comparison: {inner: None}}}, str(number)
        if comparison in ("before", "after", *NUMBERS):
            return {key: {"name": value["name"], comparison: None}}, str(operand)
    return rule, ""


def offer_texts(text: str, path: str) -> list[str]:
    """Units within the subtree and launched campaigns that fit what is being written."""
    units = g.session.scalars(_units(text, path).order_by(func.length(Unit.path), Unit.name).limit(MOST_OFFERED))
    campaigns = g.session.execute(_campaigns(text).order_by(Campaign.id.desc()).limit(MOST_OFFERED))
    named = [f"{mask_text(row.name)}{_MARK}{row.id}" for row in campaigns]
    return [f"{unit.name}{_MARK}{unit.code}" for unit in units] + named


def _find_unit(text: str, field: str, path: str) -> int:
    code = text.rpartition(_MARK.strip())[2].strip()
    found: Sequence[Unit] = g.session.scalars(select(Unit).where(Unit.code == code, Unit.path.op("^@")(path))).all()
    if not found:
        found = g.session.scalars(_units(text, path).order_by(Unit.name != text, Unit.name, Unit.id).limit(10)).all()
    if found and (len(found) == 1 or [unit.name for unit in found].count(text) == 1):
        return found[0].id
    names = [f"{unit.name}{_MARK}{unit.code}" for unit in found]
    raise Invalid(
        field,
        None,
        say("several units fit; write one of them so: {units}", units=names) if names else "no unit here has this name",
    )


def _find_campaign(text: str, field: str) -> int:
    number = text.rpartition(_MARK.strip())[2].strip()
    if number.isascii() and number.isdecimal() and len(number) < 19:
        return int(number)
    found = g.session.execute(_campaigns(text).order_by(Campaign.id.desc()).limit(10)).all()
    if len(found) == 1:
        return int(found[0].id)
    names = [f"{row.name}{_MARK}{row.id}" for row in found]
    raise Invalid(
        field,
        None,
        say("several campaigns fit; write one of them so: {campaigns}", campaigns=names)
        if names
        else "no campaign that was launched has this name",
    )


def _units(text: str, path: str) -> Select[Unit]:
    fits = or_(Unit.name.contains(text, autoescape=True), Unit.code.startswith(text, autoescape=True))
    return select(Unit).where(Unit.path.op("^@")(path), fits)


def _campaigns(text: str) -> Select[int, str]:
    scope = [Unit.path.op("^@")(path) for path in g.actor.scope(Permission.read)]
    return (
        select(Campaign.id, Campaign.name)
        .join(Unit, Unit.id == Campaign.unit_id)
        .where(or_(*scope), Campaign.status.in_(_LAUNCHED), Campaign.name.contains(text, autoescape=True))
    )


def _required(text: str, field: str) -> str:
    if not text:
        raise Invalid(field, None, "write the value beside it")
    return text


def _number(text: str, field: str) -> int | float:
    if not _NUMBER.fullmatch(text):
        raise Invalid(field, None, "write a number beside it, such as 60 or 99.5")
    return float(text) if "." in text else int(text)


def _whole(text: str, field: str) -> int:
    if not text.isdecimal() or len(text) > 9:
        raise Invalid(field, None, "write a whole number beside it, such as 60")
    return int(text)
