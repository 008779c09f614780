"""Finds the attempts that receipts belong to. It only reads. A caller that changes something locks the attempts first,
and looks again where the finding may have changed meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection

from sms_service.db.statements import Statement

MATCH_RECEIPTS = Statement(__file__, "match_receipts")
MATCH_UNKNOWN = Statement(__file__, "match_unknown")
FIND_GROUP = Statement(__file__, "find_group")

# Receipts by their ids, each with the month in which it came.
Taken = Mapping[int, date]

# Why a receipt matches no text so far, for people who read the list.
NO_TEXT = "no attempt of this account matches"
SEVERAL = "several texts without an answer went to this phone"
ON_ITS_WAY = "another text to this phone is on its way"
TOO_MANY = "all parts of its text have other ids"


@dataclass(frozen=True, slots=True)
class Match:
    """A receipt and its attempt. `part`: 0 is the whole text.

    One that names nothing of ours (`is_meant`) tells the attempt's `provider_id`, or, where ids are of parts
    (`names_part`), that of a part; with `names_group` also that of all unknown attempts of the same hand-over.
    """

    receipt_id: int
    month: date
    attempt_id: int
    part: int
    is_meant: bool = False
    provider_id: str | None = None
    parts: int = 1
    names_part: bool = False
    names_group: bool = False


@dataclass(frozen=True, slots=True)
class Matches:
    """The matches, in the order of the receipts, and for each receipt without a match the reason."""

    named: list[Match]
    meant: list[Match]
    notes: dict[int, str]


def match_receipts(connection: Connection, receipts: Taken) -> Matches:
    """Find the attempts of receipts by the names in them, or else by the only text that a receipt can be about."""
    named = [
        Match(row.receipt_id, row.month, row.attempt_id, row.part)
        for row in MATCH_RECEIPTS(connection, in_months=list(receipts.values()), ids=list(receipts))
    ]
    known = {match.receipt_id for match in named}
    notes = {id_: NO_TEXT for id_ in receipts if id_ not in known}
    meant: list[Match] = []
    taken: dict[int, str | None] = {}
    strange = {"in_months": [receipts[id_] for id_ in notes], "ids": list(notes)}
    for row in MATCH_UNKNOWN(connection, **strange) if notes else ():
        if row.texts > 1:
            notes[row.receipt_id] = SEVERAL
        elif row.waits:
            notes[row.receipt_id] = ON_ITS_WAY
        # A text in one piece has one id: the first that comes.
        elif row.parts > 1 or taken.setdefault(row.attempt_id, row.provider_id) == row.provider_id:
            if row.names_part and row.provider_id is None:
                continue
            del notes[row.receipt_id]
            meant.append(
                Match(
                    row.receipt_id,
                    row.month,
                    row.attempt_id,
                    row.part,
                    is_meant=True,
                    provider_id=row.provider_id,
                    parts=row.parts,
                    names_part=row.names_part,
                    names_group=row.names_groups,
                )
            )
    return Matches(named, meant, notes)


def find_groups(connection: Connection, meant: Iterable[Match]) -> dict[date, dict[int, dict[int, str]]]:
    """For attempts whose ids are of groups: by month and attempt, the ids that attempts of its group have by it."""
    groups: dict[date, dict[int, dict[int, str]]] = {}
    asked: dict[date, dict[int, str]] = {}
    for match in meant:
        if match.names_group and match.provider_id is not None:
            asked.setdefault(match.month, {}).setdefault(match.attempt_id, match.provider_id)
    for month, names in asked.items():
        members: dict[int, dict[int, str]] = {}
        for row in FIND_GROUP(connection, month=month, attempt_ids=list(names), provider_ids=list(names.values())):
            members.setdefault(row.source_id, {})[row.attempt_id] = row.provider_id
        groups[month] = members
    return groups


def by_month(matches: Iterable[Match]) -> Mapping[date, list[Match]]:
    """The matches of each month, earliest first: in this order attempts are locked."""
    months: dict[date, list[Match]] = {}
    for match in matches:
        months.setdefault(match.month, []).append(match)
    return dict(sorted(months.items()))
