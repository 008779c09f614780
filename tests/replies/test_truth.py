"""1,500 replies, mixed and dirty, over HTTP and SMPP, end where a file says that was written beside them."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from simulator_process import SimulatorProcess
from smpp_provider import PASSWORD
from sqlalchemy import text

from benchmarks import city
from benchmarks.answers import DirtyReply, make_answers
from benchmarks.receiving import mark_accepted
from sms_service.controls.accounts import synchronise_gateways
from sms_service.db.engine import Database
from sms_service.dispatch import freeze
from sms_service.gateways.simulator.signature import signature_headers
from sms_service.gateways.smpp.adapter import Options, create
from sms_service.inbound import Inbound
from sms_service.replies import matching
from tests.callbacks.test_callbacks import SECRET, application
from tests.dispatch.city import ScriptedAdapter, ScriptedGateways
from tests.examples import count_examples
from tests.replies.asking import ask

BRANCHES = 50
PEOPLE = BRANCHES * count_examples(30)
END = """
SELECT r.phone, r.meaning, a.said, a.people, coalesce(r.inbox_status = 'unread', false) AS needs_person,
       EXISTS (SELECT FROM suppressions s WHERE s.phone = r.phone AND s.lifted_at IS NULL) AS is_stopped
FROM replies r LEFT JOIN answers a ON a.reply_id = r.id AND a.voided_at IS NULL
WHERE r.joined_to IS NULL
"""


def write_truth(path: Path) -> list[DirtyReply]:
    """One reply of each person; what each has to become stands in the file."""
    said = list(make_answers([f"+86139{number:08d}" for number in range(1, PEOPLE + 1)]))
    with path.open("w", encoding="utf-8") as file:
        for one in said:
            truth = {"meaning": one.meaning, "people": one.people, "needs_person": one.needs_person}
            file.write(json.dumps({"phone": one.phone, **truth}) + "\n")
    return said


def ask_the_city(database: Database) -> None:
    """All have a text that asks whether they come."""
    gateways = ScriptedGateways({"simulator": ScriptedAdapter(), "line": ScriptedAdapter()})
    city.build(database, PEOPLE, BRANCHES)
    with database.session() as session:
        synchronise_gateways(session, gateways)
        city.plan_run(session)
    run_id = city.launch(database)
    freeze.freeze_run(database, run_id)
    mark_accepted(database)
    ask(database, run_id)


def push(app: Flask, said: Sequence[DirtyReply]) -> None:
    """Each piece in a POST of its own."""
    client = app.test_client()
    for one in said:
        for part, piece in enumerate(one.pieces, start=1):
            reply: dict[str, Any] = {"id": f"{one.phone}-{part}", "from": one.phone, "to": "1069", "text": piece}
            if len(one.pieces) > 1:
                reply |= {"part": part, "parts": len(one.pieces), "series": one.phone}
            body = json.dumps({"replies": [{**reply, "time": time.time()}]}).encode()
            answer = client.post(
                "/callbacks/simulator/replies", data=body, headers=signature_headers(SECRET, body, time.time())
            )
            assert answer.status_code == 204


def send_over_line(database: Database, folder: Path, said: Sequence[DirtyReply]) -> None:
    """All of them over one SMPP line, which acknowledges what is stored."""
    inbound = Inbound(database)
    with SimulatorProcess(folder / "smsc.jsonl", secret=PASSWORD, smpp=True) as smsc:
        adapter = create("smpp", Options("127.0.0.1", smsc.smpp_port, "simulator", PASSWORD, "10690000"), "")
        adapter.open(lambda receipts, replies: inbound.begin_to_keep("line", receipts, replies))
        try:
            assert adapter.state(20).up
            with ThreadPoolExecutor(4) as pool:
                list(pool.map(lambda one: smsc.reply(one.phone, one.text, via="smpp"), said))
            smsc.until(lambda: sum(event["event"] == "replied" for event in smsc.events()) >= len(said))
        finally:
            adapter.close()
            inbound.close()


@pytest.mark.slow
def test_replies_end_where_the_truth_says(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ask_the_city(database)
    said = write_truth(tmp_path / "truth.jsonl")
    half = PEOPLE // 2
    app = application(tmp_path, monkeypatch, database)
    with ThreadPoolExecutor(5) as pool:
        pushed = [pool.submit(push, app, said[start:half:4]) for start in range(4)]
        pushed.append(pool.submit(send_over_line, database, tmp_path, said[half:]))
        for one in pushed:
            one.result(timeout=120)
    while matching.match_waiting(database):
        pass
    with database.transaction() as connection:
        found = {row.phone: row for row in connection.execute(text(END))}
    truth = [json.loads(line) for line in (tmp_path / "truth.jsonl").read_text("utf-8").splitlines()]
    assert len(found) == len(truth) == PEOPLE
    for one in truth:
        row, counts = found[one["phone"]], one["meaning"] in ("yes", "no", "free_text")
        assert (row.meaning, row.people, row.needs_person) == (one["meaning"], one["people"], one["needs_person"]), one
        assert row.said == (one["meaning"] if counts else None)
        assert row.is_stopped == (one["meaning"] == "stop")
