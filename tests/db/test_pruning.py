"""The ledger's statements against each other for seconds; `python -m chaos.pruning` does it for longer."""

from __future__ import annotations

from chaos.pruning import run_on
from sms_service.embedded import PostgresServer


def test_no_session_is_cut_off_while_statements_meet(own_postgres: PostgresServer) -> None:
    """With one statement that chose its partition while it ran, PostgreSQL 18.4 died of this within two seconds."""
    said = run_on(own_postgres.url, own_postgres, seconds=4, seed=1)
    assert said["pruning"] == "held", said
    assert set(said["failed"]) <= {"DeadlockDetected", "LockNotAvailable"}
    assert said["done"]["received"]
    assert said["done"]["ticked"]
