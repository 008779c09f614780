"""Looking up what is unknown: against a real simulator, by the database's clock, and against what comes late."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from simulator_process import SECRET, SimulatorProcess
from sqlalchemy import Connection, text

from sms_service.db.engine import Database
from sms_service.db.leadership import Leadership, NotLeading
from sms_service.delivery import inbox, reconcile
from sms_service.delivery.inbox import Inbox
from sms_service.gateways.base import ErrorClass, Finding, OutcomeKind, Question, Receipt, ReceiptStatus
from sms_service.gateways.config import AccountConfig, ConfiguredMember, GatewayConfig
from sms_service.gateways.registry import Gateways
from sms_service.gateways.simulator.adapter import Options
from sms_service.ledger import protocol, receipts, resolving
from sms_service.ledger.protocol import Recorded
from sms_service.ops.agreement import disagreements
from tests.clocks import ahead_by, end_lease
from tests.dispatch.city import City, ScriptedAdapter, ScriptedGateways, drain, make_city, messages, statuses
from tests.ledger.outcomes import hand_over
from tests.waiting import wait_until_blocked

# What the simulator does to numbers that end so; each to the caller the same, unknown.
FATES = {"1": "hang", "2": "error", "3": "reset", "4": "garble", "5": "lose"}


class TellingAdapter(ScriptedAdapter):
    """A scripted account that can be asked; it keeps every question."""

    capabilities = replace(ScriptedAdapter.capabilities, look_up_after_s=600, look_up_complete=True)

    def __init__(self) -> None:
        super().__init__()
        self.answer = lambda handed: None  # no outcome: unknown
        self.asked: list[Question] = []
        self.tell: Callable[[Question], Finding | None] = lambda question: Finding(f"p{question.reference}")

    def look_up(self, questions: Sequence[Question]) -> list[Finding | None]:
        """Whatever the test's `tell` says of each."""
        self.asked += questions
        return [self.tell(question) for question in questions]


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[SimulatorProcess]:
    with SimulatorProcess(tmp_path / "ledger.jsonl", "--silent-share", "1") as simulator:
        yield simulator


def look_up(database: Database, gateways: Gateways, time: str) -> int:
    """One cycle, `time` after now."""
    with ahead_by(database.url, time) as ahead:
        return reconcile.look_up_unknown(ahead, gateways)


def attempts(database: Database) -> list[Any]:
    with database.transaction() as connection:
        return list(connection.execute(text("SELECT * FROM attempts ORDER BY id")))


def unknown_city(database: Database, people: int = 1, **kw: Any) -> tuple[City, TellingAdapter]:
    """A run all of whose texts were handed over to an account that did not answer."""
    adapter = TellingAdapter()
    city = make_city(database, people, adapter=adapter, **kw)
    drain(database, city.gateways)
    assert statuses(database, city.run_id) == {"unknown": people}
    return city, adapter


def test_all_unknown_texts_are_settled_and_both_ledgers_agree(database: Database, simulator: SimulatorProcess) -> None:
    options = Options(url=simulator.url, secret=SECRET, total_timeout_s=1.0)
    account = AccountConfig("main", "simulator", max_group=100, rate=None, in_flight=2, options=options)
    gateways = Gateways(
        GatewayConfig({"main": account}, {"default": (ConfiguredMember("main", 1, 1),)}), "http://127.0.0.1:9"
    )
    rules = [{"match": f".*{end}", "answer": answer, "receipt": "none"} for end, answer in FATES.items()]
    simulator.behave(by_phone=rules)
    city = make_city(database, 0, gateways=gateways, more=[{"phone": f"+861380000{n:04}"} for n in range(20)])
    drain(database, gateways)
    assert statuses(database, city.run_id) == {"accepted": 10, "unknown": 10}

    assert look_up(database, gateways, "9 minutes") == 0
    assert [row.looked_up_at for row in attempts(database)] == [None] * 20, "nothing was asked yet"

    assert look_up(database, gateways, "11 minutes") == 10
    assert statuses(database, city.run_id) == {"accepted": 18, "refused": 2}
    refused = [row for row in messages(database, city.run_id) if row.status == "refused"]
    assert [(row.reason, row.phone[-1]) for row in refused if row.phone] == [("not_taken", "5")] * 2
    theirs = {line["reference"]: line["id"] for line in simulator.ledger()}
    assert [row.provider_id for row in attempts(database)] == [
        theirs[f"{row.month:%Y%m}-{row.id}"] for row in attempts(database)
    ]
    with database.session() as session:
        assert disagreements(session, simulator.ledger(), [city.run_id]) == []
    assert len(simulator.ledger()) == 20, "nothing was sent again"
    assert look_up(database, gateways, "71 hours") == 0
    gateways.close()


