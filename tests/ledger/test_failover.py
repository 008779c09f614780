"""PostgreSQL is promoted, or restored elsewhere: nothing goes on by itself, and no number is given twice."""

from __future__ import annotations

from datetime import timedelta

import pytest
from click.testing import CliRunner
from sqlalchemy import select, text

import sms_service.cli
from sms_service import clock
from sms_service.accounts.actors import SYSTEM
from sms_service.audit.models import TrailEntry
from sms_service.campaigns import control
from sms_service.db.engine import Database
from sms_service.dispatch import freeze
from sms_service.embedded import PostgresServer
from sms_service.errors import Forbidden, Invalid
from sms_service.ledger import failover
from sms_service.ledger.models import Attempt, Run
from sms_service.reports.counts import check_identity
from sms_service.said import from_json
from tests.dispatch.city import City, drain, make_city, make_dispatcher, make_run, statuses
from tests.factories import make_actor, make_unit
from tests.second_servers import NAME, migrated, promote, restored, standby

PEOPLE = 5


def run_of(database: Database, run_id: int) -> Run:
    with database.session() as session:
        return session.get_one(Run, run_id)


def release(database: Database, city: City) -> str:
    """What a person does who knows that nothing was lost; returns the run's new status."""
    with database.session() as session:
        return control.resume_run(session, SYSTEM, city.run_id, "the provider's list is ours", "nothing_lost").status


def hand_over_once(database: Database, city: City) -> None:
    """One group, as far as it goes."""
    dispatcher = make_dispatcher(database, city.gateways)
    for offer in dispatcher.offers():
        dispatcher.hand_over_group(offer)


def make_strange(database: Database) -> None:
    """As a restored dump is: what is written down is another server's identity."""
    with database.transaction() as connection:
        connection.execute(text("UPDATE cluster SET system_identifier = 1"))


def more_runs(database: Database, city: City) -> dict[str, int]:
    """A run of each status that a promotion can find, by that status; `later` is planned and not yet due."""
    made = {}
    with database.session() as session:
        for status in ("planned", "later", "freezing", "paused", "finished", "cancelled", "missed"):
            run = make_run(session, city.unit)
            made[status] = run.id
            run.audience = 0 if status in ("paused", "finished") else None
            if status == "later":
                run.due_at += timedelta(days=1)
            elif status == "missed":
                run.status, run.held_for, run.reason = "held", "missed", "its time was missed"
            elif status != "planned":
                run.status = status
    return made


def test_what_is_under_way_or_due_is_held_and_told(database: Database) -> None:
    city = make_city(database, PEOPLE)
    others = more_runs(database, city)
    make_strange(database)
    clock.tick(database, None, city.gateways)
    found = {name: run_of(database, run_id) for name, run_id in {**others, "running": city.run_id}.items()}
    assert {name for name, run in found.items() if run.held_for == "cluster"} == {
        "planned", "freezing", "paused", "running", "missed",
    }  # fmt: skip
    assert (found["later"].status, found["cancelled"].status) == ("planned", "cancelled")
    assert found["finished"].status in ("finished", "closed")
    assert "another server than before" in str(found["running"].reason)
    assert str(found["missed"].reason).endswith("Before, it was held because: its time was missed")
    assert all(from_json(**run.reason_message) == run.reason for run in found.values() if run.held_for == "cluster")
    assert found["missed"].reason_message["values"]["before"] == "its time was missed"
    with database.session() as session:
        entries = session.scalars(select(TrailEntry).order_by(TrailEntry.id)).all()
    assert [entry.act for entry in entries] == ["cluster.change", *["run.held"] * 5]
    assert {entry.account_id for entry in entries} == {None}
    assert sorted(entries[0].details["runs"]) == sorted(int(entry.target_id) for entry in entries[1:])


def test_it_is_held_once_and_goes_on_when_a_person_says_so(database: Database) -> None:
    city = make_city(database, PEOPLE)
    make_strange(database)
    assert failover.hold_if_changed(database) == [city.run_id]
    assert failover.hold_if_changed(database) == []
    drain(database, city.gateways)
    assert city.adapter.handed == []
    release(database, city)
    drain(database, city.gateways)
    assert statuses(database, city.run_id) == {"accepted": PEOPLE}


