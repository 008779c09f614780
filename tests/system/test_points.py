"""A worker dies, or stops for longer than its lease and then goes on, at every point of the protocol.

Whatever it was about: nobody is lost, nobody is texted twice, and unknown is only what could have left.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from sms_service.db.engine import Database
from sms_service.dispatch.points import Point
from sms_service.embedded.process import die_with_parent
from sms_service.gateways.registry import Gateways
from sms_service.ops.agreement import disagreements
from sms_service.reports.counts import check_identity
from tests.dispatch.city import City, drain, make_city, statuses
from tests.gateways.simulator_process import SECRET, SimulatorProcess
from tests.system.service import ROOT, sweep_ahead

PEOPLE, GROUP = 30, 10
GATEWAYS = f"""
[accounts.simulator]
adapter = "simulator"
url = "${{SIMULATOR_URL}}"
secret = "${{SIMULATOR_SECRET}}"
max_group = {GROUP}
in_flight = 1
[routes]
default = ["simulator"]
"""
# The gate's COMMIT makes the difference: before it nothing has left.
MAY_HAVE_LEFT = {Point.gate_committed, Point.checked, Point.submitted}


@dataclass
class Place:
    """One database, Redis and simulator for all tests of this module, each with a city of its own."""

    database: Database
    gateways: Gateways
    simulator: SimulatorProcess
    variables: dict[str, str]

    @contextmanager
    def worker(
        self, point: Point, sent: signal.Signals, ahead: Path, **variables: str
    ) -> Iterator[subprocess.Popen[bytes]]:
        """A worker that sends itself a signal at the point, in the second group of three."""
        command = [sys.executable, "-m", "tests.system.pointed_worker", point, "2", sent.name, str(ahead)]
        environment = {**os.environ, **self.variables, **variables}
        worker = subprocess.Popen(command, cwd=ROOT, env=environment, preexec_fn=die_with_parent(signal.SIGKILL))
        try:
            yield worker
        finally:
            worker.kill()
            worker.wait()

    def others_finish(self, city: City) -> dict[str, int]:
        """The leases end, and other workers do the rest; returns the run's statuses. A sweep passes over rows that a
        stopped worker keeps locked, until PostgreSQL ends its session.
        """
        while {"pending", "claimed", "submitting"} & (found := statuses(self.database, city.run_id)).keys():
            sweep_ahead(self.database.url)
            drain(self.database, self.gateways)
        return found

    def check(self, city: City) -> None:
        """Both ledgers agree, and nobody was texted twice."""
        with self.database.session() as session:
            assert check_identity(session, city.run_id).holds
            assert disagreements(session, self.simulator.ledger(), [city.run_id]) == []
        assert set(Counter(line["to"] for line in self.simulator.ledger()).values()) == {1}


@pytest.fixture(scope="module")
def place(database_url: str, redis_url: str) -> Iterator[Place]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "gateways.toml"
        file.write_text(GATEWAYS)
        with SimulatorProcess(Path(folder) / "ledger.jsonl") as simulator:
            simulator.behave(silent_share=1)
            # What PostgreSQL does after a minute to a session that keeps its locks and says nothing, it does at once.
            patient = {"options": "-cidle_in_transaction_session_timeout=500ms"}
            variables = {
                "DATABASE_URL": make_url(database_url).update_query_dict(patient).render_as_string(),
                "REDIS_URL": redis_url,
                "GATEWAYS_FILE": str(file),
                "SIMULATOR_URL": simulator.url,
                "SIMULATOR_SECRET": SECRET,
                "PUBLIC_URL": "http://127.0.0.1:9",
                "ENV_FILE": os.devnull,
            }
            gateways = Gateways.from_file(file, "http://127.0.0.1:9", variables)
            database = Database(database_url)
            yield Place(database, gateways, simulator, variables)
            database.close()
            gateways.close()


@pytest.mark.parametrize("point", Point)
def test_a_worker_killed_there(place: Place, point: Point, tmp_path: Path) -> None:
    city = make_city(place.database, PEOPLE, gateways=place.gateways)
    with place.worker(point, signal.SIGKILL, tmp_path / "ahead") as worker:
        assert worker.wait() == -signal.SIGKILL
    unknown = GROUP if point in MAY_HAVE_LEFT else 0
    expected = {"accepted": PEOPLE - unknown, "unknown": unknown}
    assert place.others_finish(city) == {status: number for status, number in expected.items() if number}
    place.check(city)


@pytest.mark.parametrize("point", Point)
def test_a_worker_stopped_there_for_longer_than_its_lease(place: Place, point: Point, tmp_path: Path) -> None:
    city = make_city(place.database, PEOPLE, gateways=place.gateways)
    with place.worker(point, signal.SIGSTOP, tmp_path / "ahead") as worker:
        _, status = os.waitpid(worker.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        meanwhile = place.others_finish(city)
        assert meanwhile.get("unknown", 0) == (GROUP if point in MAY_HAVE_LEFT else 0)
        assert meanwhile["accepted"] + meanwhile.get("unknown", 0) == PEOPLE
        (tmp_path / "ahead").write_text("120")
        worker.send_signal(signal.SIGCONT)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait() == 0
    found = statuses(place.database, city.run_id)
    if point is Point.gate_committed:
        # It sees that too much time has passed, hands over nothing, and says so of what the sweep called unknown.
        assert found == {"accepted": PEOPLE - GROUP, "refused": GROUP}
    else:
        # What it was told late lifts its rows out of `unknown`.
        assert found == {"accepted": PEOPLE}
    place.check(city)


def test_a_worker_stopped_between_the_gates_statement_and_its_commit(place: Place, tmp_path: Path) -> None:
    """For 45 s: PostgreSQL keeps its session, so the COMMIT comes, but what was asked before it is too old by then."""
    city = make_city(place.database, PEOPLE, gateways=place.gateways)
    session_lives = {"DATABASE_URL": place.database.url}
    with place.worker(Point.gate_sent, signal.SIGSTOP, tmp_path / "ahead", **session_lives) as worker:
        os.waitpid(worker.pid, os.WUNTRACED)
        (tmp_path / "ahead").write_text("45")
        worker.send_signal(signal.SIGCONT)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait() == 0
    assert statuses(place.database, city.run_id) == {"accepted": GROUP, "pending": PEOPLE - GROUP}
    assert place.others_finish(city) == {"accepted": PEOPLE}
    place.check(city)
