"""What providers say is bounded where it enters."""

from __future__ import annotations

from typing import Any

import pytest

from sms_service.gateways.words import LONGEST_WORD, bound_id, bound_word


@pytest.mark.parametrize("bound", [bound_word, bound_id])
@pytest.mark.parametrize(
    ("said", "kept"),
    [(None, None), ("", ""), ("SM1", "SM1"), (7, "7"), ("号\0", "号\ufffd"), ("a\ud83d", "a\ufffd"), ("😀", "😀")],
)
def test_what_is_said_becomes_text_that_can_be_kept(bound: Any, said: object, kept: str | None) -> None:
    assert bound(said) == kept


def test_what_is_too_long_is_cut_and_ids_stay_apart() -> None:
    one, two = "码" * 70_000 + "1", "码" * 70_000 + "2"
    assert bound_word(one) == bound_word(two) == "码" * LONGEST_WORD
    assert bound_word(one, 3) == "码码码"
    assert bound_id(one) == bound_id(one) != bound_id(two)
    assert len(bound_id(one) or "") == LONGEST_WORD
