"""Replies on their way in: each once, whoever comes twice or at once; and a wish to stop counts from the commit on."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import permutations
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import text

from sms_service.db.engine import Database
from sms_service.delivery.inbox import apply_waiting_receipts
from sms_service.errors import NotFound
from sms_service.gateways.base import Outcome, Receipt, ReceiptStatus, Reply, Text
from sms_service.replies.storing import store_replies
from tests.clocks import ahead_by
from tests.dispatch.city import drain, make_city, messages, statuses, unknown
from tests.factories import fictional_phone

PHONE = fictional_phone(9)
HELLO = Reply(PHONE, "参加", "{}")


def rows(database: Database, query: str = "SELECT * FROM replies ORDER BY id") -> list[Any]:
    with database.transaction() as connection:
        return list(connection.execute(text(query)).all())


def suppressed(database: Database) -> list[tuple[str, str]]:
    return [
        (row.reason, row.source)
        for row in rows(database, "SELECT reason, source FROM suppressions WHERE lifted_at IS NULL")
    ]


def test_a_reply_comes_once_by_the_providers_name(database: Database) -> None:
    make_city(database, 0)
    named = replace(HELLO, provider_id="A")
    assert store_replies(database, "main", [named, named]) == 1
    assert store_replies(database, "main", [named]) == 0
    assert store_replies(database, "main", [replace(named, provider_id="B")]) == 1, "another, though it says the same"
    with ahead_by(database.url, "29 days") as later:
        assert store_replies(later, "main", [named]) == 0
    assert not any(row.repeated for row in rows(database))


def test_a_name_that_is_used_again_hides_nobody(database: Database) -> None:
    make_city(database, 0)
    named = replace(HELLO, provider_id="A")
    assert store_replies(database, "main", [named]) == 1
    assert store_replies(database, "main", [replace(named, phone=fictional_phone(8), text="R")]) == 1, "another phone"
    assert suppressed(database) == [("opted_out", "reply")]
    assert store_replies(database, "main", [replace(named, text="不参加")]) == 1, "other words"
    with ahead_by(database.url, "31 days") as later:
        assert store_replies(later, "main", [named]) == 1, "another time"


def test_without_a_name_the_same_within_ten_minutes_is_kept_and_marked(database: Database) -> None:
    make_city(database, 0)
    assert store_replies(database, "main", [HELLO, HELLO]) == 2
    others = [replace(HELLO, text="不参加"), replace(HELLO, phone=fictional_phone(8))]
    assert store_replies(database, "main", [HELLO, *others]) == 3
    assert [row.repeated for row in rows(database)] == [False, True, True, False, False]
    with ahead_by(database.url, "9 minutes") as later:
        assert store_replies(later, "main", [HELLO]) == 1
    with ahead_by(database.url, "11 minutes") as later:
        assert store_replies(later, "main", [HELLO]) == 1, "of the first, and not of what was marked"
    assert [row.repeated for row in rows(database)][5:] == [True, False]


def test_a_part_that_comes_again_is_known(database: Database) -> None:
    make_city(database, 0)
    part = replace(HELLO, part=2, parts=2, series="1")
    assert store_replies(database, "main", [part, part]) == 1
    assert store_replies(database, "main", [part]) == 0


@pytest.mark.parametrize(
    "written", ["139-0000-0009", "tel:+86-13900000009", "(+86) 139 0000 0009", "００８６13900000009"]
)
def test_a_phone_is_read_in_whatever_spelling(database: Database, written: str) -> None:
    make_city(database, 0)
    store_replies(database, "main", [Reply(written, "R", "{}")])
    assert [row.phone for row in rows(database, "SELECT phone FROM suppressions")] == [PHONE]
    assert [(row.phone, row.sender) for row in rows(database)] == [(PHONE, None)]


@pytest.mark.parametrize("written", ["139****0009", "10086", ""])
def test_a_sender_that_is_no_phone_is_kept_as_it_came(database: Database, written: str) -> None:
    make_city(database, 0)
    parts = [Reply(written, word, "{}", part=n, parts=2, series="7") for n, word in enumerate("退订", 1)]
    assert store_replies(database, "main", parts) == 2
    whole = rows(database)[0]
    assert (whole.phone, whole.sender, whole.text, whole.meaning) == (None, written, "退订", None)
    assert suppressed(database) == []


class Never:
    """A time that an adapter made up and that PostgreSQL does not take."""

    def isoformat(self) -> str:
        return "never"


def test_one_bad_reply_never_takes_its_batch_with_it(database: Database) -> None:
    make_city(database, 0)
    bad = replace(HELLO, phone=fictional_phone(8), raw='{"bad": 1}', occurred_at=Never())
    good = [Reply(fictional_phone(20 + n), "R", "{}", provider_id=str(n)) for n in range(6)]
    assert store_replies(database, "main", [*good[:4], bad, *good[4:]]) == 7
    assert len(suppressed(database)) == 6
    [kept] = rows(database, "SELECT * FROM replies WHERE phone IS NULL")
    assert (kept.raw, kept.text, kept.meaning) == ('{"bad": 1}', "", None)


def test_what_a_provider_says_is_bounded(database: Database) -> None:
    make_city(database, 0)
    endless = Reply(
        PHONE, "好" * 70_000, "x" * 70_000, "i" * 70_000, to="1" * 70_000, part=9, parts=3, series="s" * 70_000
    )
    assert store_replies(database, "main", [endless, endless, replace(endless, provider_id="i" * 70_001)]) == 2
    first, second = rows(database)
    assert (first.part, first.parts, first.phone) == (1, 1, PHONE), "a part that no text has is a whole one"
    assert max(len(first.provider_id), len(first.sent_to), len(first.series)) <= 200
    assert first.provider_id != second.provider_id


@pytest.mark.parametrize("name", ["A", None])
def test_two_sessions_at_once_count_it_once(database: Database, name: str | None) -> None:
    make_city(database, 0)
    others = [Reply(fictional_phone(100 + n), "R", "{}", provider_id=name and f"{name}{n}") for n in range(5)]
    both = [replace(HELLO, provider_id=name, text="R"), *others]
    start = Barrier(4)

    def act(number: int) -> int:
        start.wait(30)
        return store_replies(database, "main", both if number % 2 else both[::-1])

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(act, range(4))) == (6 if name else 24)
    assert len(rows(database, "SELECT FROM replies WHERE NOT repeated")) == len(suppressed(database)) == 6


def test_an_account_that_is_not_known_stores_nothing(database: Database) -> None:
    with pytest.raises(NotFound):
        store_replies(database, "nobody", [HELLO])


def test_a_stop_word_suppresses_the_phone_with_ids_in_the_trail(database: Database) -> None:
    city = make_city(database, 0, more=[{"phone": PHONE}, {"phone": PHONE}])
    assert store_replies(database, "main", [replace(HELLO, text="ｔｄ")]) == 1
    assert suppressed(database) == [("opted_out", "reply")]
    [reply] = rows(database)
    trail = rows(database, "SELECT * FROM trail WHERE act = 'suppression.add' ORDER BY id")
    assert [(row.target_kind, row.unit_path, row.account_id) for row in trail] == [("person", city.unit.path, None)] * 2
    assert trail[0].details == {"reason": "opted_out", "source": "reply", "reply": reply.id}
    assert store_replies(database, "main", [replace(HELLO, text="R")]) == 1
    assert len(rows(database, "SELECT FROM trail WHERE act = 'suppression.add'")) == 2, "it was suppressed already"


def test_a_stop_that_is_said_again_after_a_person_lifted_it_counts_again(database: Database) -> None:
    make_city(database, 0, more=[{"phone": PHONE}])
    assert store_replies(database, "main", [replace(HELLO, text="T")]) == 1
    with database.transaction() as connection:
        connection.execute(text("UPDATE suppressions SET lifted_at = now()"))
    assert store_replies(database, "main", [replace(HELLO, text="T")]) == 1
    assert suppressed(database) == [("opted_out", "reply")]


def test_the_provider_may_have_taken_it_for_a_stop(database: Database) -> None:
    make_city(database, 0)
    store_replies(database, "main", [replace(HELLO, text="别发了", stop=True), Reply(fictional_phone(3), "好", "{}")])
    assert [row.meaning for row in rows(database)] == ["stop", None]
    assert len(suppressed(database)) == 1


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_the_parts_of_a_long_reply_are_joined_in_any_order(database: Database, order: tuple[int, ...]) -> None:
    make_city(database, 0)
    parts = [replace(HELLO, text=word, part=n, parts=3, series="7") for n, word in enumerate(("　", "退", "订"), 1)]
    for place in order[:2]:
        store_replies(database, "main", [parts[place]])
        assert suppressed(database) == []
    store_replies(database, "main", [parts[order[2]]])
    assert suppressed(database) == [("opted_out", "reply")]
    whole = [row for row in rows(database) if row.joined_to is None]
    assert [row.text for row in whole] == ["　退订"]
    assert {row.joined_to for row in rows(database)} == {None, whole[0].id}


@pytest.mark.parametrize(
    ("first", "second", "whole"),
    [
        ("好\ud83c", "\udf89好", "好🎉好"),
        ("好\ud83c", "好", "好\ufffd好"),
        ("好", "\udf89好", "好\ufffd好"),
        ("ok\x1b", "eur", "ok€ur"),
        ("ok\x1b", "\ufffd好", "ok\ufffd\ufffd好"),
        ("o\x1bk", "ok\x1b", "o\ufffdkok\ufffd"),
        ("好\U0010d83c", "\U0010df89好", "好\ufffd\ufffd好"),  # not the halves that they stand for
        ("退订\ud842", "\udfb7", "退订𠮷"),  # a letter, so that it is no stop word
    ],
)
@pytest.mark.parametrize("order", [1, -1])
def test_a_character_that_was_cut_in_two_comes_out_whole(
    database: Database, first: str, second: str, whole: str, order: int
) -> None:
    make_city(database, 0)
    parts = [replace(HELLO, text=said, part=n, parts=2, series="7") for n, said in enumerate((first, second), 1)]
    for part in parts[::order]:
        store_replies(database, "main", [part])
    assert [row.text for row in rows(database) if row.joined_to is None] == [whole]
    assert suppressed(database) == []


def test_half_a_character_in_a_whole_reply_is_none(database: Database) -> None:
    make_city(database, 0)
    store_replies(database, "main", [replace(HELLO, text="好\ud83c"), replace(HELLO, text="好\U0010d83c")])
    assert [row.text for row in rows(database)] == ["好\ufffd", "好\U0010d83c"], "what is nobody's half stays"


def of_receipt(phone: str | None, name: str = "A1") -> Reply:
    """What an SMSC marks as a text and what has a receipt's words."""
    said = Receipt(ReceiptStatus.delivered, name, "{}", phone=phone, raw_code="DELIVRD")
    return Reply(phone or "10086", f"id:{name} stat:DELIVRD", "{}", receipt=said)


