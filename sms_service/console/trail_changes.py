"""What an act changed, and where it came from, in words: each field before and after."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sms_service.audit.changes import Changes
from sms_service.audit.models import TrailEntry
from sms_service.audit.origin import SERVICE, SHELL
from sms_service.directory.models import CITY_ZONE
from sms_service.masking import mask_phone, mask_text
from sms_service.reports.acts import Names, may_see_changes
from sms_service.said import Said, as_said, say
from sms_service.web.words import name_of

FIELDS: Mapping[str, Said] = {
    "unit_id": say("Unit"),
    "name": say("Name"),
    "label": say("Name"),
    "kind": say("Kind"),
    "phone": say("Phone number"),
    "tags": say("Tags"),
    "roles": say("Roles"),
    "lost_contact": say("Known to be out of reach"),
    "left": say("Has left"),
    "gender": say("Gender"),
    "born_on": say("Born on"),
    "joined_on": say("Joined the Party on"),
    "consent_basis": say("Basis of use"),
    "consent_source": say("Source of the data"),
    "timezone": say("Time zone"),
    "window_opens": say("Texts leave from"),
    "window_closes": say("Texts leave until"),
    "redact_after_days": say("Days until texts and numbers are emptied"),
    "per_day": say("Most on a day"),
    "people": say("People"),
    "parts": say("Parts"),
    "fen": say("Money, in yuan"),
    "texts": say("Texts"),
    "theme_days": say("Theme days"),
    "participation": say("Participation"),
    "level": say("Level"),
    "class_": say("Class"),
    "up_to": say("Up to so many people"),
    "approvals": say("Approvals"),
    "approver_level": say("Level of who approves"),
    "growth_percent": say("Growth that needs another approval, in percent"),
    "rule": say("Rule"),
    "category_id": say("Category"),
    "signature_id": say("Signature"),
    "signature": say("Signature"),
    "state": say("State"),
    "provider_template_id": say("Provider's name of the template"),
    "note": say("Note"),
    "keyword": say("Keyword"),
    "host": say("Host"),
    "kinds": say("Kinds"),
    "way": say("Way"),
    "channels": say("Channels"),
    "template_version_id": say("Version of the template"),
    "segment_id": say("Segment"),
    "route_id": say("Route"),
    "validity_s": say("Valid for, in seconds"),
    "urgent": say("Urgent"),
    "canary_receipts": say("First receipts are waited for"),
    "launch_on_approval": say("Launched once approved"),
    "planned_at": say("Planned for"),
    "closes_at": say("Answers count until"),
    "begins": say("Begins"),
    "ends": say("Ends"),
    "position": say("Position"),
    "days": say("Days"),
    "skipped": say("Left out"),
    "assigned_to": say("Assigned to"),
}
_Shown = str | tuple[str, ...]  # Said too
_NOTHING = as_said("nothing")
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}.*")


def tell_origin(entry: TrailEntry) -> Said | None:
    """Where the act came from; None where that is not known or says nothing."""
    if entry.origin is None or (entry.origin == SERVICE and entry.account_id is None):
        return None
    if entry.origin == SHELL:
        return as_said("from the shell")
    if entry.origin == SERVICE:
        return as_said("from the service itself")
    return say("from {address}", address=entry.origin)


def tell_changes(
    entry: TrailEntry, changes: Changes | None, names: Names, rules: Sequence[Said] | None = None
) -> Sequence[Said]:
    """Each field that changed, with its values; none where the visitor may not read what it was done to by now.
    `rules`: a segment's rule before and after, in words.
    """
    if not changes or not may_see_changes(entry, names):
        return ()
    told: list[Said] = []
    for field, pair in changes.items():
        if field == "rule" and rules:
            before, after = rules
            told.append(say("{field}: {before} → {after}", field=FIELDS[field], before=before, after=after))
        else:
            told += _tell(field, pair[0], pair[1], names)
    return told


def _tell(field: str, before: Any, after: Any, names: Names) -> Iterator[Said]:
    """The sentence of a field, or of each field within it that differs, such as of a person's attributes."""
    if isinstance(before, dict) or isinstance(after, dict):
        for name in sorted({*(before or {}), *(after or {})}):
            old, new = (before or {}).get(name), (after or {}).get(name)
            if old != new:
                yield from _tell(str(name), old, new, names)
    else:
        name = FIELDS.get(field) or name_of(mask_text(field))
        old, new = _value(field, before, names), _value(field, after, names)
        yield say("{field}: {before} → {after}", field=name, before=old, after=new)


def _value(field: str, value: Any, names: Names) -> _Shown:
    if value is None or value in ([], ""):
        return _NOTHING
    match field, value:
        case _, bool():
            return as_said("yes") if value else as_said("no")
        case "phone", _:
            return mask_phone(value)
        case "unit_id", _:
            return _unit(value, names)
        case "assigned_to", _:
            return mask_text(names.get(("account", str(value)), f"#{value}"))
        case "roles", _:
            return tuple(say("{role} of {unit}", role=mask_text(role), unit=_unit(at, names)) for at, role in value)
        case (("kind" | "state" | "level" | "class_" | "approver_level" | "way"), str()):
            return name_of(value)
        case "fen", int():
            return f"{value / 100:,.2f}"
        case _, int() if field.endswith("_id"):
            return say("no. {number}", number=value)
        case _, list():
            return tuple(name_of(mask_text(str(one))) for one in value)
        case _, str() if _MOMENT.fullmatch(value):
            return _moment(value)
    return mask_text(str(value))


def _moment(value: str) -> str:
    """A moment as people of the city read it, to the minute."""
    at = datetime.fromisoformat(value)
    return f"{at.astimezone(ZoneInfo(CITY_ZONE)) if at.tzinfo else at:%Y-%m-%d %H:%M}"


def _unit(unit_id: int, names: Names) -> str:
    return names.get(("unit", str(unit_id))) or say("no. {number}", number=unit_id)
