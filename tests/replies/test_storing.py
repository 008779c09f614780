"""Replies on their way in: each once, whoever comes twice or at once; and a wish to stop counts from the commit on."""

from __future__ import annotations

import unicodedata
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import permutations
from threading import Barrier
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from sms_service.db.engine import Database
from sms_service.errors import NotFound
from sms_service.gateways.base import Reply
from sms_service.replies.inbox import store
from sms_service.replies.meaning import is_stop
from tests.clocks import ahead_by
from tests.dispatch.city import drain, make_city, statuses
from tests.factories import fictional_phone

PHONE = fictional_phone(9)
HELLO = Reply(PHONE, "参加", "{}")
STOPS = ["R", "T", "TD", "N", "退订", "拒收"]


def rows(database: Database, query: str = "SELECT * FROM replies ORDER BY id") -> list[Any]:
    with database.transaction() as connection:
        return list(connection.execute(text(query)).all())


def suppressed(database: Database) -> list[tuple[str, str]]:
    return [(row.reason, row.source) for row in rows(database, "SELECT reason, source FROM suppressions")]


@pytest.mark.parametrize("word", STOPS)
def test_a_stop_word_in_any_width_and_case_is_one_if_it_is_the_whole_text(word: str) -> None:
    wide = "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in word)
    for written in (word, word.lower(), wide, wide.lower(), f"　{word} \n"):
        assert is_stop(written), written
    for written in (f"不{word}", f"{word}{word}{word}", f"{word} 吗", f"{word}。", ""):
        assert not is_stop(written), written


@given(st.text(max_size=6))
def test_nothing_else_is_a_stop_word(written: str) -> None:
    assert is_stop(written) == (
        unicodedata.normalize("NFKC", written).strip().casefold() in {w.casefold() for w in STOPS}
    )


def test_a_reply_comes_once_by_the_providers_name(database: Database) -> None:
    make_city(database, 0)
    named = replace(HELLO, provider_id="A")
    assert store(database, "main", [named, named]) == 1
    assert store(database, "main", [replace(named, text="又一次")]) == 0
    assert store(database, "main", [replace(named, provider_id="B")]) == 1, "another, though it says the same"


def test_without_a_name_the_same_within_ten_minutes_is_a_repetition(database: Database) -> None:
    make_city(database, 0)
    assert store(database, "main", [HELLO, HELLO]) == 1
    others = [
        replace(HELLO, text="不参加"),
        replace(HELLO, phone=fictional_phone(8)),
        replace(HELLO, part=2, parts=2, series="1"),
    ]
    assert store(database, "main", [HELLO, *others]) == 3
    with ahead_by(database.url, "9 minutes") as later:
        assert store(later, "main", [HELLO]) == 0
    with ahead_by(database.url, "11 minutes") as later:
        assert store(later, "main", [HELLO]) == 1


@pytest.mark.parametrize("name", ["A", None])
def test_two_sessions_at_once_store_it_once(database: Database, name: str | None) -> None:
    make_city(database, 0)
    others = [Reply(fictional_phone(100 + n), "R", "{}", provider_id=name and f"{name}{n}") for n in range(5)]
    both = [replace(HELLO, provider_id=name, text="R"), *others]
    start = Barrier(4)

    def act(number: int) -> int:
        start.wait(30)
        return store(database, "main", both if number % 2 else both[::-1])

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(act, range(4))) == 6
    assert len(rows(database)) == len(suppressed(database)) == 6


def test_an_account_that_is_not_known_stores_nothing(database: Database) -> None:
    with pytest.raises(NotFound):
        store(database, "nobody", [HELLO])


