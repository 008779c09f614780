"""Parts of long texts, in any order and interleaved with those of others, and ids in every base."""

from __future__ import annotations

import struct
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from sms_service import parts
from sms_service.simulator import smpp_pdus as pdus
from sms_service.simulator.behaviour import CHOICES
from sms_service.simulator.smpp_answers import wire_ids
from sms_service.simulator.smpp_parts import Joiner, SubmittedPart, check_submit

texts = st.text(st.sampled_from("学习【】a1€𠮷😀é"), min_size=1, max_size=300)


def submitted(text: str, phone: str, reference: int) -> list[bytes]:
    """The submit_sm bodies of a text, as a proper client makes them."""
    encoding = parts.measure_text(text).encoding
    pieces = parts.split_text(text)
    bodies = []
    for number, piece in enumerate(pieces, 1):
        header = bytes((5, 0, 3, reference, len(pieces), number)) if len(pieces) > 1 else b""
        message = header + parts.encode_part(piece, encoding)
        flags = bytes((0x40 if header else 0, 0, 0)) + b"\0\0" + bytes((1, 0, 8 if encoding == "UCS-2" else 0, 0))
        bodies.append(b"\0\0\x0110690001\0\x01\x01" + phone.encode() + b"\0" + flags + bytes((len(message),)) + message)
    return bodies


def taken(body: bytes) -> SubmittedPart:
    return check_submit(pdus.parse_submit(body), require_receipt=True, now=0.0)


@given(st.lists(texts, min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_every_text_is_whole_again_in_whatever_order_its_parts_come(whole: list[str], shuffle: Random) -> None:
    handed = [
        (place, body)
        for place, text in enumerate(whole)
        for body in submitted(text, f"861380000000{place}", reference=7)
    ]
    shuffle.shuffle(handed)
    joiner, joined = Joiner(), {}
    for number, (place, body) in enumerate(handed):
        part = taken(body)
        assert part.phone == f"+861380000000{place}"
        if found := joiner.add(part, str(number)):
            assert place not in joined
            assert len({identifier for identifier, _ in found}) == len(found) == part.total
            joined[place] = "".join(text for _, text in found)
    assert joined == dict(enumerate(whole))


@given(texts, st.data())
def test_without_one_of_its_parts_no_text_is_whole(text: str, data: st.DataObject) -> None:
    bodies = submitted(text, "8613800000000", reference=255)
    missing = data.draw(st.integers(0, len(bodies) - 1))
    joiner = Joiner()
    del bodies[missing]
    assert all(joiner.add(taken(body), "1") is None for body in bodies * 2), "a part twice is still one part"


def test_a_reference_in_use_again_begins_a_new_text() -> None:
    joiner = Joiner()
    first, again, rest = (
        SubmittedPart("1", "2", text, 7, 2, number) for text, number in (("a", 1), ("b", 1), ("c", 2))
    )
    assert joiner.add(first, "1") is None
    assert joiner.add(again, "2") is None
    assert joiner.add(rest, "3") == [("2", "b"), ("3", "c")]


@given(st.integers(1, 10**12 - 1), st.sampled_from(CHOICES["smpp_ids"]))
def test_an_id_is_the_same_number_in_every_base(number: int, way: str) -> None:
    bases = {"plain": (10, 10), "decimal": (10, 10), "hex": (16, 16)}
    bases |= {"hex_then_decimal": (16, 10), "decimal_then_hex": (10, 16)}
    written = wire_ids(f"SIM{number:012}", way)
    read = [int(text.removeprefix("SIM"), base) for text, base in zip(written, bases[way], strict=True)]
    assert read == [number, number]
    assert all(len(text) <= 64 for text in written)


@given(st.binary(max_size=80))
def test_whatever_comes_is_taken_or_refused_by_the_book(body: bytes) -> None:
    for octets in (body, b"\0\0\x011\0\x01\x018613800000000\0" + body):
        try:
            part = taken(octets)
        except pdus.BadPdu:
            continue
        assert part.text.encode()
        assert 1 <= part.number <= part.total


@given(st.dictionaries(st.integers(0, 0xFFFF), st.binary(max_size=20), max_size=5))
def test_optional_parameters_that_nobody_knows_are_tolerated(tlvs: dict[int, bytes]) -> None:
    known = (pdus.SAR_REFERENCE, pdus.SAR_TOTAL, pdus.SAR_SEQUENCE, pdus.MESSAGE_PAYLOAD)
    unknown = {tag: value for tag, value in tlvs.items() if tag not in known}
    [body] = submitted("学习", "8613800000000", reference=1)
    body += b"".join(struct.pack("!HH", tag, len(value)) + value for tag, value in unknown.items())
    assert taken(body).text == "学习"
    assert pdus.parse_submit(body).tlvs == unknown
