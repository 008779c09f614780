"""The link process: killed at any moment, without a session, with a wrong password, asked to end."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from sms_service.db.engine import Database
from sms_service.reports.counts import check_identity
from tests.clocks import end_lease
from tests.dispatch.city import account, make_city, statuses
from tests.gateways.simulator_process import SimulatorProcess
from tests.system.link_service import LINK, PASSWORD, LinkService
from tests.system.service import sweep_ahead

BODY = (
    "{{ name }}同志：您好！本周学习内容：坚持理论联系实际，把学习成果转化为服务群众的实际行动𠮷。" + "请抽空学习😀" * 6
)
ENDS = {"delivered", "undelivered", "unknown", "refused"}


@pytest.fixture
def smsc(tmp_path: Path) -> Iterator[SimulatorProcess]:
    """The simulator's SMSC, which knows the carrier's log-in."""
    with SimulatorProcess(tmp_path / "ledger.jsonl", "--system-id", "city", smpp=True, secret=PASSWORD) as process:
        yield process


@pytest.fixture
def service(
    database: Database, database_url: str, redis_url: str, tmp_path: Path, smsc: SimulatorProcess
) -> Iterator[LinkService]:
    with LinkService(database, database_url, redis_url, tmp_path, smsc.smpp_port) as running:
        yield running


def settled(database: Database, run_id: int) -> int:
    """How many rows have come to an end."""
    return sum(number for status, number in statuses(database, run_id).items() if status in ENDS)


def compare(database: Database, run_id: int, smsc: SimulatorProcess) -> None:
    """The SMSC's ground truth against the ledger: nobody twice, nobody lost, whole texts as they were written."""
    taken = Counter(line["to"] for line in smsc.ledger() if line["id"])
    assert set(taken.values()) <= {1}
    parts = Counter((part["to"], part["seq"]) for part in smsc.parts() if part["outcome"] == "accepted")
    assert set(parts.values()) <= {1}
    texts = {line["to"]: line["text"] for line in smsc.ledger() if line["id"]}
    with database.session() as session:
        assert check_identity(session, run_id).holds
        rows = session.connection().exec_driver_sql("SELECT phone, status, text FROM messages").all()
    for phone, status, text in rows:
        assert (phone, status) == (phone, "delivered" if phone in texts else "unknown")
        assert phone not in texts or texts[phone] == text


@pytest.mark.parametrize("kill_after", [1, 57, 210])
def test_a_link_killed_at_any_moment_texts_nobody_twice_and_loses_no_acknowledged_receipt(
    database: Database, service: LinkService, smsc: SimulatorProcess, kill_after: int
) -> None:
    smsc.behave(receipt_delay_s=[0.0, 0.2], answer_delay_s=[0.0, 0.02])
    city = make_city(database, 300, body=BODY, gateways=service.gateways, freeze_now=False)
    service.wait(lambda: len(smsc.parts()) >= kill_after)
    service.kill_link()
    url = service.variables["DATABASE_URL"]

    def done() -> bool:
        sweep_ahead(url)  # what the dead one held, its lease over
        return settled(database, city.run_id) == 300

    service.wait(done)
    # Receipts that were not acknowledged come again, and everything that was acknowledged is in the ledger.
    service.wait(lambda: statuses(database, city.run_id).get("delivered", 0) >= _whole(smsc))
    compare(database, city.run_id, smsc)
    acknowledged = sum(event["event"] == "receipt" and event["acknowledged"] for event in smsc.events())
    assert service.count("SELECT count(*) FROM receipts") >= acknowledged


def _whole(smsc: SimulatorProcess) -> int:
    return sum(line["id"] is not None for line in smsc.ledger())


def test_a_link_that_is_asked_to_end_has_its_outcomes_first(
    database: Database, service: LinkService, smsc: SimulatorProcess
) -> None:
    smsc.behave(silent_share=1, answer_delay_s=[0.05, 0.1])
    city = make_city(database, 200, gateways=service.gateways, freeze_now=False)
    service.wait(lambda: len(smsc.parts()) >= 20)
    service.link.send_signal(signal.SIGTERM)
    assert service.link.wait(timeout=60) == 0
    found = statuses(database, city.run_id)
    assert set(found) <= {"accepted", "pending"}
    assert found["accepted"] == len(smsc.parts())


def test_a_wrong_password_pauses_the_account_until_a_person_opens_it(
    database: Database, database_url: str, redis_url: str, tmp_path: Path
) -> None:
    with (
        SimulatorProcess(tmp_path / "l.jsonl", "--system-id", "city", smpp=True, secret="another") as smsc,
        LinkService(database, database_url, redis_url, tmp_path, smsc.smpp_port) as service,
    ):
        service.wait(lambda: "refused" in (account(database, "carrier").reason or ""))
        found = account(database, "carrier")
        assert (found.state, found.reopens_at) == ("paused", None)
        assert found.reason == "the provider refused the link: the log-in was refused: 0x0000000E"


def test_a_reply_over_the_link_that_means_stop_suppresses(
    database: Database, service: LinkService, smsc: SimulatorProcess
) -> None:
    city = make_city(database, 2, gateways=service.gateways, freeze_now=False)
    service.wait(lambda: statuses(database, city.run_id).get("delivered") == 2)
    phone = smsc.ledger()[0]["to"]
    smsc.reply(phone, "退订")
    service.wait(lambda: service.count("SELECT count(*) FROM replies WHERE matched_at IS NOT NULL"))
    with database.transaction() as connection:
        assert connection.exec_driver_sql("SELECT phone, source FROM suppressions").all() == [(phone, "reply")]
        (row,) = connection.exec_driver_sql("SELECT phone, text, meaning, message_id FROM replies").all()
    assert (row.phone, row.text, row.meaning) == (phone, "退订", "stop")
    assert row.message_id is not None


def test_of_two_links_one_holds_the_session(database: Database, service: LinkService, smsc: SimulatorProcess) -> None:
    service.wait(lambda: smsc.smpp_state()["sessions"])
    second = service.start("--link", "carrier")
    service.wait(
        lambda: service.count("SELECT count(*) FROM pg_stat_activity WHERE application_name ^@ 'sms_service link'") >= 3
    )
    assert len(smsc.smpp_state()["sessions"]) == 1
    service.link.kill()
    service.link.wait()
    end_lease(database, LINK)
    city = make_city(database, 5, gateways=service.gateways, freeze_now=False)
    service.wait(lambda: statuses(database, city.run_id).get("delivered") == 5)
    assert second.poll() is None


def test_while_no_process_holds_the_link_its_account_is_paused(
    database: Database, service: LinkService, smsc: SimulatorProcess
) -> None:
    service.wait(lambda: smsc.smpp_state()["sessions"])
    service.wait(lambda: account(database, "carrier").state == "open")
    service.link.kill()
    service.link.wait()
    end_lease(database, LINK)
    service.wait(lambda: account(database, "carrier").state == "paused")
    found = account(database, "carrier")
    assert found.reason == "the link is down: no process holds it (worker.py --link)"
    assert found.reopens_at is not None
    service.link = service.start("--link", "carrier")
    service.wait(lambda: account(database, "carrier").state == "open")
