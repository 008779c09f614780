"""What an HTTP account makes of receipts and replies, pushed or pulled, and whom it believes."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from http_callbacks import CALLBACKS, ENVIRON, callback, heron_callback, options, options_of
from http_providers import StandIn

from sms_service.gateways.base import (
    Acknowledgement,
    BadCallback,
    CallbackRequest,
    ErrorClass,
    Receipt,
    ReceiptStatus,
    Replayed,
    Reply,
)
from sms_service.gateways.http import signing
from sms_service.gateways.http.adapter import HttpAdapter

NOW = 1_800_000_000.0
PLAIN = """
[accounts.plain]
adapter = "http"
phone = "national"
[accounts.plain.request]
url = "https://api.example/send"
form = { to = "{{ phone }}", text = "{{ text }}" }
[accounts.plain.answer]
code = "code"
id = "id"
[accounts.plain.codes]
answers = { 0 = "accepted" }
receipts = { 1 = "delivered", 2 = "undelivered carrier", 8 = "undelivered bad_number" }
"""
PULLED = """
[accounts.plain.secrets]
key = "${MAS_SECRET_KEY}"
[accounts.plain.receipts]
list = "list"
id = "id"
status = "s"
[accounts.plain.receipts.pull]
url = "URL/sms/report"
body = '{{ {"ecName": "某市委组织部", "apId": "zzbsms", "secretKey": key} | json | b64 }}'
code = "code"
page = 2
[accounts.plain.replies]
phone = "p"
text = "t"
[accounts.plain.replies.pull]
url = "URL/sms/deliver"
body = '{{ {"ecName": "某市委组织部", "apId": "zzbsms", "secretKey": key} | json | b64 }}'
"""


class Nowhere:
    """A provider that is only named."""

    url = "https://api.example"


@pytest.fixture
def adapter(tmp_path: Path) -> HttpAdapter:
    found = options("heron", Nowhere(), tmp_path)  # type: ignore[arg-type]
    return HttpAdapter(found, f"{CALLBACKS}/callbacks/heron", clock=lambda: NOW)


def plain(folder: Path, tables: str) -> HttpAdapter:
    every = "pull_every_s = 30\n" if ".pull]" in tables else ""
    written = PLAIN.replace('phone = "national"\n', f'phone = "national"\n{every}') + tables
    return HttpAdapter(options_of(written, folder), f"{CALLBACKS}/callbacks/plain", clock=lambda: NOW)


def push(path: str, body: bytes = b"", query: dict[str, str] | None = None, **headers: str) -> CallbackRequest:
    return callback("plain", path, headers, body, "203.0.113.9", query)


def test_every_field_of_a_receipt(adapter: HttpAdapter) -> None:
    records: list[dict[str, Any]] = [
        {"id": "h-1", "reference": "202601-1", "phone": "13800138000", "state": "failed", "why": "empty", "at": 1.8e9},
        {"id": 7, "phone": "8613800138001", "state": "delivered", "part": 2, "extra": [1], "at": "never"},
        {"reference": "202601-3", "state": "new state", "why": "E7"},
    ]
    request = heron_callback("reports", records, at=NOW)
    assert adapter.verify(request)
    assert adapter.parse_replies(request) == []
    first, second, third = adapter.parse_receipts(request)
    assert first == Receipt(
        ReceiptStatus.undelivered,
        "h-1",
        raw=json.dumps(records[0], ensure_ascii=False),
        reference="202601-1",
        phone="+8613800138000",
        error=ErrorClass.bad_number,
        raw_code="empty",
        occurred_at=datetime(2027, 1, 15, 8, tzinfo=UTC),
    )
    assert (second.provider_id, second.part, second.occurred_at, second.error) == ("7", 2, None, None)
    assert (third.status, third.raw_code, third.error) == (ReceiptStatus.unclassified, "E7", None)


def test_every_field_of_a_reply(adapter: HttpAdapter) -> None:
    record = {"id": "r-1", "from": "+8613800138000", "to": "10690000", "text": "退订\r\n 𠮷", "at": 1_800_000_000}
    request = heron_callback("replies", [record, {"from": "13800138001", "text": "R", "opt_out": 1}], at=NOW)
    assert adapter.verify(request)
    assert adapter.parse_receipts(request) == []
    first, second = adapter.parse_replies(request)
    at = datetime(2027, 1, 15, 8, tzinfo=UTC)
    raw = json.dumps(record, ensure_ascii=False)
    assert first == Reply("+8613800138000", "退订\r\n 𠮷", raw, "r-1", to="10690000", occurred_at=at)
    assert (second.provider_id, second.stop, first.stop) == (None, True, False)


def test_it_acknowledges_as_the_provider_wants(adapter: HttpAdapter) -> None:
    assert adapter.capabilities.acknowledgement == Acknowledgement(200, '{"ok": true}', "application/json")


@pytest.mark.parametrize(
    "changes",
    [
        {"key": "another"},
        {"secret": "another-secret-path"},
        {"secret": ENVIRON["HERON_PATH"][:-1]},
        {"secret": ENVIRON["HERON_PATH"] + "/x"},
        {"path": "receipts"},
        {"path": ""},
        {"secret": "\udc80" * 20},
        {"path": f"other/{ENVIRON['HERON_PATH']}"},
        {"address": "198.51.101.7"},
        {"address": "2001:db8::1"},
        {"address": ""},
    ],
    ids=str,
)
def test_each_proof_must_hold(adapter: HttpAdapter, changes: dict[str, str]) -> None:
    assert not adapter.verify(heron_callback("reports", [], at=NOW, **changes))
    assert adapter.verify(heron_callback("reports", [], at=NOW)), "the same but for that"


def test_an_address_of_four_parts_may_come_as_one_of_six(adapter: HttpAdapter) -> None:
    assert adapter.verify(heron_callback("reports", [], at=NOW, address="::ffff:198.51.100.7"))


@pytest.mark.parametrize("away", [-300, 300])
def test_a_callback_that_is_too_far_from_now_is_replayed(adapter: HttpAdapter, away: int) -> None:
    assert adapter.verify(heron_callback("reports", [], at=NOW + away))
    with pytest.raises(Replayed):
        adapter.verify(heron_callback("reports", [], at=NOW + away + (1 if away > 0 else -1)))
    # Who has no key learns nothing about the time.
    assert not adapter.verify(heron_callback("reports", [], at=NOW + 9_999, key="another"))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff",
        b"7",
        b"{}",
        b"[" * 60_000,
        b'{"reports": 7}',
        b'{"reports": [{"id": "h-1"}]}',
        b'{"reports": [{"state": "delivered"}]}',
        b'{"reports": [{"id": [], "state": "delivered"}]}',
        b'{"reports": [{"id": "h\\ud800", "state": "delivered"}]}',
        b'{"reports": [{"id": "h", "state": "\\u0000"}]}',
        b'{"reports": [{"id": "h", "state": "delivered", "part": "two"}]}',
        b'{"reports": [{"id": "%s", "state": "delivered"}]}' % (b"h" * 201),
    ],
)
def test_what_cannot_be_read_is_said_so_and_not_quoted(adapter: HttpAdapter, body: bytes) -> None:
    request = heron_callback("reports", None, at=NOW, body=body)
    assert adapter.verify(request) == (body != b"\xff"), "what is no text has no signature either"
    with pytest.raises(BadCallback) as caught:
        adapter.parse_receipts(request)
    assert "h-1" not in str(caught.value)


def test_receipts_in_a_query_and_a_time_without_zone(tmp_path: Path) -> None:
    adapter = plain(
        tmp_path,
        """
