"""Chooses the runs to look at next: a limited number in each look, however many are running, and each in its turn.

A worker remembers the ids of running runs, which costs next to nothing. To ask whether a run has due rows costs
PostgreSQL two look-ups, so a look asks only about the next few runs of each lane. They are taken from all units in
turn, and from a unit's runs in turn. A run that had something to hand over and was not served is asked about again in
the next look, every other run after all the rest. Nothing here reads or writes anything.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Collection, Iterable, Iterator
from itertools import islice

from sms_service.ledger.states import Lane

# Of each lane: running runs that one look asks about, and those that it lists from the index, next ones and newest.
MOST = 200
LISTED, NEWEST = 500, 100


class Lookout:
    """One dispatcher's. Not thread-safe, but for `tell`."""

    def __init__(self) -> None:
        self._lanes = {lane.value: _LaneRuns() for lane in Lane}
        self._told: deque[int] = deque(maxlen=LISTED)

    def tell(self, run_ids: Iterable[int]) -> None:
        """These have just begun to run; this worker looks at them first, others at other runs. From any thread."""
        self._told.extend(run_ids)

    @property
    def told(self) -> bool:
        """Whether there are runs that it was told of and did not look at yet."""
        return bool(self._told)

    def take_told(self) -> list[int]:
        """The runs that it was told of, once."""
        return [self._told.popleft() for _ in range(len(self._told))]

    def positions(self) -> dict[str, int]:
        """After which id to list each lane's next runs."""
        return {lane: runs.listed_to for lane, runs in self._lanes.items()}

    def learn(self, lane: str, unit_ids: dict[int, int], listed: Collection[int], told: Collection[int]) -> None:
        """What was listed of the lane: units by run; which runs were the next ones, and which it was told of."""
        self._lanes[lane].learn(unit_ids, listed, told)

    def next_runs(self) -> list[int]:
        """The runs to ask about now, in the order in which they are to be served where nothing else decides."""
        return [run_id for runs in self._lanes.values() for run_id in runs.take()]

    def answer(self, running: Collection[int], due: Collection[int]) -> None:
        """What was found of the runs that were asked about: those running, and those that may hand over now."""
        for runs in self._lanes.values():
            runs.answer(running, due)

    def served(self, lane: str, run_id: int) -> None:
        """A group of the run was started."""
        self._lanes[lane].served[run_id] += 1

    def begin_round(self) -> None:
        """From now on, what was seen before does not count as seen."""
        for runs in self._lanes.values():
            runs.begin_round()

    @property
    def seen_all(self) -> bool:
        """Whether all running runs were asked about since the round began, or since one of their lane had something."""
        return all(runs.seen_all for runs in self._lanes.values())


class _LaneRuns:
    """The running runs of one lane that are known, by unit, in the order in which they are asked about."""

    def __init__(self) -> None:
        self.listed_to = 0
        self.served: Counter[int] = Counter()
        self._ahead: Counter[int] = Counter()
        self._unit_of: dict[int, int] = {}
        self._told: OrderedDict[int, None] = OrderedDict()
        self._units: OrderedDict[int, OrderedDict[int, None]] = OrderedDict()
        self._asked: list[int] = []
        self._due: Collection[int] = ()
        self.begin_round()

    def begin_round(self) -> None:
        self._in_vain, self._listed_all = 0, False

    @property
    def seen_all(self) -> bool:
        return self._listed_all and self._in_vain >= len(self._unit_of)

    def learn(self, unit_ids: dict[int, int], listed: Collection[int], told: Collection[int]) -> None:
        self.listed_to = max(listed) if len(listed) >= LISTED else 0
        self._listed_all |= len(listed) < LISTED
        for run_id, unit_id in unit_ids.items():
            if run_id not in self._unit_of:
                self._unit_of[run_id] = unit_id
                self._in_vain = 0
                if run_id in told:
                    self._told[run_id] = None
                else:
                    self._units.setdefault(unit_id, OrderedDict())[run_id] = None

    def take(self) -> list[int]:
        self._put_back()
        self._asked = list(islice(self._told, MOST // 2))
        self._asked += islice(self._in_turn(), MOST - len(self._asked))
        return self._asked

    def _in_turn(self) -> Iterator[int]:
        """A run of each unit, then a second one of each, …"""
        turns = [iter(runs) for runs in islice(self._units.values(), MOST)]
        while turns:
            runs, turns = turns, []
            for turn in runs:
                if (run_id := next(turn, None)) is not None:
                    yield run_id
                    turns.append(turn)

    def answer(self, running: Collection[int], due: Collection[int]) -> None:
        self._due = due
        for run_id in self._asked:
            if run_id not in running:
                self._forget(run_id)
        self._asked = [run_id for run_id in self._asked if run_id in running]
        self._in_vain = 0 if any(run_id in due for run_id in self._asked) else self._in_vain + len(self._asked)

    def _put_back(self) -> None:
        """Those of the last look that were served, or had nothing, wait until the others have been asked."""
        for run_id in self._asked:
            if run_id in self.served or run_id not in self._due:
                self._told.pop(run_id, None)
                unit_id = self._unit_of[run_id]
                self._units.setdefault(unit_id, OrderedDict())[run_id] = None
                self._units[unit_id].move_to_end(run_id)
                self._units.move_to_end(unit_id)
                if run_id in self.served:
                    self._ahead[run_id] += self.served[run_id] - 1
                    self._pass_over(self._units[unit_id])
        self.served.clear()

    def _pass_over(self, runs: OrderedDict[int, None]) -> None:
        """A run that had several groups in one look has had turns of the unit's others; it now lets them go first."""
        while self._ahead[first := next(iter(runs))]:
            self._ahead[first] -= 1
            runs.move_to_end(first)

    def _forget(self, run_id: int) -> None:
        self._told.pop(run_id, None)
        self._ahead.pop(run_id, None)
        unit_id = self._unit_of.pop(run_id)
        if runs := self._units.get(unit_id):
            runs.pop(run_id, None)
            if not runs:
                del self._units[unit_id]
