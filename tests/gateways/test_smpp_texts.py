"""A text's parts over SMPP, and what follows from what became of each."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from smpplib import command
from test_smpp_pdus import _Numbers

from sms_service.gateways.base import ErrorClass, OutcomeKind, Text
from sms_service.gateways.smpp.adapter import CODES
from sms_service.gateways.smpp.pdus import SubmitForm
from sms_service.gateways.smpp.texts import Part, PartState, SendingText, encode_text
from sms_service.parts import GSM_BASIC, GSM_EXTENSION, decode_gsm, measure_text

FORM = SubmitForm("1069")
CHINESE = "【云州先锋】张三同志：请参加学习。" + "学" * 60
S = PartState


def read(part: Part) -> command.SubmitSM:
    """A part as the SMSC reads it."""
    found = command.SubmitSM("submit_sm", client=_Numbers())
    found.parse(part.pdu)
    return found


def sending(body: str) -> SendingText:
    return encode_text(Text("202611-1", "+8613800000000", body, measure_text(body).parts), 0.0, FORM, "8613800000000")


ALPHABET = st.sampled_from("学习云𠮷😀a€[")


@given(st.one_of(st.text(ALPHABET, min_size=1, max_size=300), st.text(GSM_BASIC + GSM_EXTENSION, min_size=1)))
def test_the_parts_joined_are_the_text(body: str) -> None:
    parts = [read(part) for part in sending(body).parts]
    assert len(parts) == measure_text(body).parts
    found = ""
    for place, part in enumerate(parts, 1):
        data = part.short_message
        if len(parts) > 1:
            assert part.esm_class == 0x40
            assert (data[:3], data[4:6]) == (b"\5\0\3", bytes((len(parts), place)))
            assert data[3] == parts[0].short_message[3]
            data = data[6:]
        assert part.registered_delivery == 1
        if part.data_coding == 8:
            assert len(part.short_message) <= 140
            found += data.decode("utf-16-be")  # strict: half a pair would fail
        else:
            assert len(data) <= (160 if len(parts) == 1 else 153)
            found += decode_gsm(data)
    assert found == body


@pytest.mark.parametrize("character", ["𠮷", "😀"])
def test_a_character_on_the_boundary_goes_whole_into_the_next_part(character: str) -> None:
    first, second = (
        read(part).short_message[6:].decode("utf-16-be") for part in sending("学" * 66 + character * 3).parts
    )
    assert (first, second) == ("学" * 66, character * 3)


def settled(*states: PartState, status: int = 0x0B) -> SendingText:
    """A text whose parts are in these states; those taken have the ids 1, 2, …"""
    text = sending("学" * (67 * len(states)) if len(states) > 1 else "学")
    for number, (part, state) in enumerate(zip(text.parts, states, strict=True), 1):
        part.state = state
        part.provider_id = str(number) if state is S.taken else ""
        part.status = 0 if state is S.taken else 0x58 if state is S.throttled else status
    assert text.is_at_rest
    text.settle(CODES.answers)
    return text


def test_all_parts_taken_is_accepted_and_names_them() -> None:
    outcome = settled(S.taken, S.taken).outcome
    assert outcome is not None
    assert (outcome.kind, outcome.provider_id, outcome.part_ids) == (OutcomeKind.accepted, "1", ("1", "2"))
    outcome = settled(S.taken).outcome
    assert outcome is not None
    assert (outcome.kind, outcome.provider_id, outcome.part_ids) == (OutcomeKind.accepted, "1", ())


def test_one_part_that_cannot_be_told_makes_the_text_unknown_and_keeps_the_ids() -> None:
    for states in itertools.product([S.taken, S.refused, S.throttled, S.given_up, S.unknown], repeat=2):
        outcome = settled(*states).outcome
        assert outcome is not None
        assert (outcome.kind is OutcomeKind.unknown) == (S.unknown in states)
    outcome = settled(S.taken, S.unknown).outcome
    assert outcome is not None
    assert outcome.part_ids == ("1", "")


def test_some_parts_taken_and_the_rest_not_is_partial() -> None:
    for rest, code in ((S.refused, "0x0000000B"), (S.throttled, "0x00000058"), (S.given_up, None)):
        outcome = settled(S.taken, rest).outcome
        assert outcome is not None
        assert (outcome.kind, outcome.error, outcome.raw_code) == (OutcomeKind.partial, ErrorClass.partial, code)
        assert outcome.part_ids == ("1", "")


@pytest.mark.parametrize(
    ("states", "kind", "error"),
    [
        ((S.refused, S.throttled), OutcomeKind.refused, ErrorClass.bad_number),
        ((S.throttled, S.given_up), OutcomeKind.throttled, ErrorClass.rate),
        ((S.given_up, S.given_up), OutcomeKind.refused, ErrorClass.later),
    ],
)
def test_nothing_taken_is_refused_or_throttled(
    states: tuple[PartState, ...], kind: OutcomeKind, error: ErrorClass
) -> None:
    outcome = settled(*states).outcome
    assert outcome is not None
    assert (outcome.kind, outcome.error, outcome.unwritten) == (kind, error, set(states) == {S.given_up})


def test_a_status_that_no_table_knows_is_kept_raw() -> None:
    outcome = settled(S.refused, status=0x0401).outcome
    assert outcome is not None
    assert (outcome.kind, outcome.error, outcome.raw_code) == (
        OutcomeKind.refused,
        ErrorClass.unclassified,
        "0x00000401",
    )


def test_only_what_may_still_be_taken_is_missing() -> None:
    for states in itertools.product([S.taken, S.refused, S.throttled, S.given_up, S.unknown], repeat=2):
        text = settled(*states)
        again = S.taken in states and not {S.refused, S.unknown} & set(states)
        assert text.missing() == [part for part in text.parts if again and part.state is not S.taken]