[accounts.plain.receipts]
format = "query"
id = "id"
status = "s"
error = "e"
phone = "m"
time = "t"
time_format = "%Y%m%d%H%M"
[accounts.plain.callbacks.signature]
kind = "md5"
over = "{{ query.id }}{{ timestamp }}secret"
query = "sign"
encoding = "HEX"
timestamp_query = "ts"
""",
    )
    good = {"id": "a", "s": "2", "e": "8", "m": "13800138000", "t": "202701151600", "ts": f"{NOW * 1000:.0f}"}
    sign = signing.compute_digest("md5", b"", f"a{good['ts']}secret".encode()).hex().upper()
    request = push("", query={**good, "sign": sign})
    assert adapter.verify(request)
    [receipt] = adapter.parse_receipts(request)
    assert (receipt.provider_id, receipt.phone, receipt.error) == ("a", "+8613800138000", ErrorClass.bad_number)
    assert receipt.occurred_at == datetime(2027, 1, 15, 8, tzinfo=UTC)
    assert json.loads(receipt.raw)["m"] == "13800138000"
    for change in ({"sign": ""}, {"sign": sign.lower()}, {"id": "b"}, {"ts": "x"}):
        bad = {**good, "sign": sign, **change}
        assert not adapter.verify(push("", query=bad))
    assert not adapter.verify(push("replies", query={**good, "sign": sign})), "it has no replies"


def test_one_receipt_in_a_form_and_replies_in_xml(tmp_path: Path) -> None:
    adapter = plain(
        tmp_path,
        """