def test_a_stop_word_suppresses_the_phone_with_ids_in_the_trail(database: Database) -> None:
    city = make_city(database, 0, more=[{"phone": PHONE}, {"phone": PHONE}])
    assert store(database, "main", [replace(HELLO, text="ｔｄ")]) == 1
    assert suppressed(database) == [("opted_out", "reply")]
    [reply] = rows(database)
    assert reply.meaning == "stop"
    trail = rows(database, "SELECT * FROM trail WHERE act = 'suppression.add' ORDER BY id")
    assert [(row.target_kind, row.unit_path, row.account_id) for row in trail] == [("person", city.unit.path, None)] * 2
    assert trail[0].details == {"reason": "opted_out", "source": "reply", "reply": reply.id}
    assert store(database, "main", [replace(HELLO, text="R")]) == 1
    assert len(rows(database, "SELECT FROM trail WHERE act = 'suppression.add'")) == 2, "it was suppressed already"


def test_a_stop_that_is_said_again_after_a_person_lifted_it_counts_again(database: Database) -> None:
    make_city(database, 0, more=[{"phone": PHONE}])
    assert store(database, "main", [replace(HELLO, text="T")]) == 1
    with database.transaction() as connection:
        connection.execute(text("DELETE FROM suppressions"))
    assert store(database, "main", [replace(HELLO, text="T")]) == 0
    assert suppressed(database) == [("opted_out", "reply")]


def test_the_provider_may_have_taken_it_for_a_stop(database: Database) -> None:
    make_city(database, 0)
    store(database, "main", [replace(HELLO, text="别发了", stop=True), Reply(fictional_phone(3), "好", "{}")])
    assert [row.meaning for row in rows(database)] == ["stop", None]
    assert len(suppressed(database)) == 1


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_the_parts_of_a_long_reply_are_joined_in_any_order(database: Database, order: tuple[int, ...]) -> None:
    make_city(database, 0)
    parts = [replace(HELLO, text=word, part=n, parts=3, series="7") for n, word in enumerate(("　", "退", "订"), 1)]
    for place in order[:2]:
        store(database, "main", [parts[place]])
        assert suppressed(database) == []
    store(database, "main", [parts[order[2]]])
    assert suppressed(database) == [("opted_out", "reply")]
    whole = [row for row in rows(database) if row.joined_to is None]
    assert [(row.text, row.meaning) for row in whole] == [("　退订", "stop")]
    assert {row.joined_to for row in rows(database)} == {None, whole[0].id}


def test_parts_that_come_at_once_in_two_sessions_are_joined(database: Database) -> None:
    make_city(database, 0)
    parts = [replace(HELLO, text=word, part=n, parts=2, series="7") for n, word in enumerate("退订", 1)]
    start = Barrier(2)

    def act(part: Reply) -> int:
        start.wait(30)
        return store(database, "main", [part])

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(act, parts)) == [1, 1]
    assert [row.text for row in rows(database) if row.joined_to is None] == ["退订"]
    assert suppressed(database) == [("opted_out", "reply")]


def test_a_part_that_says_stop_by_itself_means_nothing_yet(database: Database) -> None:
    make_city(database, 0)
    store(database, "main", [replace(HELLO, text="R", part=1, parts=2, series="7")])
    assert suppressed(database) == []


def test_from_the_commit_on_no_gate_lets_the_phone_pass(database: Database) -> None:
    city = make_city(database, 1, more=[{"phone": PHONE}])
    store(database, "main", [replace(HELLO, text="R")])
    drain(database, city.gateways)
    assert statuses(database, city.run_id) == {"accepted": 1, "skipped": 1}
    assert PHONE not in {handed.phone for handed in city.adapter.handed}


def test_a_stop_between_claim_and_gate_counts(database: Database) -> None:
    """The reply commits when the worker has the row already and asks the gate next."""
    city = make_city(database, 0, more=[{"phone": PHONE}])

    def at(point: object) -> None:
        if str(point).endswith("rendered"):
            store(database, "main", [replace(HELLO, text="R", provider_id="once")])

    drain(database, city.gateways, at=at)
    assert statuses(database, city.run_id) == {"skipped": 1}
    assert city.adapter.handed == []
