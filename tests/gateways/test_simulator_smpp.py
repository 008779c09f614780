"""The simulator as an SMSC, driven by a client of a socket and struct: sessions, checks, faults, receipts, replies."""

from __future__ import annotations

import re
import urllib.error
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from raw_smpp import (
    BIND_RECEIVER,
    BIND_TRANSMITTER,
    DELIVER,
    ENQUIRE,
    NACK,
    RESPONSE,
    SUBMIT,
    UNBIND,
    RawSmpp,
    submit_body,
)
from simulator_process import SimulatorProcess

PHONE = "+8613800138000"
SILENT = {"silent_share": 1}
RECEIPT = re.compile(
    r"id:(\S+) sub:001 dlvrd:(00[01]) submit date:\d{10} done date:\d{10} stat:(\S+) err:(\d{3}) text:(.*)"
)


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[SimulatorProcess]:
    with SimulatorProcess(tmp_path / "ledger.jsonl", "--receipt-delay-s", "0", "0", smpp=True) as simulator:
        yield simulator


@pytest.fixture
def client(simulator: SimulatorProcess) -> Iterator[RawSmpp]:
    with RawSmpp(simulator.smpp_port) as client:
        yield client


def test_only_who_knows_the_password_is_bound(simulator: SimulatorProcess) -> None:
    with RawSmpp(simulator.smpp_port) as client:
        assert client.bound.status == 0
        assert client.ask(ENQUIRE).status == 0
        assert client.ask(9, b"simulator\0x\0\0\x34\0\0\0").status == 0x05, "it is bound already"
    with RawSmpp(simulator.smpp_port, password="guess") as stranger:
        assert stranger.bound.status == 0x0E
        assert stranger.next() is None
    with RawSmpp(simulator.smpp_port, password="nine-long") as stranger:
        assert stranger.bound.status == 0x0E
    with RawSmpp(simulator.smpp_port, bind=None) as stranger:
        assert stranger.ask(9, b"else\0x\0\0\x34\0\0\0").status == 0x0F


def test_who_is_not_bound_to_transmit_hands_nothing_over(simulator: SimulatorProcess) -> None:
    for bind in (None, BIND_RECEIVER):
        with RawSmpp(simulator.smpp_port, bind) as client:
            assert client.submit().status == 0x04
    assert simulator.events() == []


def test_a_text_is_in_the_ledger_before_its_answer(simulator: SimulatorProcess, client: RawSmpp) -> None:
    simulator.behave(**SILENT)
    answer = client.submit(text="【学习】你好")
    [part] = simulator.parts()
    [line] = simulator.ledger()
    assert (answer.status, answer.identifier) == (0, part["wire_id"])
    assert (line["to"], line["text"], line["via"], line["part_ids"]) == (PHONE, "【学习】你好", "smpp", [part["id"]])
    assert (part["from"], part["status"], part["outcome"]) == ("10690001", 0, "accepted")


def test_parts_make_a_text_and_what_lacks_one_stays_incomplete(simulator: SimulatorProcess, client: RawSmpp) -> None:
    simulator.behave(**SILENT)
    client.submit(text="𠮷" * 33 + "一", udh=(7, 2, 2))
    client.submit(text="乙" * 67, udh=(7, 3, 1))  # of another text: it has three parts
    assert simulator.ledger() == []
    client.submit(text="甲" * 67, udh=(7, 2, 1))
    assert [line["text"] for line in simulator.ledger()] == ["甲" * 67 + "𠮷" * 33 + "一"]
    assert [part["text"] for part in simulator.incomplete()] == ["乙" * 67]


