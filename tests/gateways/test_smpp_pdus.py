"""SMPP's bytes: framing, what SMSCs send beyond the specification, and smpplib's codec beside ours."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from smpplib import command, consts

from sms_service.gateways.smpp import pdus
from sms_service.gateways.smpp.pdus import Deliver, Malformed, Pdu, SubmitForm, cut, head


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


class _SmpplibsDeliver(command.DeliverSM):  # type: ignore[misc]  # smpplib comes without types
    """smpplib's, but for three things: it raises for optional parameters that it does not know in this place, goes on
    at the start where a string has no end, and says 0 where no length was read.
    """

    def __init__(self) -> None:
        super().__init__("deliver_sm", client=_Numbers())
        self.options: dict[int, bytes] = {}
        self.sm_length: int | None = None

    def _parse_string(self, field: str, data: bytes, pos: int, length: int | None = None) -> tuple[bytes, int]:
        if data.find(b"\0", pos) < 0:
            raise ValueError(f"{field} has no end")
        found: tuple[bytes, int] = super()._parse_string(field, data, pos, length)
        return found

    def parse_optional_params(self, data: bytes) -> None:
        while len(data) >= 4 and len(data) - 4 >= int.from_bytes(data[2:4], "big"):
            end = 4 + int.from_bytes(data[2:4], "big")
            self.options[int.from_bytes(data[:2], "big")] = data[4:end]
            data = data[end:]


def as_smpplib_reads(body: bytes) -> Deliver | None:
    """A deliver_sm's body; None if it refuses it."""
    found = _SmpplibsDeliver()
    try:
        found.parse_params(body)
    except (struct.error, IndexError, ValueError):
        return None
    text = found.short_message or b""
    if found.sm_length is None or len(text) != found.sm_length:
        return None
    source, destination = (
        (name or b"").decode("ascii", "replace") for name in (found.source_addr, found.destination_addr)
    )
    payload = found.options.get(pdus.MESSAGE_PAYLOAD, b"")
    return Deliver(source, destination, found.esm_class, found.data_coding, text or payload, found.options)


def as_we_read(body: bytes) -> Deliver | None:
    """The same."""
    try:
        return pdus.deliver_sm(Pdu(pdus.DELIVER_SM, 0, 1, body))
    except Malformed:
        return None


def strings(size: int) -> st.SearchStrategy[str]:
    """What a C-octet string of `size` octets can hold."""
    return st.text(st.characters(min_codepoint=1, max_codepoint=127), max_size=size - 1)


OCTET = st.integers(0, 255)
ADDRESSING = st.fixed_dictionaries(
    {
        **dict.fromkeys(("source_addr_ton", "source_addr_npi", "dest_addr_ton", "dest_addr_npi"), OCTET),
        "service_type": strings(6),
        "source_addr": strings(21),
    }
)
OF_A_TEXT = st.fixed_dictionaries(
    {
        "destination_addr": strings(21),
        "short_message": st.binary(max_size=254),
        "esm_class": OCTET,
        "data_coding": OCTET,
        "validity_period": strings(17),
    }
)


@given(ADDRESSING, OF_A_TEXT, st.integers(1, 0x7FFFFFFF))
def test_a_submit_sm_is_written_as_smpplib_writes_it(
    addressing: dict[str, Any], of_text: dict[str, Any], sequence: int
) -> None:
    theirs = command.SubmitSM("submit_sm", client=_Numbers(), registered_delivery=1, **addressing, **of_text).generate()
    names = {"source_addr_ton": "source_ton", "source_addr_npi": "source_npi"}
    names |= {"dest_addr_ton": "dest_ton", "dest_addr_npi": "dest_npi"}
    form = SubmitForm(**{names.get(name, name): value for name, value in addressing.items()})
    ours = pdus.numbered(form.write(**of_text), sequence)
    assert ours == theirs[:12] + struct.pack(">L", sequence) + theirs[16:]


@given(strings(16), strings(9), strings(13))
def test_a_log_in_is_written_as_smpplib_writes_it(system_id: str, password: str, system_type: str) -> None:
    theirs = command.BindTransceiver(
        "bind_transceiver",
        client=_Numbers(),
        system_id=system_id,
        password=password,
        system_type=system_type,
        interface_version=consts.SMPP_VERSION_34,
        addr_ton=0,
        addr_npi=0,
        address_range="",
    ).generate()
    assert pdus.bind_transceiver(system_id, password, system_type) == theirs


@pytest.mark.parametrize(
    "wrong", [{"destination_addr": "8" * 21}, {"destination_addr": "一三八"}, {"destination_addr": "1\0002"}]
)
def test_what_a_field_cannot_hold_is_never_cut_off(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="20 ASCII characters"):
        SubmitForm("1069").write(**{"short_message": b"", "esm_class": 0, "data_coding": 0, **wrong})
    with pytest.raises(ValueError, match="254 octets"):
        SubmitForm("1069").write("1", b"x" * 255, esm_class=0, data_coding=0)


OPTIONS = st.lists(st.tuples(st.sampled_from([0x1E, 0x424, 0x427, 0x1401, 5]), st.binary(max_size=9)), max_size=3)


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """A deliver_sm's body, its strings perhaps too long, perhaps damaged: octets changed, put in, left out, cut off."""
    free = st.binary(max_size=25).map(lambda octets: octets.replace(b"\0", b""))
    octets = bytes(draw(st.lists(OCTET, min_size=12, max_size=12)))
    text = draw(st.binary(max_size=60))
    body = b"".join(
        (
            draw(free) + b"\0" + octets[:2] + draw(free) + b"\0" + octets[2:4] + draw(free) + b"\0" + octets[4:7],
            draw(free) + b"\0" + draw(free) + b"\0" + octets[7:11] + bytes([len(text)]) + text,
            *(struct.pack(">HH", tag, len(value)) + value for tag, value in draw(OPTIONS)),
        )
    )
    for _ in range(draw(st.integers(0, 2))):
        place = draw(st.integers(0, len(body)))
        removed = draw(st.sampled_from([0, 1, 1, 4, len(body)]))
        body = body[:place] + draw(st.sampled_from([b"", b"\0", b"\xff", b"\x80\0"])) + body[place + removed :]
    return body


@given(bodies())
def test_a_deliver_sm_is_read_as_smpplib_reads_it_or_refused_as_it_refuses_it(body: bytes) -> None:
    assert as_we_read(body) == as_smpplib_reads(body)


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
    assert as_we_read(garbage) == as_smpplib_reads(garbage)


@pytest.mark.parametrize(
    ("written", "name"), [(b"1A\0", "1A"), (b"", ""), (b" 12 \0", "12"), (b"1A", ""), (b"\xff\xfe\x80\0", "")]
)
def test_the_id_in_an_answer_unless_it_is_cut_or_no_text(written: bytes, name: str) -> None:
    assert pdus.message_id(Pdu(pdus.SUBMIT_SM | pdus.RESPONSE, 0, 1, written)) == name