def taken(database: Database, handed: Callable[[Text], Outcome] | None = None) -> tuple[int, str]:
    """The run and the phone of a text that was handed over."""
    city = make_city(database, 1)
    if handed is not None:
        city.adapter.answer = handed
    drain(database, city.gateways)
    [message] = messages(database, city.run_id)
    return city.run_id, str(message.phone)


def test_a_receipt_that_comes_as_a_text_is_one_if_its_id_is_ours(database: Database) -> None:
    run_id, phone = taken(database)
    [attempt] = rows(database, "SELECT provider_id FROM attempts")
    strangers = [of_receipt(phone, "foreign"), of_receipt(fictional_phone(90_000_077), attempt.provider_id)]
    assert store_replies(database, "main", [*strangers, of_receipt(phone, attempt.provider_id), HELLO]) == 4
    assert len(rows(database)) == 3, "what is of no text of ours is a reply"
    apply_waiting_receipts(database)
    assert statuses(database, run_id) == {"delivered": 1}
    with ahead_by(database.url, "15 days") as later:
        store_replies(later, "main", [of_receipt(phone, attempt.provider_id)])
    assert len(rows(database)) == 4


def test_a_receipt_that_comes_as_a_text_may_be_faster_than_its_answer(database: Database) -> None:
    """Over the account to the phone: under way, and then unknown."""

    def handed(text: Text) -> Outcome:
        store_replies(database, "main", [of_receipt(text.phone), of_receipt(fictional_phone(90_000_077))])
        return unknown(text)

    run_id, phone = taken(database, handed)
    assert len(rows(database, "SELECT FROM receipts")) == len(rows(database)) == 1
    store_replies(database, "main", [of_receipt(phone)])
    assert len(rows(database, "SELECT FROM receipts")) == 2
    assert len(rows(database)) == 1
    apply_waiting_receipts(database)
    assert statuses(database, run_id) == {"delivered": 1}


