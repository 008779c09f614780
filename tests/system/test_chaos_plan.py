"""What chaos does is a function of its seed, and every kind of event can be carried out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from chaos import plan

MINUTE_S = 60.0


def test_the_plan_is_a_function_of_the_seed() -> None:
    assert plan.make(1, 10 * MINUTE_S) == plan.make(1, 10 * MINUTE_S)
    assert plan.make(1, 10 * MINUTE_S) != plan.make(2, 10 * MINUTE_S)


def test_the_plan_of_one_minute_begins_that_of_thirty() -> None:
    short, long = plan.make(7, MINUTE_S), plan.make(7, 30 * MINUTE_S)
    assert long[: len(short)] == short
    assert all(event.at_s >= MINUTE_S for event in long[len(short) :])


def test_thirty_minutes_hold_every_kind_many_times_and_in_the_order_of_time() -> None:
    events = plan.make(1, 30 * MINUTE_S)
    times = [event.at_s for event in events]
    assert times == sorted(times)
    kinds = {kind.name: kind for kind in (*plan.FAULTS, *plan.LAUNCHES)}
    counted = {name: [event for event in events if event.kind == name] for name in kinds}
    assert sum(map(len, counted.values())) == len(events)
    for name, kind in kinds.items():
        assert len(counted[name]) >= 10, name
        assert {event.target for event in counted[name]} == set(range(kind.targets)), name
        assert all(kind.lasts_s[0] <= event.lasts_s <= kind.lasts_s[1] for event in counted[name]), name


def test_a_plan_may_have_some_kinds_only() -> None:
    kinds = plan.find_kinds(["line_cut", "receipts"])
    assert [kind.name for kind in kinds] == [
        "line_cut",
        "receipts_before_answers",
        "receipts_twice",
        "receipts_reversed",
    ]
    events = plan.make(1, MINUTE_S, kinds)
    assert {event.kind for event in events if not event.kind.startswith("launch_")} == {kind.name for kind in kinds}
    assert [event.kind for event in plan.one_of_each(1, kinds)] == [kind.name for kind in kinds]
    with pytest.raises(ValueError, match="line_cu: no such kind; there are worker_killed,"):
        plan.find_kinds(["line_cu"])


def test_every_kind_of_fault_is_explained() -> None:
    document = (Path(__file__).resolve().parents[2] / "docs" / "chaos.md").read_text(encoding="utf-8")
    table = document.split("| Kind of fault |")[1].split("\n\n")[0]
    named = [name for row in table.splitlines() for name in re.findall(r"`([a-z]+_[a-z_]+)`", row.split("|")[1])]
    assert sorted(named) == sorted(kind.name for kind in plan.FAULTS)