def test_parts_are_joined_across_sessions_and_restarts(simulator: SimulatorProcess) -> None:
    simulator.behave(**SILENT)
    with RawSmpp(simulator.smpp_port) as client:
        client.submit(text="后", udh=(7, 2, 2))
    simulator.kill()
    simulator.restart()
    with RawSmpp(simulator.smpp_port) as client:
        client.submit(text="前", udh=(7, 2, 1))
    assert [line["text"] for line in simulator.ledger()] == ["前后"]


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"text": "字" * 71}, 0x01),
        ({"text": "字" * 68, "udh": (1, 2, 1)}, 0x01),
        ({"text": b"x" * 161, "data_coding": 0}, 0x01),
        ({"text": b"x" * 154, "data_coding": 0, "udh": (1, 2, 1)}, 0x01),
        ({"text": ""}, 0x01),
        ({"text": "你", "sm_length": 3}, 0x01),
        ({"text": "你好", "sm_length": 2}, 0x02),
        ({"text": "a\ud842"}, 0x45),
        ({"text": b"\x4f"}, 0x45),
        ({"text": b"\x80", "data_coding": 0}, 0x45),
        ({"udh": (1, 2, 0)}, 0x45),
        ({"udh": (1, 2, 3)}, 0x45),
        ({"udh": b"\x05\x00\x03\x01"}, 0x45),
        ({"udh": b"\x04\x00\x02\x01\x01"}, 0x45),
        ({"udh": b"\x05\x00\x09\x01\x01\x01"}, 0x45),
        ({"registered_delivery": 0}, 0x07),
        ({"data_coding": 4}, 0x104),
        ({"esm_class": 0x04}, 0x43),
        ({"dest_npi": 0}, 0x51),
        ({"dest_ton": 5}, 0x50),
        ({"dest": "013800138000"}, 0x0B),
        ({"dest": "12", "dest_ton": 0}, 0x0B),
        ({"dest": "8" * 21}, 0x0B),
        ({"source": "1" * 21}, 0x0A),
        ({"validity": "tomorrow"}, 0x62),
        ({"validity": "269926000000000+"}, 0x62),
        ({"tlvs": b"\x04\x24\x00\x09x"}, 0x02),
    ],
)
def test_what_is_against_the_protocol_is_refused_and_named(
    simulator: SimulatorProcess, client: RawSmpp, fields: dict[str, Any], status: int
) -> None:
    assert client.submit(**fields).status == status
    [part] = simulator.parts()
    assert (part["outcome"], part["code"], part["status"], part["id"]) == ("refused", "violation", status, None)
    assert part["reason"]
    assert client.submit().status == 0, "the session goes on"


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"text": "字" * 70}, "字" * 70),
        ({"text": "字" * 67, "udh": (1, 1, 1)}, "字" * 67),
        ({"text": b"\x1b\x65" * 80, "data_coding": 0}, "€" * 80),
        ({"text": b"\x00" * 153, "data_coding": 0, "udh": (1, 1, 1)}, "@" * 153),
        ({"text": b"\xe9", "data_coding": 3}, "é"),
        ({"text": "", "tlvs": b"\x04\x24\x00\x04" + "你好".encode("utf-16-be")}, "你好"),
        ({"text": "好", "udh": b"\x06\x08\x04\x01\x02\x01\x01"}, "好"),
        ({"text": "好", "tlvs": b"\x02\x0c\x00\x02\x00\x09\x02\x0e\x00\x01\x01\x02\x0f\x00\x01\x01"}, "好"),
        ({"dest": "13800138000", "dest_ton": 2, "dest_npi": 1, "text": "好"}, "好"),
    ],
)
def test_what_is_right_to_the_last_octet_is_taken(
    simulator: SimulatorProcess, client: RawSmpp, fields: dict[str, Any], text: str
) -> None:
    simulator.behave(**SILENT)
    assert client.submit(**fields).status == 0
    assert [(line["to"], line["text"]) for line in simulator.ledger()] == [(PHONE, text)]


def test_a_validity_that_ends_first_expires(simulator: SimulatorProcess, client: RawSmpp) -> None:
    simulator.behave(receipt_delay_s=[600, 600])
    client.submit(validity="000000000001000R")
    client.submit(validity="200101000000000+")
    assert [part["receipts"][0][1] for part in simulator.parts()] == ["EXPIRED", "EXPIRED"]
    assert RECEIPT.fullmatch(client.delivery()["message"].decode())[3] == "EXPIRED"  # type: ignore[index]


