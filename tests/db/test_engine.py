"""What every session of ours starts with."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.engine import make_url

from sms_service.db.engine import Database


def setting(database: Database, name: str) -> str:
    with database.transaction() as connection:
        return str(connection.execute(text(f"SHOW {name}")).scalar_one())


def test_a_session_works_as_the_application_and_keeps_no_locks_for_ever(database: Database) -> None:
    assert setting(database, "role") == "sms_app"
    assert setting(database, "idle_in_transaction_session_timeout") == "1min"
    assert setting(database, "jit") == "off"


def test_the_url_may_say_otherwise_but_for_the_role(database: Database) -> None:
    given = {"options": "-cidle_in_transaction_session_timeout=500ms -crole=none"}
    hasty = Database(make_url(database.url).update_query_dict(given).render_as_string(), pool_size=1)
    try:
        assert setting(hasty, "role") == "sms_app"
        assert setting(hasty, "idle_in_transaction_session_timeout") == "500ms"
    finally:
        hasty.close()
