"""The adapter of China Mobile's cloud MAS, against a stand-in that checks what the provider is assumed to check.

The account is the second example of docs/gateways-http.md; the kit's scenarios are in test_mas_conformance.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from http_callbacks import CALLBACKS, mas_callback, options
from http_providers import MAS, StandIn, mas_mac

from sms_service.gateways.base import ErrorClass, Group, Outcome, OutcomeKind, ReceiptStatus, Text
from sms_service.gateways.http.adapter import HttpAdapter
from sms_service.gateways.mas.adapter import create

_phones = iter(range(10_000, 99_999))


@pytest.fixture(scope="module")
def mas() -> Iterator[StandIn]:
    with StandIn("mas") as mas:
        yield mas


def make(mas: StandIn, folder: Path, **changes: Any) -> HttpAdapter:
    return create("mas", options("mas", mas, folder, **changes), f"{CALLBACKS}/callbacks/mas")


def texts(count: int, body: str = '【学习】你好𠮷"\\\n请回复') -> list[Text]:
    """Texts to numbers that no other test uses."""
    return [Text(f"202601-{n}", f"+86138000{n}", body, 1) for n, _ in zip(_phones, range(count), strict=False)]


def test_one_text_to_many_is_one_request_and_its_id_names_them_all(mas: StandIn, tmp_path: Path) -> None:
    adapter = make(mas, tmp_path)
    group = texts(1000)
    before = len(mas.requests())
    outcomes = adapter.submit(Group("g", group))
    [request] = mas.requests()[before:]
    numbers = ",".join(text.phone.removeprefix("+86") for text in group)
    sent = {**MAS, "mobiles": numbers, "content": group[0].body}
    assert request["path"] == "/sms/norsubmit"
    assert request["document"] == {**sent, "mac": mas_mac(sent, ("mobiles", "content"))}
    [name] = {outcome.provider_id for outcome in outcomes}
    assert {outcome.kind for outcome in outcomes} == {OutcomeKind.accepted}
    assert [one["id"] for one in mas.taken()[-1000:]] == [name] * 1000
    assert adapter.capabilities.names_groups
    assert adapter.capabilities.pull_every_s is None
    assert adapter.capabilities.largest_group == 1000
    adapter.close()


def test_texts_that_differ_go_in_requests_of_their_own(mas: StandIn, tmp_path: Path) -> None:
    adapter = make(mas, tmp_path)
    one, two, three = texts(2, "【学习】一"), texts(2, "【学习】二"), texts(1, "【学习】三")
    mas.answer(two[1].phone.removeprefix("+86"), "refuse", code="InvalidMobile")
    mas.answer(three[0].phone.removeprefix("+86"), "reset")
    outcomes = adapter.submit(Group("g", [one[0], two[0], three[0], one[1], two[1]]))
    refused = {"kind": OutcomeKind.refused, "error": ErrorClass.bad_number, "raw_code": "InvalidMobile"}
    assert [outcome.kind for outcome in outcomes] == [
        OutcomeKind.accepted,
        OutcomeKind.refused,
        OutcomeKind.unknown,
        OutcomeKind.accepted,
        OutcomeKind.refused,
    ]
    for outcome, text in ((outcomes[1], two[0]), (outcomes[4], two[1])):
        assert outcome == Outcome(text.reference, **refused, detail="a number is malformed", whole_group=True)  # type: ignore[arg-type]
    assert outcomes[0].provider_id == outcomes[3].provider_id
    adapter.close()


def test_a_registered_template_takes_the_whole_text_as_its_variable(mas: StandIn, tmp_path: Path) -> None:
    adapter = make(mas, tmp_path, template_id="9ec4b967")
    [text] = texts(1)
    [outcome] = adapter.submit(Group("g", [text]))
    request = mas.requests()[-1]
    assert outcome.kind is OutcomeKind.accepted
    assert request["path"] == "/sms/tmpsubmit"
    assert request["document"]["templateId"] == "9ec4b967"
    assert json.loads(request["document"]["params"]) == [text.body]
    assert mas.taken()[-1]["text"] == text.body
    adapter.close()


def test_key_and_signature_can_be_left_out(mas: StandIn, tmp_path: Path) -> None:
    adapter = make(mas, tmp_path, send_secret_key=False, strips_signature=True)
    one, two = texts(1, "【学习】第一【课】"), texts(1, "没有签名")
    outcomes = adapter.submit(Group("g", [*one, *two]))
    assert {outcome.kind for outcome in outcomes} == {OutcomeKind.accepted}
    sent = {request["document"]["content"]: request["document"] for request in mas.requests()[-2:]}
    assert sent.keys() == {"第一【课】", "没有签名"}
    assert all("secretKey" not in document for document in sent.values())
    adapter.close()


def test_over_https_the_request_has_its_other_name(mas: StandIn, tmp_path: Path) -> None:
    for template_id, path in (("", "/sms/submit"), ("t", "/sms/tmpsubmit")):
        found = options("mas", mas, tmp_path, url="https://112.35.10.201:28888/", template_id=template_id)
        assert found.as_http().request.url == f"https://112.35.10.201:28888{path}"


@pytest.mark.parametrize(
    ("changes", "code", "error"),
    [
        ({"ap_id": "another"}, "InvalidUsrOrPwd", ErrorClass.credentials),
        ({"sign": "another"}, "NoSignId", ErrorClass.signature),
        ({"secret_key": "${HERON_KEY}"}, "IllegalMac", ErrorClass.credentials),
    ],
)
def test_what_is_wrong_with_the_account(
    mas: StandIn, tmp_path: Path, changes: dict[str, str], code: str, error: ErrorClass
) -> None:
    adapter = make(mas, tmp_path, **changes)
    [outcome] = adapter.submit(Group("g", texts(1)))
    assert (outcome.kind, outcome.raw_code, outcome.error) == (OutcomeKind.refused, code, error)
    adapter.close()


def test_a_code_that_is_not_in_the_table_is_unknown_until_the_account_says_more(mas: StandIn, tmp_path: Path) -> None:
    [text] = texts(1)
    mas.answer(text.phone.removeprefix("+86"), "refuse", code="FlowOverLimit")
    adapter = make(mas, tmp_path)
    [outcome] = adapter.submit(Group("g", [text]))
    assert (outcome.kind, outcome.raw_code) == (OutcomeKind.unknown, "FlowOverLimit")
    adapter.close()
    codes = {"codes.answers.FlowOverLimit": "throttled rate", "codes.receipts.'DB:0140'": "undelivered blocked"}
    adapter = make(mas, tmp_path, **codes)
    [outcome] = adapter.submit(Group("g", [text]))
    assert (outcome.kind, outcome.error) == (OutcomeKind.throttled, ErrorClass.rate)
    record = {"msgGroup": "1", "mobile": ["13800138000"], "reportStatus": "UNDELIV", "errorCode": "DB:0140"}
    [receipt] = adapter.parse_receipts(mas_callback("receipts", record))
    assert (receipt.error, receipt.raw_code) == (ErrorClass.blocked, "DB:0140")
    adapter.close()


def test_one_record_can_be_of_many_phones_and_times_have_two_forms(mas: StandIn, tmp_path: Path) -> None:
    adapter = make(mas, tmp_path)
    record = {"msgGroup": "0927", "mobile": ["13800138000", "13800138001"], "reportStatus": "CM:0000"}
    for written in ("20260131080000", "2026-01-31 08:00:00"):
        request = mas_callback("receipts", [record | {"receiveDate": written}])
        assert adapter.verify(request)
        receipts = adapter.parse_receipts(request)
        assert [receipt.phone for receipt in receipts] == ["+8613800138000", "+8613800138001"]
        assert {receipt.provider_id for receipt in receipts} == {"0927"}
        assert {receipt.status for receipt in receipts} == {ReceiptStatus.delivered}
        assert {receipt.occurred_at for receipt in receipts} == {datetime(2026, 1, 31, tzinfo=UTC)}
    adapter.close()


def test_an_account_without_the_way_back_ends_at_accepted(mas: StandIn, tmp_path: Path) -> None:
    adapter = make(mas, tmp_path, callback_secret=None, callback_addresses=None)
    assert not adapter.capabilities.sends_receipts
    assert not adapter.verify(mas_callback("receipts", []))
    adapter.close()


def test_a_pull_that_is_refused_is_no_record(mas: StandIn, tmp_path: Path) -> None:
    adapter = make(mas, tmp_path, pull_every_s=30, ap_id="another")
    with pytest.raises(Exception, match="the answer has no records"):
        adapter.pull()
    adapter.close()