def test_nothing_passes_the_gate_of_another_server_before_the_clock_has_held_it(database: Database) -> None:
    city = make_city(database, PEOPLE)
    make_strange(database)
    hand_over_once(database, city)
    assert city.adapter.handed == []
    assert statuses(database, city.run_id) == {"pending": PEOPLE}
    assert run_of(database, city.run_id).status == "running"


def test_a_run_that_was_being_frozen_is_frozen_when_it_is_released(database: Database) -> None:
    city = make_city(database, PEOPLE, freeze_now=False)
    freeze.begin_due_runs(database)
    make_strange(database)
    clock.tick(database, None, city.gateways)
    assert freeze.freeze_run(database, city.run_id) is None
    assert release(database, city) == "planned"
    clock.tick(database, None, city.gateways)
    assert freeze.freeze_run(database, city.run_id) == PEOPLE


def test_numbers_of_a_lost_life_are_not_given_again(database: Database) -> None:
    city = make_city(database, PEOPLE)
    make_strange(database)
    failover.hold_if_changed(database)
    release(database, city)
    with database.session() as session:
        assert make_run(session, city.unit).id > city.run_id + failover.SKIPPED_RUNS
    drain(database, city.gateways)
    with database.session() as session:
        assert min(session.scalars(select(Attempt.id))) > failover.SKIPPED_ATTEMPTS


def test_a_person_holds_after_a_restore_that_nothing_shows(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    city = make_city(database, PEOPLE)
    monkeypatch.setenv("DATABASE_URL", database.url)
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1")
    command = ["cluster", "hold", "--why", "the folder of last night was copied back"]
    answer = CliRunner().invoke(sms_service.cli.main, command)
    assert (answer.exit_code, answer.output) == (0, f"held 1 runs: {city.run_id}\n")
    run = run_of(database, city.run_id)
    assert (run.status, run.held_for) == ("held", "cluster")
    assert "the folder of last night was copied back" in str(run.reason)
    with database.session() as session:
        assert session.scalars(select(TrailEntry.act)).all() == ["cluster.hold", "run.held"]


def test_it_needs_a_reason_and_power_over_the_whole_tree(database: Database) -> None:
    city = make_city(database, 1)
    with database.session() as session:
        officer = make_actor(session, make_unit(session, parent=city.unit))
        with pytest.raises(Invalid, match="why"):
            failover.hold_after_restore(session, SYSTEM, "  ")
        with pytest.raises(Forbidden):
            failover.hold_after_restore(session, officer, "restored")
    assert run_of(database, city.run_id).status == "running"


def test_a_promoted_standby_is_another_server(own_postgres: PostgresServer) -> None:
    url = migrated(own_postgres)
    first = Database(url)
    city = make_city(first, PEOPLE)
    with standby(own_postgres, synchronous=True) as second:
        assert failover.hold_if_changed(first) == []
        first.close()
        own_postgres.kill()
        promote(second)
        after = Database(second.url_of("postgres", NAME))
        try:
            clock.tick(after, None, city.gateways)
            run = run_of(after, city.run_id)
            assert (run.status, run.held_for) == ("held", "cluster")
            assert "timeline 2, before 1" in str(run.reason)
            clock.tick(after, None, city.gateways)
            release(after, city)
            drain(after, city.gateways)
            assert statuses(after, city.run_id) == {"accepted": PEOPLE}
        finally:
            after.close()


def test_a_restored_dump_is_another_server(own_postgres: PostgresServer) -> None:
    first = Database(migrated(own_postgres))
    city = make_city(first, PEOPLE)
    with restored(own_postgres) as second:
        drain(first, city.gateways)  # what left after the dump
        first.close()
        after = Database(second.url_of("postgres", NAME))
        try:
            assert statuses(after, city.run_id) == {"pending": PEOPLE}
            clock.tick(after, None, city.gateways)
            assert "system identifier" in str(run_of(after, city.run_id).reason)
            drain(after, city.gateways)
            assert len(city.adapter.handed) == PEOPLE
            with after.session() as session:
                assert check_identity(session, city.run_id).holds
        finally:
            after.close()


def test_a_restart_after_a_power_cut_is_the_same_server(own_postgres: PostgresServer) -> None:
    database = Database(migrated(own_postgres))
    city = make_city(database, 1)
    own_postgres.kill()
    own_postgres.start()
    assert failover.hold_if_changed(database) == []
    assert run_of(database, city.run_id).status == "running"
    database.close()