[accounts.plain.receipts]
format = "form"
id = "id"
status = "status"
[accounts.plain.replies]
format = "xml"
list = "mo"
phone = "@from"
text = "text"
[accounts.plain.callbacks]
secret = "${HERON_PATH}"
""",
    )
    request = push(f"receipts/{ENVIRON['HERON_PATH']}", urlencode({"id": "a", "status": "1"}).encode())
    assert adapter.verify(request)
    [receipt] = adapter.parse_receipts(request)
    assert (receipt.status, receipt.raw) == (ReceiptStatus.delivered, "id=a&status=1")
    body = '<r><mo from="13800138000"><text>收到</text></mo><mo from="13800138001"><text>R</text></mo></r>'.encode()
    replies = adapter.parse_replies(push("replies", body))
    assert [(reply.phone, reply.text) for reply in replies] == [("+8613800138000", "收到"), ("+8613800138001", "R")]
    alone = '<r><mo from="13800138000"><text>收到</text></mo></r>'.encode()
    assert [reply.text for reply in adapter.parse_replies(push("replies", alone))] == ["收到"]
    assert adapter.parse_replies(push("replies", b"<r><mo/></r>")) == []
    bomb = b'<!DOCTYPE r [<!ENTITY a "aaaa">]><r><mo from="13800138000"><text>&a;</text></mo></r>'
    with pytest.raises(BadCallback):
        adapter.parse_replies(push("replies", bomb))


def test_replies_without_a_name_are_named_by_what_they_say_and_when(adapter: HttpAdapter) -> None:
    def reply(**changes: Any) -> Reply:
        record = {"from": "13800138000", "text": "R", "at": 1_800_000_000} | changes
        [found] = adapter.parse_replies(heron_callback("replies", [record]))
        return found

    assert reply().provider_id == reply(extra=1).provider_id is not None
    assert len({reply().provider_id, reply(at=1_800_000_001).provider_id, reply(text="T").provider_id}) == 3


def test_parts_of_a_long_reply(tmp_path: Path) -> None:
    fields = 'phone = "p"\ntext = "t"\npart = "n"\nparts = "of"\nseries = "s"\n[accounts.plain.callbacks]\n'
    adapter = plain(tmp_path, f'[accounts.plain.replies]\n{fields}addresses = ["203.0.113.9"]\n')
    body = json.dumps([{"p": "13800138000", "t": "a", "n": 2, "of": 3, "s": 77}, {"p": "13800138000", "t": "b"}])
    first, second = adapter.parse_replies(push("replies", body.encode()))
    assert (first.part, first.parts, first.series) == (2, 3, "77")
    assert (second.part, second.parts, second.series) == (1, 1, None)


def test_what_is_pulled_is_kept_even_if_a_record_cannot_be_read(tmp_path: Path) -> None:
    with StandIn("mas") as provider:
        adapter = plain(tmp_path, PULLED.replace("URL", provider.url))
        assert adapter.capabilities.pull_every_s == 30
        assert not adapter.verify(push("receipts")), "nothing is pushed"
        good, bad = {"id": "a", "s": "1"}, {"id": "b", "s": ["\ud800"]}
        provider.offer("receipts", {"code": "0", "list": [good, bad]})
        provider.offer("replies", [{"p": "13800138000", "t": "R"}, {"t": "nobody"}])
        found = adapter.pull()
        assert [receipt.status for receipt in found.receipts] == [ReceiptStatus.delivered, ReceiptStatus.unclassified]
        assert json.loads(found.receipts[1].raw) == bad
        assert [reply.text for reply in found.replies] == ["R"]
        assert found.more, "a full page may not be the last"
        provider.offer("receipts", {"code": "0"})
        assert adapter.pull().receipts == []
        provider.offer("receipts", {"code": "7", "list": [good]})
        assert adapter.pull().receipts == [], "the other kind was given nevertheless"
        provider.offer("receipts", {"code": "7"})
        provider.offer("replies", {"error": "nothing readable"})
        with pytest.raises(Exception, match="the provider answers 7"):
            adapter.pull()
        adapter.close()  # so that no connection is left from before
        provider.stop()
        with pytest.raises(Exception, match="ClientConnectorError"):
            adapter.pull()
        adapter.close()