def test_octets_that_are_no_pdu_end_the_session(simulator: SimulatorProcess) -> None:
    for garbage in (b"\0\0\0\x0f" + b"\0" * 12, b"GET / HTTP/1.1\r\n\r\n"):
        with RawSmpp(simulator.smpp_port) as client:
            client.raw(garbage)
            answer = client.next()
            assert answer is not None
            assert (answer.command, answer.status) == (NACK, 0x02)
            assert client.next() is None
    with RawSmpp(simulator.smpp_port) as client:
        assert client.ask(0x103).command == NACK  # data_sm: not here


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("blocked", 0x45),
        ("blacklisted", 0x403),
        ("invalid_number", 0x0B),
        ("no_balance", 0x404),
        ("0x500", 0x500),
        ("99", 99),
        ("E-1234", 0x4FF),
    ],
)
def test_a_refusal_has_the_status_of_its_code(
    simulator: SimulatorProcess, client: RawSmpp, code: str, status: int
) -> None:
    simulator.behave(refuse_share=1, refuse_code=code)
    answer = client.submit()
    assert (answer.status, answer.body) == (status, b"")
    assert [(part["outcome"], part["code"]) for part in simulator.parts()] == [("refused", code)]


@pytest.mark.parametrize(
    ("answer", "status", "outcome"),
    [("throttle", 0x58, "throttled"), ("error", 0x08, "accepted"), ("omit", 0x00, "accepted")],
)
def test_answers_with_a_status(
    simulator: SimulatorProcess, client: RawSmpp, answer: str, status: int, outcome: str
) -> None:
    simulator.behave(**SILENT, by_phone=[{"match": r"\+86.*", "answer": answer, "receipt": "none"}])
    answered = client.submit()
    assert (answered.status, answered.identifier) == (status, "")
    assert [part["outcome"] for part in simulator.parts()] == [outcome]
    simulator.behave(smpp_throttle="queue_full")
    assert client.submit().status == (0x14 if answer == "throttle" else status)


@pytest.mark.parametrize(
    ("answer", "outcome"), [("reset", "accepted"), ("lose", "lost"), ("hang", "accepted"), ("ignore", "lost")]
)
def test_no_answer_whether_it_was_taken_or_not(
    simulator: SimulatorProcess, client: RawSmpp, answer: str, outcome: str
) -> None:
    simulator.behave(**{f"{answer}_share": 1}, **SILENT)
    client.send(SUBMIT, submit_body())
    if answer in ("reset", "lose"):
        assert client.next() is None
    else:
        assert client.ask(ENQUIRE).status == 0, "nothing else is answered before this"
    assert [part["outcome"] for part in simulator.parts()] == [outcome]


def test_a_nack_and_an_unbind_instead_of_an_answer(simulator: SimulatorProcess, client: RawSmpp) -> None:
    simulator.behave(nack_share=1)
    answer = client.submit()
    assert (answer.command, answer.status) == (NACK, 0x03)
    simulator.behave(nack_share=0, unbind_share=1)
    client.send(SUBMIT, submit_body())
    unbind = client.next()
    assert unbind is not None
    assert unbind.command == UNBIND
    client.send(UNBIND | RESPONSE, sequence=unbind.sequence)
    assert client.next() is None
    assert [part["outcome"] for part in simulator.parts()] == ["refused", "lost"]


