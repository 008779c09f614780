"""The names of what the trail's entries are about: who did it, to what, on which unit, in one statement for a page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import Select, Text, cast, func, literal, null, select, union_all
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor
from sms_service.accounts.models import Account, Token
from sms_service.accounts.permissions import Permission
from sms_service.audience.list_models import RecipientList
from sms_service.audience.models import Segment
from sms_service.audience.wording import describe_rules
from sms_service.audit import trail
from sms_service.audit.changes import Changes, read_changes
from sms_service.audit.models import TrailEntry
from sms_service.campaigns.models import Campaign
from sms_service.content.models import Template
from sms_service.controls.models import GatewayAccount, Stop
from sms_service.directory.import_models import Import
from sms_service.directory.models import Person, Unit
from sms_service.ledger.models import Run
from sms_service.said import Said

# By kind and id, as the trail writes both.
Names = Mapping[tuple[str, str], str]


def name_targets(
    session: Session, actor: Actor, entries: Sequence[TrailEntry], changes: Mapping[int, Changes] | None = None
) -> Names:
    """The names of whatever these entries, and what they changed, name by an id: accounts by who acted, and what lies
    in a unit that the actor may read. What is gone, or may not be read where it is by now, has none.
    """
    wanted: dict[str, set[int]] = {}
    for kind, number in [*_named_in(entries), *_units_in((changes or {}).values())]:
        if number.isdecimal():
            wanted.setdefault(kind, set()).add(int(number))
    parts = [_PARTS[kind].where(_IDS[kind].in_(ids)) for kind, ids in wanted.items() if kind in _PARTS]
    if not parts:
        return {}
    rows = session.execute(union_all(*parts))
    return {(row[0], row[1]): row[2] for row in rows if row[3] is None or actor.can(Permission.read, row[3])}


def list_acts_on(session: Session, actor: Actor, target_kind: str, target_id: int) -> list[TrailEntry]:
    """What was done to one thing, as far as the actor may read it, the first act first."""
    found = trail.find_entries(actor.scope(Permission.read), target_kind=target_kind, target_id=str(target_id))
    return list(session.scalars(found.order_by(TrailEntry.id)))


class NamedEntry(NamedTuple):
    """An entry of the trail with the login of who acted (None: the service), the names of what it was done to and of
    the unit that this belonged to, and what it changed; None where there is none, or the actor may not read what it
    was done to where it is by now.
    """

    entry: TrailEntry
    login: str | None
    target: str | None
    unit: str | None
    changes: Changes | None


def name_entries(session: Session, actor: Actor, entries: Sequence[TrailEntry]) -> list[NamedEntry]:
    """The entries with their names and changes, in three statements whatever their number."""
    names, changes = name_targets(session, actor, entries), read_changes(session, entries)
    acting = {entry.account_id for entry in entries if entry.account_id is not None}
    logins = dict(session.execute(select(Account.id, Account.login).where(Account.id.in_(acting))).all())
    return [
        NamedEntry(
            entry,
            None if entry.account_id is None else logins.get(entry.account_id),
            names.get((entry.target_kind, entry.target_id)),
            names.get(("unit", _unit_of(entry))),
            changes.get(entry.id) if may_see_changes(entry, names) else None,
        )
        for entry in entries
    ]


def may_see_changes(entry: TrailEntry, names: Names) -> bool:
    """Whether what was before and after is told: of what lies in a unit, only while the actor may read it there."""
    return entry.target_kind not in _IDS or (entry.target_kind, entry.target_id) in names


def word_rules(
    session: Session, actor: Actor, entries: Iterable[TrailEntry], changes: Mapping[int, Changes]
) -> dict[int, list[Said]]:
    """The segments' rules before and after, in words, by the entry that changed one; in a few statements for all."""
    changed = {
        entry.id: (int(_unit_of(entry)), changes[entry.id]["rule"])
        for entry in entries
        if entry.act == "segment.change" and "rule" in changes.get(entry.id, {})
    }
    if not changed:
        return {}
    own = select(Unit).where(Unit.id.in_({unit_id for unit_id, _ in changed.values()}))
    units = {unit.id: unit for unit in session.scalars(own)}
    told = {id_: (units[unit_id], rules) for id_, (unit_id, rules) in changed.items() if unit_id in units}
    words = iter(describe_rules(session, actor, [(unit, rule) for unit, rules in told.values() for rule in rules]))
    return {id_: [next(words), next(words)] for id_ in told}


def _unit_of(entry: TrailEntry) -> str:
    return entry.unit_path.strip("/").rpartition("/")[2]


def _named_in(entries: Iterable[TrailEntry]) -> Iterable[tuple[str, str]]:
    for entry in entries:
        yield "account", str(entry.account_id)
        yield "account", str(entry.details.get("lender"))
        yield "account", str(entry.details.get("to"))
        yield from (("account", str(one)) for one in entry.details.get("changes", {}).get("assigned_to", ()))
        yield entry.target_kind, entry.target_id
        yield "unit", str(entry.details.get("unit_id"))
        yield "unit", _unit_of(entry)


def _units_in(changes: Iterable[Changes]) -> Iterable[tuple[str, str]]:
    """Where people moved from and to, and where their roles were."""
    for change in changes:
        for value in change.get("unit_id", ()):
            yield "unit", str(value)
        for roles in change.get("roles", ()):
            for unit_id, _role in roles or ():
                yield "unit", str(unit_id)


_PATHLESS = cast(null(), Text)
_IDS = {
    "account": Account.id,
    "token": Token.id,
    "campaign": Campaign.id,
    "run": Run.id,
    "person": Person.id,
    "unit": Unit.id,
    "recipient_list": RecipientList.id,
    "segment": Segment.id,
    "template": Template.id,
    "import": Import.id,
    "stop": Stop.id,
}
_COLUMNS = {
    "account": (Account.name, _PATHLESS),
    "token": (Account.name, _PATHLESS),
    "campaign": (Campaign.name, Unit.path),
    "run": (Campaign.name, Unit.path),
    "person": (Person.name, Unit.path),
    "unit": (Unit.name, Unit.path),
    "recipient_list": (RecipientList.name, Unit.path),
    "segment": (Segment.name, Unit.path),
    "template": (Template.name, Unit.path),
    "import": (Import.file_name, Unit.path),
    "stop": (func.coalesce(Unit.name, GatewayAccount.name), Unit.path),
}


def _part(kind: str) -> Select[str, str, str, str | None]:
    name, path = _COLUMNS[kind]
    part = select(literal(kind, Text), cast(_IDS[kind], Text), name, path)
    match kind:
        case "token":
            return part.join(Account, Account.id == Token.account_id)
        case "run":
            return part.outerjoin(Campaign, Campaign.id == Run.campaign_id).join(Unit, Unit.id == Run.unit_id)
        case "stop":
            part = part.outerjoin(Unit, Unit.id == Stop.unit_id)
            return part.outerjoin(GatewayAccount, GatewayAccount.id == Stop.gateway_account_id)
        case "import":
            return part.outerjoin(Unit, Unit.id == Import.unit_id)
        case "campaign":
            return part.join(Unit, Unit.id == Campaign.unit_id)
        case "person":
            return part.join(Unit, Unit.id == Person.unit_id)
        case "recipient_list":
            return part.join(Unit, Unit.id == RecipientList.unit_id)
        case "segment":
            return part.join(Unit, Unit.id == Segment.unit_id)
        case "template":
            return part.join(Unit, Unit.id == Template.unit_id)
    return part


_PARTS = {kind: _part(kind) for kind in _IDS}
