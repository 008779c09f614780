"""The simulator as a process: its ledger, its receipts, and what a kill leaves behind."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import urllib.error
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from receipt_sink import ReceiptSink
from simulator_process import SECRET, SimulatorProcess

from sms_service.gateways.simulator.signature import sign

SILENT = {"silent_share": 1}
AT_ONCE = {"receipt_delay_s": [0, 0]}


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[SimulatorProcess]:
    with SimulatorProcess(tmp_path / "ledger.jsonl") as simulator:
        yield simulator


@pytest.fixture
def sink() -> Iterator[ReceiptSink]:
    with ReceiptSink() as sink:
        yield sink


def message(reference: str = "202601-1", **fields: Any) -> bytes:
    return json.dumps({"reference": reference, "to": "+8613800138000", "text": "【学习】你好", **fields}).encode()


def test_a_text_is_in_the_ledger_before_the_caller_has_its_answer(simulator: SimulatorProcess) -> None:
    status, answer = simulator.post(message())
    [line] = simulator.ledger()
    assert (status, line["id"], line["outcome"]) == (201, answer["id"], "accepted")
    assert (line["reference"], line["to"], line["text"]) == ("202601-1", "+8613800138000", "【学习】你好")
    assert simulator.ledger_path.stat().st_mode & 0o077 == 0, "only its owner may read phone numbers"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "malformed"),
        (b"[" * 100_000, "malformed"),
        (b"[]", "malformed"),
        (message(reference="x" * 41), "malformed"),
        (message(reference="a b"), "malformed"),
        (message(reference=None), "malformed"),
        (message(text=""), "malformed"),
        (message(to=13800138000), "malformed"),
        (message(callback_url="ftp://x"), "malformed"),
        (message(validity_s=0), "malformed"),
        (message(validity_s=True), "malformed"),
        (message(to="13800138000"), "invalid_number"),
    ],
)
def test_what_is_refused_is_in_the_ledger_too(simulator: SimulatorProcess, body: bytes, code: str) -> None:
    status, answer = simulator.post(body)
    assert (status, answer["code"]) == (400, code)
    assert answer["reason"]
    [line] = simulator.ledger()
    assert (line["outcome"], line["code"], line["id"]) == ("refused", code, None)


def test_without_the_secret_nothing_is_taken_and_nothing_shown(simulator: SimulatorProcess) -> None:
    for given in ("", "Bearer wrong", "Bearer é"):
        assert simulator.post(message(), authorization=given)[0] == 401
    assert {line["code"] for line in simulator.ledger()} == {"unauthorized"}
    for target in ("/ledger", "/messages?reference=1", "/behaviour"):
        with pytest.raises(urllib.error.HTTPError, match="401"):
            simulator._call("GET", target, None, "")
    assert simulator._call("GET", "/health", None, "") == b'{"status": "ok"}'


def test_the_same_reference_twice_is_two_texts(simulator: SimulatorProcess) -> None:
    first, second = simulator.post(message()), simulator.post(message())
    assert first[1]["id"] != second[1]["id"]
    found = json.loads(simulator.get("/messages?reference=202601-1"))["messages"]
    assert [line["id"] for line in found] == [first[1]["id"], second[1]["id"]]
    assert json.loads(simulator.get("/messages?to=%2B8613800138000"))["messages"] == found
    assert json.loads(simulator.get("/messages?reference=202601-2"))["messages"] == []
    assert simulator.get("/ledger") == simulator.ledger_path.read_bytes()


def test_receipts_are_signed_and_echo_our_reference(simulator: SimulatorProcess, sink: ReceiptSink) -> None:
    simulator.behave(**AT_ONCE)
    _, answer = simulator.post(message(callback_url=sink.url))
    pushed = sink.next()
    [receipt] = pushed.receipts()
    assert pushed.path == "/callbacks/simulator"
    assert (receipt["id"], receipt["reference"], receipt["code"]) == (answer["id"], "202601-1", "DELIVRD")
    timestamp = pushed.headers["X-Simulator-Timestamp"]
    assert pushed.headers["X-Simulator-Signature"] == sign(SECRET, timestamp, pushed.body)


def test_a_receipt_comes_again_until_it_is_acknowledged(simulator: SimulatorProcess, sink: ReceiptSink) -> None:
    simulator.behave(**AT_ONCE)
    sink.statuses = [500, 403]
    simulator.post(message(callback_url=sink.url))
    receipts = sink.receipts(3)
    assert len({receipt["id"] for receipt in receipts}) == 1
    assert simulator.stop() == 0
    assert [(event["tries"], event["acknowledged"]) for event in simulator.events()[1:]] in ([], [(3, True)])


def test_interim_reversed_and_duplicate_receipts(simulator: SimulatorProcess, sink: ReceiptSink) -> None:
    simulator.behave(receipt_delay_s=[0.1, 0.1], interim=True, duplicate_share=1)
    simulator.post(message("a", callback_url=sink.url))
    assert [receipt["code"] for receipt in sink.receipts(4)] == ["ENROUTE", "ENROUTE", "DELIVRD", "DELIVRD"]
    simulator.behave(reversed=True, duplicate_share=0)
    simulator.post(message("b", callback_url=sink.url))
    assert [receipt["code"] for receipt in sink.receipts(2)] == ["DELIVRD", "ENROUTE"]


@pytest.mark.parametrize(
    ("changes", "codes"),
    [
        ({"interim": True}, ["ENROUTE", "DELIVRD"]),
        ({"interim": True, "reversed": True}, ["DELIVRD", "ENROUTE"]),
        ({"duplicate_share": 1}, ["DELIVRD", "DELIVRD"]),
    ],
)
def test_early_receipts_are_there_before_the_caller_is_answered(
    simulator: SimulatorProcess, sink: ReceiptSink, changes: dict[str, Any], codes: list[str]
) -> None:
    simulator.behave(early_share=1, receipt_delay_s=[3600, 3600], **changes)
    status, answer = simulator.post(message(callback_url=sink.url))
    settled = simulator.events()[1:]
    assert status == 201
    assert [(event["id"], event["code"], event["acknowledged"]) for event in settled] == [
        (answer["id"], code, True) for code in codes
    ]
    assert [receipt["code"] for receipt in sink.receipts(len(codes))] == codes


def test_an_early_receipt_that_is_not_acknowledged_comes_again(simulator: SimulatorProcess, sink: ReceiptSink) -> None:
    simulator.behave(by_phone=[{"match": ".*", "answer": "early", "receipt": "EMPTYNUM"}])
    sink.statuses = [500]
    assert simulator.post(message(callback_url=sink.url))[0] == 201
    assert [receipt["code"] for receipt in sink.receipts(2)] == ["EMPTYNUM", "EMPTYNUM"]


def test_two_simulators_of_one_seed_do_the_same_whatever_the_order(tmp_path: Path) -> None:
    fates = []
    for place, order in enumerate((range(30), reversed(range(30)))):
        options = ["--seed", "5", "--refuse-share", "0.3", "--error-share", "0.3", "--silent-share", "0.2"]
        with SimulatorProcess(tmp_path / f"{place}.jsonl", *options) as simulator:
            for number in order:
                with suppress(ValueError):  # a 500 has no JSON
                    simulator.post(message(str(number), callback_url="http://127.0.0.1:9/"))
            fates.append(
                {
                    line["reference"]: (line["answer"], line["code"], [code for _, code in line["receipts"]])
                    for line in simulator.ledger()
                }
            )
    assert fates[0] == fates[1]
    assert len({str(fate) for fate in fates[0].values()}) >= 3


def test_receipts_can_come_many_in_one_post(simulator: SimulatorProcess, sink: ReceiptSink) -> None:
    # All are due while the simulator is away, so that all of them wait together when it is back.
    simulator.behave(receipt_delay_s=[3600, 3600])
    for number in range(20):
        simulator.post(message(str(number), callback_url=sink.url))
    simulator.kill()
    lines = simulator.events()
    for line in lines:
        line["receipts"] = [[0, code] for _, code in line["receipts"]]
    simulator.ledger_path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    simulator._options += ["--receipts-batch", "100"]
    simulator.restart()
    first = sink.next().receipts()
    assert len(first) > 1
    assert sorted(int(r["reference"]) for r in first + sink.receipts(20 - len(first))) == list(range(20))


def test_a_killed_simulator_goes_on_where_it_was(simulator: SimulatorProcess, sink: ReceiptSink) -> None:
    simulator.behave(receipt_delay_s=[0.5, 0.5])
    _, first = simulator.post(message("before", callback_url=sink.url))
    simulator.kill()
    with simulator.ledger_path.open("ab") as ledger:
        ledger.write(b'{"event":"message","id":"SIM0000')  # a line that was cut short was never answered
    simulator.restart()
    _, second = simulator.post(message("after"))
    assert int(second["id"][3:]) == int(first["id"][3:]) + 1
    [receipt] = sink.receipts(1)
    assert receipt["id"] == first["id"]
    assert [line["reference"] for line in simulator.ledger()] == ["before", "after"]


def test_what_was_acknowledged_is_not_sent_again_after_a_restart(
    simulator: SimulatorProcess, sink: ReceiptSink
) -> None:
    simulator.behave(**AT_ONCE)
    simulator.post(message("one", callback_url=sink.url))
    sink.receipts(1)
    simulator.until(lambda: simulator.ledger()[0]["acknowledged"])
    assert simulator.stop() == 0
    simulator.restart()
    simulator.behave(**AT_ONCE)
    simulator.post(message("two", callback_url=sink.url))
    assert [receipt["reference"] for receipt in sink.receipts(1)] == ["two"]
    assert sink.empty()


def test_it_ends_on_term_even_while_a_caller_hangs(simulator: SimulatorProcess) -> None:
    simulator.behave(hang_share=1)
    host, port = simulator.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as caller:
        body = message()
        head = ["POST /messages HTTP/1.1", "Host: x", f"Authorization: Bearer {SECRET}", f"Content-Length: {len(body)}"]
        caller.sendall("\r\n".join([*head, "", ""]).encode() + body)
        simulator.until(simulator.ledger)
        assert simulator.stop() == 0
    assert simulator.ledger()[0]["outcome"] == "accepted"
    assert "Traceback" not in simulator.log()


def test_faster_than_its_rate_is_throttled(simulator: SimulatorProcess) -> None:
    simulator.behave(rate=0.001, **SILENT)
    assert [simulator.post(message(str(number)))[0] for number in range(3)] == [429, 429, 429]
    assert [line["outcome"] for line in simulator.ledger()] == ["throttled"] * 3
    simulator.behave(rate=10_000)
    assert simulator.post(message("in-time"))[0] == 201


def test_a_behaviour_that_cannot_be_used_is_refused_by_name(simulator: SimulatorProcess) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        simulator.behave(fail_share=2)
    assert json.loads(caught.value.read())["reason"] == "fail_share must be from 0 to 1"
    rule = {"match": ".*", "answer": "hang", "code": "blocked", "receipt": "DELIVRD", "receipt_delay_s": None}
    rule |= {"part": 0, "times": 0, "reply": ""}
    assert simulator.behave(by_phone=[rule])["by_phone"] == [rule]


def run(*arguments: str, secret: str = "x") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sms_service.simulator", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env={"SIMULATOR_SECRET": secret})


def test_what_stops_the_start_is_one_clear_line(simulator: SimulatorProcess, tmp_path: Path) -> None:
    port = ["--port", str(simulator.port)]
    cases = [
        (run(*port, "--ledger", str(tmp_path / "other.jsonl")), f"cannot listen on 127.0.0.1 port {simulator.port}"),
        (run("--port", "0", "--ledger", str(simulator.ledger_path)), "is written by another simulator"),
        (run("--port", "0", "--ledger", str(tmp_path)), "cannot be used"),
        (run(*port, "--ledger", "x", secret=""), "SIMULATOR_SECRET"),
        (run(*port, "--ledger", "x", "--fail-share", "7"), "fail_share must be from 0 to 1"),
        (run(*port, "--ledger", "x", "--callback-url", "nowhere"), "--callback-url must be an absolute"),
    ]
    for ended, reason in cases:
        assert ended.returncode != 0
        assert reason in ended.stderr.splitlines()[-1]
        assert "Traceback" not in ended.stderr
