"""The chain over the trail, and what `verify` says to whoever changes it as superuser."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import OperationalError

from sms_service.accounts.actors import SYSTEM
from sms_service.audit import chain, trail
from sms_service.audit.chain import Head, find_chain_state, read_head
from sms_service.audit.verification import FaultKind, verify_trail
from sms_service.cli import main
from sms_service.db.engine import Database
from sms_service.directory import people
from sms_service.errors import Invalid
from sms_service.personal.erasure import erase_person
from tests.examples import count_examples
from tests.factories import make_person, make_unit


@pytest.fixture
def write(database: Database) -> Callable[[int], None]:
    """Writes so many entries, which are linked at once."""

    def write(entries: int) -> None:
        with database.session() as session:
            for number in range(entries):
                trail.record_act(session, None, "test.act", "thing", number, "/1/", n=number, why="因为“这样”")
        chain.link_entries(database)

    return write


@pytest.fixture
def tamper(database_url: str, database: Database) -> Iterator[Callable[..., psycopg.Cursor]]:
    """Runs a statement as superuser with triggers and foreign keys off."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        yield connection.execute


def faults(database: Database, *heads: Head) -> list[tuple[FaultKind, int | None, int | None]]:
    return [(fault.kind, fault.position, fault.entry_id) for fault in verify_trail(database, heads).faults]


def current_head(database: Database) -> Head:
    with database.session() as session:
        head = find_chain_state(session).head
    assert head is not None
    return head


def test_a_chain_of_many_batches_holds(database: Database, write: Callable[[int], None]) -> None:
    assert verify_trail(database).head is None
    write(chain.AT_ONCE + 3)
    found = verify_trail(database)
    assert (found.linked, found.faults) == (chain.AT_ONCE + 3, [])
    assert found.head == current_head(database)
    assert found.head.position == chain.AT_ONCE + 3
    assert chain.link_entries(database) == 0


@settings(max_examples=count_examples(15), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30), st.integers(), st.floats()
)
def test_whatever_is_written_is_hashed_alike_by_both(
    database: Database, text: str, number: int, fraction: float
) -> None:
    details = {"text": text, "number": number, text: [fraction if abs(fraction) < 1e300 else None, True]}
    with database.session() as session:
        trail.record_act(session, None, text[:20], "thing", text, f"/{text}/", **details)
    chain.link_entries(database)
    assert verify_trail(database).faults == []


def test_an_entry_that_commits_late_is_linked_when_it_can_be_seen(
    database: Database, write: Callable[[int], None]
) -> None:
    with database.session() as late:
        trail.record_act(late, None, "test.late", "thing", "late", "/1/")
        write(2)
        assert faults(database) == []
    chain.link_entries(database)
    found = verify_trail(database)
    assert (found.linked, found.faults) == (3, [])
    with database.transaction() as connection:
        order = connection.exec_driver_sql("SELECT entry_id FROM trail_links ORDER BY position").scalars().all()
    assert order == [2, 3, 1]


def test_two_that_link_at_once_make_one_chain(database: Database, write: Callable[[int], None]) -> None:
    write(1)
    with database.session() as session:
        trail.record_act(session, None, "test.act", "thing", 1, "/1/")
    with database.transaction() as first:
        assert first.exec_driver_sql("SELECT link_trail(10)").scalar_one() == 1
        with database.transaction() as second:
            second.exec_driver_sql("SET LOCAL lock_timeout = '100ms'")
            with pytest.raises(OperationalError, match="lock timeout"):
                second.exec_driver_sql("SELECT link_trail(10)")
    assert faults(database) == []
    assert current_head(database).position == 2


