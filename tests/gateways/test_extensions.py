"""Extension numbers: the digits behind an account's number by which an answer names its question."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from http_callbacks import CALLBACKS, heron_callback, mas_callback, options
from http_providers import StandIn
from hypothesis import given
from hypothesis import strategies as st
from simulator_process import SimulatorProcess
from smpp_provider import PASSWORD, Kept

from sms_service.gateways.base import Group, OutcomeKind, Text
from sms_service.gateways.extensions import names_question, read_extension, write_extension
from sms_service.gateways.http.adapter import HttpAdapter
from sms_service.gateways.mas.adapter import create as create_mas
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


def test_a_provider_may_name_the_digits_alone() -> None:
    assert read_extension("1234", "", 4) == "1234"
    assert read_extension(OWN + "1234", "", 4) is None


@pytest.mark.parametrize("template_id", ["", "9ec4b967"])
def test_answers_come_to_the_number_of_their_question_over_mas(tmp_path: Path, template_id: str) -> None:
    """The stand-in checks the `mac`, which covers `addSerial`."""
    with StandIn("mas") as mas:
        number = OWN + "88"
        changes = {"add_serial": "88", "extension_digits": 4, "number": number, "template_id": template_id}
        adapter = create_mas("mas", options("mas", mas, tmp_path, **changes), f"{CALLBACKS}/callbacks/mas")
        for question_id, extension in ((70012, "0012"), (None, None)):
            text = Text(f"202601-{question_id}", f"+86138{question_id or 1:08d}", "参加请回复1", 1)
            [outcome] = adapter.submit(Group("202601-g", [text], question_id=question_id))
            assert outcome.kind is OutcomeKind.accepted
            added = mas.requests()[-1]["document"]["addSerial"]
            assert added == "88" + (extension or "")
            record = {"mobile": text.phone, "smsContent": "1", "addSerial": OWN + added}
            [reply] = adapter.parse_replies(mas_callback("replies", record))
            assert (reply.text, reply.extension) == ("1", extension)
        adapter.close()


def test_answers_come_to_the_number_of_their_question_over_http(tmp_path: Path) -> None:
    with StandIn("heron") as heron:
        made = options("heron", heron, tmp_path)
        body = '{"from": {{ ("OWN" ~ extension) | json }}, "messages": {{ texts | json }}}'.replace("OWN", OWN)
        request = replace(made.request, body=body)
        extended = replace(made, request=request, extension_digits=6, number=OWN)
        adapter = HttpAdapter(extended, f"{CALLBACKS}/callbacks/heron")
        [outcome] = adapter.submit(Group("202601-g", [Text("202601-1", PHONE, "参加请回复1", 1)], question_id=7))
        assert outcome.kind is OutcomeKind.accepted
        sent_from = heron.requests()[-1]["document"]["from"]
        assert sent_from == OWN + "000007"
        record = {"id": "1", "from": PHONE, "to": sent_from, "text": "1", "at": 1_800_000_000}
        [reply] = adapter.parse_replies(heron_callback("replies", [record]))
        assert reply.extension == "000007"
        adapter.close()
        with pytest.raises(BadOption, match=r"the request has no \{\{ extension"):
            replace(made, extension_digits=6)
        with pytest.raises(BadOption, match="the number that a reply was sent to"):
            replace(extended, replies=None)


def test_a_number_that_would_be_too_long_is_refused() -> None:
    with pytest.raises(BadOption, match="20 characters"):
        Options("host", 1, "id", PASSWORD, "1" * 18, extension_digits=3)
