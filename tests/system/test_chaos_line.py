"""Whose the parts are that an SMSC took, as `make chaos` judges: the SMSC knows no name of ours."""

from __future__ import annotations

from itertools import count
from typing import Any

from chaos.line import Sent, compare_parts
from sms_service import parts
from sms_service.gateways.smpp.texts import concatenation_reference

PHONE = "+8613900000001"
SHORT, LONG = "【云州】第1期。", "【云州】第2期。" + "学习" * 40
_numbers = count(1)


def took(attempt: Sent, at: float, place: int = 1, code: str = "DELIVRD") -> list[dict[str, Any]]:
    """The SMSC's lines of a part of this attempt: taken, and its receipt acknowledged."""
    pieces, identifier = parts.split_text(attempt.text), f"SIM{next(_numbers)}"
    part = {"to": attempt.phone, "text": pieces[place - 1], "total": len(pieces), "seq": place, "time": at}
    part["ref"] = concatenation_reference(attempt.name) if len(pieces) > 1 else 0
    receipt = {"event": "receipt", "id": identifier, "acknowledged": True, "code": code}
    return [{"event": "part", "id": identifier, "receipts": [[at, code]], **part}, receipt]


def judged(attempts: list[Sent], *lines: list[dict[str, Any]], ahead: float = 0.0) -> list[tuple[str, str]]:
    """(message or receipt, the attempt) of what counts as taken and as said."""
    told = compare_parts(attempts, [line for some in lines for line in some], lambda at: at + ahead)
    return [(line["event"], line["reference"]) for line in told]


def test_of_two_attempts_at_one_text_the_one_that_had_begun_sent_it() -> None:
    first, again = Sent("202611-1", PHONE, SHORT, 10.0, "unknown"), Sent("202611-2", PHONE, SHORT, 20.0, "delivered")
    assert judged([first, again], took(again, 20.1)) == [("message", again.name), ("receipt", again.name)]
    assert judged([first, again], took(first, 19.9))[0] == ("message", first.name)
    # The service's clock is ahead of the SMSC's while an attack settles.
    assert judged([first, again], took(again, 12.0), ahead=9.0)[0] == ("message", again.name)


def test_a_part_that_an_unfinished_text_left_behind_makes_no_text_of_another() -> None:
    """256 attempts' names later a text has the same reference: a handset, and the SMSC, may join the two."""
    left = Sent("202611-1", PHONE, LONG, 10.0, "unknown")
    same = next(n for n in count(2) if concatenation_reference(f"202611-{n}") == concatenation_reference(left.name))
    other = Sent(f"202611-{same}", PHONE, LONG.replace("2", "3"), 20.0, "delivered")
    lines = took(left, 10.1, 2), took(other, 20.1, 1), took(other, 20.2, 2)
    assert judged([left, other], *lines) == [("message", other.name), ("receipt", other.name)]


def test_a_text_is_taken_when_all_its_parts_are_and_twice_when_one_is() -> None:
    text = Sent("202611-1", PHONE, LONG, 10.0, "accepted")
    assert judged([text], took(text, 10.1, 1)) == []
    twice = [("message", text.name)] * 2 + [("receipt", text.name)]
    assert judged([text], took(text, 10.1, 1), took(text, 10.2, 2), took(text, 10.3, 2)) == twice


def test_one_of_which_a_part_was_taken_did_not_arrive() -> None:
    text = Sent("202611-1", PHONE, LONG, 10.0, "undelivered", "partial")
    assert judged([text], took(text, 10.1, 1)) == [("message", text.name)]
    refused = Sent("202611-2", PHONE, LONG, 10.0, "refused")
    assert judged([refused], took(refused, 10.1, 1)) == [("message", refused.name)]  # which contradicts ours


def test_a_part_that_nobody_sent_is_told() -> None:
    text = Sent("202611-1", PHONE, SHORT, 10.0, "accepted")
    assert judged([text], took(text, 9.9)) == [("message", "")]
