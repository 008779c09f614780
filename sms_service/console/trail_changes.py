"""What an act changed, and where it came from, in words: each field before and after."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sms_service.audit.changes import Changes
from sms_service.audit.models import TrailEntry
from sms_service.audit.origin import SERVICE, SHELL
from sms_service.masking import mask_phone, mask_text
from sms_service.reports.acts import Names
from sms_service.said import Said, as_said, say
from sms_service.web.words import name_of

FIELDS = {
    "unit_id": say("Unit"),
    "name": say("Name"),
    "kind": say("Kind"),
    "phone": say("Phone number"),
    "tags": say("Tags"),
    "roles": say("Roles"),
    "lost_contact": say("Known to be out of reach"),
    "left": say("Has left"),
    "timezone": say("Time zone"),
    "window_opens": say("Texts leave from"),
    "window_closes": say("Texts leave until"),
}
ATTRIBUTES = {
    "gender": say("Gender"),
    "born_on": say("Born on"),
    "joined_on": say("Joined the Party on"),
    "consent_basis": say("Basis of use"),
    "consent_source": say("Source of the data"),
}
_Shown = str | tuple[str, ...]  # Said too
_NOTHING = as_said("nothing")


def tell_origin(entry: TrailEntry) -> Said | None:
    """Where the act came from; None where that is not known or says nothing."""
    if entry.origin is None or (entry.origin == SERVICE and entry.account_id is None):
        return None
    if entry.origin == SHELL:
        return as_said("from the shell")
    if entry.origin == SERVICE:
        return as_said("from the service itself")
    return say("from {address}", address=entry.origin)


def tell_changes(entry: TrailEntry, changes: Changes | None, names: Names) -> Sequence[Said]:
    """Each field that changed, with its values; none where the visitor may not read what it was done to by now."""
    if not changes or (entry.target_kind, entry.target_id) not in names:
        return ()
    return [
        say("{field}: {before} → {after}", field=field, before=before, after=after)
        for field, before, after in _fields(changes, names)
    ]


def _fields(changes: Changes, names: Names) -> Iterator[tuple[str, _Shown, _Shown]]:
    for field, (before, after) in changes.items():
        if field == "attributes":
            for name in sorted({*(before or {}), *(after or {})}):
                old, new = (before or {}).get(name), (after or {}).get(name)
                if old != new:
                    yield ATTRIBUTES.get(name) or mask_text(name), _value("", old, names), _value("", new, names)
        else:
            yield FIELDS.get(field, as_said(field)), _value(field, before, names), _value(field, after, names)


def _value(field: str, value: Any, names: Names) -> _Shown:
    if value is None or value in ([], ""):
        return _NOTHING
    match field, value:
        case _, bool():
            return as_said("yes") if value else as_said("no")
        case "phone", _:
            return mask_phone(value)
        case "kind", _:
            return name_of(value)
        case "unit_id", _:
            return _unit(value, names)
        case "roles", _:
            return tuple(say("{role} of {unit}", role=mask_text(role), unit=_unit(at, names)) for at, role in value)
        case _, list():
            return tuple(mask_text(str(one)) for one in value)
    return mask_text(str(value))


def _unit(unit_id: int, names: Names) -> str:
    return names.get(("unit", str(unit_id))) or say("no. {number}", number=unit_id)