TAMPERED = {
    "another act": ("UPDATE trail SET act = 'other' WHERE id = 3", FaultKind.entry_changed, 3, 3),
    "another account": ("UPDATE trail SET account_id = 9 WHERE id = 3", FaultKind.entry_changed, 3, 3),
    "another time": ("UPDATE trail SET at = at - interval '1 us' WHERE id = 3", FaultKind.entry_changed, 3, 3),
    "the same time before Christ": (
        "UPDATE trail SET at = '3000-01-01 BC' WHERE id = 3",
        FaultKind.entry_changed,
        3,
        3,
    ),
    "no time": ("UPDATE trail SET at = 'infinity' WHERE id = 3", FaultKind.entry_changed, 3, 3),
    "another unit": ("UPDATE trail SET unit_path = '/1' WHERE id = 3", FaultKind.entry_changed, 3, 3),
    "another origin": ("UPDATE trail SET origin = NULL WHERE id = 3", FaultKind.entry_changed, 3, 3),
    "another reason": (
        'UPDATE trail SET details = details || \'{"why": "x"}\' WHERE id = 3',
        FaultKind.entry_changed,
        3,
        3,
    ),
    "a number written otherwise": (
        "UPDATE trail SET details = jsonb_set(details, '{n}', '2.0') WHERE id = 3",
        FaultKind.entry_changed,
        3,
        3,
    ),
    "values that it never had": (
        "UPDATE trail SET personal = sha256('x') WHERE id = 3",
        FaultKind.entry_changed,
        3,
        3,
    ),
    "the last entry": ("UPDATE trail SET act = 'other' WHERE id = 5", FaultKind.entry_changed, 5, 5),
    "another id": ("UPDATE trail SET id = 99 WHERE id = 3", FaultKind.entry_missing, 3, 3),
    "an entry gone": ("DELETE FROM trail WHERE id = 3", FaultKind.entry_missing, 3, 3),
    "all entries gone": ("DELETE FROM trail", FaultKind.entry_missing, 1, 1),
    "a link gone": ("DELETE FROM trail_links WHERE position = 3", FaultKind.links_missing, 4, 4),
    "the first links gone": ("DELETE FROM trail_links WHERE position < 3", FaultKind.links_missing, 3, 3),
    "the last link gone": ("DELETE FROM trail_links WHERE position = 5", FaultKind.entry_unlinked, None, 5),
    "an entry and its link gone": (
        "WITH d AS (DELETE FROM trail_links WHERE position = 3) DELETE FROM trail WHERE id = 3",
        FaultKind.links_missing,
        4,
        4,
    ),
    "another digest": ("UPDATE trail_links SET digest = sha256('x') WHERE position = 3", FaultKind.link_changed, 3, 3),
    "the time of a link": (
        "UPDATE trail_links SET at = at - interval '1 us' WHERE position = 1",
        FaultKind.entry_changed,
        1,
        1,
    ),
    "a link dated back": (
        "UPDATE trail_links SET at = at - interval '1 day' WHERE position = 3",
        FaultKind.time_backwards,
        3,
        3,
    ),
    "neighbours changed places": (
        "UPDATE trail_links SET entry_id = 7 - entry_id + 20 WHERE position IN (3, 4);"
        "UPDATE trail_links SET entry_id = entry_id - 20 WHERE position IN (3, 4)",
        FaultKind.order_changed,
        3,
        4,
    ),
    "two far apart changed places": (
        "UPDATE trail_links SET entry_id = 6 - entry_id + 20 WHERE position IN (1, 5);"
        "UPDATE trail_links SET entry_id = entry_id - 20 WHERE position IN (1, 5)",
        FaultKind.order_changed,
        1,
        5,
    ),
    "an entry put in": (
        "INSERT INTO trail (act, target_kind, target_id, unit_path) VALUES ('x', 'x', '1', '/1/')",
        FaultKind.entry_unlinked,
        None,
        6,
    ),
    "an entry put in, dated forward": (
        "INSERT INTO trail (at, act, target_kind, target_id, unit_path) VALUES ('infinity', 'x', 'x', '1', '/1/')",
        FaultKind.entry_unlinked,
        None,
        6,
    ),
    "a forged link": (
        "INSERT INTO trail_links VALUES (6, 77, sha256('x'), now())",
        FaultKind.entry_missing,
        6,
        77,
    ),
    "an entry gone before it was linked": ("INSERT INTO trail_unlinked VALUES (50)", FaultKind.entry_missing, None, 50),
    "values that nobody recorded": (
        "INSERT INTO trail_personal VALUES (3, '\\x00', '{}')",
        FaultKind.values_changed,
        3,
        3,
    ),
}


@pytest.mark.parametrize("name", TAMPERED)
def test_what_was_tampered_with_is_found(
    database: Database, write: Callable[[int], None], tamper: Callable[..., psycopg.Cursor], name: str
) -> None:
    sql, kind, position, entry_id = TAMPERED[name]
    write(2)
    write(3)
    assert faults(database) == []
    tamper(sql)
    assert faults(database)[0] == (kind, position, entry_id)


def test_one_change_is_one_fault_and_names_its_place(
    database: Database, write: Callable[[int], None], tamper: Callable[..., psycopg.Cursor]
) -> None:
    write(200)
    tamper("UPDATE trail SET act = 'other' WHERE id IN (20, 180)")
    assert faults(database) == [(FaultKind.entry_changed, 20, 20), (FaultKind.entry_changed, 180, 180)]


def test_faults_beyond_a_hundred_are_counted(
    database: Database, write: Callable[[int], None], tamper: Callable[..., psycopg.Cursor]
) -> None:
    write(250)
    tamper("UPDATE trail SET act = 'other'")
    found = verify_trail(database)
    assert (len(found.faults), found.more) == (100, 150)


