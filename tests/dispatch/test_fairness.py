"""Whose turn it is: lanes in order, then units, then runs, by parts; pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_service.dispatch.fairness import FairShare


@dataclass(frozen=True)
class Waiting:
    run_id: int
    unit_id: int = 1
    lane: str = "bulk"


def serve(share: FairShare[Waiting], candidates: list[Waiting], parts: list[int]) -> list[Waiting]:
    """The candidates chosen in turn, one for each of `parts`, which it is charged."""
    chosen = []
    for count in parts:
        chosen.append(share.choose(candidates))
        share.charge(chosen[-1], count)
    return chosen


def waiting_runs(lanes: tuple[str, ...] = ("bulk",)) -> st.SearchStrategy[list[Waiting]]:
    """Runs with ids of their own, of a few units."""
    drawn = st.lists(st.tuples(st.integers(1, 5), st.sampled_from(lanes)), min_size=1, max_size=12)
    return drawn.map(lambda rows: [Waiting(run_id, *row) for run_id, row in enumerate(rows, 1)])


PARTS = st.integers(1, 100)


@given(runs=waiting_runs(), parts=st.lists(PARTS, max_size=200))
def test_units_and_their_runs_differ_by_at_most_one_group(runs: list[Waiting], parts: list[int]) -> None:
    units, single = Counter({run.unit_id: 0 for run in runs}), Counter({run.run_id: 0 for run in runs})
    for run, count in zip(serve(FairShare(), runs, parts), parts, strict=True):
        units[run.unit_id] += count
        single[run.run_id] += count
    assert max(units.values()) - min(units.values()) <= 100
    for unit_id in units:
        of_unit = [single[run.run_id] for run in runs if run.unit_id == unit_id]
        assert max(of_unit) - min(of_unit) <= 100


@given(st.lists(st.tuples(waiting_runs(("urgent", "small", "bulk")), PARTS), max_size=50))
def test_a_lane_is_never_served_while_a_higher_one_waits(rounds: list[tuple[list[Waiting], int]]) -> None:
    share: FairShare[Waiting] = FairShare()
    order = ["urgent", "small", "bulk"]
    for runs, count in rounds:
        (chosen,) = serve(share, runs, [count])
        assert chosen in runs
        assert order.index(chosen.lane) == min(order.index(run.lane) for run in runs)


@given(runs=waiting_runs(), before=st.lists(PARTS, max_size=100), parts=st.lists(PARTS, min_size=7, max_size=7))
def test_a_unit_that_comes_new_is_served_within_one_choice_for_each_unit(
    runs: list[Waiting], before: list[int], parts: list[int]
) -> None:
    share: FairShare[Waiting] = FairShare()
    serve(share, runs, before)
    new = Waiting(1000, unit_id=99)
    units = {run.unit_id for run in runs} | {new.unit_id}
    assert new in serve(share, [*runs, new], parts[: len(units)])


@given(before=st.lists(PARTS, min_size=50, max_size=100), parts=st.lists(PARTS, min_size=50, max_size=100))
def test_a_unit_that_comes_new_makes_up_for_nothing(before: list[int], parts: list[int]) -> None:
    share: FairShare[Waiting] = FairShare()
    old, new = Waiting(1, unit_id=1), Waiting(2, unit_id=2)
    serve(share, [old], before)
    had: Counter[int] = Counter()
    for run, count in zip(serve(share, [old, new], parts), parts, strict=True):
        had[run.run_id] += count
    assert abs(had[1] - had[2]) <= 100


@given(
    rounds=st.lists(st.tuples(st.sets(st.integers(1, 4), min_size=1), PARTS), min_size=1, max_size=60),
    parts=st.lists(PARTS, min_size=30, max_size=30),
)
def test_whoever_comes_and_goes_is_level_with_the_others_again(
    rounds: list[tuple[set[int], int]], parts: list[int]
) -> None:
    """No pattern of absences saves up a share: from any moment on, the shares differ by what two groups bring."""
    share: FairShare[Waiting] = FairShare()
    for present, count in rounds:
        serve(share, [Waiting(unit, unit) for unit in sorted(present)], [count])
    had = Counter(dict.fromkeys(range(1, 5), 0))
    runs = [Waiting(unit, unit) for unit in had]
    for run, count in zip(serve(share, runs, parts), parts, strict=True):
        had[run.unit_id] += count
    assert max(had.values()) - min(had.values()) <= 200


def test_a_unit_does_not_gain_by_having_many_runs() -> None:
    runs = [Waiting(1, unit_id=1), *(Waiting(run_id, unit_id=2) for run_id in range(2, 12))]
    had = Counter(run.unit_id for run in serve(FairShare(), runs, [10] * 200))
    assert had == {1: 100, 2: 100}


def test_shares_are_counted_in_parts_and_not_in_groups() -> None:
    share: FairShare[Waiting] = FairShare()
    long, short = Waiting(1, unit_id=1), Waiting(2, unit_id=2)
    groups: Counter[int] = Counter()
    for _ in range(400):
        run = share.choose([long, short])
        share.charge(run, 300 if run is long else 100)
        groups[run.unit_id] += 1
    assert groups == {1: 100, 2: 300}


def test_a_short_absence_wipes_out_nothing() -> None:
    share: FairShare[Waiting] = FairShare()
    one, two = Waiting(1, unit_id=1), Waiting(2, unit_id=2)
    share.charge(share.choose([one, two]), 100)
    assert share.choose([two]) is two
    assert share.choose([one, two]) is two, "it came back, and is still ahead"


def test_what_was_charged_and_did_not_go_is_taken_back() -> None:
    share: FairShare[Waiting] = FairShare()
    one, two = Waiting(1, unit_id=1), Waiting(2, unit_id=2)
    assert share.choose([one, two]) is one
    share.charge(one, 100)
    assert share.choose([one, two]) is two
    share.charge(two, 50)
    share.charge(one, -80)
    assert share.choose([one, two]) is one


def test_runs_that_are_gone_are_forgotten() -> None:
    share: FairShare[Waiting] = FairShare()
    for run_id in range(10_000):
        serve(share, [Waiting(run_id, unit_id=run_id // 2), Waiting(-1, unit_id=-1)], [1, 1])
    lane = share._lanes["bulk"]
    assert len(lane._units._had) <= 3
    assert sum(len(runs._had) for runs in lane._runs.values()) <= 6


def test_an_unknown_lane_is_an_error() -> None:
    with pytest.raises(KeyError, match="express"):
        FairShare().choose([Waiting(1, lane="express")])
