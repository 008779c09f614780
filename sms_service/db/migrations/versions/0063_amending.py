"""Changes of the ledger's rows are noted; a message keeps the carrier of its number, since redaction empties that.

Each statement is a transaction of its own, so that none holds a lock on one table while it waits for another.
"""

from alembic import op

from sms_service.db.online import create_index, drop_index

revision = "0063"
down_revision = "0062"
branch_labels = None
depends_on = None

_TABLES = "REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION"
_TRIGGERS = {
    ("messages", "amend"): f"AFTER UPDATE ON messages {_TABLES} amend_messages()",
    ("attempts", "amend"): f"AFTER UPDATE ON attempts {_TABLES} amend_attempts()",
    (
        "runs",
        "amend",
    ): "AFTER INSERT ON runs FOR EACH ROW WHEN (new.audience IS NOT NULL) EXECUTE FUNCTION amend_runs()",
    ("runs", "amend_frozen"): "AFTER UPDATE OF audience ON runs FOR EACH ROW"
    " WHEN (new.audience IS DISTINCT FROM old.audience) EXECUTE FUNCTION amend_runs()",
}


def upgrade() -> None:
    create_index("ix_runs_day", "runs", "(day)")
    with op.get_context().autocommit_block():
        op.execute("ALTER TABLE messages ADD COLUMN IF NOT EXISTS carrier TEXT")
        for (_, name), trigger in _TRIGGERS.items():
            op.execute(f"CREATE OR REPLACE TRIGGER {name} {trigger}")


def downgrade() -> None:
    with op.get_context().autocommit_block():
        for table, name in _TRIGGERS:
            op.execute(f"DROP TRIGGER IF EXISTS {name} ON {table}")
        op.execute("ALTER TABLE messages DROP COLUMN IF EXISTS carrier")
    drop_index("ix_runs_day")