def test_a_chain_written_anew_holds_and_does_not_agree_with_a_noted_head(
    database: Database, write: Callable[[int], None], tamper: Callable[..., psycopg.Cursor]
) -> None:
    write(3)
    early = current_head(database)
    write(2)
    late = current_head(database)
    cut = Head(late.position, late.digest[:16])
    assert faults(database, early, late, cut) == []
    tamper("UPDATE trail SET act = 'other' WHERE id = 4")
    tamper("DELETE FROM trail_links WHERE position >= 4")
    tamper("INSERT INTO trail_unlinked VALUES (4), (5)")
    chain.link_entries(database)
    assert faults(database, early) == []
    assert faults(database, early, late) == [(FaultKind.head_differs, 5, None)]


def test_a_tail_cut_off_is_found_by_a_noted_head_alone(
    database: Database, write: Callable[[int], None], tamper: Callable[..., psycopg.Cursor]
) -> None:
    write(5)
    noted = current_head(database)
    tamper("DELETE FROM trail_links WHERE position > 3")
    tamper("DELETE FROM trail WHERE id > 3")
    assert faults(database) == []
    assert faults(database, noted) == [(FaultKind.head_differs, 5, None)]


def test_an_entry_that_waits_too_long_is_a_fault(database: Database) -> None:
    with database.session() as session:
        trail.record_act(session, None, "test.act", "thing", 1, "/1/")
    assert verify_trail(database).faults == []
    late = verify_trail(database, late_s=0).faults
    assert [(fault.kind, fault.entry_id) for fault in late] == [(FaultKind.entry_unlinked, 1)]
    with database.session() as session:
        state = find_chain_state(session)
    assert (state.head, state.waiting) == (None, 1)
    assert state.waiting_since is not None


def test_what_a_person_was_before_lies_apart_until_the_person_is_erased(
    database: Database, tamper: Callable[..., psycopg.Cursor]
) -> None:
    with database.session() as session:
        unit = make_unit(session)
        person = make_person(session, unit, "王一", phone="+8613900000001")
        people.change_person(session, SYSTEM, person.id, name="王二", phone="+8613900000002")
        people.change_person(session, SYSTEM, person.id, lost_contact=True)
    chain.link_entries(database)
    assert tamper("SELECT changes FROM trail_personal ORDER BY entry_id").fetchall() == [
        ('{"name": ["王一", "王二"], "phone": ["+8613900000001", "+8613900000002"]}',),
        ('{"lost_contact": [false, true]}',),
    ]
    assert not tamper("SELECT FROM trail WHERE trail::text ~ '王|1390000'").fetchall()
    assert faults(database) == []
    tamper("UPDATE trail_personal SET changes = replace(changes, '王二', '王三') WHERE entry_id = 1")
    assert faults(database) == [(FaultKind.values_changed, 1, 1)]
    tamper("DELETE FROM trail_personal WHERE entry_id = 1")
    assert faults(database) == [(FaultKind.values_missing, None, 1)]
    with database.session() as session:
        erase_person(session, SYSTEM, person.id, "asked")
    chain.link_entries(database)
    assert tamper("SELECT count(*) FROM trail_personal").fetchone() == (0,)
    assert faults(database) == []


def test_heads_are_read_as_people_write_them() -> None:
    head = Head(12, "9f86d081884c7d659a2feaa0c55ad015")
    assert str(head) == "12:9f86d081-884c7d65-9a2feaa0-c55ad015"
    for written in (str(head), "12: 9F86D081 884C7D65 9a2feaa0c55ad015\n"):
        assert read_head(written) == head
    for wrong in ("", "12", "12:9f86", "x:9f86d081884c7d65", f"12:{'0' * 65}"):
        with pytest.raises(Invalid, match="a position and a digest"):
            read_head(wrong)


def test_the_shell_says_what_it_found(
    database: Database,
    write: Callable[[int], None],
    tamper: Callable[..., psycopg.Cursor],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DATABASE_URL", database.url)
    monkeypatch.setenv("REDIS_URL", "redis://localhost/0")  # it is not asked

    def audit(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(main, ["audit", *words])
        return done.exit_code, done.output

    assert audit("head") == (0, "nothing is linked yet\n")
    write(2)
    noted = current_head(database)
    assert audit("head")[1].startswith(f"{noted} of 20")
    assert audit("verify", "--head", str(noted)) == (
        0,
        f"2 entries are linked, up to {noted}\nthe head {noted} agrees\nthe trail is whole\n",
    )
    tamper("DELETE FROM trail WHERE id = 1")
    assert audit("verify") == (
        1,
        f"2 entries are linked, up to {noted}\nentry_missing: position 1: entry 1 is gone\n",
    )
    assert audit("verify", "--head", "12")[0] == 1
