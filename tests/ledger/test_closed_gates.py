"""A person who pauses a run is not kept waiting by gates that overlap without end."""

from __future__ import annotations

import threading
import uuid

from sqlalchemy import text

from sms_service.accounts.actors import SYSTEM
from sms_service.campaigns import control
from sms_service.db.engine import Database
from sms_service.ledger import protocol
from tests.dispatch.city import make_city, make_dispatcher
from tests.waiting import wait_until_blocked


def test_a_pause_waits_for_gates_under_way_and_no_later_one_overtakes_it(database: Database) -> None:
    city = make_city(database, 2)
    offer = make_dispatcher(database, city.gateways).offers()[0]
    paused, second_gate = threading.Event(), threading.Event()

    def pause() -> None:
        with database.session() as session:
            control.pause_run(session, SYSTEM, city.run_id, "有误")
        paused.set()

    def gate() -> None:
        with database.transaction() as connection:
            protocol.pass_gate(connection, offer.claim(str(uuid.uuid4())), [], 60)
            status = connection.execute(text("SELECT status FROM runs")).scalar_one()
            assert status == "paused", "it overtook the pause"
        second_gate.set()

    with database.engine.connect() as first:
        protocol.pass_gate(first, offer.claim(str(uuid.uuid4())), [], 60)
        threads = []
        for act, number in ((pause, 1), (gate, 2)):
            threads.append(threading.Thread(target=act))
            threads[-1].start()
            wait_until_blocked(database, number)
        assert not paused.is_set()
        first.commit()
    for thread in threads:
        thread.join()
    assert second_gate.is_set()
