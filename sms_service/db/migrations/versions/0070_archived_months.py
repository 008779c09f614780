"""Months of the ledger whose rows lie in files alone. Only the schema's owner writes them, as only it detaches
partitions.
"""

from alembic import op

revision = "0070"
down_revision = "0069"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE archived_months (
            month DATE NOT NULL,
            state TEXT NOT NULL,
            begun_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
            partitions JSONB NOT NULL,
            days JSONB NOT NULL DEFAULT '{}',
            folder TEXT,
            digest BYTEA,
            rows BIGINT,
            CONSTRAINT pk_archived_months PRIMARY KEY (month),
            CONSTRAINT ck_archived_months_state
                CHECK (state IN ('detaching', 'detached', 'dropping', 'dropped', 'reading_back')),
            CONSTRAINT ck_archived_months_written CHECK (
                state = 'detaching' OR (folder IS NOT NULL AND digest IS NOT NULL AND rows IS NOT NULL))
        )
    """)
    op.execute("""
        CREATE TABLE archived_runs (
            run_id BIGINT NOT NULL,
            status TEXT NOT NULL,
            month DATE NOT NULL,
            messages INTEGER NOT NULL,
            CONSTRAINT pk_archived_runs PRIMARY KEY (run_id, status),
            CONSTRAINT fk_archived_runs_month_archived_months
                FOREIGN KEY (month) REFERENCES archived_months (month) ON DELETE CASCADE
        )
    """)
    op.execute("CREATE INDEX ix_archived_runs_month ON archived_runs (month)")
    op.execute("GRANT SELECT ON archived_months, archived_runs TO sms_app")


def downgrade() -> None:
    op.execute("DROP TABLE archived_runs, archived_months")