def test_a_provider_that_is_away_is_asked_again(database: Database, simulator: SimulatorProcess) -> None:
    options = Options(url=simulator.url, secret=SECRET, total_timeout_s=1.0)
    account = AccountConfig("main", "simulator", max_group=100, rate=None, in_flight=2, options=options)
    gateways = Gateways(
        GatewayConfig({"main": account}, {"default": (ConfiguredMember("main", 1, 1),)}), "http://127.0.0.1:9"
    )
    simulator.behave(error_share=1)
    city = make_city(database, 3, gateways=gateways)
    drain(database, gateways)
    simulator.kill()
    assert look_up(database, gateways, "11 minutes") == 0
    assert statuses(database, city.run_id) == {"unknown": 3}
    simulator.restart()
    assert look_up(database, gateways, "15 minutes") == 3
    assert statuses(database, city.run_id) == {"accepted": 3}
    gateways.close()


def test_a_question_names_what_was_handed_over(database: Database) -> None:
    city, adapter = unknown_city(database, 2)
    look_up(database, city.gateways, "11 minutes")
    began = {f"{row.month:%Y%m}-{row.id}": row.started_at for row in attempts(database)}
    # Questions are asked at the same time, so in any order.
    assert {(q.reference, q.phone, q.body, q.began_at) for q in adapter.asked} == {
        (handed.reference, handed.phone, handed.body, began[handed.reference]) for handed in adapter.handed
    }
    assert len(adapter.asked) == len(adapter.handed) == 2
    assert {row.detail for row in attempts(database)} == {"looked up"}


def test_it_is_asked_again_later_each_time_and_not_for_ever(database: Database) -> None:
    city, adapter = unknown_city(database)
    adapter.tell = lambda question: None
    asked = []
    for time in ("599 seconds", "610 seconds", "750 seconds", "780 seconds", "71 hours", "71 hours", "73 hours"):
        look_up(database, city.gateways, time)
        asked.append(len(adapter.asked))
    assert asked == [0, 1, 1, 2, 3, 3, 3]
    assert statuses(database, city.run_id) == {"unknown": 1}


