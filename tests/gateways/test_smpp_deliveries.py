"""What a deliver_sm says: receipts in all the forms that SMSCs have, and inbound texts."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_smpp_pdus import body, deliver

from sms_service.gateways.base import ErrorClass, Receipt, ReceiptStatus, Reply
from sms_service.gateways.smpp.adapter import CODES
from sms_service.gateways.smpp.deliveries import Canonical, as_number, as_text, read_delivery
from sms_service.gateways.smpp.pdus import DELIVER_SM, Pdu

SHANGHAI = ZoneInfo("Asia/Shanghai")
WORDS = b"id:%b sub:001 dlvrd:001 submit date:2611260910 done date:2611260911 stat:%b err:%b text:hello"


def receipt(canonical: Canonical = as_text, **parameters: Any) -> Receipt:
    parameters = {"source_addr": "8613800000000", "destination_addr": "1069", "esm_class": 4, **parameters}
    found = read_delivery(body(deliver(**parameters)), CODES.receipts, canonical, SHANGHAI)
    assert isinstance(found, Receipt)
    return found


def reply(**parameters: Any) -> Reply:
    parameters = {"source_addr": "8613800000000", "destination_addr": "10690001", **parameters}
    found = read_delivery(body(deliver(**parameters)), CODES.receipts, as_text, SHANGHAI)
    assert isinstance(found, Reply)
    return found


def test_a_receipt_in_words() -> None:
    found = receipt(short_message=WORDS % (b"4F2A", b"DELIVRD", b"000"))
    assert (found.status, found.provider_id, found.phone) == (ReceiptStatus.delivered, "4F2A", "+8613800000000")
    assert (found.error, found.raw_code, found.part, found.reference) == (None, "DELIVRD", 0, None)
    assert found.occurred_at == datetime(2026, 11, 26, 1, 11, tzinfo=UTC)
    assert json.loads(found.raw)["text"].startswith("id:4F2A")


def test_optional_parameters_stand_above_the_words() -> None:
    words = WORDS % (b"1", b"UNDELIV", b"000")
    found = receipt(short_message=words, receipted_message_id="77", message_state=2)
    assert (found.status, found.provider_id, found.raw_code) == (ReceiptStatus.delivered, "77", "DELIVRD")


@pytest.mark.parametrize(
    ("stat", "status", "error"),
    [
        (b"UNDELIV", ReceiptStatus.undelivered, ErrorClass.carrier),
        (b"expired", ReceiptStatus.undelivered, ErrorClass.unreachable),
        (b"REJECTD", ReceiptStatus.undelivered, ErrorClass.blocked),
        (b"ENROUTE", ReceiptStatus.interim, None),
        (b"UNKNOWN", ReceiptStatus.interim, None),
        (b"MK:0001", ReceiptStatus.unclassified, None),
    ],
)
def test_what_a_receipt_says(stat: bytes, status: ReceiptStatus, error: ErrorClass | None) -> None:
    found = receipt(short_message=WORDS % (b"1", stat, b"034"))
    assert (found.status, found.error, found.raw_code) == (status, error, f"{stat.decode().upper()} 034")


def test_a_word_may_begin_in_the_one_before() -> None:
    found = receipt(short_message=b"ID:4F2A;STAT:UNDELIV;Err:034 done date:261126091159")
    assert (found.provider_id, found.raw_code) == ("4F2A;STAT:UNDELIV;Err:034", "UNDELIV;ERR:034 034")
    assert found.occurred_at == datetime(2026, 11, 26, 1, 11, 59, tzinfo=UTC)


@given(st.datetimes(datetime(2000, 1, 1), datetime(2068, 12, 31)), st.sampled_from(["%y%m%d%H%M", "%y%m%d%H%M%S"]))
def test_when_a_text_arrived_is_read_as_strptime_reads_it(when: datetime, form: str) -> None:
    written = when.strftime(form)
    found = receipt(short_message=b"id:1 done date:%b stat:DELIVRD" % written.encode())
    assert found.occurred_at == datetime.strptime(written, form).replace(tzinfo=SHANGHAI)


@pytest.mark.parametrize(
    "written",
    ["2613010000", "2602300000", "2611262400", "261126095960", "26112609", "2611260-11", "20261126T0911", "Ⅻ1"],
)
def test_what_is_no_time_is_left_out(written: str) -> None:
    words = f"id:1 done date:{written} stat:DELIVRD".encode("utf-16-be")
    assert receipt(short_message=words, data_coding=8).occurred_at is None


@given(st.integers(0, 2**63))
def test_ids_in_hex_and_in_decimal_are_one(number: int) -> None:
    assert (
        as_number(16)(f"{number:X}") == as_number(16)(f"{number:08x}") == as_number(10)(f"{number:020d}") == str(number)
    )


def test_an_id_that_is_no_number_stays_as_it_came() -> None:
    assert (as_number(16)("x-1"), as_number(10)("1A"), as_text(" 007 ")) == ("x-1", "1A", "007")


def test_an_smsc_that_leaves_the_addresses_as_they_were() -> None:
    found = receipt(source_addr="1069", destination_addr="13800000000", short_message=WORDS % (b"1", b"DELIVRD", b"0"))
    assert found.phone == "+8613800000000"


def test_a_receipt_without_an_id_is_kept() -> None:
    found = receipt(short_message="乱".encode("utf-16-be"), data_coding=8)
    assert (found.status, found.provider_id, found.raw_code) == (ReceiptStatus.unclassified, None, None)


@given(st.binary(max_size=60))
def test_nothing_that_comes_is_lost(garbage: bytes) -> None:
    found = read_delivery(Pdu(DELIVER_SM, 0, 1, garbage), CODES.receipts, as_text, SHANGHAI)
    assert isinstance(found, Reply) or found.status != ReceiptStatus.delivered
    assert json.loads(found.raw)


@pytest.mark.parametrize("coding", [0, 8])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_receipt_in_utf_16_is_read_like_one_in_ascii(coding: int, mark: str) -> None:
    words = (mark + (WORDS % (b"4F2A", b"UNDELIV", b"034")).decode()).encode("utf-16-be")
    found = receipt(short_message=words, data_coding=coding)
    assert (found.status, found.provider_id, found.raw_code) == (ReceiptStatus.undelivered, "4F2A", "UNDELIV 034")
    assert found.occurred_at == datetime(2026, 11, 26, 1, 11, tzinfo=UTC)


def test_a_word_that_is_empty_takes_nothing_from_the_next() -> None:
    words = b"id: sub:001 dlvrd:001 submit date:2611260910 done date: stat: err:000 text:stat:DELIVRD id:7"
    found = receipt(short_message=words)
    assert (found.status, found.provider_id, found.raw_code) == (ReceiptStatus.unclassified, None, None)
    assert found.occurred_at is None


def test_words_that_no_class_marks_as_a_receipt_are_read_both_ways() -> None:
    found = reply(short_message=WORDS % (b"1", b"DELIVRD", b"000"))
    assert found.text.startswith("id:1 ")
    marked = receipt(short_message=WORDS % (b"1", b"DELIVRD", b"000"))
    assert found.receipt is not None
    assert replace(found.receipt, raw="") == replace(marked, raw="")


@pytest.mark.parametrize("words", [b"R", b"id:1 stat:DELIVRD", b"text: " + WORDS % (b"1", b"DELIVRD", b"000")])
def test_words_that_a_person_sends_are_no_receipt(words: bytes) -> None:
    assert reply(short_message=words).receipt is None


@pytest.mark.parametrize(
    ("coding", "data", "text"),
    [
        (8, "好🎉".encode("utf-16-be")[:-2], "好\ud83c"),
        (8, "🎉好".encode("utf-16-be")[2:], "\udf89好"),
        (0, b"ok\x1b", "ok\x1b"),
        (0, b"ok\x1b\x1b", "ok\ufffd"),
    ],
)
def test_half_a_character_is_kept_for_the_next_part_only(coding: int, data: bytes, text: str) -> None:
    header = b"\x05\x00\x03\x2a\x02\x01"
    assert reply(short_message=header + data, data_coding=coding, esm_class=0x40).text == text
    whole = reply(short_message=data, data_coding=coding).text
    assert "\ufffd" in whole
    assert "\x1b" not in whole
    assert whole.encode(), "no half of a pair"


@pytest.mark.parametrize(
    ("coding", "data", "text"),
    [
        (8, "退订".encode("utf-16-be"), "退订"),
        (8, "好😀𠮷".encode("utf-16-be"), "好😀𠮷"),
        (0, b"T\x00D \x1b\x65", "T@D €"),
        (15, "退订".encode("gb18030"), "退订"),
        (3, b"r\xe9", "ré"),
        (1, b"R", "R"),
        *((coding, "退订".encode("utf-16-be"), "退订") for coding in (0x18, 0x19, 0x1A, 0x48, 0xE0)),
        *((coding, b"T\x00D", "T@D") for coding in (0x10, 0x11, 0xC0, 0xD8, 0xF0, 0x80)),
        *((coding, b"r\xe9", "ré") for coding in (0x14, 0xF4)),
        (8, b"\xfe\xff" + "退订".encode("utf-16-be"), "退订"),
        (8, b"\xff\xfe" + "退订".encode("utf-16-le"), "退订"),
    ],
)
def test_an_inbound_text(coding: int, data: bytes, text: str) -> None:
    found = reply(short_message=data, data_coding=coding)
    assert (found.text, found.phone, found.to) == (text, "+8613800000000", "10690001")
    assert (found.part, found.parts, found.series) == (1, 1, None)


@pytest.mark.parametrize("header", [b"\x05\x00\x03\x2a\x03\x02", b"\x06\x08\x04\x00\x2a\x03\x02"])
def test_a_part_of_a_long_inbound_text(header: bytes) -> None:
    found = reply(short_message=header + "长文".encode("utf-16-be"), data_coding=8, esm_class=0x40)
    assert (found.text, found.part, found.parts, found.series) == ("长文", 2, 3, "42")


def test_a_part_that_is_numbered_by_optional_parameters() -> None:
    sar = {"sar_msg_ref_num": 300, "sar_total_segments": 2, "sar_segment_seqnum": 1}
    found = reply(short_message="长".encode("utf-16-be"), data_coding=8, **sar)
    assert (found.text, found.part, found.parts, found.series) == ("长", 1, 2, "300")


@pytest.mark.parametrize("header", [b"\x05\x00\x03\x2a\x02\x03", b"\x05\x00\x03\x2a\x00\x00", b"\x04\x70\x02\x01\x02"])
def test_a_header_that_numbers_nothing_is_left_off(header: bytes) -> None:
    found = reply(short_message=header + "短".encode("utf-16-be"), data_coding=8, esm_class=0x40)
    assert (found.text, found.part, found.parts, found.series) == ("短", 1, 1, None)


def test_a_sender_that_is_no_number_is_kept() -> None:
    assert reply(source_addr="10086", short_message=b"hi").phone == "10086"


def test_words_that_end_with_a_nul_are_read_without_it() -> None:
    found = receipt(short_message=WORDS % (b"7\0", b"DELIVRD", b"000\0"))
    assert (found.provider_id, found.raw_code) == ("7", "DELIVRD")
    assert "\0" not in found.raw


def test_a_number_of_parts_that_no_text_has_is_left_off() -> None:
    sar = {"sar_msg_ref_num": 300, "sar_total_segments": 2, "sar_segment_seqnum": 1}
    written = deliver(source_addr="8613800000000", short_message=b"hi", **sar)
    huge = written.replace(b"\x02\x0e\x00\x01\x02", b"\x02\x0e\x00\x02\xff\xff")
    found = read_delivery(body(len(huge).to_bytes(4, "big") + huge[4:]), CODES.receipts, as_text, SHANGHAI)
    assert isinstance(found, Reply)
    assert (found.part, found.parts, found.series) == (1, 1, None)
