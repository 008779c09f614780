"""Whoever has the application's login to the database tries to hide an act, in every way that we can think of.

Each way is a named case: PostgreSQL refuses it, it changes nothing, or `verify` finds it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import psycopg
import pytest
from psycopg import errors, sql
from sqlalchemy.engine import make_url

from sms_service.accounts.actors import SYSTEM
from sms_service.audit import chain, trail
from sms_service.audit.verification import FaultKind, verify_trail
from sms_service.clock import LEADERSHIP, Clock
from sms_service.db.engine import Database
from sms_service.directory import people
from sms_service.gateways.config import GatewayConfig
from sms_service.gateways.registry import Gateways
from tests.factories import make_account, make_person, make_unit

ENTRY = "INSERT INTO trail (act, target_kind, target_id, unit_path) VALUES ('test.act', 'thing', '9', '/1/')"
ALL = "SELECT * FROM public.trail ORDER BY id"
LINKS = "SELECT * FROM public.trail_links ORDER BY position"

REFUSED = {
    "change an entry": "UPDATE trail SET act = 'x'",
    "change one column of an entry": "UPDATE trail SET details = '{}' WHERE id = 1",
    "change it by a conflict": ENTRY + " ON CONFLICT (id) DO UPDATE SET act = 'x'",
    "change it by a merge": "MERGE INTO trail USING (VALUES (1)) AS v (id) ON trail.id = v.id"
    " WHEN MATCHED THEN UPDATE SET act = 'x'",
    "delete it by a merge": "MERGE INTO trail USING (VALUES (1)) AS v (id) ON trail.id = v.id WHEN MATCHED THEN DELETE",
    "change it within a query": "WITH x AS (UPDATE trail SET act = 'x' RETURNING id) SELECT * FROM x",
    "change it through a view": "CREATE TEMP VIEW v AS SELECT * FROM public.trail; UPDATE v SET act = 'x'",
    "change it through a function": "CREATE FUNCTION pg_temp.f() RETURNS void LANGUAGE sql SECURITY DEFINER"
    " AS 'UPDATE public.trail SET act = ''x'''; SELECT pg_temp.f()",
    "change it in a block of code": "DO $$ BEGIN UPDATE trail SET act = 'x'; END $$",
    "change it in the catalogue's place": "UPDATE pg_class SET relname = 'x' WHERE relname = 'trail'",
    "delete an entry": "DELETE FROM trail WHERE id = 1",
    "delete it by another table": "DELETE FROM trail USING units WHERE true",
    "empty the trail": "TRUNCATE trail",
    "empty it by a table it depends on": "TRUNCATE accounts CASCADE",
    "drop the trail": "DROP TABLE trail",
    "drop what it depends on": "DROP TABLE accounts CASCADE",
    "drop the schema": "DROP SCHEMA public CASCADE",
    "drop all of the owner": "DROP OWNED BY sms_owner",
    "take all of the owner": "REASSIGN OWNED BY sms_owner TO sms_app",
    "own the trail": "ALTER TABLE trail OWNER TO sms_app",
    "rename the trail": "ALTER TABLE trail RENAME TO old",
    "move the trail away": "ALTER TABLE trail SET SCHEMA pg_temp",
    "add a column": "ALTER TABLE trail ADD COLUMN x INT",
    "drop a column": "ALTER TABLE trail DROP COLUMN act",
    "another default time": "ALTER TABLE trail ALTER COLUMN at SET DEFAULT '2000-01-01'",
    "let entries be as large as they like": "ALTER TABLE trail DROP CONSTRAINT ck_trail_bounded",
    "inherit from it": "CREATE TABLE t () INHERITS (trail)",
    "disable its triggers": "ALTER TABLE trail DISABLE TRIGGER ALL",
    "disable the one that queues": "ALTER TABLE trail DISABLE TRIGGER queue_entry",
    "drop the one that queues": "DROP TRIGGER queue_entry ON trail",
    "another trigger that swallows": "CREATE FUNCTION pg_temp.f() RETURNS trigger LANGUAGE plpgsql"
    " AS 'BEGIN RETURN NULL; END';"
    " CREATE TRIGGER a BEFORE INSERT ON trail FOR EACH ROW EXECUTE FUNCTION pg_temp.f()",
    "a rule that swallows": "CREATE RULE r AS ON INSERT TO trail DO INSTEAD NOTHING",
    "a rule that hides": "CREATE RULE r AS ON SELECT TO trail DO INSTEAD SELECT * FROM trail WHERE id > 1",
    "a policy that hides": "CREATE POLICY p ON trail USING (id > 1)",
    "turn on row security": "ALTER TABLE trail ENABLE ROW LEVEL SECURITY",
    "a trigger for all that happens": "CREATE EVENT TRIGGER e ON sql_drop"
    " EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "no triggers in this session": "SET session_replication_role = replica",
    "no triggers from the next log-in on": "ALTER ROLE sms_app SET session_replication_role = replica",
    "no triggers for all": "ALTER SYSTEM SET session_replication_role = replica",
    "another function that queues": "CREATE OR REPLACE FUNCTION public.queue_entry() RETURNS trigger LANGUAGE plpgsql"
    " AS 'BEGIN RETURN NULL; END'",
    "another function that links": "CREATE OR REPLACE FUNCTION public.link_trail(integer) RETURNS integer LANGUAGE sql"
    " AS 'SELECT 0'",
    "drop the function that links": "DROP FUNCTION link_trail(integer)",
    "queue by hand": "SELECT queue_entry()",
    "become the owner": "SET ROLE sms_owner",
    "become a superuser": "SET SESSION AUTHORIZATION postgres",
    "be made a superuser": "ALTER ROLE sms_app SUPERUSER",
    "be made a member of the owner": "GRANT sms_owner TO sms_app",
    "make a role that may": "CREATE ROLE other IN ROLE sms_owner",
    "grant oneself the right": "GRANT UPDATE ON trail TO sms_app; UPDATE trail SET act = 'x'",
    "have the owner's next tables": "ALTER DEFAULT PRIVILEGES FOR ROLE sms_owner GRANT ALL ON TABLES TO sms_app",
    "set the number back": "SELECT setval('trail_id_seq', 1, false)",
    "use numbers up": "SELECT nextval('trail_id_seq')",
    "begin the numbers again": "ALTER SEQUENCE trail_id_seq RESTART",
    "choose an entry's number": "INSERT INTO trail (id, act, target_kind, target_id, unit_path)"
    " OVERRIDING SYSTEM VALUE VALUES (-1, 'x', 'x', 'x', '/1/')",
    "choose an entry's time": "INSERT INTO trail (at, act, target_kind, target_id, unit_path)"
    " VALUES ('2000-01-01', 'x', 'x', 'x', '/1/')",
    "copy entries in with number and time": "COPY trail (id, at, act, target_kind, target_id, unit_path) FROM STDIN",
    "copy from a program": "COPY trail FROM PROGRAM 'cat /dev/null'",
    "copy to a file of the server": "COPY trail TO '/tmp/x'",
    "read a file into a large object": "SELECT lo_import('/etc/passwd')",
    "write a file of the server": "SELECT lo_export(0, '/tmp/x')",
    "forge a link": "INSERT INTO trail_links VALUES (100, 1, sha256('x'), now())",
    "change a link": "UPDATE trail_links SET digest = sha256('x')",
    "delete a link": "DELETE FROM trail_links",
    "empty the links": "TRUNCATE trail_links",
    "drop the links": "DROP TABLE trail_links",
    "take an entry out of the queue": "DELETE FROM trail_unlinked",
    "empty the queue": "TRUNCATE trail_unlinked",
    "put an entry into the queue": "INSERT INTO trail_unlinked VALUES (1)",
    "change values before and after": "UPDATE trail_personal SET changes = '{}'",
    "empty the values before and after": "TRUNCATE trail_personal",
    "lock the trail": "BEGIN; LOCK TABLE trail IN ACCESS EXCLUSIVE MODE",
    "lock the links": "BEGIN; LOCK TABLE trail_links IN SHARE MODE",
    "lock the queue": "BEGIN; LOCK TABLE trail_unlinked IN SHARE MODE",
    "lock an entry of the queue": "SELECT * FROM trail_unlinked FOR UPDATE",
    "lock the last link": "SELECT * FROM trail_links FOR KEY SHARE",
    "rewrite the table": "CLUSTER trail USING pk_trail",
    "rebuild its index": "REINDEX TABLE trail",
    "a schema to stand before": "CREATE SCHEMA sms_app",
    "a table to stand before": "CREATE TABLE public.entries (LIKE public.trail)",
    "publish it": "CREATE PUBLICATION p FOR TABLE trail",
    "link less than nothing": "SELECT link_trail(-1)",
}
# Refused for another reason than a missing right.
OTHERWISE = {
    "delete the account that an entry names": "DELETE FROM accounts WHERE id = (SELECT max(account_id) FROM trail)",
    "number the account anew": "UPDATE accounts SET id = id + 100 WHERE id = (SELECT max(account_id) FROM trail)",
    "an entry too large to be linked": "INSERT INTO trail (act, target_kind, target_id, unit_path, details)"
    " VALUES ('x', 'x', 'x', '/1/', jsonb_build_object('x', repeat('x', 17000000)))",
    "a number too long to be linked": "INSERT INTO trail (act, target_kind, target_id, unit_path, details)"
    " SELECT 'x', 'x', 'x', '/1/', jsonb_agg('1e131000'::numeric) FROM generate_series(1, 200)",
    "an act that nobody can finish": "BEGIN; PREPARE TRANSACTION 'held'",
}
IN_VAIN = {
    "a table of this session in its place": "CREATE TEMP TABLE trail (LIKE public.trail); DELETE FROM trail",
    "a view of this session in its place": "CREATE TEMP VIEW trail AS SELECT * FROM public.trail WHERE id > 1",
    "a queue of this session in its place": "CREATE TEMP TABLE trail_unlinked (entry_id BIGINT);"
    " SET search_path = pg_temp; SELECT public.link_trail(10)",
    "a function of this session in its place": "CREATE FUNCTION pg_temp.sha256(bytea) RETURNS bytea LANGUAGE sql"
    " AS 'SELECT ''\\x00''::bytea'; SET search_path = pg_temp, pg_catalog; SELECT public.link_trail(10)",
    "another path for the next log-in": "ALTER ROLE sms_app SET search_path = pg_temp",
    "other forms of times and numbers": "SET datestyle = 'German, DMY'; SET timezone = 'Asia/Tokyo';"
    " SET bytea_output = escape; SET extra_float_digits = -10;"
    " SET intervalstyle = sql_standard; SELECT public.link_trail(10)",
    "take back the act's own transaction": f"BEGIN; {ENTRY}; ROLLBACK",
    "take back to a savepoint": f"BEGIN; SAVEPOINT s; {ENTRY}; ROLLBACK TO s; COMMIT",
    "link and take it back": "BEGIN; SELECT link_trail(10); ROLLBACK",
    "link none": "SELECT link_trail(0)",
    "link too early": "SELECT link_trail(10)",
    "copy entries in": "",  # below
    "row security in this session": "SET row_security = off",
    "a large object of the trail's number": "SELECT lo_create((SELECT oid FROM pg_class WHERE relname = 'trail'))",
    "vacuum the trail": "VACUUM FULL trail",
    "take its own rights away": "REVOKE INSERT ON trail FROM sms_app",
    "grant the right": "GRANT UPDATE ON trail TO sms_app",
    "much noise": "INSERT INTO trail (act, target_kind, target_id, unit_path)"
    " SELECT 'x', 'x', n::text, '/1/' FROM generate_series(1, 3000) AS n",
    "a false erasure": "DELETE FROM trail_personal; INSERT INTO trail (act, target_kind, target_id, unit_path)"
    " SELECT 'person.erase', target_kind, target_id, unit_path FROM trail WHERE personal IS NOT NULL",
    "rename who did it": "UPDATE accounts SET login = 'other', name = 'x'",
    "move the unit": "UPDATE units SET path = '/99/'",
}
FOUND = {
    "delete values before and after": ("DELETE FROM trail_personal", FaultKind.values_missing),
    "write other values": (
        "CREATE TEMP TABLE old AS SELECT * FROM trail_personal; DELETE FROM trail_personal;"
        " INSERT INTO trail_personal SELECT entry_id, salt, '{}' FROM old",
        FaultKind.values_changed,
    ),
    "write values that no act had": (
        "INSERT INTO trail_personal SELECT min(id), 'x', '{}' FROM trail",
        FaultKind.values_changed,
    ),
}


@pytest.fixture
def written(database: Database) -> Database:
    """Acts that are linked, two of them by an account and one with values before and after, and one that is not yet."""
    with database.session() as session:
        unit = make_unit(session)
        account = make_account(session, unit)
        for number in range(2):
            trail.record_act(session, account.id, "test.act", "thing", number, unit.path)
        person = make_person(session, unit, "王一")
        people.change_person(session, SYSTEM, person.id, name="王二")
    chain.link_entries(database)
    with database.session() as session:
        trail.record_act(session, None, "test.act", "thing", "not yet linked", unit.path)
    return database


@pytest.fixture
def app_url(database_url: str) -> Iterator[str]:
    """The application's own login; the tests', whose sessions have no other rights, where the server does not let it
    log in.
    """
    url = make_url(database_url).set(username="sms_app", password=None).render_as_string(hide_password=False)
    with psycopg.connect(database_url, autocommit=True) as administrator:
        with suppress(errors.InternalError_):  # another test does it at the same moment
            administrator.execute("ALTER ROLE sms_app LOGIN")
        try:
            psycopg.connect(url).close()
        except psycopg.OperationalError:
            url = database_url
        yield url
        administrator.execute("ALTER ROLE sms_app RESET ALL")


@pytest.fixture
def hider(app_url: str) -> Iterator[psycopg.Connection]:
    """A session with that login."""
    with psycopg.connect(app_url, autocommit=True) as connection:
        connection.execute("SET SESSION AUTHORIZATION sms_app")
        yield connection


@pytest.fixture
def service(written: Database, app_url: str) -> Iterator[Database]:
    """What the service has: connections of its own, made after what is tried."""
    database = Database(app_url, pool_size=1)
    yield database
    database.close()


def read(database_url: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(database_url) as connection:
        return connection.execute(query).fetchall()  # type: ignore[arg-type]


def act_and_link(service: Database) -> None:
    """What the service does all the time."""
    with service.session() as session:
        trail.record_act(session, None, "test.act", "thing", "after", "/1/")
    chain.link_entries(service)


def kinds(database: Database) -> set[FaultKind]:
    return {fault.kind for fault in verify_trail(database).faults}


@pytest.mark.parametrize("way", [*REFUSED, *OTHERWISE])
def test_it_is_refused(database_url: str, service: Database, hider: psycopg.Connection, way: str) -> None:
    before = read(database_url, ALL)
    if way in REFUSED:
        with pytest.raises((errors.InsufficientPrivilege, errors.WrongObjectType, errors.InvalidRowCountInLimitClause)):
            hider.execute(REFUSED[way])  # type: ignore[call-overload]
    else:
        with pytest.raises(
            (
                errors.ForeignKeyViolation,
                errors.CheckViolation,
                errors.ObjectNotInPrerequisiteState,
                errors.ProgramLimitExceeded,
                errors.NoActiveSqlTransaction,
            )
        ):
            hider.execute(OTHERWISE[way])
    assert read(database_url, ALL) == before
    act_and_link(service)
    assert [row[-1] for row in read(database_url, ALL)][:-1] == [row[-1] for row in before]
    assert len(read(database_url, LINKS)) == len(before) + 1
    assert kinds(service) == set()


@pytest.mark.parametrize("way", IN_VAIN)
def test_it_is_in_vain(database_url: str, service: Database, hider: psycopg.Connection, way: str) -> None:
    before = read(database_url, ALL)
    if way == "copy entries in":
        with hider.cursor().copy("COPY trail (act, target_kind, target_id, unit_path) FROM STDIN") as copy:
            copy.write("x\tx\t1\t/1/\n")
    else:
        hider.execute(IN_VAIN[way])
    act_and_link(service)
    now = read(database_url, ALL)
    assert now[: len(before)] == before
    assert now[-1][5] == "after"
    assert len(read(database_url, LINKS)) == len(now)
    assert kinds(service) == set()


@pytest.mark.parametrize("way", FOUND)
def test_it_is_found(database_url: str, service: Database, hider: psycopg.Connection, way: str) -> None:
    statements, kind = FOUND[way]
    before = read(database_url, ALL)
    act_and_link(service)
    hider.execute(statements)
    assert read(database_url, ALL)[: len(before)] == before
    assert kinds(service) == {kind}


def test_an_act_that_is_held_open_is_linked_once_it_is_done(
    database_url: str, service: Database, hider: psycopg.Connection
) -> None:
    hider.autocommit = False
    hider.execute(ENTRY)
    act_and_link(service)
    act_and_link(service)
    hider.commit()
    act_and_link(service)
    assert len(read(database_url, LINKS)) == len(read(database_url, ALL))
    assert kinds(service) == set()


def test_all_advisory_locks_hold_nothing_up(database_url: str, service: Database, hider: psycopg.Connection) -> None:
    for key in range(100):
        hider.execute("SELECT pg_advisory_lock(%s)", (key,))
    act_and_link(service)
    assert len(read(database_url, LINKS)) == len(read(database_url, ALL))


def test_a_chain_that_is_held_up_is_known_by_its_age(service: Database, hider: psycopg.Connection) -> None:
    hider.autocommit = False
    hider.execute("SELECT link_trail(10)")
    patient = Database(service.url, pool_size=1, patience_s=1)
    with pytest.raises(Exception, match="lock timeout"):
        chain.link_entries(patient)
    patient.close()
    late = verify_trail(service, late_s=0).faults
    assert {fault.kind for fault in late} == {FaultKind.entry_unlinked}
    hider.rollback()
    chain.link_entries(service)
    assert kinds(service) == set()


def test_so_is_one_whose_clock_was_taken_away(service: Database, hider: psycopg.Connection) -> None:
    hider.execute(sql.SQL("INSERT INTO leaderships VALUES ({}, 'nobody', 99, now(), 'infinity')").format(LEADERSHIP))
    clock = Clock(service, None, Gateways(GatewayConfig({}, {}), ""))
    clock.tick()
    with service.session() as session:
        state = chain.find_chain_state(session)
    assert state.waiting == 1
    assert state.waiting_since is not None
    assert {fault.kind for fault in verify_trail(service, late_s=0).faults} == {FaultKind.entry_unlinked}
    hider.execute("UPDATE leaderships SET until = now()")
    clock.tick()
    assert kinds(service) == set()
