"""The faults of the simulator over HTTP, as its adapter sees them: groups, parts, unread answers, look-ups, replies."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from receipt_sink import ReceiptSink
from simulator_process import SECRET, SimulatorProcess

from sms_service.gateways.base import (
    BadCallback,
    CallbackRequest,
    ErrorClass,
    Group,
    OutcomeKind,
    Question,
    ReceiptStatus,
    Reply,
    Text,
)
from sms_service.gateways.simulator.adapter import Options, SimulatorAdapter, create

CALLBACK = "http://127.0.0.1:9/callbacks/simulator"
SILENT = {"silent_share": 1}
LONG = "【学习】" + "学" * 100
PHONE = "+8613800000000"

Make = Callable[..., SimulatorAdapter]


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[SimulatorProcess]:
    with SimulatorProcess(tmp_path / "ledger.jsonl", "--receipt-delay-s", "0", "0") as simulator:
        yield simulator


@pytest.fixture
def sink() -> Iterator[ReceiptSink]:
    with ReceiptSink() as sink:
        yield sink


@pytest.fixture
def make(simulator: SimulatorProcess) -> Iterator[Make]:
    made: list[SimulatorAdapter] = []

    def make(callback_url: str = CALLBACK, **options: Any) -> SimulatorAdapter:
        made.append(create("simulator", Options(url=simulator.url, secret=SECRET, **options), callback_url))
        return made[-1]

    yield make
    for adapter in made:
        adapter.close()


def group(count: int, body: str = "【学习】你好") -> Group:
    return Group("g", [Text(f"202601-{n}", f"+86138{n:08}", body, 2 if body == LONG else 1) for n in range(count)])


def rule(last_digit: int, answer: str, **fields: Any) -> dict[str, Any]:
    return {"match": rf"\+86.*{last_digit}", "answer": answer, "receipt": "none", **fields}


def test_texts_of_one_post_have_an_answer_each(simulator: SimulatorProcess, make: Make) -> None:
    simulator.behave(
        **SILENT, by_phone=[rule(1, "refuse", code="blacklisted"), rule(2, "throttle"), rule(3, "refuse", code="E-9")]
    )
    outcomes = make(batch=10).submit(group(25))
    lines = {line["reference"]: line for line in simulator.ledger()}
    for number, outcome in enumerate(outcomes):
        assert outcome.reference == f"202601-{number}"
        assert outcome.provider_id == lines[outcome.reference]["id"]
        expected = {
            1: (OutcomeKind.refused, ErrorClass.blacklisted),
            2: (OutcomeKind.throttled, ErrorClass.rate),
            3: (OutcomeKind.refused, ErrorClass.unclassified),
        }
        assert (outcome.kind, outcome.error) == expected.get(number % 10, (OutcomeKind.accepted, None))
        assert not outcome.whole_group
        assert outcome.retry_after_s == (1.0 if number % 10 == 2 else None)
    assert len(lines) == 25


@pytest.mark.parametrize(
    ("code", "error", "whole"),
    [
        ("invalid_number", ErrorClass.bad_number, True),
        ("content", ErrorClass.content, True),
        ("E-9", ErrorClass.unclassified, True),
        ("no_balance", ErrorClass.balance, False),
        ("unavailable", ErrorClass.later, False),
    ],
)
def test_one_text_can_make_the_group_refused_whole(
    simulator: SimulatorProcess, make: Make, code: str, error: ErrorClass, whole: bool
) -> None:
    simulator.behave(**SILENT, by_phone=[rule(3, "refuse_group", code=code)])
    adapter = make(batch=10)
    outcomes = adapter.submit(group(5))
    assert {(outcome.kind, outcome.error, outcome.whole_group) for outcome in outcomes} == {
        (OutcomeKind.refused, error, whole)
    }
    assert {line["outcome"] for line in simulator.ledger()} == {"refused"}
    halves = [adapter.submit(Group("h", group(5).texts[:3])), adapter.submit(Group("h", group(5).texts[3:4]))]
    assert [outcome.kind for outcome in halves[0]] == [OutcomeKind.accepted] * 3
    assert [(outcome.kind, outcome.whole_group) for outcome in halves[1]] == [(OutcomeKind.refused, False)]


def test_what_the_answer_to_a_group_does_not_list_is_unknown(simulator: SimulatorProcess, make: Make) -> None:
    simulator.behave(**SILENT, by_phone=[rule(1, "omit")])
    outcomes = make(batch=10).submit(group(3))
    assert [outcome.kind for outcome in outcomes] == [OutcomeKind.accepted, OutcomeKind.unknown, OutcomeKind.accepted]
    assert [line["outcome"] for line in simulator.ledger()] == ["accepted"] * 3


@pytest.mark.parametrize(
    ("answer", "outcomes"),
    [
        ("error", {"accepted"}),
        ("reset", {"accepted"}),
        ("garble", {"accepted"}),
        ("hang", {"accepted"}),
        ("lose", {"lost"}),
        ("unbind", {"lost"}),
        ("ignore", {"lost"}),
    ],
)
def test_no_readable_answer_to_a_group_makes_all_of_it_unknown(
    simulator: SimulatorProcess, make: Make, answer: str, outcomes: set[str]
) -> None:
    simulator.behave(**SILENT, by_phone=[rule(2, answer)])
    found = make(batch=10, total_timeout_s=0.6).submit(group(4))
    assert {outcome.kind for outcome in found} == {OutcomeKind.unknown}
    lines = simulator.ledger()
    assert len(lines) == 4
    assert {line["outcome"] for line in lines} == outcomes


def test_a_group_that_is_no_group_is_refused(simulator: SimulatorProcess, make: Make) -> None:
    with pytest.raises(Exception, match="400"):
        simulator._call("POST", "/batches", {"messages": []})
    outcomes = make(batch=3).submit(Group("g", [*group(2).texts, Text("a b", PHONE, "x", 1)]))
    kinds = [outcome.kind for outcome in outcomes]
    assert kinds[:2] == [OutcomeKind.accepted] * 2
    assert (outcomes[2].kind, outcomes[2].error) == (OutcomeKind.refused, ErrorClass.request)


@pytest.mark.parametrize("batch", [1, 10])
@pytest.mark.parametrize("way", ["cut", "empty", "no_id", "text", "binary", "huge", "protocol"])
def test_an_answer_that_cannot_be_read_is_unknown(
    simulator: SimulatorProcess, make: Make, way: str, batch: int
) -> None:
    simulator.behave(garble_share=1, garble_as=way, **SILENT)
    outcomes = make(batch=batch).submit(group(2))
    assert {outcome.kind for outcome in outcomes} == {OutcomeKind.unknown}
    assert [line["outcome"] for line in simulator.ledger()] == ["accepted"] * 2, "nothing is sent again"


@pytest.mark.parametrize("batch", [1, 10])
def test_a_long_text_can_be_taken_in_part_and_a_short_one_cannot(
    simulator: SimulatorProcess, make: Make, batch: int
) -> None:
    simulator.behave(**SILENT, partial_share=1)
    [long] = make(batch=batch).submit(group(1, LONG))
    [short] = make(batch=batch).submit(group(1))
    assert (long.kind, long.error, long.raw_code) == (OutcomeKind.partial, ErrorClass.partial, "partial")
    assert short.kind is OutcomeKind.accepted
    assert [line["outcome"] for line in simulator.ledger()] == ["partial", "accepted"]


def test_a_rule_that_counts_only_so_often_comes_to_an_end(simulator: SimulatorProcess, make: Make) -> None:
    simulator.behave(**SILENT, by_phone=[rule(0, "throttle", times=2), rule(0, "refuse", times=1)])
    adapter = make()
    kinds = [adapter.submit(group(1))[0].kind for _ in range(4)]
    assert kinds == [OutcomeKind.throttled, OutcomeKind.throttled, OutcomeKind.refused, OutcomeKind.accepted]


@pytest.mark.parametrize(("mode", "parts"), [("usual", [0]), ("whole", [0]), ("each", [1, 2]), ("one", [1])])
def test_receipts_of_the_whole_of_each_part_or_of_one(
    simulator: SimulatorProcess, make: Make, sink: ReceiptSink, mode: str, parts: list[int]
) -> None:
    simulator.behave(receipt_parts=mode)
    adapter = make(sink.url)
    [outcome] = adapter.submit(group(1, LONG))
    requests = [sink.next().as_request(sink.base) for _ in parts]
    receipts = [receipt for request in requests for receipt in adapter.parse_receipts(request)]
    assert sorted(receipt.part for receipt in receipts) == parts
    assert {receipt.provider_id for receipt in receipts} == {outcome.provider_id}


def asked(provider_id: str | None) -> list[Question]:
    return [Question("202601-0", PHONE, "【学习】你好", datetime.now(UTC), provider_id)]


def test_a_look_up_tells_how_a_text_arrived_though_no_receipt_was_sent(
    simulator: SimulatorProcess, make: Make, sink: ReceiptSink
) -> None:
    simulator.behave(unpushed_share=1, fail_share=1, fail_code="BLACKLST")
    adapter = make(sink.url)
    [outcome] = adapter.submit(group(1))
    [finding] = adapter.look_up(asked(outcome.provider_id))
    assert finding is not None
    assert finding.provider_id == outcome.provider_id
    assert finding.receipt is not None
    assert (finding.receipt.status, finding.receipt.error) == (ReceiptStatus.undelivered, ErrorClass.blacklisted)
    assert (finding.receipt.reference, finding.receipt.phone) == ("202601-0", PHONE)
    [other] = adapter.look_up(asked("SIM999"))
    assert other is not None
    assert other.provider_id is None
    assert sink.empty()


def test_a_look_up_before_the_receipt_is_due_tells_no_arrival(simulator: SimulatorProcess, make: Make) -> None:
    simulator.behave(receipt_delay_s=[600, 600])
    adapter = make()
    adapter.submit(group(1))
    [finding] = adapter.look_up(asked(None))
    assert finding is not None
    assert finding.receipt is None


def replies_of(adapter: SimulatorAdapter, sink: ReceiptSink) -> list[Reply]:
    pushed = sink.next()
    assert pushed.path == "/callbacks/simulator/replies"
    base = pushed.as_request(sink.base)
    request = CallbackRequest("POST", base.public_url, base.headers, {}, base.body, "127.0.0.1", "replies")
    assert adapter.verify(request)
    assert adapter.parse_receipts(request) == []
    return adapter.parse_replies(request)


def test_a_reply_comes_to_where_the_text_came_from(simulator: SimulatorProcess, make: Make, sink: ReceiptSink) -> None:
    simulator.behave(**SILENT)
    adapter = make(sink.url)
    adapter.submit(group(1))
    sink.statuses = [500]
    line = simulator.reply(PHONE, "退订", stop=True)
    [first], [again] = replies_of(adapter, sink), replies_of(adapter, sink)
    assert first == again, "it comes again until it is acknowledged"
    assert (first.phone, first.text, first.provider_id, first.to) == (PHONE, "退订", line["id"], "10690000")
    assert (first.stop, first.part, first.parts, first.series) == (True, 1, 1, None)
    assert first.occurred_at is not None
    simulator.until(lambda: [e["tries"] for e in simulator.events() if e["event"] == "replied"] == [2])


def test_a_reply_can_come_often_without_a_name_and_in_parts(
    simulator: SimulatorProcess, make: Make, sink: ReceiptSink
) -> None:
    simulator.behave(reply_parts=True, receipts_batch=10)
    adapter = make(sink.url)
    text = "好" * 66 + "𠮷" * 3
    simulator.reply(PHONE, text, times=2, named=False, to="106900001", callback_url=sink.url)
    found: list[Reply] = []
    while len(found) < 4:
        found += replies_of(adapter, sink)
    assert {reply.provider_id for reply in found} == {None}
    assert {(reply.parts, reply.to) for reply in found} == {(2, "106900001")}
    assert len({reply.series for reply in found}) == 1
    first, second = ({reply.text for reply in found if reply.part == part} for part in (1, 2))
    assert [first.pop() + second.pop(), first, second] == [text, set(), set()]


def test_a_share_of_those_who_have_it_answer(simulator: SimulatorProcess, make: Make, sink: ReceiptSink) -> None:
    simulator.behave(reply_share=1, reply_text="R", reply_delay_s=[0, 0], by_phone=[rule(1, "accept", reply="参加")])
    adapter = make(sink.url)
    assert adapter.submit(group(3))[0].kind is OutcomeKind.accepted
    simulator.until(lambda: len([e for e in simulator.events() if e["event"] == "replied"]) == 2)
    replies = {e["from"]: e["text"] for e in simulator.events() if e["event"] == "reply"}
    assert replies == {PHONE: "R", "+8613800000002": "R"}, "a phone that has no receipt has no text to answer"


def test_a_reply_not_acknowledged_comes_from_the_next_simulator(
    simulator: SimulatorProcess, make: Make, sink: ReceiptSink
) -> None:
    line = simulator.reply(PHONE, "TD", callback_url="http://127.0.0.1:9")
    simulator.kill()
    changed = simulator.ledger_path.read_text().replace("http://127.0.0.1:9", sink.url)
    simulator.ledger_path.write_text(changed)
    simulator.restart()
    [reply] = replies_of(make(sink.url), sink)
    assert reply.provider_id == line["id"]


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        ({"from": PHONE}, "from and text"),
        ({"from": PHONE, "text": 1}, "text is not known here or of the wrong kind"),
        ({"from": PHONE, "text": "x", "times": 0}, "times must be from 1"),
        ({"from": PHONE, "text": "x", "loud": True}, "loud is not known"),
        ({"from": PHONE, "text": "x", "via": "smpp"}, "via must be http"),
        ({"from": PHONE, "text": "x"}, "no callback_url"),
        ({"from": PHONE, "text": "\ud842"}, "surrogate"),
    ],
)
def test_a_reply_that_cannot_be_made_is_refused(
    simulator: SimulatorProcess, wanted: dict[str, Any], reason: str
) -> None:
    with pytest.raises(Exception, match="400") as caught:
        simulator._call("POST", "/replies", wanted)
    assert reason in caught.value.read().decode()  # type: ignore[attr-defined]
    assert simulator.events() == []


GOOD = {"id": "SIM1", "from": PHONE, "to": "10690000", "text": "R", "time": 1.5}


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({"receipts": []}, 'a list "replies"'),
        ({"replies": [1]}, r"replies\[0\] must be a JSON object"),
        ({"replies": [GOOD, GOOD | {"from": ""}]}, r"replies\[1\].from must be"),
        ({"replies": [GOOD | {"text": None}]}, r"replies\[0\].text must be"),
        ({"replies": [GOOD | {"id": 7}]}, r"replies\[0\].id must be"),
        ({"replies": [GOOD | {"part": 3, "parts": 2}]}, r"replies\[0\].part must be"),
        ({"replies": [GOOD | {"parts": True}]}, r"replies\[0\].parts must be"),
        ({"replies": [GOOD | {"stop": "yes"}]}, r"replies\[0\].stop must be"),
        ({"replies": [GOOD | {"time": "now"}]}, r"replies\[0\].time must be"),
    ],
)
def test_a_reply_that_cannot_be_read_is_named_without_its_content(document: Any, reason: str, make: Make) -> None:
    body = json.dumps(document).encode()
    with pytest.raises(BadCallback, match=reason) as caught:
        make().parse_replies(CallbackRequest("POST", CALLBACK, {}, {}, body, "127.0.0.1", "replies"))
    assert PHONE not in str(caught.value)
    assert make().parse_replies(CallbackRequest("POST", CALLBACK, {}, {}, body, "127.0.0.1")) == []


def test_a_text_without_whole_characters_is_refused(simulator: SimulatorProcess) -> None:
    body = json.dumps({"reference": "1", "to": PHONE, "text": "\ud842"}).encode()
    assert simulator.post(body)[1]["code"] == "malformed"
    assert len(simulator.ledger()) == 1
    assert simulator.ledger()[0]["time"] <= time.time()
