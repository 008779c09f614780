"""The carrier that a number was given out by, as the database tells it, against Google's libphonenumber."""

from __future__ import annotations

from phonenumbers import PhoneNumber, carrier
from sqlalchemy import text

from sms_service.db.engine import Database

NAMES = {
    "China Mobile": "mobile",
    "China Unicom": "unicom",
    "China Telecom": "telecom",
    "China Broadnet": "broadnet",
}


def known_carrier(prefix: int) -> str | None:
    """What the library says of all numbers with these four digits; None: it knows none, or not one for all."""
    names = {
        NAMES.get(carrier.name_for_number(PhoneNumber(country_code=86, national_number=number * 10_000), "en"))
        for number in range(prefix * 1_000, prefix * 1_000 + 1_000)
    }
    return names.pop() if len(names) == 1 else None


def test_every_prefix_has_the_carrier_that_the_library_knows(database: Database) -> None:
    with database.transaction() as connection:
        rows = connection.execute(
            text("SELECT n, carrier_of('+86' || n || '0000000') FROM generate_series(1300, 1999) AS n")
        )
        told: dict[int, str | None] = {row[0]: row[1] for row in rows}
    assert set(told.values()) == {None, *NAMES.values()}
    assert told == {prefix: known_carrier(prefix) for prefix in range(1300, 2000)}


def test_what_is_no_mobile_number_of_the_mainland_has_none(database: Database) -> None:
    with database.transaction() as connection:
        for phone in ("+85251234567", "13800000000", "+861380000000", "+8613800000000 ", "+862112345678"):
            assert connection.execute(text("SELECT carrier_of(:phone)"), {"phone": phone}).scalar() is None, phone
        assert connection.execute(text("SELECT carrier_of(NULL)")).scalar() is None
