"""Which runs are looked at: a bounded number each time, all of them in their turn, first who was just frozen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sms_service.db.engine import Database
from sms_service.dispatch import freeze, lookout
from sms_service.dispatch.fairness import FairShare
from sms_service.dispatch.lookout import Lookout
from tests.dispatch.city import City, make_city, make_dispatcher, make_run
from tests.dispatch.test_fairness import Waiting
from tests.examples import count_examples


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounds that a test's few runs exceed."""
    monkeypatch.setattr(lookout, "MOST", 6)
    monkeypatch.setattr(lookout, "LISTED", 8)
    monkeypatch.setattr(lookout, "NEWEST", 2)


class Running:
    """Running runs of one lane as PostgreSQL would list them, and who of them was served how much."""

    def __init__(self, runs: Mapping[int, int]) -> None:
        self.unit_of = dict(runs)
        self.lookout = Lookout()
        self.share: FairShare[Waiting] = FairShare()
        self.parts: Counter[int] = Counter()

    def look(self, due: Collection[int], told: Collection[int] = ()) -> list[int]:
        """One look: those asked about that are due, in their order."""
        after = self.lookout.positions()["bulk"]
        listed = sorted(run_id for run_id in self.unit_of if run_id > after)
        newest = listed[-lookout.NEWEST :]
        listed = listed[: lookout.LISTED]
        unit_ids = {run_id: self.unit_of[run_id] for run_id in (*listed, *newest, *told)}
        self.lookout.learn("bulk", unit_ids, listed, told)
        for lane in ("urgent", "small"):
            self.lookout.learn(lane, {}, [], [])
        asked = self.lookout.next_runs()
        assert len(asked) == len(set(asked)) <= lookout.MOST
        found = [run_id for run_id in asked if run_id in due]
        self.lookout.answer([run_id for run_id in asked if run_id in self.unit_of], found)
        return found

    def serve(self, found: Collection[int], groups: int, parts: int = 10) -> None:
        """Hand over so many groups of those found, by fair shares."""
        candidates = [Waiting(run_id, self.unit_of[run_id]) for run_id in found]
        for _ in range(groups if candidates else 0):
            chosen = self.share.choose(candidates)
            self.share.charge(chosen, parts)
            self.lookout.served("bulk", chosen.run_id)
            self.parts[chosen.run_id] += parts


RUNS = st.dictionaries(st.integers(1, 200), st.integers(1, 30), min_size=1, max_size=60)


@given(runs=RUNS, due=st.data())
def test_every_run_is_found_before_it_is_said_that_there_is_nothing(runs: dict[int, int], due: st.DataObject) -> None:
    the_due = due.draw(st.sampled_from(sorted(runs)))
    running = Running(runs)
    for _ in range(3 * len(runs) + 3):
        if running.look({the_due}):
            return
    pytest.fail("it was never looked at")


@given(runs=RUNS)
def test_a_round_in_vain_comes_to_its_end(runs: dict[int, int]) -> None:
    running = Running(runs)
    for turn in range(10):
        running.lookout.begin_round()
        looks = 0
        while not running.lookout.seen_all:
            assert not running.look(())
            looks += 1
        assert looks <= len(runs) // lookout.MOST + len(runs) // lookout.LISTED + 2, turn


@settings(max_examples=count_examples(15), deadline=None)
@given(runs=RUNS, groups=st.integers(1, 4))
@example(runs={1: 1, 2: 2, 3: 2, 4: 2, 5: 2, 6: 2, 7: 3, 8: 4, 9: 5, 10: 6}, groups=4)  # always 6 has two in a look
def test_units_and_their_runs_have_equal_shares_over_time_however_many_there_are(
    runs: dict[int, int], groups: int
) -> None:
    running = Running(runs)
    for _ in range(max(240, 12 * len(runs))):
        running.serve(running.look(runs), groups)
    units = Counter(dict.fromkeys(runs.values(), 0))
    for run_id, parts in running.parts.items():
        units[runs[run_id]] += parts
    assert max(units.values()) - min(units.values()) <= 20 * groups, "parts; a group has 10"
    for unit_id in units:
        own = [running.parts[run_id] for run_id in runs if runs[run_id] == unit_id]
        assert min(own) > 0, "nobody starves"
        assert max(own) - min(own) <= 50 * groups, "however long it goes on"


@settings(max_examples=count_examples(15))
@given(
    idle=st.dictionaries(st.integers(1, 200), st.integers(1, 30), min_size=1, max_size=60),
    coming=st.integers(1, 5),
)
def test_who_comes_waits_for_no_idle_ones_and_no_stream_of_newcomers_starves_a_run(
    idle: dict[int, int], coming: int
) -> None:
    """Newcomers of 40 units keep coming and are gone when served; one old run is due all the time."""
    old = min(idle)
    running = Running(idle)
    for _ in range(len(idle)):
        running.look(())
    new: list[int] = []
    for turn in range(50 + 2 * len(idle)):
        told = [1000 + turn * coming + n for n in range(coming)]
        running.unit_of |= {run_id: 100 + run_id % 40 for run_id in told}
        new += told
        found = running.look({*new, old}, told)
        if turn < 2:
            assert set(told) & set(found), "it was told of, and looks at it at once"
        running.serve(found, coming)
        for run_id in [run_id for run_id in new if running.parts[run_id]]:
            new.remove(run_id)
            del running.unit_of[run_id]
    assert running.parts[old] > 0


def test_what_is_not_running_any_more_is_forgotten() -> None:
    running = Running({run_id: run_id % 7 for run_id in range(50)})
    for _ in range(30):
        running.look(())
    running.unit_of.clear()
    for _ in range(30):
        running.look(())
    lane = running.lookout._lanes["bulk"]
    assert not lane._unit_of
    assert not lane._units


def test_a_look_asks_about_no_more_runs_however_many_are_running(database: Database) -> None:
    city = make_city(database, 1)
    freeze_more(database, city, 20)
    dispatcher = make_dispatcher(database, city.gateways)
    offers = [dispatcher.offers() for _ in range(5)]
    assert [len(found) for found in offers] == [lookout.MOST] * 5
    assert dispatcher.drain(job_s=60) is False
    dispatcher.close()
    assert len(city.adapter.handed) == 21, "and yet all go"


def test_a_run_is_handed_over_though_more_idle_ones_are_running_than_a_look_asks_about(database: Database) -> None:
    city = make_city(database, 1)
    *_, last = freeze_more(database, city, 20)
    with database.transaction() as connection:
        connection.exec_driver_sql(
            "UPDATE messages SET not_before = sms_now() + interval '1 hour' WHERE run_id <> %(id)s", {"id": last}
        )
    dispatcher = make_dispatcher(database, city.gateways)
    assert dispatcher.drain(job_s=60) is False
    dispatcher.close()
    assert len(city.adapter.handed) == 1


def freeze_more(database: Database, city: City, runs: int) -> list[int]:
    """More runs of the city's unit, running."""
    with database.session() as session:
        planned = [make_run(session, session.merge(city.unit)).id for _ in range(runs)]
    freeze.begin_due_runs(database)
    for run_id in planned:
        freeze.freeze_run(database, run_id)
    return planned