@pytest.mark.parametrize(
    ("way", "octets"),
    [
        ("cut", b"\0\0\0\x13\x80\0\0\x04\0\0\0\0\0\0\0\x02SIM"),
        ("empty", b"\0\0\0\x10\x80\0\0\x04\0\0\0\0\0\0\0\x02"),
        ("no_id", b"\0\0\0\x11\x80\0\0\x04\0\0\0\0\0\0\0\x02\0"),
        ("text", b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        ("binary", b"\0\0\0\x14\x80\0\0\x04\0\0\0\0\0\0\0\x02\xff\xfe\x80\0"),
        ("huge", b"\x7f\xff\xff\xf0\x80\0\0\x04\0\0\0\0\0\0\0\x02"),
        ("protocol", b"\0\0\0\x08\x80\0\0\x04\0\0\0\0\0\0\0\x02"),
    ],
)
def test_an_answer_that_cannot_be_read(simulator: SimulatorProcess, client: RawSmpp, way: str, octets: bytes) -> None:
    simulator.behave(garble_share=1, garble_as=way, **SILENT)
    client.send(SUBMIT, submit_body())
    assert client._read(len(octets)) == octets
    assert [part["outcome"] for part in simulator.parts()] == ["accepted"]


def test_a_part_can_be_refused_alone_and_is_taken_when_it_comes_again(
    simulator: SimulatorProcess, client: RawSmpp
) -> None:
    rule = {"match": ".*", "part": 2, "times": 1, "answer": "throttle"}
    simulator.behave(**SILENT, by_phone=[rule])
    parts = [("甲" * 67, (1, 2, 1)), ("乙", (1, 2, 2)), ("乙", (1, 2, 2))]
    assert [client.submit(text=text, udh=udh).status for text, udh in parts] == [0, 0x58, 0]
    assert [line["text"] for line in simulator.ledger()] == ["甲" * 67 + "乙"]
    assert client.submit(text="乙", udh=(9, 2, 2), dest="8613900139000").status == 0x58, "each number for itself"


def test_a_text_can_be_taken_in_part(simulator: SimulatorProcess, client: RawSmpp) -> None:
    simulator.behave(**SILENT, partial_share=1)
    assert client.submit(text="甲" * 67, udh=(1, 2, 1)).status == 0
    assert client.submit(text="乙", udh=(1, 2, 2)).status == 0x45
    assert simulator.ledger() == []
    assert [part["text"] for part in simulator.incomplete()] == ["甲" * 67]


def test_more_parts_a_second_than_its_rate_are_throttled(simulator: SimulatorProcess, client: RawSmpp) -> None:
    simulator.behave(rate=0.001)
    assert client.submit().status == 0x58


def test_a_slow_answer_comes_after_later_ones(simulator: SimulatorProcess, client: RawSmpp) -> None:
    rule = {"match": r".*1", "answer": "crawl", "receipt": "none"}
    simulator.behave(crawl_s=[0.3, 0.3], **SILENT, by_phone=[rule])
    first, second = (client.send(SUBMIT, submit_body(dest=f"861380013800{n}")) for n in (1, 2))
    assert [pdu.sequence for pdu in (client.next(), client.next()) if pdu] == [second, first]


def test_a_receipt_has_the_usual_words_and_parameters(simulator: SimulatorProcess, client: RawSmpp) -> None:
    simulator.behave(by_phone=[{"match": r".*1", "receipt": "UNDELIV:045"}])
    delivered = []
    for dest in ("8613800138001", "8613800138000"):
        identifier = client.submit(dest=dest, text="Hi 你").identifier
        found = client.delivery()
        words = RECEIPT.fullmatch(found["message"].decode())
        assert words is not None
        assert words[1] == identifier
        assert found["tlvs"] == {0x1E: identifier.encode() + b"\0", 0x427: bytes((2 if words[3] == "DELIVRD" else 5,))}
        assert (found["source"], found["dest"], found["esm_class"]) == (dest, "10690001", 4)
        delivered.append(words.groups()[1:])
    assert delivered == [("000", "UNDELIV", "045", "Hi ?"), ("001", "DELIVRD", "000", "Hi ?")]


@pytest.mark.parametrize("form", ["both", "tlv", "text"])
@pytest.mark.parametrize(
    ("ids", "answered_base", "receipt_base"),
    [("decimal", 10, 10), ("hex", 16, 16), ("hex_then_decimal", 16, 10), ("decimal_then_hex", 10, 16)],
)
def test_ids_are_written_as_the_simulator_is_told(
    simulator: SimulatorProcess, client: RawSmpp, form: str, ids: str, answered_base: int, receipt_base: int
) -> None:
    simulator.behave(**SILENT)
    for _ in range(10):
        client.submit()
    simulator.behave(silent_share=0, smpp_ids=ids, smpp_receipt_form=form, smpp_unknown_tlvs=True)
    answer = client.submit()
    receipt = client.delivery()
    assert answer.body.endswith(b"\0\x1f\xa7\x00\x02\xde\xad")
    assert receipt["tlvs"].pop(0x1FA7) == b"\xde\xad"
    assert (receipt["message"] == b"") == (form == "tlv")
    assert sorted(receipt["tlvs"]) == ([] if form == "text" else [0x1E, 0x427])
    words = RECEIPT.fullmatch(receipt["message"].decode())
    written = words[1] if words else receipt["tlvs"][0x1E].decode().removesuffix("\0")
    assert int(answer.identifier, answered_base) == int(written, receipt_base) == 11


def test_an_early_receipt_comes_before_the_answer(simulator: SimulatorProcess, client: RawSmpp) -> None:
    simulator.behave(early_share=1, receipt_delay_s=[600, 600])
    client.send(SUBMIT, submit_body())
    receipt = client.delivery()
    answer = client.next()
    assert answer is not None
    assert receipt["tlvs"][0x1E] == answer.body


@pytest.mark.parametrize(("mode", "count"), [("usual", 2), ("each", 2), ("whole", 1), ("one", 1)])
def test_receipts_of_each_part_of_the_whole_or_of_one_alone(
    simulator: SimulatorProcess, client: RawSmpp, mode: str, count: int
) -> None:
    simulator.behave(receipt_parts=mode, receipt_delay_s=[0.2, 0.2])
    ids = [client.submit(text=text, udh=(1, 2, n)).identifier for n, text in enumerate(("甲" * 67, "乙"), 1)]
    found = {client.delivery()["tlvs"][0x1E].decode().removesuffix("\0") for _ in range(count)}
    assert found == set(ids[:count])
    simulator.until(lambda: len(simulator.ledger()[0]["acknowledged"]) == count)


def test_reversed_and_doubled_receipts(simulator: SimulatorProcess, client: RawSmpp) -> None:
    simulator.behave(interim=True, reversed=True, duplicate_share=1, receipt_delay_s=[0.1, 0.1])
    client.submit()
    states = [client.delivery()["tlvs"][0x427][0] for _ in range(4)]
    assert states == [2, 2, 1, 1]


def test_a_receipt_comes_again_until_it_is_acknowledged(simulator: SimulatorProcess) -> None:
    with RawSmpp(simulator.smpp_port) as client:
        identifier = client.submit().identifier
        assert client.delivery(status=0x14)["tlvs"][0x1E].decode() == identifier + "\0"
        client.delivery(status=None)  # refused once, and then left without an answer
    with RawSmpp(simulator.smpp_port, BIND_TRANSMITTER) as sender:
        assert sender.ask(ENQUIRE).command == ENQUIRE | RESPONSE, "a transmitter gets no receipts"
    simulator.kill()
    assert simulator.ledger()[0]["acknowledged"] == []
    simulator.restart()
    with RawSmpp(simulator.smpp_port, BIND_RECEIVER) as receiver:
        assert receiver.delivery()["tlvs"][0x1E].decode() == identifier + "\0"
        simulator.until(lambda: simulator.ledger()[0]["acknowledged"] == ["DELIVRD"])
    assert simulator.stop() == 0
    simulator.restart()
    with RawSmpp(simulator.smpp_port) as client:
        assert client.ask(ENQUIRE).command == ENQUIRE | RESPONSE, "what is acknowledged does not come again"


def test_a_receipt_that_is_not_answered_in_time_comes_again(simulator: SimulatorProcess, client: RawSmpp) -> None:
    simulator.behave(smpp_ack_s=0.1)
    client.submit()
    first, second = client.delivery(status=None), client.delivery()
    assert first["tlvs"] == second["tlvs"]


def test_no_more_receipts_than_the_window_are_under_way(simulator: SimulatorProcess, client: RawSmpp) -> None:
    simulator.behave(smpp_window=2)
    for _ in range(5):
        client.send(SUBMIT, submit_body())
    simulator.until(lambda: len(simulator.ledger()) == 5)
    simulator.until(lambda: simulator.smpp_state()["waiting"] == 3)
    assert simulator.smpp_state()["sessions"] == [{"mode": "transceiver", "unanswered": 2}]
    found = []
    while len(found) < 5:
        pdu = client.next()
        assert pdu is not None
        if pdu.command == DELIVER:
            found.append(pdu.delivered()["tlvs"][0x1E])
            client.send(DELIVER | RESPONSE, b"\0", 0, pdu.sequence)
    assert len(set(found)) == 5


def test_a_short_and_a_long_reply_come_over_the_line(simulator: SimulatorProcess, client: RawSmpp) -> None:
    simulator.behave(**SILENT)
    client.submit(source="106575550001")
    simulator.reply(PHONE, "TD")
    short = client.delivery()
    assert (short["source"], short["dest"], short["message"]) == (PHONE[1:], "106575550001", b"TD")
    assert (short["esm_class"], short["data_coding"]) == (0, 0)
    text = "好" * 66 + "𠮷" * 40
    line = simulator.reply(PHONE, text, times=2)
    pieces = [client.delivery() for _ in range(2 * line["parts"])]
    assert {piece["esm_class"] for piece in pieces} == {0x40}
    headers = [piece["message"][:6] for piece in pieces]
    assert headers == [bytes((5, 0, 3, line["series"], 3, n)) for n in (1, 2, 3)] * 2
    assert "".join(piece["message"][6:].decode("utf-16-be") for piece in pieces) == text * 2

    def acknowledged() -> bool:
        settled = [event for event in simulator.events() if event["event"] == "replied" and event["id"] == line["id"]]
        return sorted((event["repetition"], event["part"]) for event in settled) == [
            (repetition, part) for repetition in (0, 1) for part in (1, 2, 3)
        ]

    simulator.until(acknowledged)


def test_a_reply_waits_for_the_next_session_and_for_the_next_simulator(simulator: SimulatorProcess) -> None:
    simulator.reply(PHONE, "退订", via="smpp", to="10690001")
    simulator.kill()
    simulator.restart()
    with RawSmpp(simulator.smpp_port) as client:
        found = client.delivery()
    assert (found["message"].decode("utf-16-be"), found["data_coding"], found["dest"]) == ("退订", 8, "10690001")


def test_a_share_of_those_who_have_it_answer(simulator: SimulatorProcess, client: RawSmpp) -> None:
    simulator.behave(reply_share=1, reply_text="R", reply_delay_s=[0, 0], **SILENT)
    client.submit()
    assert client.ask(ENQUIRE).status == 0, "who does not have it answers nothing"
    simulator.behave(silent_share=0)
    client.submit()
    assert {client.delivery()["message"][:3] for _ in range(2)} == {b"id:", b"R"}


def test_sessions_are_cut_closed_and_asked_on_command(simulator: SimulatorProcess) -> None:
    for command in ("cut", "close"):
        with RawSmpp(simulator.smpp_port) as client:
            assert simulator.smpp_state()["sessions"] == [{"mode": "transceiver", "unanswered": 0}]
            simulator.smpp(command)
            assert client.next() is None
        simulator.until(lambda: simulator.smpp_state()["sessions"] == [])
    with RawSmpp(simulator.smpp_port) as client:
        for command, expected in (("enquire", ENQUIRE), ("nack", NACK), ("unbind", UNBIND)):
            simulator.smpp(command)
            pdu = client.next()
            assert pdu is not None
            assert pdu.command == expected
        assert client.ask(UNBIND).status == 0
        assert client.next() is None
    with RawSmpp(simulator.smpp_port) as client:
        simulator.smpp("garbage")
        assert client._read(64) == b"\xff" * 64


def test_binds_and_connections_are_refused_on_command(simulator: SimulatorProcess) -> None:
    simulator.smpp("refuse_binds")
    with RawSmpp(simulator.smpp_port) as client:
        assert client.bound.status == 0x0D
    simulator.behave(smpp_binds="password")
    with RawSmpp(simulator.smpp_port) as client:
        assert client.bound.status == 0x0E
    simulator.smpp("accept_binds")
    assert simulator.smpp("stop_listening")["listening"] is False
    with pytest.raises(ConnectionRefusedError):
        RawSmpp(simulator.smpp_port)
    assert simulator.smpp("listen")["listening"] is True
    with RawSmpp(simulator.smpp_port) as client:
        assert client.bound.status == 0


def test_a_link_can_go_silent(simulator: SimulatorProcess, client: RawSmpp) -> None:
    simulator.behave(smpp_answer_enquire=False, **SILENT)
    client.send(ENQUIRE)
    assert client.submit().status == 0, "the enquire_link before it is not answered"
    simulator.behave(smpp_enquire_s=0.05)
    for _ in range(2):
        pdu = client.next()
        assert pdu is not None
        assert pdu.command == ENQUIRE


def test_while_it_does_not_read_nothing_is_taken(simulator: SimulatorProcess, client: RawSmpp) -> None:
    simulator.smpp("stop_reading")
    client.send(SUBMIT, submit_body())
    assert simulator.events() == []
    simulator.smpp("read")
    simulator.until(simulator.ledger)


def test_an_unknown_command_is_refused_by_name(simulator: SimulatorProcess) -> None:
    with pytest.raises(urllib.error.HTTPError, match="400"):
        simulator.smpp("dance")
