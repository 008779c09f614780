"""From due runs to rows: in order, many at once, and whatever fails keeps no other waiting."""

from __future__ import annotations

import threading
from collections.abc import Collection

import pytest
from sqlalchemy import select

from sms_service.audience.models import Suppression
from sms_service.db.engine import Database
from sms_service.directory.models import Unit
from sms_service.dispatch import freeze
from sms_service.dispatch.freezer import APART_S, FIRST, TOGETHER, Freezer, FreezingThreads
from sms_service.ledger.models import Message
from sms_service.ledger.states import Lane
from sms_service.said import from_json
from tests.dispatch.city import City, make_city, make_run, run_of, statuses
from tests.factories import make_person, make_unit


def plan(database: Database, city: City, runs: int, **kw: object) -> list[int]:
    """More runs of the city's unit, in the small lane unless said otherwise."""
    with database.session() as session:
        unit = session.merge(city.unit)
        return [make_run(session, unit, **{"lane": "small", **kw}).id for _ in range(runs)]


def begun(database: Database, people: int = 2) -> City:
    """A city whose run is planned, in the small lane, and due."""
    city = make_city(database, people, body="请参加学习。", freeze_now=False)
    with database.transaction() as connection:
        connection.exec_driver_sql("UPDATE runs SET lane = 'small'")
    return city


def freeze_next(database: Database, most: int = TOGETHER, lanes: Collection[Lane] = FIRST) -> list[int]:
    freeze.begin_due_runs(database)
    return list(freeze.freeze_next(database, lanes, most).audiences)


def break_run(database: Database, run_id: int) -> None:
    """Let the database refuse the run's rows: one of them is there already."""
    with database.transaction() as connection:
        connection.exec_driver_sql(
            "INSERT INTO messages (month, run_id, person_id, unit_id, unit_path, class, template_version_id, route_id,"
            " status, reason, not_before, expires_at, changed_at)"
            " SELECT r.month, r.id, p.id, p.unit_id, r.unit_path, r.class, r.template_version_id, r.route_id,"
            " 'skipped', 'no_phone', sms_now(), sms_now(), sms_now()"
            " FROM runs r JOIN people p ON p.unit_id = r.unit_id WHERE r.id = %(id)s ORDER BY p.id LIMIT 1",
            {"id": run_id},
        )


def test_lanes_go_before_age_and_the_oldest_first(database: Database) -> None:
    city = begun(database)
    expected = [city.run_id]
    for _ in range(3):
        freeze.begin_due_runs(database)
        expected += plan(database, city, 1)
    urgent = plan(database, city, 1, lane="urgent")
    plan(database, city, 1, lane="bulk")
    frozen = [freeze_next(database, most=1) for _ in range(5)]
    assert frozen == [urgent, *([run_id] for run_id in expected)]
    assert freeze_next(database) == [], "the large one waits for the other thread"


def test_runs_that_are_frozen_together_have_the_rows_that_each_has_alone(database: Database) -> None:
    city = begun(database, 0)
    with database.session() as session:
        parent = session.merge(city.unit)
        units = [make_unit(session, parent=parent) for _ in range(3)]
        for unit in units:
            phone = make_person(session, unit).phone
            make_person(session, unit, phone=phone)
            make_person(session, unit, phone=None)
            make_person(session, unit, lost_contact=True)
            opted_out = make_person(session, unit).phone
            session.add(Suppression(phone=opted_out, reason="opted_out", source="import"))
        body = "{{ name }}同志，" + "请参加学习。" * 15
        together = [make_run(session, unit, body=body, lane="small").id for unit in units]
        alone = [make_run(session, unit, body=body, lane="bulk").id for unit in units]
        nobody = make_run(session, make_unit(session, parent=parent), body=body, lane="small").id
    assert freeze_next(database) == [city.run_id, *together, nobody]
    for run_id in alone:
        assert freeze.freeze_run(database, run_id) == 5
    for one, other in zip(together, alone, strict=True):
        assert rows(database, one) == rows(database, other)
        assert statuses(database, one) == {"pending": 1, "skipped": 4}
        first, second = run_of(database, one), run_of(database, other)
        assert first.parts_estimate == second.parts_estimate > 1
        assert first.audience == 5
    assert run_of(database, nobody).audience == 0


def test_no_attribute_of_a_person_fills_a_variable_with_a_dot(database: Database) -> None:
    city = begun(database, 0)
    with database.session() as session:
        unit = make_unit(session, parent=session.merge(city.unit))
        make_person(session, unit, attributes={"venue.address": "别处", "事": "学习"})
        body = "{{ 事 }}，{{ venue.address | default('老地方') }}见。"
        run_id = make_run(session, unit, body=body, lane="small").id
    freeze_next(database)
    with database.session() as session:
        assert session.scalars(select(Message.values).where(Message.run_id == run_id)).all() == [{"事": "学习"}]


def rows(database: Database, run_id: int) -> list[tuple[object, ...]]:
    """The run's rows as far as two runs to the same people have the same."""
    columns = (Message.person_id, Message.unit_id, Message.unit_path, Message.phone, Message.status, Message.reason)
    with database.session() as session:
        found = select(*columns, Message.values).where(Message.run_id == run_id).order_by(Message.person_id)
        return [tuple(row) for row in session.execute(found)]


