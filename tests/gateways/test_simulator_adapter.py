"""The simulator's adapter against the simulator itself: every way a hand-over can end, compared with its ledger."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from receipt_sink import ReceiptSink
from simulator_process import SECRET, SimulatorProcess

from sms_service.gateways.base import (
    BadCallback,
    CallbackRequest,
    ErrorClass,
    Finding,
    Group,
    NotTaken,
    Outcome,
    OutcomeKind,
    Question,
    ReceiptStatus,
    Replayed,
    Text,
)
from sms_service.gateways.simulator.adapter import Options, SimulatorAdapter, create
from sms_service.gateways.simulator.signature import OLDEST_S, signature_headers

CALLBACK = "http://127.0.0.1:9/callbacks/simulator"
SILENT = {"silent_share": 1}


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[SimulatorProcess]:
    with SimulatorProcess(tmp_path / "ledger.jsonl", "--silent-share", "1") as simulator:
        yield simulator


@pytest.fixture
def adapter(simulator: SimulatorProcess) -> Iterator[SimulatorAdapter]:
    adapter = make(simulator.url)
    yield adapter
    adapter.close()


def make(url: str, callback_url: str = CALLBACK, **options: Any) -> SimulatorAdapter:
    return create("simulator", Options(**{"url": url, "secret": SECRET, **options}), callback_url)


def group(count: int = 3, validity_s: int | None = None) -> Group:
    texts = [Text(f"202601-{n}", f"+86138{n:08}", f"【学习】第{n}课", 1) for n in range(count)]
    return Group("g1", texts, validity_s)


def submit_one(adapter: SimulatorAdapter) -> Outcome:
    [outcome] = adapter.submit(group(1))
    return outcome


def test_a_group_is_accepted_text_by_text_and_in_order(simulator: SimulatorProcess, adapter: SimulatorAdapter) -> None:
    handed = group(120)
    outcomes = adapter.submit(handed)
    assert [outcome.reference for outcome in outcomes] == [text.reference for text in handed.texts]
    assert {outcome.kind for outcome in outcomes} == {OutcomeKind.accepted}
    theirs = {line["reference"]: line for line in simulator.ledger()}
    for text, outcome in zip(handed.texts, outcomes, strict=True):
        line = theirs.pop(text.reference)
        assert (line["id"], line["to"], line["text"]) == (outcome.provider_id, text.phone, text.body)
    assert not theirs


def test_an_empty_group_has_no_outcomes(adapter: SimulatorAdapter) -> None:
    assert adapter.submit(Group("g", [])) == []


@pytest.mark.parametrize(
    ("code", "error", "kind"),
    [
        ("invalid_number", ErrorClass.bad_number, OutcomeKind.refused),
        ("blocked", ErrorClass.blocked, OutcomeKind.refused),
        ("content", ErrorClass.content, OutcomeKind.refused),
        ("signature", ErrorClass.signature, OutcomeKind.refused),
        ("unauthorized", ErrorClass.credentials, OutcomeKind.refused),
        ("no_balance", ErrorClass.balance, OutcomeKind.refused),
        ("malformed", ErrorClass.request, OutcomeKind.refused),
        ("unavailable", ErrorClass.later, OutcomeKind.refused),
        ("too_fast", ErrorClass.rate, OutcomeKind.throttled),
        ("E-1234", ErrorClass.unclassified, OutcomeKind.refused),
    ],
)
def test_every_refusal_has_its_class_and_its_raw_code(
    simulator: SimulatorProcess, adapter: SimulatorAdapter, code: str, error: ErrorClass, kind: OutcomeKind
) -> None:
    simulator.behave(refuse_share=1, refuse_code=code)
    outcome = submit_one(adapter)
    assert (outcome.kind, outcome.error, outcome.raw_code) == (kind, error, code)
    assert outcome.provider_id is None
    assert [line["outcome"] for line in simulator.ledger()] == ["refused"]


def test_a_wrong_secret_is_a_matter_of_credentials(simulator: SimulatorProcess) -> None:
    outcome = submit_one(make(simulator.url, secret="another"))
    assert (outcome.kind, outcome.error) == (OutcomeKind.refused, ErrorClass.credentials)


def test_throttled_says_when_to_come_back(simulator: SimulatorProcess, adapter: SimulatorAdapter) -> None:
    simulator.behave(throttle_share=1, retry_after_s=7)
    outcome = submit_one(adapter)
    assert (outcome.kind, outcome.error, outcome.retry_after_s) == (OutcomeKind.throttled, ErrorClass.rate, 7)


@pytest.mark.parametrize(
    ("share", "taken"),
    [("error_share", True), ("reset_share", True), ("garble_share", True), ("lose_share", False)],
)
def test_what_cannot_be_told_is_unknown_whether_it_was_taken_or_not(
    simulator: SimulatorProcess, adapter: SimulatorAdapter, share: str, taken: bool
) -> None:
    simulator.behave(**{share: 1})
    outcomes = adapter.submit(group(5))
    assert [outcome.kind for outcome in outcomes] == [OutcomeKind.unknown] * 5
    assert all(outcome.detail and "+86" not in outcome.detail for outcome in outcomes)
    lines = simulator.ledger()
    assert len(lines) == 5, "nothing is ever sent again by itself"
    assert {line["outcome"] for line in lines} == {"accepted" if taken else "lost"}


def asked(handed: Group) -> list[Question]:
    return [Question(text.reference, text.phone, text.body, datetime.now(UTC)) for text in handed.texts]


@pytest.mark.parametrize(
    ("answer", "taken"),
    [("error", True), ("reset", True), ("garble", True), ("hang", True), ("crawl", True), ("lose", False)],
)
def test_what_was_unknown_is_told_by_a_look_up(simulator: SimulatorProcess, answer: str, taken: bool) -> None:
    simulator.behave(**{f"{answer}_share": 1, "crawl_s": [3600, 3600]})
    adapter = make(simulator.url, total_timeout_s=0.6)
    handed = group(5)
    assert {outcome.kind for outcome in adapter.submit(handed)} == {OutcomeKind.unknown}
    ids = [line["id"] for line in sorted(simulator.ledger(), key=lambda line: line["reference"])]
    assert all(ids) == taken
    assert adapter.look_up(asked(handed)) == [Finding(identifier) for identifier in ids]
    adapter.close()


def test_a_look_up_takes_no_text_of_others_for_ours(simulator: SimulatorProcess, adapter: SimulatorAdapter) -> None:
    # A simulator that outlived our database has old texts under references that are in use again.
    handed = group(1)
    [outcome] = adapter.submit(handed)
    [question] = asked(handed)
    others = [
        replace(question, phone="+8613900000000"),
        replace(question, body="别的"),
        replace(question, reference="x"),
    ]
    assert adapter.look_up([question, *others]) == [Finding(outcome.provider_id), *[Finding(None)] * 3]


def test_a_look_up_that_is_not_answered_tells_nothing(simulator: SimulatorProcess, adapter: SimulatorAdapter) -> None:
    questions = asked(group(3))
    stranger = make(simulator.url, secret="another")
    assert stranger.look_up(questions) == [None] * 3
    stranger.close()
    assert adapter.look_up([]) == []
    simulator.stop()
    assert adapter.look_up(questions) == [None] * 3


def test_no_answer_after_writing_is_unknown_and_the_rest_is_surely_not_taken(simulator: SimulatorProcess) -> None:
    simulator.behave(hang_share=1)
    outcomes = make(simulator.url, connections=4, total_timeout_s=0.6).submit(group(10))
    kinds = {outcome.reference: (outcome.kind, outcome.error) for outcome in outcomes}
    handed = {line["reference"] for line in simulator.ledger()}
    assert len(handed) == 4
    for reference, found in kinds.items():
        unknown = (OutcomeKind.unknown, None)
        assert found == (unknown if reference in handed else (OutcomeKind.refused, ErrorClass.later))


def test_one_bad_text_does_not_touch_the_others(simulator: SimulatorProcess, adapter: SimulatorAdapter) -> None:
    handed = group(3)
    bad = replace(handed.texts[1], phone="13800138000")
    outcomes = adapter.submit(Group("g", [handed.texts[0], bad, handed.texts[2]]))
    kinds = [outcome.kind for outcome in outcomes]
    assert kinds == [OutcomeKind.accepted, OutcomeKind.refused, OutcomeKind.accepted]


def test_while_nothing_can_be_written_nothing_is_taken(simulator: SimulatorProcess, adapter: SimulatorAdapter) -> None:
    assert submit_one(adapter).kind is OutcomeKind.accepted
    simulator.stop()
    with pytest.raises(NotTaken, match="cannot be reached"):
        adapter.submit(group())
    simulator.restart()
    assert [outcome.kind for outcome in adapter.submit(group())] == [OutcomeKind.accepted] * 3
    assert len(simulator.ledger()) == 4


def test_a_host_without_an_address_is_not_taken() -> None:
    with pytest.raises(NotTaken):
        make("http://sms.invalid").submit(group())


def test_validity_reaches_the_gateway(simulator: SimulatorProcess, adapter: SimulatorAdapter) -> None:
    simulator.behave(silent_share=0, receipt_delay_s=[3600, 3600])
    adapter.submit(group(1, validity_s=600))
    assert [code for _, code in simulator.ledger()[0]["receipts"]] == ["EXPIRED"]


def test_receipts_come_back_verified_with_our_reference(simulator: SimulatorProcess) -> None:
    with ReceiptSink() as sink:
        adapter = make(simulator.url, sink.url)
        rules = [{"match": r".*1", "receipt": "EMPTYNUM"}, {"match": r".*2", "receipt": "X-99"}]
        simulator.behave(silent_share=0, receipt_delay_s=[0, 0], by_phone=rules)
        ids = {outcome.reference: outcome.provider_id for outcome in adapter.submit(group(3))}
        receipts = {}
        for _ in range(3):
            request = sink.next().as_request(sink.base)
            assert adapter.verify(request)
            assert not adapter.verify(replace(request, body=request.body + b" "))
            for receipt in adapter.parse_receipts(request):
                receipts[receipt.reference] = receipt
    found = [(receipts[f"202601-{n}"].status, receipts[f"202601-{n}"].error) for n in range(3)]
    assert found == [
        (ReceiptStatus.delivered, None),
        (ReceiptStatus.undelivered, ErrorClass.bad_number),
        (ReceiptStatus.unclassified, None),
    ]
    for reference, receipt in receipts.items():
        assert reference is not None
        assert receipt.provider_id == ids[reference]
        assert receipt.occurred_at is not None
        assert receipt.part == 0
        assert json.loads(receipt.raw)["reference"] == reference
        assert receipt.phone is not None
        assert receipt.phone not in repr(receipt)


def pushed(body: bytes, headers: Mapping[str, str] = MappingProxyType({}), path: str = "") -> CallbackRequest:
    return CallbackRequest("POST", CALLBACK, headers, {}, body, "127.0.0.1", path)


def test_a_request_without_a_proper_signature_is_a_strangers() -> None:
    adapter = make("http://127.0.0.1:1")
    now = time.time()
    good = signature_headers(SECRET, b"{}", now)
    for name, header in [
        ("X-Simulator-Signature", ""),
        ("X-Simulator-Signature", "é"),
        ("X-Simulator-Signature", good["X-Simulator-Signature"].upper()),
        ("X-Simulator-Timestamp", ""),
        ("X-Simulator-Timestamp", "٣"),
        ("X-Simulator-Timestamp", str(int(now) + 1)),
    ]:
        assert not adapter.verify(pushed(b"{}", good | {name: header}))
        assert not adapter.verify(pushed(b"{}", {key: value for key, value in good.items() if key != name}))
    assert not adapter.verify(pushed(b"{}", signature_headers("another", b"{}", now)))
    assert not adapter.verify(pushed(b"{} ", good))
    assert adapter.verify(pushed(b"{}", good))


def test_a_genuine_callback_that_somebody_kept_is_a_replay() -> None:
    signed_at = 1_770_000_000
    for age, replayed in ((OLDEST_S, False), (OLDEST_S + 1, True), (-30, False)):
        options = Options(url="http://127.0.0.1:1", secret=SECRET)
        adapter = SimulatorAdapter(options, CALLBACK, clock=lambda age=age: signed_at + age)
        with pytest.raises(Replayed) if replayed else nullcontext():
            assert adapter.verify(pushed(b"{}", signature_headers(SECRET, b"{}", signed_at)))
        assert not adapter.verify(pushed(b"{}", signature_headers("another", b"{}", signed_at)))


GOOD = {"id": "SIM1", "reference": "202601-1", "to": "+8613800138000", "code": "DELIVRD", "time": 1.5}


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ([], 'a list "receipts"'),
        ({"receipts": {}}, 'a list "receipts"'),
        ({"receipts": [GOOD, 3]}, r"receipts\[1\] must be a JSON object"),
        ({"receipts": [GOOD | {"id": ""}]}, r"receipts\[0\].id must be"),
        ({"receipts": [GOOD | {"code": None}]}, r"receipts\[0\].code must be"),
        ({"receipts": [GOOD | {"time": "now"}]}, r"receipts\[0\].time must be"),
        ({"receipts": [GOOD | {"time": 1e300}]}, r"receipts\[0\].time must be"),
    ],
)
def test_a_callback_that_cannot_be_read_is_named_without_its_content(document: Any, reason: str) -> None:
    with pytest.raises(BadCallback, match=reason) as caught:
        make("http://127.0.0.1:1").parse_receipts(pushed(json.dumps(document).encode()))
    assert "13800138000" not in str(caught.value)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*GOOD, "receipts", "x"]), inner),
    max_leaves=20,
)


@given(st.binary(max_size=60) | json_values.map(lambda v: json.dumps({"receipts": v}).encode()))
def test_whatever_is_pushed_is_read_or_named_as_unreadable(body: bytes) -> None:
    adapter = make("http://127.0.0.1:1")
    assert not adapter.verify(pushed(body))
    try:
        receipts = adapter.parse_receipts(pushed(body))
    except BadCallback:
        return
    assert all(receipt.provider_id and receipt.reference for receipt in receipts)