def test_one_cycle_asks_about_a_bounded_number_and_the_next_about_the_rest(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    city, adapter = unknown_city(database, 5)
    monkeypatch.setattr(reconcile, "BATCH", 3)
    assert [look_up(database, city.gateways, "11 minutes") for _ in range(3)] == [3, 2, 0]
    assert len({question.reference for question in adapter.asked}) == 5


def test_not_finding_a_text_proves_nothing_where_the_list_may_have_gaps(database: Database) -> None:
    city, adapter = unknown_city(database)
    adapter.capabilities = replace(adapter.capabilities, look_up_complete=False)
    adapter.tell = lambda question: Finding(None)
    assert look_up(database, city.gateways, "11 minutes") == 0
    adapter.tell = lambda question: Finding("p1")
    assert look_up(database, city.gateways, "15 minutes") == 1
    assert statuses(database, city.run_id) == {"accepted": 1}


def test_an_account_that_cannot_be_asked_never_is(database: Database) -> None:
    city, adapter = unknown_city(database)
    adapter.capabilities = ScriptedAdapter.capabilities
    assert look_up(database, city.gateways, "11 minutes") == 0
    assert not adapter.asked


def test_a_look_up_that_fails_leaves_the_next_account_its_turn(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    adapters = {"main": TellingAdapter(), "other": TellingAdapter()}
    gateways = ScriptedGateways(adapters)
    city = make_city(database, 2, gateways=gateways)
    hand_over(database, city, "unknown")
    with database.transaction() as connection:
        connection.execute(
            text(
                "UPDATE attempts SET account_id = (SELECT id FROM gateway_accounts WHERE name = 'other')"
                " WHERE id = (SELECT max(id) FROM attempts)"
            )
        )
        connection.execute(text("UPDATE messages SET text = '【云州先锋】学习', parts = 1"))

    def fail(question: Question) -> Finding:
        raise RuntimeError(f"the provider quotes {question.phone}")

    adapters["main"].tell = fail
    assert look_up(database, gateways, "11 minutes") == 1
    assert statuses(database, city.run_id) == {"accepted": 1, "unknown": 1}
    assert "RuntimeError" in caplog.text
    assert "+86" not in caplog.text


def test_a_redacted_text_cannot_be_asked_about(database: Database) -> None:
    city, adapter = unknown_city(database)
    with database.transaction() as connection:
        connection.execute(text("UPDATE messages SET text = NULL"))
    assert look_up(database, city.gateways, "11 minutes") == 0
    assert not adapter.asked


def test_an_older_attempt_is_settled_and_its_message_left_alone(database: Database) -> None:
    city, adapter = unknown_city(database)
    with database.transaction() as connection:
        resolving.send_rows_again(connection, city.run_id, None)
    hand_over(database, city, "accepted")
    adapter.tell = lambda question: Finding(None)
    assert look_up(database, city.gateways, "11 minutes") == 1
    assert [(row.status, row.error) for row in attempts(database)] == [("refused", "not_taken"), ("accepted", None)]
    assert statuses(database, city.run_id) == {"accepted": 1}


def test_what_never_left_gives_its_place_of_the_cap_back_and_may_be_retried(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute(text("INSERT INTO caps (class, per_day) VALUES ('study', 3) ON CONFLICT DO NOTHING"))
    city, adapter = unknown_city(database, class_="study")

    def used() -> int:
        with database.transaction() as connection:
            return int(connection.execute(text("SELECT sum(used) FROM cap_uses")).scalar_one())

    assert used() == 1
    adapter.tell = lambda question: Finding(None)
    look_up(database, city.gateways, "11 minutes")
    assert statuses(database, city.run_id) == {"refused": 1}
    assert used() == 0
    with database.transaction() as connection:
        resolving.retry_rows(connection, city.run_id, [ErrorClass.not_taken])
    assert statuses(database, city.run_id) == {"pending": 1}


def test_a_parked_receipt_applies_once_its_text_is_found(database: Database) -> None:
    city, adapter = unknown_city(database)
    adapter.tell = lambda question: Finding("p1")
    Inbox(database).store("main", [Receipt(ReceiptStatus.delivered, "p1", "{}")])
    inbox.apply_waiting_receipts(database)
    assert statuses(database, city.run_id) == {"unknown": 1}
    with ahead_by(database.url, "11 minutes") as ahead:
        reconcile.look_up_unknown(ahead, city.gateways)
        assert statuses(database, city.run_id) == {"accepted": 1}
        inbox.apply_waiting_receipts(ahead)
    assert statuses(database, city.run_id) == {"delivered": 1}


Late = Callable[[Database, Connection, Any], None]


def accepted_late(database: Database, connection: Connection, row: Any) -> None:
    """The worker that had the answer writes it down at last."""
    protocol.record_outcomes(connection, row.month, [Recorded(row.id, OutcomeKind.accepted, provider_id="late")])


def receipt_applied(database: Database, connection: Connection, row: Any) -> None:
    """A receipt that echoes our name."""
    name = receipts.attempt_reference(row.month, row.id)
    Inbox(database).store("main", [Receipt(ReceiptStatus.delivered, "late", "{}", reference=name)])
    assert receipts.apply_receipts(connection, 10).moved == 1


@pytest.mark.parametrize("finding", [Finding(None), Finding("found")])
@pytest.mark.parametrize(("late", "status"), [(accepted_late, "accepted"), (receipt_applied, "delivered")])
@pytest.mark.parametrize("late_commits", ["before", "while the look-up waits for it"])
def test_what_comes_while_the_provider_is_asked_is_never_taken_back(
    database: Database, finding: Finding, late: Late, status: str, late_commits: str
) -> None:
    city, adapter = unknown_city(database)
    [row] = attempts(database)
    asked, go_on = threading.Event(), threading.Event()

    def tell(question: Question) -> Finding:
        asked.set()
        assert go_on.wait(30)
        return finding

    adapter.tell = tell
    with ThreadPoolExecutor(1) as pool, ahead_by(database.url, "11 minutes") as ahead:
        looking = pool.submit(reconcile.look_up_unknown, ahead, city.gateways)
        assert asked.wait(30)
        with database.transaction() as connection:
            late(database, connection, row)
            if late_commits != "before":
                go_on.set()
                wait_until_blocked(database)
        go_on.set()
        looking.result(30)
    assert statuses(database, city.run_id) == {status: 1}
    [row] = attempts(database)
    assert (row.status, row.error) == (status, None)


@pytest.mark.parametrize(("late", "status"), [(accepted_late, "accepted"), (receipt_applied, "delivered")])
def test_what_comes_after_a_text_was_found_only_adds_to_it(database: Database, late: Late, status: str) -> None:
    city, _ = unknown_city(database)
    [row] = attempts(database)
    look_up(database, city.gateways, "11 minutes")
    with database.transaction() as connection:
        late(database, connection, row)
    assert statuses(database, city.run_id) == {status: 1}
    assert attempts(database)[0].provider_id == f"p{row.month:%Y%m}-{row.id}"


def test_a_receipt_speaks_louder_than_a_list_without_the_text(database: Database) -> None:
    city, adapter = unknown_city(database)
    [row] = attempts(database)
    adapter.tell = lambda question: Finding(None)
    look_up(database, city.gateways, "11 minutes")
    assert statuses(database, city.run_id) == {"refused": 1}
    with database.transaction() as connection:
        receipt_applied(database, connection, row)
    assert statuses(database, city.run_id) == {"delivered": 1}


def test_two_that_look_up_at_once_never_ask_the_same(database: Database) -> None:
    city, adapter = unknown_city(database, 40)
    start = threading.Barrier(4)

    def cycle(ahead: Database) -> int:
        start.wait(30)
        return reconcile.look_up_unknown(ahead, city.gateways)

    with ThreadPoolExecutor(4) as pool, ahead_by(database.url, "11 minutes") as ahead:
        assert sum(pool.map(cycle, [ahead] * 4)) == 40
    assert set(Counter(question.reference for question in adapter.asked).values()) == {1}


def test_a_worker_looks_up_in_a_thread_of_its_own_and_only_one_of_them(database: Database) -> None:
    city, adapter = unknown_city(database)
    settled = threading.Event()
    with ahead_by(database.url, "11 minutes") as ahead:

        class Watched(Database):
            """Tells when something was committed."""

            @contextmanager
            def transaction(self) -> Iterator[Connection]:
                with super().transaction() as connection:
                    yield connection
                if statuses(database, city.run_id) == {"accepted": 1}:
                    settled.set()

        watched = Watched(ahead.url)
        ends = [reconcile.start_looking_up(watched, city.gateways) for _ in range(2)]
        assert settled.wait(30)
        assert not Leadership(database, reconcile.LEADERSHIP).prove(), "it leads through the pause"
        for end in ends:
            end()
        for thread in threading.enumerate():
            if thread.name == "look-up":
                thread.join(30)
        watched.close()
    assert len(adapter.asked) == 1
    assert Leadership(database, reconcile.LEADERSHIP).prove()


def test_what_who_leads_no_longer_has_found_is_refused(database: Database) -> None:
    """As if it had been stopped while the provider answered, and continued when another leads."""
    city, adapter = unknown_city(database)
    first, second = (Leadership(database, reconcile.LEADERSHIP) for _ in range(2))
    assert first.prove()

    def is_stopped_here(question: Question) -> Finding:
        end_lease(database, reconcile.LEADERSHIP)
        assert second.prove()
        return Finding(None)

    adapter.tell = is_stopped_here
    with ahead_by(database.url, "11 minutes") as ahead, pytest.raises(NotLeading):
        reconcile.look_up_unknown(ahead.guarded(first.require), city.gateways)
    assert statuses(database, city.run_id) == {"unknown": 1}
    adapter.tell = lambda question: Finding("p1")
    with ahead_by(database.url, "14 minutes") as ahead:
        assert reconcile.look_up_unknown(ahead.guarded(second.require), city.gateways) == 1
    assert statuses(database, city.run_id) == {"accepted": 1}
