"""Extension numbers: the digits behind an account's number by which an answer names its question."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulator_process import SimulatorProcess
from smpp_provider import PASSWORD, Kept

from sms_service.gateways.base import Group, OutcomeKind, Text
from sms_service.gateways.extensions import names_question, read_extension, write_extension
from sms_service.gateways.options import BadOption
from sms_service.gateways.smpp.adapter import Options, create
from tests.factories import fictional_phone

OWN, PHONE = "10690000", fictional_phone(3)


@given(st.integers(1, 10**12), st.integers(1, 6), st.sampled_from(["", "+"]))
def test_what_is_written_is_read(question_id: int, digits: int, plus: str) -> None:
    extension = write_extension(question_id, digits)
    assert read_extension(plus + OWN + extension, OWN, digits) == extension
    assert names_question(extension, question_id)
    assert not names_question(extension, question_id + 1)


@pytest.mark.parametrize(
    "sent_to", [None, "", OWN, OWN + "12", OWN + "12345", OWN + "12a4", "9" + OWN + "1234", "1234"]
)
def test_what_is_no_extension(sent_to: str | None) -> None:
    assert read_extension(sent_to, OWN, 4) is None
    assert read_extension(OWN + "1234", OWN, 0) is None


def test_answers_come_to_the_number_of_their_question_over_smpp(tmp_path: Path) -> None:
    with SimulatorProcess(tmp_path / "ledger.jsonl", secret=PASSWORD, smpp=True) as simulator:
        options = Options("127.0.0.1", simulator.smpp_port, "simulator", PASSWORD, OWN, extension_digits=4)
        adapter, kept = create("smpp", options, ""), Kept()
        adapter.open(kept.keep)
        try:
            assert adapter.state(20).up
            for question_id, extension in ((70012, "0012"), (None, None)):
                text = Text(f"202601-{question_id}", PHONE, "参加请回复1", 1)
                [outcome] = adapter.submit(Group("202601-g", [text], question_id=question_id))
                assert outcome.kind is OutcomeKind.accepted
                simulator.reply(PHONE, "1")
                [reply] = kept.reply()
                assert (reply.text, reply.extension) == ("1", extension)
        finally:
            adapter.close()


def test_a_number_that_would_be_too_long_is_refused() -> None:
    with pytest.raises(BadOption, match="20 characters"):
        Options("host", 1, "id", PASSWORD, "1" * 18, extension_digits=3)
