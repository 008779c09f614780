"""Phone numbers in whatever spelling a provider has."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_service.gateways.numbers import e164
from tests.factories import fictional_phone

PREFIXES = ["", "+86", "86", "0086", "+0086", "tel:+86", "TEL:", "＋８６", "(+86)", "+86-"]
BETWEEN = st.text(" -‐–—().·\u00a0\u2009\u200b\u202d\ufeff（）－", max_size=2)


@given(st.sampled_from(PREFIXES), st.integers(0, 10**8 - 1), BETWEEN, BETWEEN, st.booleans())
def test_every_spelling_is_one_number(prefix: str, number: int, between: str, after: str, wide: bool) -> None:
    phone = fictional_phone(number)
    written = between.join((phone[3:6], phone[6:10], phone[10:])) + after
    if wide:
        written = "".join(chr(ord(c) + 0xFEE0) if c.isascii() and c.isdigit() else c for c in written)
    assert e164(prefix + between + written) == phone


@given(st.one_of(st.text(max_size=20), st.text("0123456789+-() 86", max_size=20)))
def test_what_was_read_is_read_as_itself(written: str) -> None:
    found = e164(written)
    assert found is None or e164(found) == found


@pytest.mark.parametrize(
    "written", ["10086", "138****0000", "13800000000/13900000000", "13800000000;13900000000", "云州", "", "1" * 70_000]
)
def test_what_is_no_whole_number_is_none(written: str) -> None:
    assert e164(written) is None
