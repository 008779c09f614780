"""What the doctor finds on real engines, well and ill."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import update
from sqlalchemy.engine import make_url

from sms_service.accounts.actors import SYSTEM
from sms_service.audit import chain, trail
from sms_service.audit.happening_models import Happening
from sms_service.campaigns import control
from sms_service.controls import stops
from sms_service.db import bootstrap, migrate
from sms_service.db.engine import Database
from sms_service.db.leadership import Leadership
from sms_service.embedded import PostgresServer
from sms_service.ledger import failover
from sms_service.ops.doctor import DoctorFinding, _history, examine_installation
from sms_service.settings import Settings, load_settings
from tests.dispatch.city import make_city
from tests.second_servers import make_synchronous, migrated, standby

ROOT = Path(__file__).resolve().parents[2]


def examined(database_url: str, redis_url: str, tmp_path: Path, **settings: str) -> dict[str, DoctorFinding]:
    """Findings by subject, of an installation without web and workers."""
    return {
        finding.subject: finding
        for finding in examine_installation(installation(database_url, redis_url, tmp_path, **settings))
    }


def installation(database_url: str, redis_url: str, tmp_path: Path, **settings: str) -> Settings:
    given = {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "GATEWAYS_FILE": str(ROOT / "gateways.toml"),
        "PORT": "1",
    }
    return load_settings({**given, **settings}, tmp_path)


def test_a_new_installation_lacks_months_clock_workers_and_web_and_nothing_else(
    database_url: str, redis_url: str, redis_client: object, tmp_path: Path
) -> None:
    found = examined(database_url, redis_url, tmp_path)
    ill = {subject for subject, finding in found.items() if finding.mend}
    assert ill == {"months", "history", "leaders", "workers", "web"}  # the tests' login is a superuser
    assert {
        "disk",
        "gateways",
        "transport",
        "database",
        "clock",
        "roles",
        "schema",
        "durability",
        "cluster",
        "stops",
        "statements",
        "redis",
    } <= set(found)


def test_a_login_that_could_change_the_trail_is_named(database: Database, redis_url: str, tmp_path: Path) -> None:
    found = examined(database.url, redis_url, tmp_path)["history"]
    assert found.found.endswith("could change the trail")
    with psycopg.connect(database.url, autocommit=True) as administrator:
        administrator.execute("SET SESSION AUTHORIZATION sms_app")
        assert _history(administrator).mend is None


def test_acts_that_nobody_links_are_counted(database: Database, redis_url: str, tmp_path: Path) -> None:
    with database.session() as session:
        trail.record_act(session, None, "test.act", "thing", 1, "/1/")
    assert examined(database.url, redis_url, tmp_path)["trail"].found == "nothing is linked yet"
    with psycopg.connect(database.url) as administrator:
        administrator.execute("UPDATE trail SET at = at - interval '2 minutes'")
    found = examined(database.url, redis_url, tmp_path)["trail"]
    assert found.found.startswith("1 acts have no link in the chain, the oldest for 12")
    assert "sms_service clock" in str(found.mend)
    chain.link_entries(database)
    found = examined(database.url, redis_url, tmp_path)["trail"]
    assert (found.found[:14], found.mend) == ("its head is 1:", None)


def test_events_that_nobody_tells_are_counted(database: Database, redis_url: str, tmp_path: Path) -> None:
    with database.session() as session:
        session.add(Happening(kind="run.held", target_id=1))
    assert examined(database.url, redis_url, tmp_path)["webhooks"].mend is None
    with database.session() as session:
        session.execute(update(Happening).values(at=Happening.at - timedelta(minutes=2)))
    found = examined(database.url, redis_url, tmp_path)["webhooks"]
    assert found.found == "1 events wait to be told"
    assert "webhooks run" in str(found.mend)


def test_who_leads_is_named(database: Database, redis_url: str, tmp_path: Path) -> None:
    clock, link = Leadership(database, "clock", holder="host-1, process 7"), Leadership(database, "link carrier")
    assert (clock.prove(), link.prove()) == (True, True)
    found = examined(database.url, redis_url, tmp_path)["leaders"]
    assert found.found.startswith("clock: host-1, process 7, since ")
    assert "; link carrier: " in found.found
    assert found.mend is None
    clock.resign()
    found = examined(database.url, redis_url, tmp_path)["leaders"]
    assert found.found.startswith("no clock; link carrier: ")
    assert found.mend == "start one: `python -m sms_service clock`"


def test_months_are_well_once_the_clock_made_them(database: Database, redis_url: str, tmp_path: Path) -> None:
    with database.transaction() as connection:
        connection.exec_driver_sql(
            "SELECT ensure_month((date_trunc('month', now()) + make_interval(months => n))::date)"
            " FROM generate_series(0, 2) AS n"
        )
    assert examined(database.url, redis_url, tmp_path)["months"].mend is None


def test_a_schema_that_was_not_migrated_is_found(empty_database_url: str, redis_url: str, tmp_path: Path) -> None:
    found = examined(empty_database_url, redis_url, tmp_path)
    assert found["schema"].found == f"at nothing, this code needs {migrate.head_revision()}"
    assert "migrate" in str(found["schema"].mend)
    assert "statements" not in found
    migrate.upgrade_schema(empty_database_url)
    assert examined(empty_database_url, redis_url, tmp_path)["schema"].mend is None


def test_a_server_that_can_forget_is_found(own_postgres: PostgresServer, redis_url: str, tmp_path: Path) -> None:
    url = make_url(own_postgres.url).set(database="mine").render_as_string()
    assert examined(own_postgres.url, redis_url, tmp_path)["roles"].mend == "run `python -m sms_service migrate`"
    bootstrap.prepare_database(url)
    migrate.upgrade_schema(url)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ALTER DATABASE mine SET synchronous_commit = off")
        connection.execute("GRANT CREATE ON SCHEMA public TO sms_app")
    found = examined(url, redis_url, tmp_path)
    assert "synchronous_commit" in str(found["durability"].mend)
    assert "REVOKE CREATE" in str(found["roles"].mend)


def test_a_standby_is_well_once_it_is_synchronous(own_postgres: PostgresServer, redis_url: str, tmp_path: Path) -> None:
    url = migrated(own_postgres)
    assert examined(url, redis_url, tmp_path)["standbys"] == DoctorFinding("standbys", "none")
    with standby(own_postgres, synchronous=False):
        found = examined(url, redis_url, tmp_path)["standbys"]
        assert found.found == "not synchronous: walreceiver"
        assert "synchronous_standby_names" in str(found.mend)
        make_synchronous(own_postgres)
        assert examined(url, redis_url, tmp_path)["standbys"] == DoctorFinding("standbys", "1, all synchronous")
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("ALTER DATABASE sms SET synchronous_commit = local")
        assert examined(url, redis_url, tmp_path)["standbys"].mend


def test_a_restored_server_is_found_until_its_runs_are_decided(
    database: Database, redis_url: str, tmp_path: Path
) -> None:
    city = make_city(database, 1)
    assert examined(database.url, redis_url, tmp_path)["cluster"].mend is None
    with database.transaction() as connection:
        connection.exec_driver_sql("UPDATE cluster SET system_identifier = 1")
    assert "clock" in str(examined(database.url, redis_url, tmp_path)["cluster"].mend)
    failover.hold_if_changed(database)
    found = examined(database.url, redis_url, tmp_path)["cluster"]
    assert found.found.startswith("1 runs are held")
    assert found.mend
    with database.session() as session:
        control.cancel_run(session, SYSTEM, city.run_id, "the provider's list shows them all")
    assert examined(database.url, redis_url, tmp_path)["cluster"].mend is None


@pytest.mark.parametrize(
    ("settings", "subject"),
    [
        ({"DATABASE_URL": "postgresql://u:geheim@127.0.0.1:1/x"}, "database"),
        ({"REDIS_URL": "redis://:geheim@127.0.0.1:1"}, "redis"),
        ({"GATEWAYS_FILE": "/nowhere/gateways.toml"}, "gateways"),
    ],
)
def test_what_cannot_be_reached_is_found_without_its_password(
    database_url: str, redis_url: str, tmp_path: Path, settings: dict[str, str], subject: str
) -> None:
    found = examined(database_url, redis_url, tmp_path, **settings)
    assert found[subject].mend is not None
    assert "geheim" not in str(found)


def test_an_embedded_service_that_does_not_run_is_one_finding(tmp_path: Path) -> None:
    found = {finding.subject: finding for finding in examine_installation(load_settings({}, tmp_path))}
    assert set(found) == {"disk", "service"}
    assert "make run" in str(found["service"].mend)


def test_a_stop_is_named_with_how_to_release_it(
    database: Database, database_url: str, redis_url: str, tmp_path: Path
) -> None:
    city = make_city(database, 1, code="01")
    with database.session() as session:
        stop_id, _ = stops.stop_unit(session, SYSTEM, city.unit.id, "错字")
    found = examined(database_url, redis_url, tmp_path)["stops"]
    assert found.found == f"stopped: 01 (stop {stop_id}: 错字)"
    assert found.mend is not None
    assert "release" in found.mend
    with database.session() as session:
        stops.release_stop(session, SYSTEM, stop_id, "已改")
    assert examined(database_url, redis_url, tmp_path)["stops"].mend is None


def test_plain_http_from_elsewhere_is_named(database_url: str, redis_url: str, tmp_path: Path) -> None:
    assert examined(database_url, redis_url, tmp_path)["transport"].mend is None
    found = examined(database_url, redis_url, tmp_path, ALLOW_PLAIN_HTTP="1")["transport"]
    assert found.mend is not None
    assert "ALLOW_PLAIN_HTTP" in found.found