def test_a_run_that_turns_out_large_has_its_canary_though_it_is_frozen_with_others(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(freeze, "CANARY_ABOVE", 5)
    monkeypatch.setattr(freeze, "CANARY_TEXTS", 3)
    monkeypatch.setattr(freeze, "SMALL_UP_TO", 4)
    city = begun(database, 6)
    with database.session() as session:
        small = make_unit(session, parent=session.merge(city.unit))
        make_person(session, small)
        other = make_run(session, small, lane="small").id
    assert freeze_next(database) == [city.run_id, other]
    grown, still_small = run_of(database, city.run_id), run_of(database, other)
    assert (grown.lane, len(grown.canary or ())) == ("bulk", 3)
    assert (still_small.lane, still_small.canary) == ("small", None)


def test_a_run_that_cannot_be_frozen_takes_no_others_with_it(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    city = begun(database)
    bad_rule, *others = plan(database, city, 1, segment_rule={"tga": "x"}) + plan(database, city, 3)
    break_run(database, city.run_id)
    now = [0.0]
    freezer = Freezer(database, FIRST, TOGETHER, lambda: now[0])
    freeze.begin_due_runs(database)
    assert freezer.work() == others
    assert [statuses(database, run_id) for run_id in others] == [{"pending": 2}] * 3
    held = run_of(database, bad_rule)
    assert (held.status, held.held_for) == ("held", "unfreezable")
    assert (held.reason_message["message"], from_json(**held.reason_message)) == (
        "it cannot be frozen: {error}",
        held.reason,
    )
    assert run_of(database, city.run_id).status == "freezing"
    assert f"run {city.run_id} cannot be frozen" in caplog.text
    assert freezer.work() is None, "it is passed over for a while"
    later = plan(database, city, 1)
    freeze.begin_due_runs(database)
    assert freezer.work() == later, "and keeps none waiting that comes after it"
    now[0] += APART_S
    assert freezer.work() == [], "then it is tried again"


def test_two_workers_share_what_waits_and_neither_waits_for_the_other(database: Database) -> None:
    city = begun(database)
    runs = [city.run_id, *plan(database, city, 5)]
    freeze.begin_due_runs(database)
    with database.transaction() as other:  # another worker is just freezing the first three
        other.exec_driver_sql("SELECT FROM runs WHERE id = ANY (%(ids)s) FOR UPDATE", {"ids": runs[:3]})
        assert freeze_next(database) == runs[3:]  # would wait for ever
        assert freeze.freeze_run(database, runs[0]) is None
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.extend(freeze_next(database, most=1))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found += freeze_next(database)
    assert sorted(found) == runs[:3]
    assert [statuses(database, run_id) for run_id in runs] == [{"pending": 2}] * 6


def test_a_small_run_does_not_wait_for_a_large_one(database: Database) -> None:
    city = begun(database)
    (large,) = plan(database, city, 1, lane="bulk", segment_rule={"role": "书记"})
    told = threading.Event()
    running: list[int] = []

    def tell(run_ids: Collection[int]) -> None:
        running.extend(run_ids)
        told.set()

    freezing = FreezingThreads(database, tell)
    with database.transaction() as other:
        other.exec_driver_sql("LOCK TABLE contacts IN ACCESS EXCLUSIVE MODE")  # only the large one's rule asks it
        freezing.start()
        freezing.wake()
        assert told.wait(60)
        assert running == [city.run_id]
        told.clear()
    assert told.wait(60)
    freezing.close()
    assert running == [city.run_id, large]


def test_the_rule_of_many_runs_is_compiled_once(database: Database) -> None:
    freeze._query_of_many.cache_clear()
    city = begun(database)
    plan(database, city, 4)
    for _ in range(5):
        freeze_next(database, most=1)
    found = freeze._query_of_many.cache_info()
    assert (found.misses, found.hits) == (1, 4)


def test_a_rule_that_names_units_is_checked_for_each_run(database: Database) -> None:
    city = begun(database)
    with database.session() as session:
        elsewhere = make_unit(session, code="other")
        unit = session.merge(city.unit)
        inside = make_run(session, unit, lane="small", segment_rule={"unit": unit.id}).id
        outside = make_run(session, elsewhere, lane="small", segment_rule={"unit": unit.id}).id
    freeze_next(database)
    assert statuses(database, inside) == {"pending": 2}
    assert run_of(database, outside).held_for == "unfreezable"


@pytest.mark.parametrize(("people", "lane"), [(2, Lane.small), (3, Lane.bulk)])
def test_the_lane_is_foreseen_without_counting_further_than_it_takes(
    database: Database, monkeypatch: pytest.MonkeyPatch, people: int, lane: Lane
) -> None:
    monkeypatch.setattr(freeze, "SMALL_UP_TO", 2)
    city = make_city(database, people, freeze_now=False)
    with database.session() as session:
        path = session.get_one(Unit, city.unit.id).path
        assert freeze.foresee_lane(session, {"everyone": True}, path) == lane


def test_a_rule_that_takes_long_to_count_does_not_fail_the_launch(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(freeze, "_COUNTING", "10ms")
    city = make_city(database, 1, freeze_now=False)
    with database.transaction() as other:
        other.exec_driver_sql("LOCK TABLE contacts IN ACCESS EXCLUSIVE MODE")
        with database.session() as session:
            before = session.connection().exec_driver_sql("SHOW statement_timeout").scalar_one()
            assert freeze.foresee_lane(session, {"role": "书记"}, city.unit.path) == Lane.bulk
            assert session.connection().exec_driver_sql("SHOW statement_timeout").scalar_one() == before
