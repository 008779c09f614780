"""SMPP's bytes: framing, and what SMSCs send beyond the specification."""

from __future__ import annotations

import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from smpplib import command

from sms_service.gateways.smpp import pdus
from sms_service.gateways.smpp.pdus import Malformed, Pdu, cut, head


class _Numbers:
    sequence = 0

    def next_sequence(self) -> int:
        return 0


def deliver(**parameters: object) -> bytes:
    """A deliver_sm as smpplib writes it."""
    return command.DeliverSM("deliver_sm", client=_Numbers(), **parameters).generate()


def body(pdu: bytes) -> Pdu:
    """The one PDU in these bytes."""
    (found,) = cut(bytearray(pdu))
    return found


WHOLE = st.builds(
    head,
    st.sampled_from([pdus.SUBMIT_SM, pdus.DELIVER_SM, pdus.ENQUIRE_LINK | pdus.RESPONSE]),
    st.integers(1, 0x7FFFFFFF),
    st.integers(0, 0xFFFFFFFF),
    st.binary(max_size=40),
)


@given(st.lists(WHOLE, max_size=6), st.data())
def test_pdus_are_found_however_the_bytes_arrive(written: list[bytes], data: st.DataObject) -> None:
    stream, buffer, found = b"".join(written), bytearray(), []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        buffer += stream[:size]
        stream = stream[size:]
        found += cut(buffer)
    assert [head(pdu.command, pdu.sequence, pdu.status, pdu.body) for pdu in found] == written
    assert not buffer


@pytest.mark.parametrize("length", [0, 15, pdus.LONGEST_PDU + 1, 0xFFFFFFFF])
def test_an_impossible_length_is_malformed(length: int) -> None:
    with pytest.raises(Malformed, match=str(length)):
        cut(bytearray(struct.pack(">4L", length, pdus.ENQUIRE_LINK, 0, 1)))


def test_a_number_is_written_into_a_pdu() -> None:
    pdu = body(pdus.numbered(pdus.bind_transceiver("city", "secret", ""), 77))
    assert (pdu.command, pdu.sequence, pdu.body[:12]) == (pdus.BIND_TRANSCEIVER, 77, b"city\0secret\0")
    assert b"\0\x34\0\0\0" in pdu.body  # version 3.4


def test_optional_parameters_of_all_kinds_are_kept_by_tag() -> None:
    written = deliver(source_addr="8613800000000", esm_class=4, short_message=b"id:1", receipted_message_id="1A")
    strange = (
        struct.pack(">HH", 0x1401, 3) + b"abc" + struct.pack(">HH", 0x0005, 1) + b"\1"
    )  # a vendor's; of another PDU
    found = pdus.deliver_sm(body(head(pdus.DELIVER_SM, 5, 0, written[16:] + strange)))
    assert (found.source, found.user_data, found.is_receipt) == ("8613800000000", b"id:1", True)
    assert found.options == {pdus.RECEIPTED_MESSAGE_ID: b"1A\0", 0x1401: b"abc", 0x0005: b"\1"}


def test_an_optional_parameter_that_is_cut_off_is_left_out() -> None:
    written = deliver(source_addr="1", short_message=b"x") + struct.pack(">HH", 0x1401, 9) + b"abc"
    assert pdus.deliver_sm(body(head(pdus.DELIVER_SM, 5, 0, written[16:]))).options == {}


def test_a_text_may_come_as_message_payload() -> None:
    found = pdus.deliver_sm(body(deliver(source_addr="1", message_payload="学习".encode("utf-16-be"), data_coding=8)))
    assert found.user_data.decode("utf-16-be") == "学习"


@given(st.data())
def test_a_deliver_sm_that_ends_too_early_is_malformed_and_nothing_else(data: st.DataObject) -> None:
    whole = deliver(source_addr="8613800000000", destination_addr="1069", short_message=b"id:1 stat:DELIVRD")[16:]
    shorter = whole[: data.draw(st.integers(0, len(whole) - 1))]
    with pytest.raises(Malformed):
        pdus.deliver_sm(Pdu(pdus.DELIVER_SM, 0, 1, shorter))


@given(st.binary(max_size=80))
def test_whatever_comes_is_a_delivery_or_malformed(garbage: bytes) -> None:
    with suppress(Malformed):
        assert len(pdus.deliver_sm(Pdu(pdus.DELIVER_SM, 0, 1, garbage)).user_data) <= len(garbage)


@pytest.mark.parametrize(
    ("written", "name"), [(b"1A\0", "1A"), (b"", ""), (b" 12 \0", "12"), (b"1A", ""), (b"\xff\xfe\x80\0", "")]
)
def test_the_id_in_an_answer_unless_it_is_cut_or_no_text(written: bytes, name: str) -> None:
    assert pdus.message_id(Pdu(pdus.SUBMIT_SM | pdus.RESPONSE, 0, 1, written)) == name
