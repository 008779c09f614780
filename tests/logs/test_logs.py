"""Phones never reach a log whole, wherever they come from."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from sms_service.db.engine import Database
from sms_service.logs import MaskingFormatter


def line(message: str, error: Any = None) -> str:
    record = logging.LogRecord("x", logging.ERROR, "x.py", 1, message, None, error)
    return MaskingFormatter("%(message)s").format(record)


@given(st.from_regex(r"\+[1-9][0-9]{7,14}|1[3-9][0-9]{9}", fullmatch=True), st.text(st.characters(categories=["L"])))
def test_a_phone_is_masked_in_any_line(phone: str, around: str) -> None:
    assert phone not in line(f"{around} {phone}{around}")


def test_ids_and_times_stay_readable() -> None:
    assert line("run 1234567 at 2026-11-23 10:00:00,123 202611-99999999") == (
        "run 1234567 at 2026-11-23 10:00:00,123 202611-99999999"
    )


def test_an_error_that_quotes_a_row_is_masked(database: Database) -> None:
    phone = "+8613912345678"
    insert = text("INSERT INTO suppressions (phone, source) VALUES (:p, 'reply')")
    with database.transaction() as connection:
        connection.execute(insert, {"p": phone})
    with pytest.raises(DBAPIError) as caught, database.transaction() as connection:
        connection.execute(insert, {"p": phone})
    assert phone in str(caught.value)
    assert phone not in line("it failed", (caught.type, caught.value, caught.tb))
