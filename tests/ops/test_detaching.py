"""A month leaves the database while people work, stays exact wherever it is read, and comes back as it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import date
from itertools import count
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Connection, select, text, update
from sqlalchemy.orm import Session

from sms_service.accounts.actors import SYSTEM
from sms_service.audience.earlier import resolve_campaigns, select_outcome
from sms_service.audience.grammar import parse_rule
from sms_service.audit.models import TrailEntry
from sms_service.campaigns.resending import retry_run
from sms_service.db.engine import Database
from sms_service.db.partitions import SchemaOwner
from sms_service.delivery.inbox import apply_waiting_receipts, store_receipts
from sms_service.directory.models import Unit
from sms_service.errors import Conflict, Forbidden, NotFound
from sms_service.gateways.base import Receipt, ReceiptStatus
from sms_service.ledger.archive_models import ArchivedMonth
from sms_service.ledger.models import Attempt, Message, ReceiptRow, Run
from sms_service.ledger.receipts import attempt_reference
from sms_service.ops.archiving import write_archive
from sms_service.ops.detaching import DETACHED, detach_month, drop_month
from sms_service.ops.reading_back import read_month_back
from sms_service.replies.listing import count_campaign_replies, require_texts_of
from sms_service.reports.counts import check_identity, tabulate_counts
from sms_service.reports.export_rows import count_export_rows
from sms_service.reports.failures import describe_failures
from sms_service.reports.filters import Filter
from sms_service.reports.identity import sum_identity
from sms_service.reports.messages import count_rows, get_message
from sms_service.reports.number_history import read_number_history
from sms_service.reports.reconciling import rebuild_day, reconcile_day
from sms_service.reports.roll_ups import roll_up
from sms_service.reports.sealed_days import read_sealed_day
from sms_service.reports.seals import verify_seals
from sms_service.reports.targets import list_targets
from sms_service.reports.watching import watch_run
from sms_service.web.ledger_rows import fetch_messages
from tests.dispatch.city import ScriptedGateways, drain, make_city, make_run, statuses
from tests.factories import make_actor
from tests.reports.ledger_rows import add_message, make_tree, settle_roll_ups

DAY = date(2026, 9, 30)
MONTH = DAY.replace(day=1)
ROWS = "SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {} t WHERE month = '2026-09-01'"
# What the partitions of a month have: columns, constraints, indexes, rights.
SHAPE = """
    SELECT 'column', attname || ' ' || atttypid::regtype || attnotnull FROM pg_attribute
        WHERE attrelid = '{0}_202609'::regclass AND attnum > 0
    UNION ALL SELECT 'constraint', conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint
        WHERE conrelid = '{0}_202609'::regclass
    UNION ALL SELECT 'index', pg_get_indexdef(indexrelid) || indisvalid || (
        SELECT count(*) FROM pg_inherits WHERE inhrelid = indexrelid) FROM pg_index
        WHERE indrelid = '{0}_202609'::regclass
    UNION ALL SELECT 'right', coalesce(relacl::text, '') FROM pg_class WHERE oid = '{0}_202609'::regclass
    ORDER BY 1, 2
