"""What the simulator makes of a text is drawn from a seed and the text's reference alone."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_service.simulator.behaviour import ANSWERS, Behaviour
from sms_service.simulator.changing import BadBehaviour, change_behaviour
from sms_service.simulator.fate import Fate, Fates

PHONE = "+8613800138000"
SHARES = [f"{answer}_share" for answer in ANSWERS if answer != "accept"]


def decide(behaviour: Behaviour, reference: str, phone: str, validity_s: float | None) -> Fate:
    """What becomes of a text that is the first of its kind."""
    return Fates(behaviour).of_text(reference, phone, validity_s)


references = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)
fractions = st.floats(0, 1)


@st.composite
def behaviours(draw: st.DrawFn) -> Behaviour:
    """Any behaviour that `change` lets through."""
    shares = draw(st.lists(st.floats(0, 1 / len(SHARES)), min_size=len(SHARES), max_size=len(SHARES)))
    low, high = sorted(draw(st.tuples(st.floats(0, 100), st.floats(0, 100))))
    values = dict(zip(SHARES, shares, strict=True)) | {
        "seed": draw(st.integers()),
        "fail_share": draw(fractions),
        "silent_share": draw(fractions),
        "duplicate_share": draw(fractions),
        "interim": draw(st.booleans()),
        "reversed": draw(st.booleans()),
        "receipt_delay_s": [low, high],
    }
    return change_behaviour(Behaviour(), values)


@given(behaviours(), references, st.none() | st.floats(0.1, 100))
def test_the_same_text_always_meets_the_same_fate(behaviour: Behaviour, reference: str, validity: float | None) -> None:
    fate = decide(behaviour, reference, PHONE, validity)
    assert fate == decide(behaviour, reference, PHONE, validity)
    assert fate.answer in ANSWERS
    assert fate.taken or not fate.receipts, "what was not taken has no receipts"
    assert (fate.code is None) == (fate.answer not in ("refuse", "refuse_group", "throttle", "nack"))


@given(behaviours(), st.lists(references, unique=True, max_size=20), st.randoms())
def test_a_fate_is_drawn_from_seed_and_reference_and_nothing_else(
    behaviour: Behaviour, names: list[str], shuffle: Random
) -> None:
    fates = {name: decide(behaviour, name, PHONE, None) for name in names}
    shuffle.shuffle(names)
    for name in names:
        assert decide(behaviour, name, "+8613900139000", None) == fates[name], "neither order nor phone plays a part"


def test_fates_are_the_same_in_every_process_and_version() -> None:
    behaviour = change_behaviour(Behaviour(), {"seed": 2, "refuse_share": 0.3, "hang_share": 0.3, "early_share": 0.3})
    answers = [decide(behaviour, f"202601-{number}", PHONE, None).answer for number in range(1, 9)]
    assert answers == ["refuse", "hang", "early", "early", "refuse", "early", "hang", "hang"]


@given(behaviours(), references, st.none() | st.floats(0.1, 100))
def test_receipts_keep_their_times_and_end_in_one_final_word(
    behaviour: Behaviour, reference: str, validity: float | None
) -> None:
    fate = decide(behaviour, reference, PHONE, validity)
    finals = {(delay, code) for delay, code in fate.receipts if code != "ENROUTE"}
    assert len(finals) == (1 if fate.receipts else 0)
    for delay, code in finals:
        assert delay <= behaviour.receipt_delay_s[1]
        assert delay >= min(behaviour.receipt_delay_s[0], validity or 100) or fate.answer == "early"
        if validity is not None and delay > validity:
            assert code == "EXPIRED"
    order = [code for _, code in sorted(fate.receipts, key=lambda receipt: receipt[0])]
    if "ENROUTE" in order and fate.receipts[-1][0] > 0:
        assert (order[0] != "ENROUTE") == behaviour.reversed


def test_shares_are_kept_over_many_texts() -> None:
    behaviour = change_behaviour(
        Behaviour(), {"refuse_share": 0.1, "hang_share": 0.05, "fail_share": 0.2, "silent_share": 0.1}
    )
    fates = [decide(behaviour, f"202601-{number}", PHONE, None) for number in range(20_000)]
    answers = Counter(fate.answer for fate in fates)
    assert answers["refuse"] == pytest.approx(2000, rel=0.1)
    assert answers["hang"] == pytest.approx(1000, rel=0.15)
    taken = [fate for fate in fates if fate.taken]
    finals = Counter(fate.receipts[-1][1] if fate.receipts else "none" for fate in taken)
    assert finals["UNDELIV"] == pytest.approx(len(taken) * 0.2, rel=0.1)
    assert finals["none"] == pytest.approx(len(taken) * 0.1, rel=0.1)


def test_another_seed_is_another_run() -> None:
    one, other = (change_behaviour(Behaviour(), {"seed": seed, "refuse_share": 0.5}) for seed in (1, 2))
    assert [decide(one, str(n), PHONE, None) for n in range(50)] != [
        decide(other, str(n), PHONE, None) for n in range(50)
    ]


def test_a_crawling_answer_takes_its_own_time() -> None:
    rule = {"match": r"\+86138.*", "answer": "crawl"}
    behaviour = change_behaviour(Behaviour(), {"crawl_s": [3, 4], "answer_delay_s": [0.1, 0.2], "by_phone": [rule]})
    assert 3 <= decide(behaviour, "a", PHONE, None).answer_delay_s <= 4
    assert 0.1 <= decide(behaviour, "a", "+8613900139000", None).answer_delay_s <= 0.2


def test_a_number_that_matches_a_rule_gets_what_the_rule_says() -> None:
    rules = [
        {"match": r"\+86139.*", "answer": "refuse", "code": "content"},
        {"match": r"\+86138.*", "receipt": "EMPTYNUM"},
    ]
    behaviour = change_behaviour(Behaviour(), {"lose_share": 1, "by_phone": rules})
    assert decide(behaviour, "a", "+8613900139000", None).code == "content"
    assert [code for _, code in decide(behaviour, "a", "+8613800138000", None).receipts] == ["EMPTYNUM"]
    assert decide(behaviour, "a", "+8613700137000", None).answer == "lose"


def test_a_text_that_would_come_too_late_expires() -> None:
    behaviour = change_behaviour(Behaviour(), {"receipt_delay_s": [50, 60]})
    assert decide(behaviour, "a", PHONE, 10).receipts == ((10, "EXPIRED"),)
    assert decide(behaviour, "a", PHONE, 100).receipts[0][1] == "DELIVRD"


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"speed": 1}, "speed is not known here"),
        ({"fail_share": 1.5}, "fail_share must be from 0 to 1"),
        ({"fail_share": "0.5"}, "fail_share must be a number"),
        ({"fail_share": True}, "fail_share must be a number"),
        ({"seed": 0.5}, "seed must be a whole number"),
        ({"interim": 1}, "interim must be true or false"),
        ({"fail_code": ""}, "fail_code must be text"),
        ({"receipts_batch": 0}, "receipts_batch must be 1 or more"),
        ({"rate": -1}, "rate must be 0 or more"),
        ({"receipt_delay_s": [1]}, "receipt_delay_s must be two numbers"),
        ({"receipt_delay_s": [2, 1]}, "receipt_delay_s must be from short to long"),
        ({"refuse_share": 0.6, "hang_share": 0.6}, "add up to more than 1"),
        ({"by_phone": {}}, "by_phone must be a list"),
        ({"by_phone": [{"answer": "hang"}]}, "by_phone must be a list of objects with match"),
        ({"by_phone": [{"match": "(", "answer": "hang"}]}, "regular expression"),
        ({"by_phone": [{"match": "x", "answer": "sing"}]}, "answer is one of accept"),
        ({"by_phone": [{"match": 1}]}, "match is text"),
        ({"by_phone": [{"match": "x", "times": "2"}]}, "by_phone.times must be a whole number"),
        ({"garble_as": "sing"}, "garble_as must be one of cut"),
        ({"smpp_window": 0}, "smpp_window must be 1 or more"),
    ],
)
def test_a_behaviour_that_cannot_be_used_changes_nothing(values: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadBehaviour, match=reason):
        change_behaviour(Behaviour(), values)
