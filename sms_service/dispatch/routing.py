"""Which runs may hand over now, and through which account: by priority, by weight, and elsewhere after a refusal."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

from sqlalchemy import Connection

from sms_service.db.statements import Statement
from sms_service.dispatch.lookout import LISTED, NEWEST, Lookout
from sms_service.ledger.protocol import Claim

LIST_RUNNING = Statement(__file__, "list_running")
RUNNABLE = Statement(__file__, "runnable")
OPEN_ACCOUNTS = Statement(__file__, "open_accounts")
BOUND_ACCOUNTS = Statement(__file__, "bound_accounts")

_NONE: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Offer:
    """A run with due rows, and one account that may take some of them.

    `fresh` and `accounts` say which rows, as `protocol.Claim` does; `ids`: only these messages (a canary's).
    `parts_estimate`: parts of a text, on average. `alternative`: whether the run's route has another open account.
    `trial`: the breaker has opened the account again, and nothing has gone well since.
    """

    run_id: int
    month: date
    unit_id: int
    lane: str
    parts_estimate: float
    gateway_account_id: int
    account: str
    weight: int
    fresh: bool
    accounts: tuple[int, ...]
    alternative: bool
    ids: tuple[int, ...] | None
    trial: bool = False

    def claim(self, token: str) -> Claim:
        """A claim on its rows, to be proved by `token`."""
        return Claim(self.run_id, self.month, self.gateway_account_id, token, self.fresh, self.accounts, self.ids)


def list_running(connection: Connection, lookout: Lookout) -> None:
    """Let it know the next running runs of each lane."""
    positions, told = lookout.positions(), lookout.take_told()
    unit_ids: dict[str, dict[int, int]] = {lane: {} for lane in positions}
    listed: dict[str, list[int]] = {lane: [] for lane in positions}
    for row in LIST_RUNNING(
        connection, lanes=list(positions), after=list(positions.values()), most=LISTED, newest=NEWEST, told=told
    ):
        unit_ids[row.lane][row.id] = row.unit_id
        listed[row.lane] += [row.id] if row.listed else []
    for lane, units in unit_ids.items():
        lookout.learn(lane, units, listed[lane], told)


def find_offers(connection: Connection, lookout: Lookout, known: Collection[str], ours: Collection[str]) -> list[Offer]:
    """Pairs of a run that may hand over now and one of `ours` that may take it: the accounts, by name, that this
    process hands over on. `known` are all of gateways.toml; which of them takes what does not depend on the process.

    Of all running runs it asks about those whose turn it is by the `lookout`, which learns what was found.
    """
    list_running(connection, lookout)
    run_ids = lookout.next_runs()
    found = {row.run_id: row for row in RUNNABLE(connection, run_ids=run_ids)} if run_ids else {}
    runs = [found[run_id] for run_id in run_ids if run_id in found and found[run_id].due]
    members: dict[int, list[Any]] = defaultdict(list)
    for member in OPEN_ACCOUNTS(connection) if runs else ():
        if member.name in known:
            members[member.route_id].append(member)
    bound = _find_bound(
        connection, (m for those in members.values() for m in those), {r.template_version_id for r in runs}
    )
    # Worked out once for thousands of runs of one route.
    places: dict[tuple[int, bool, frozenset[int]], list[_Place]] = {}
    offers = []
    for run in runs:
        key = (run.route_id, run.demonstration, bound.get(run.template_version_id, _NONE))
        if key not in places:
            places[key] = _places(_usable(members[run.route_id], run.demonstration, key[2]))
        offers += [
            _offer(run, place) for place in places[key] if place.member.name in ours and (place.fresh or run.again)
        ]
    lookout.answer(found.keys(), {offer.run_id for offer in offers})
    return offers


def find_first_accounts(
    connection: Connection, route_id: int, version_id: int, demonstration: bool, known: Collection[str]
) -> dict[str, int]:
    """The gateway accounts that would be handed new texts of this template version on this route now, by name with
    their weights: of those that are open, `known` in gateways.toml, and let the version through, the ones with the
    lowest priority.
    """
    members = [member for member in OPEN_ACCOUNTS(connection) if member.route_id == route_id and member.name in known]
    bound = _find_bound(connection, members, [version_id]).get(version_id, _NONE)
    return {member.name: member.weight for member in _best(_usable(members, demonstration, bound))}


def _find_bound(
    connection: Connection, members: Iterable[Any], version_ids: Collection[int]
) -> Mapping[int, frozenset[int]]:
    """By template version the accounts that have registered it; nothing is asked where no account wants that."""
    if not any(member.needs_binding for member in members):
        return {}
    rows = BOUND_ACCOUNTS(connection, version_ids=list(version_ids))
    return {row.template_version_id: frozenset(row.gateway_account_ids) for row in rows}


def _usable(members: Iterable[Any], demonstration: bool, bound: Collection[int]) -> list[Any]:
    """Those that may be handed a run's texts at all: now, and after another has refused them."""
    return [
        member
        for member in members
        if (member.simulated or not demonstration) and (not member.needs_binding or member.gateway_account_id in bound)
    ]


class _Place(NamedTuple):
    """What an account of a route takes of each run: all new rows if `fresh`, and what which others did not take."""

    member: Any
    fresh: bool
    accounts: tuple[int, ...]
    alternative: bool


def _places(usable: Sequence[Any]) -> list[_Place]:
    first = {member.gateway_account_id for member in _best(usable)}
    places = []
    for member in usable:
        # Rows that x refused go to the best of the others; to x again only if there is no other.
        takes_after = {
            x.gateway_account_id
            for x in usable
            if member in (_best([other for other in usable if other is not x]) or [x])
        }
        fresh = member.gateway_account_id in first
        accounts = {x.gateway_account_id for x in usable} - takes_after if fresh else takes_after
        if fresh or accounts:
            places.append(_Place(member, fresh, tuple(sorted(accounts)), len(usable) > 1))
    return places


def _offer(run: Any, place: _Place) -> Offer:
    return Offer(
        run_id=run.run_id,
        month=run.month,
        unit_id=run.unit_id,
        lane=run.lane,
        parts_estimate=max(1.0, run.parts_estimate),
        gateway_account_id=place.member.gateway_account_id,
        account=place.member.name,
        weight=place.member.weight,
        fresh=place.fresh,
        accounts=place.accounts,
        alternative=place.alternative,
        ids=None if run.canary is None else tuple(run.canary),
        trial=place.member.trial,
    )


def _best(members: Sequence[Any]) -> list[Any]:
    lowest = min((member.priority for member in members), default=0)
    return [member for member in members if member.priority == lowest]