"""


@pytest.fixture
def owner(database_url: str) -> SchemaOwner:
    return SchemaOwner(database_url, patience_s=20.0)


@pytest.fixture
def tree(database_url: str, database: Database, session: Session) -> Iterator[list[Unit]]:
    """A sealed month with three texts, which are redacted; afterwards the month is a plain one again."""
    tree = make_tree(session, [DAY])
    run = make_run(session, tree[0], day=DAY, month=MONTH, status="closed", audience=3)
    for unit in tree[2:]:
        add_message(session, run, unit, "delivered", [("delivered", 2)])
    session.execute(update(Message).where(Message.month == MONTH).values(phone=None))
    session.commit()
    settle_roll_ups(database, seal=True)
    yield tree
    session.rollback()
    with psycopg.connect(database_url) as connection:
        connection.execute("DROP TABLE IF EXISTS attempts_202609, attempt_parts_202609, messages_202609")


def hash_of(database: Database) -> dict[str, str]:
    with database.transaction() as connection:
        return {table: connection.scalar(text(ROWS.format(table))) for table in DETACHED}


def shape_of(database: Database) -> list[tuple[str, ...]]:
    with database.transaction() as connection:
        return [tuple(row) for table in DETACHED for row in connection.execute(text(SHAPE.format(table)))]


def state_of(database: Database) -> str | None:
    with database.session() as session:
        return session.scalar(select(ArchivedMonth.state))


def detach(database: Database, owner: SchemaOwner, folder: Path) -> ArchivedMonth:
    return detach_month(database, owner, SYSTEM, MONTH, folder)


def drop(database: Database, owner: SchemaOwner) -> ArchivedMonth:
    return drop_month(database, owner, SYSTEM, MONTH)


def read_back(database: Database, owner: SchemaOwner) -> ArchivedMonth:
    return read_month_back(database, owner, SYSTEM, MONTH)


def test_a_month_leaves_and_comes_back_as_it_was(
    database: Database, session: Session, owner: SchemaOwner, tree: list[Unit], tmp_path: Path
) -> None:
    rows, shape = hash_of(database), shape_of(database)
    with pytest.raises(Forbidden):
        detach_month(database, owner, make_actor(session, tree[1]), MONTH, tmp_path)
    session.commit()
    with pytest.raises(NotFound):
        drop(database, owner)
    assert detach(database, owner, tmp_path).rows == 6
    assert hash_of(database) == dict.fromkeys(DETACHED)
    assert drop(database, owner).state == "dropped"
    with pytest.raises(Conflict, match="2026-09 is dropped"):
        detach(database, owner, tmp_path)
    read_back(database, owner)
    assert (hash_of(database), shape_of(database), state_of(database)) == (rows, shape, None)
    acts = session.scalars(select(TrailEntry.act).where(TrailEntry.act.like("archive.%")).order_by(TrailEntry.id))
    assert acts.all() == ["archive.detach", "archive.drop", "archive.read_back"]


def test_what_is_only_detached_comes_back_by_being_attached(
    database: Database, owner: SchemaOwner, tree: list[Unit], tmp_path: Path
) -> None:
    rows = hash_of(database)
    detach(database, owner, tmp_path)
    read_back(database, owner)
    assert (hash_of(database), state_of(database)) == (rows, None)
    detach(database, owner, tmp_path)  # and leaves again: the files are the same
    assert state_of(database) == "detached"


class Cut(Exception):
    """As if the process was killed there."""


class Mortal(SchemaOwner):
    """Dies after so many steps that were committed."""

    def __init__(self, url: str, steps: int) -> None:
        super().__init__(url, patience_s=20.0)
        self.steps = steps

    def live(self) -> None:
        self.steps -= 1
        if self.steps < 0:
            raise Cut

    @contextmanager
    def session(self) -> Iterator[Session]:
        self.live()
        with super().session() as session:
            yield session

    def repeat(self, next_statement: Callable[[Connection], str | None]) -> None:
        def one_at_a_time(connection: Connection) -> str | None:
            self.live()
            return next_statement(connection)

        super().repeat(one_at_a_time)


def test_whatever_is_cut_off_goes_on_when_it_is_run_again(
    database_url: str, database: Database, tree: list[Unit], tmp_path: Path
) -> None:
    rows = hash_of(database)
    acts: list[tuple[Callable[[SchemaOwner], object], str | None]] = [
        (lambda who: detach(database, who, tmp_path), "detached"),
        (lambda who: drop(database, who), "dropped"),
        (lambda who: read_back(database, who), None),
    ]
    for act, state in acts:
        for steps in count():  # each time it comes one step further
            with suppress(Cut):
                act(Mortal(database_url, steps))
                break
        assert (state_of(database), steps > 5) == (state, True)
    assert hash_of(database) == rows


class Interfering(SchemaOwner):
    """Somebody does something just before the first partition is detached."""

    def __init__(self, url: str, act: Callable[[], object], patience_s: float = 20.0) -> None:
        super().__init__(url, patience_s)
        self.acts = [act]

    def repeat(self, next_statement: Callable[[Connection], str | None]) -> None:
        while self.acts:
            self.acts.pop()()
        super().repeat(next_statement)


def test_a_row_that_changes_meanwhile_brings_the_month_back(
    database_url: str, database: Database, tree: list[Unit], tmp_path: Path
) -> None:
    def change() -> None:
        with database.transaction() as connection:
            connection.execute(
                update(Message).where(Message.month == MONTH, Message.id == 1).values(status="undelivered")
            )

    with pytest.raises(Conflict, match="changed just now"):
        detach(database, Interfering(database_url, change), tmp_path)
    assert state_of(database) is None
    with database.session() as session:
        counted = tabulate_counts(session, Filter(("/",)), ("status",))
        assert {line.by["status"]: line.messages for line in counted.lines} == {"delivered": 2, "undelivered": 1}
    assert not (tmp_path / "archives").exists()


def is_pending(database: Database) -> bool:
    with database.transaction() as connection:
        return bool(connection.scalar(text("SELECT bool_or(inhdetachpending) FROM pg_inherits")))


def test_dispatch_goes_on_while_a_detach_waits_for_an_old_snapshot(
    database_url: str, database: Database, session: Session, owner: SchemaOwner, tree: list[Unit], tmp_path: Path
) -> None:
    city = make_city(database, 30)
    reader = psycopg.connect(database_url)

    def begin_to_read() -> None:
        reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        reader.execute("SELECT count(*) FROM messages, attempts")

    impatient = Database(database_url, patience_s=1)  # whoever waits longer for a lock fails
    with ThreadPoolExecutor(1) as pool:
        detached = pool.submit(detach, database, Interfering(database_url, begin_to_read), tmp_path)
        try:
            while not is_pending(database) and not detached.done():
                pass
            drain(impatient, city.gateways)
            assert statuses(database, city.run_id) == {"accepted": 30}
            assert is_pending(database)
            with database.session() as other, pytest.raises(Conflict, match="2026-09 are archived"):
                check_identity(other, 1)
            (seen,) = reader.execute("SELECT count(*) FROM attempts WHERE month = '2026-09-01'").fetchone() or (0,)
            assert seen == 3, "whoever began before sees the rows"
        finally:
            reader.close()
            impatient.close()
        assert detached.result().state == "detached"


def test_impatient_one_leaves_it_pending_and_the_next_one_ends_it(
    database_url: str, database: Database, owner: SchemaOwner, tree: list[Unit], tmp_path: Path
) -> None:
    with psycopg.connect(database_url) as reader:

        def begin_to_read() -> None:
            reader.execute("SELECT count(*) FROM attempts")

        with pytest.raises(Conflict, match="run the same command again"):
            detach(database, Interfering(database_url, begin_to_read, patience_s=0.0), tmp_path)
        assert (is_pending(database), state_of(database)) == (True, "detaching")
    detach(database, owner, tmp_path)
    assert (is_pending(database), state_of(database)) == (False, "detached")


def test_numbers_of_an_archived_month_are_those_of_before(
    database: Database, session: Session, owner: SchemaOwner, tree: list[Unit], tmp_path: Path
) -> None:
    rows, by = Filter(("/",)), ("unit", "status", "month")
    before = tabulate_counts(session, rows, by), sum_identity(session, rows), check_identity(session, 1).statuses
    day = read_sealed_day(session, ("/",), DAY)
    session.commit()
    detach(database, owner, tmp_path)
    for state in ("detached", "dropped"):
        with database.session() as other:
            after = tabulate_counts(other, rows, by), sum_identity(other, rows), check_identity(other, 1).statuses
            assert after == before
            sealed = read_sealed_day(other, ("/",), DAY)
            assert (sealed.lines, sealed.seal.archived, day.seal.archived) == (day.lines, True, False)
            assert watch_run(other, SYSTEM, 1).statuses == {"delivered": 3}
            assert tabulate_counts(other, rows, ("carrier",)).total.people is None, "nobody can tell any more"
        with database.one_snapshot() as connection:
            assert list(verify_seals(connection)) == []
        roll_up(database, quiet_s=0)
        assert reconcile_day(database, DAY) == []
        if state == "detached":
            drop(database, owner)
    with database.transaction() as connection:
        connection.execute(text("DELETE FROM daily_counts WHERE own"))
    with database.one_snapshot() as connection:
        faults = [str(fault.said) for fault in verify_seals(connection)]
    assert "the roll-up of 2026-09-30 is not the one with which the month was archived" in faults


WITHOUT_ROWS: dict[str, Callable[[Session], object]] = {
    "counts of one run": lambda session: tabulate_counts(session, Filter(("/",), run_id=1), ()),
    "counts by what no roll-up has": lambda session: tabulate_counts(session, Filter(("/",), subtree=False), ()),
    "counts of two units": lambda session: tabulate_counts(session, Filter(("/1/2/", "/1/3/")), ()),
    "rows": lambda session: count_rows(session, Filter(("/",)), 10),
    "a page of rows": lambda session: fetch_messages(session, Filter(("/",)), {"limit": 10, "cursor": None}),
    "an export": lambda session: count_export_rows(session.connection(), Filter(("/",), since=MONTH)),
    "one text": lambda session: get_message(session, SYSTEM, 1),
    "failures": lambda session: describe_failures(session, SYSTEM, 1, ScriptedGateways({})),
    "who had a campaign's texts": lambda session: select_outcome(session, 1, "texted"),
    "a segment of them": lambda session: resolve_campaigns(
        session, parse_rule({"campaign": {"id": 1, "outcome": "texted"}})
    ),
    "replies to them": lambda session: require_texts_of(session, 1),
    "a retry": lambda session: retry_run(session, SYSTEM, 1, "nochmals"),
    "targets": lambda session: list_targets(session, SYSTEM, 1, 2026),
}


def test_whoever_needs_the_rows_is_told_where_they_are(
    database: Database, session: Session, owner: SchemaOwner, tree: list[Unit], tmp_path: Path
) -> None:
    detach(database, owner, tmp_path)
    with database.session() as other:
        other.execute(update(Run).values(class_="invitation"))
    said = {}
    for name, ask in WITHOUT_ROWS.items():
        with suppress(Conflict), database.session() as other:
            try:
                said[name] = repr(ask(other))
            except Conflict as error:
                said[name] = str(error)
                raise
    assert [name for name, one in said.items() if "the rows of 2026-09 are archived" not in one] == []
    with pytest.raises(Conflict, match="archive read-back 2026-09"):
        rebuild_day(database, DAY)
    with database.session() as other:
        later = Filter(("/",), since=date(2026, 10, 1))
        assert count_rows(other, later, 10) == 0, "other months are asked as ever"
        phone = "+8613800000001"
        assert read_number_history(other, SYSTEM, phone, "投诉", ScriptedGateways({})).archived == [MONTH]
        assert count_campaign_replies(other, SYSTEM, 1) is None


def test_a_late_receipt_of_an_archived_month_matches_nothing(
    database: Database, session: Session, owner: SchemaOwner, tree: list[Unit], tmp_path: Path
) -> None:
    name = session.scalars(select(Attempt.provider_id).where(Attempt.id == 1)).one()
    named = attempt_reference(MONTH, 2)
    session.commit()
    detach(database, owner, tmp_path)
    receipts = [Receipt(ReceiptStatus.undelivered, name, "{}"), Receipt(ReceiptStatus.delivered, None, "{}", named)]
    store_receipts(database, [("main", receipt) for receipt in receipts])
    apply_waiting_receipts(database)
    with database.session() as other:
        assert other.scalars(select(ReceiptRow.applied_at)).all() == [None, None], "they wait, and are listed"
    read_back(database, owner)
    with database.transaction() as connection:
        connection.execute(text("UPDATE receipts SET next_try_at = '1970-01-01'"))
    apply_waiting_receipts(database)
    with database.session() as other:
        applied = select(ReceiptRow.attempt_id).where(ReceiptRow.applied_at.is_not(None)).order_by(ReceiptRow.id)
        assert other.scalars(applied).all() == [1, 2]


def harm(folder: Path) -> None:
    file = folder / "attempts.csv.gz"
    file.write_bytes(file.read_bytes()[:-20])


def test_nothing_is_dropped_or_read_back_from_other_files(
    database: Database, owner: SchemaOwner, tree: list[Unit], tmp_path: Path
) -> None:
    rows = hash_of(database)
    folder = Path(str(detach(database, owner, tmp_path).folder))
    whole = (folder / "attempts.csv.gz").read_bytes()
    harm(folder)
    with pytest.raises(Conflict, match="not what was written: attempts"):
        drop(database, owner)
    (folder / "attempts.csv.gz").write_bytes(whole)
    drop(database, owner)
    harm(folder)
    with pytest.raises(Conflict, match="not what was written: attempts"):
        read_back(database, owner)
    (folder / "attempts.csv.gz").write_bytes(whole)
    read_back(database, owner)
    assert hash_of(database) == rows


def test_files_of_before_are_compared(database: Database, owner: SchemaOwner, tree: list[Unit], tmp_path: Path) -> None:
    write_archive(database, SYSTEM, MONTH, tmp_path)
    with database.transaction() as connection:
        connection.execute(text("UPDATE messages SET changed_at = changed_at + interval '1 s' WHERE id = 1"))
    with pytest.raises(Conflict, match="has other rows than messages_202609: move the folder away"):
        detach(database, owner, tmp_path)
    read_back(database, owner)
    assert state_of(database) is None


NOT_YET: dict[str, tuple[str, str]] = {
    "a phone is left": ("UPDATE messages SET phone = '+8613800000001' WHERE id = 1", "REDACT_AFTER_DAYS"),
    "a run is not closed": ("UPDATE runs SET status = 'finished'", "run 1 is finished"),
    "a text may move": ("UPDATE messages SET status = 'accepted' WHERE id = 1", "1 texts of the month may still"),
    "a series is not over": ("UPDATE campaigns SET kind = 'series', schedule = '{}'", "campaign 1 is not over"),
    "it is to be added up": ("INSERT INTO day_changes (day) VALUES ('2026-09-30')", "2026-09-30 is not added up"),
    "a roll-up is wrong": ("DELETE FROM daily_counts WHERE own", "counts rebuild 2026-09-30"),
    "a day is not sealed": ("DELETE FROM sealed_counts; DELETE FROM day_seals", "2026-09-30 is not sealed"),
}


@pytest.mark.parametrize("case", NOT_YET)
def test_a_month_stays_while(
    database_url: str, database: Database, owner: SchemaOwner, tree: list[Unit], tmp_path: Path, case: str
) -> None:
    statement, said = NOT_YET[case]
    with psycopg.connect(database_url) as connection:
        connection.execute(statement)
    with pytest.raises(Conflict, match=said):
        detach(database, owner, tmp_path)
    assert state_of(database) is None