def test_parts_that_come_at_once_in_two_sessions_are_joined(database: Database) -> None:
    make_city(database, 0)
    parts = [replace(HELLO, text=word, part=n, parts=2, series="7") for n, word in enumerate("退订", 1)]
    start = Barrier(2)

    def act(part: Reply) -> int:
        start.wait(30)
        return store_replies(database, "main", [part])

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(act, parts)) == [1, 1]
    assert [row.text for row in rows(database) if row.joined_to is None] == ["退订"]
    assert suppressed(database) == [("opted_out", "reply")]


def test_a_part_that_says_stop_by_itself_means_nothing_yet(database: Database) -> None:
    make_city(database, 0)
    store_replies(database, "main", [replace(HELLO, text="R", part=1, parts=2, series="7")])
    assert suppressed(database) == []


def test_from_the_commit_on_no_gate_lets_the_phone_pass(database: Database) -> None:
    city = make_city(database, 1, more=[{"phone": PHONE}])
    store_replies(database, "main", [replace(HELLO, text="R")])
    drain(database, city.gateways)
    assert statuses(database, city.run_id) == {"accepted": 1, "skipped": 1}
    assert PHONE not in {handed.phone for handed in city.adapter.handed}


def test_a_stop_between_claim_and_gate_counts(database: Database) -> None:
    """The reply commits when the worker has the row already and asks the gate next."""
    city = make_city(database, 0, more=[{"phone": PHONE}])

    def at(point: object) -> None:
        if str(point).endswith("rendered"):
            store_replies(database, "main", [replace(HELLO, text="R", provider_id="once")])

    drain(database, city.gateways, at=at)
    assert statuses(database, city.run_id) == {"skipped": 1}
    assert city.adapter.handed == []
