"""What is counted is what the provider's own ledger says: from the rows, and from what they are added up to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sms_service.db.engine import Database
from sms_service.embedded import RedisServer
from sms_service.gateways.base import ReceiptStatus
from sms_service.gateways.simulator.answers import CODES
from sms_service.parts import measure_text
from sms_service.reports.counts import tabulate_counts
from sms_service.reports.filters import Filter
from sms_service.reports.roll_ups import roll_up
from sms_service.reports.sources import choose_source
from tests.clocks import ahead_by
from tests.dispatch.city import ALL_DAY, make_run, statuses
from tests.factories import make_person, make_unit
from tests.gateways.simulator_process import SimulatorProcess
from tests.ledger.test_receipts import arrive, delivered, undelivered
from tests.system.service import service

CARRIERS = {"139": "mobile", "130": "unicom", "133": "telecom", "192": "broadnet"}
BODY = "{{ name }}同志：请参加本周学习，内容为坚持理论联系实际、批评和自我批评，时间地点另行通知。"
PEOPLE = 40  # of each branch


def test_counts_are_those_of_the_providers_own_ledger(
    database: Database, database_url: str, own_redis: RedisServer, tmp_path: Path
) -> None:
    with SimulatorProcess(tmp_path / "ledger.jsonl") as simulator:
        simulator.behave(refuse_share=0.1, throttle_share=0.1, retry_after_s=0, fail_share=0.2, silent_share=0.1)
        with service(database, database_url, own_redis.url, simulator) as running:
            branch_of: dict[str, int] = {}
            with database.session() as session:
                city = make_unit(session, **ALL_DAY)
                for number in range(3):
                    branch = make_unit(session, parent=city, **ALL_DAY)
                    make_person(session, branch, phone=None)
                    for n in range(PEOPLE):
                        phone = f"+86{list(CARRIERS)[n % 4]}{number:04d}{n:04d}"
                        # Longer names make some texts two parts long.
                        make_person(session, branch, name="党" * (2 + 30 * (n % 2)), phone=phone)
                        branch_of[phone] = branch.id
                run_id = make_run(session, city, body=BODY).id
                path = city.path
            running.wait(lambda: has_left(statuses(database, run_id)))
            truth = read_truth(simulator.ledger(), branch_of)
            arrive(database, *receipts(simulator.ledger()), account="simulator")
    assert {text["status"] for text in truth} == {"accepted", "delivered", "undelivered", "refused"}
    assert {text["parts"] for text in truth} == {0, 1, 2}
    compare(database, path, truth)
    with ahead_by(database_url, "2 days") as ahead:
        while choose(ahead, path) is None:
            roll_up(ahead, quiet_s=0)
        compare(ahead, path, truth)


def has_left(counted: Mapping[str, int]) -> bool:
    """Whether nothing of the run waits any more."""
    return bool(counted) and counted.keys() <= {"accepted", "refused", "skipped"}


def read_truth(ledger: list[dict[str, Any]], branch_of: dict[str, int]) -> list[dict[str, Any]]:
    """What the provider says of each phone: of those that it never took, that it refused them."""
    taken = {line["to"]: line for line in ledger if line.get("id")}
    found = []
    for phone, branch in branch_of.items():
        line = taken.get(phone)
        status, parts = ("refused", 0) if line is None else (fate(line), measure_text(line["text"]).parts)
        found.append({"unit": branch, "status": status, "carrier": CARRIERS[phone[3:6]], "parts": parts})
    return found


def fate(line: dict[str, Any]) -> str:
    """What the last receipt of a text that was taken says."""
    said = {CODES.receipts[code].result for _, code, *_ in line["receipts"]}
    for final in (ReceiptStatus.delivered, ReceiptStatus.undelivered):
        if final in said:
            return str(final.value)
    return "accepted"


def receipts(ledger: list[dict[str, Any]]) -> list[Any]:
    """Those receipts, as an adapter reads them."""
    fates = {line["reference"]: fate(line) for line in ledger if line.get("id")}
    made = {"delivered": delivered, "undelivered": undelivered}
    return [made[said](reference) for reference, said in fates.items() if said in made]


def compare(database: Database, path: str, truth: list[dict[str, Any]]) -> None:
    """Each question gives the provider's numbers."""
    left = [one for one in truth if one["status"] != "refused"]
    with database.session() as session:
        for by in (("status",), ("unit", "status"), ("carrier", "status"), ("unit", "carrier"), ("account", "status")):
            expected: Counter[tuple[Any, ...]] = Counter()
            parts: Counter[tuple[Any, ...]] = Counter()
            for one in truth:
                key = tuple("simulator" if name == "account" else one[name] for name in by)
                expected[key] += 1
                parts[key] += one["parts"]
            lines = [
                (tuple(value["id"] if isinstance(value, dict) else value for value in line.by.values()), line)
                for status in ("accepted", "delivered", "undelivered", "refused")
                for line in tabulate_counts(session, Filter((path,), status=status), by).lines
            ]
            counted: Counter[tuple[Any, ...]] = Counter()
            counted_parts: Counter[tuple[Any, ...]] = Counter()
            for key, line in lines:
                counted[key] += line.messages
                counted_parts[key] += line.parts
                assert line.people == line.messages, "everybody got one text"
            assert (counted, +counted_parts) == (expected, +parts), by
        whole = tabulate_counts(session, Filter((path,)), ("day", "class", "kind"))
        assert len(whole.lines) == 1
        assert (whole.total.messages, whole.total.parts) == (len(truth) + 3, sum(one["parts"] for one in left))


def choose(database: Database, path: str) -> Any:
    """Whether the roll-ups answer."""
    with database.session() as session:
        return choose_source(session, Filter((path,)), ("unit",))
