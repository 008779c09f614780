"""Rows as hand-overs leave them, written down directly: for tests of what comes after."""

from __future__ import annotations

from sqlalchemy import text

from sms_service.db.engine import Database
from sms_service.ledger.receipts import attempt_reference
from tests.dispatch.city import City, messages

# One attempt for every row of the run that waits, and what became of it.
_HANDED_OVER = """
WITH gone AS (
    UPDATE messages SET status = :status, reason = :error, attempts = attempts + 1,
        account_id = (SELECT id FROM gateway_accounts WHERE name = 'main'), changed_at = sms_now()
    WHERE run_id = :run AND status = 'pending'
    RETURNING month, id, run_id, attempts, account_id
)
INSERT INTO attempts (month, message_id, run_id, number, account_id, claim_token, status, error, parts, started_at,
                      provider_id, outcome_at)
SELECT month, id, run_id, attempts, account_id, gen_random_uuid(), :status, :error, 1, sms_now(),
       CASE :status WHEN 'accepted' THEN 'p' || id END, sms_now()
FROM gone
"""


def hand_over(database: Database, city: City, status: str, error: str | None = None) -> list[int]:
    """End every waiting row of the run in `status`, by one attempt each; returns the ids of all rows of the run."""
    with database.transaction() as connection:
        connection.execute(text(_HANDED_OVER), {"run": city.run_id, "status": status, "error": error})
    return [row.id for row in messages(database, city.run_id)]


def reference(database: Database, city: City, message_id: int, number: int = 1) -> str:
    """Our own name for an attempt of the message, as a provider echoes it."""
    with database.transaction() as connection:
        attempt_id = connection.execute(
            text("SELECT id FROM attempts WHERE month = :month AND message_id = :id AND number = :number"),
            {"month": city.month, "id": message_id, "number": number},
        ).scalar_one()
    return attempt_reference(city.month, attempt_id)
