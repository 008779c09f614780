"""The parent of everything is killed in mid-campaign and started again: its children end with it, in good order."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import psutil

from sms_service.db.engine import Database
from sms_service.embedded import with_running_engines
from sms_service.gateways.registry import Gateways
from sms_service.ops.agreement import disagreements
from sms_service.reports.counts import check_identity
from tests.dispatch.city import make_city, statuses
from tests.gateways.simulator_process import SECRET, SimulatorProcess
from tests.ops.whole_service import PATIENCE_S, ROOT, wait_for, whole_service

PEOPLE = 1000


def test_a_killed_parent_loses_and_doubles_nothing(tmp_path: Path) -> None:
    with SimulatorProcess(tmp_path / "ledger.jsonl") as simulator:
        simulator.behave(silent_share=1, answer_delay_s=[0.05, 0.15])
        provider = {"SIMULATOR_URL": simulator.url, "SIMULATOR_SECRET": SECRET}
        with whole_service({**provider, "WORKERS": "2"}) as service:
            url = with_running_engines(service.settings).database_url or ""
            gateways = Gateways.from_file(ROOT / "gateways.toml", "http://127.0.0.1:9", provider)
            database = Database(url)
            city = make_city(database, PEOPLE, gateways=gateways)
            simulator.until(lambda: len(simulator.events()) > 300, timeout_s=PATIENCE_S)
            family = service.family()
            database.close()  # a session of ours would be one more that the server waits for
            service.kill_parent()
            _, alive = psutil.wait_procs(family, timeout=PATIENCE_S)
            assert alive == []
            handed = len(simulator.events())
            assert handed < PEOPLE
            service.up()
            # The children were asked to end: each worker has written down what the gateway said of its groups.
            wait_for(lambda: statuses(database, city.run_id) == {"accepted": PEOPLE})
            with database.session() as session:
                assert check_identity(session, city.run_id).holds
                assert disagreements(session, simulator.ledger(), [city.run_id]) == []
            assert set(Counter(line["to"] for line in simulator.ledger()).values()) == {1}
            database.close()
