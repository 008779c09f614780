"""Whose turn it is: which run gets the next group on a gateway account.

Lanes go strictly in order. Within a lane every unit gets the same share of the parts, and within a unit every run of
it, however many people each of them has: a campaign to the whole city holds up no branch. Nothing here reads or writes
anything; what it counts is lost with the process, and the shares start anew.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Generic, Protocol, TypeVar

from sms_service.ledger.states import Lane

_RANK = {lane.value: rank for rank, lane in enumerate(Lane)}


class Candidate(Protocol):
    """A run that has something to hand over on the account now. `unit_id` is the unit that the run belongs to."""

    @property
    def run_id(self) -> int: ...
    @property
    def unit_id(self) -> int: ...
    @property
    def lane(self) -> str: ...


C = TypeVar("C", bound=Candidate)


class FairShare(Generic[C]):
    """The shares on one gateway account. Not thread-safe: the scheduler alone asks it."""

    def __init__(self) -> None:
        self._lanes: dict[str, _LaneShares[C]] = {lane: _LaneShares() for lane in _RANK}

    def choose(self, candidates: Sequence[C]) -> C:
        """The candidate whose turn it is; of several that are level, the first. There must be at least one. Charge it
        before the next choice.
        """
        first = min((candidate.lane for candidate in candidates), key=_RANK.__getitem__)
        return self._lanes[first].choose([candidate for candidate in candidates if candidate.lane == first])

    def charge(self, candidate: C, parts: int) -> None:
        """Count `parts` as handed over for the candidate. A number below 0 takes back parts that were charged and did
        not leave.
        """
        self._lanes[candidate.lane].charge(candidate, parts)


class _LaneShares(Generic[C]):
    """The units of one lane, and the runs of each of them."""

    def __init__(self) -> None:
        self._units = _Shares()
        self._runs: defaultdict[int, _Shares] = defaultdict(_Shares)

    def choose(self, candidates: Sequence[C]) -> C:
        unit_id, forgot = self._units.next([candidate.unit_id for candidate in candidates])
        if forgot:
            self._runs = defaultdict(_Shares, {unit: runs for unit, runs in self._runs.items() if unit in self._units})
        own = {candidate.run_id: candidate for candidate in candidates if candidate.unit_id == unit_id}
        return own[self._runs[unit_id].next(own.keys())[0]]

    def charge(self, candidate: C, parts: int) -> None:
        self._units.charge(candidate.unit_id, parts)
        self._runs[candidate.unit_id].charge(candidate.run_id, parts)


class _Shares:
    """Competitors (units or runs) by id, each with the parts that it has had; only the differences between them
    matter.

    The one that has had least is next. A newcomer starts level with it and does not catch up on what was handed over
    before. A competitor that is absent is remembered only while it has had more than that; otherwise it would return
    as a newcomer anyway. So an absence neither saves up a share nor wipes out what was had.
    """

    def __init__(self) -> None:
        self._had: dict[int, int] = {}
        self._mark = 0

    def __contains__(self, id_: int) -> bool:
        return id_ in self._had

    def next(self, present: Iterable[int]) -> tuple[int, bool]:
        """Who is next, and whether others are not remembered any more."""
        present = dict.fromkeys(present)
        known = [self._had[id_] for id_ in present if id_ in self._had]
        mark = max(self._mark, min(known, default=self._mark))
        if forget := mark > self._mark:  # only then can anybody have fallen below it
            self._mark = mark
            self._had = {id_: had for id_, had in self._had.items() if had > mark}
        for id_ in present:
            self._had.setdefault(id_, self._mark)
        return min(present, key=self._had.__getitem__), forget

    def charge(self, id_: int, parts: int) -> None:
        self._had[id_] = max(self._had.get(id_, self._mark) + parts, self._mark)
