"""The phone of attempts whose answer never came, by which receipts that name nothing of ours find them.

Those that are unknown already keep their phone in the message alone, where they are found too.
"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_INDEXES = {
    "unanswered": "(account_id, phone, started_at) WHERE phone IS NOT NULL",
    "phoneless": "(account_id, started_at) WHERE status = 'unknown' AND phone IS NULL",
}


def upgrade() -> None:
    op.execute("ALTER TABLE attempts ADD COLUMN IF NOT EXISTS phone TEXT")
    with op.get_context().autocommit_block():
        run = op.get_bind().exec_driver_sql
        months = run(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'attempts'::regclass ORDER BY 1"
        )
        tables = months.scalars().all()
        timeout = run("SHOW lock_timeout").scalar_one()
        for name, definition in _INDEXES.items():
            run(f"DROP INDEX IF EXISTS ix_attempts_{name}")  # of a migration that was cut off
            run(f"CREATE INDEX ix_attempts_{name} ON ONLY attempts {definition}")
            for month in tables:
                run(f"DROP INDEX CONCURRENTLY IF EXISTS ix_{month}_{name}")
                run("SET lock_timeout = 0")  # it waits for those at work, and nobody waits for it
                try:
                    run(f"CREATE INDEX CONCURRENTLY ix_{month}_{name} ON {month} {definition}")
                finally:
                    run(f"SET lock_timeout = '{timeout}'")
                run(f"ALTER INDEX ix_attempts_{name} ATTACH PARTITION ix_{month}_{name}")


def downgrade() -> None:
    op.execute(
        "DROP INDEX ix_attempts_unanswered; DROP INDEX ix_attempts_phoneless; ALTER TABLE attempts DROP COLUMN phone"
    )
