"""Phone and text of old messages are emptied, after as many days as a unit says."""

from alembic import op

revision = "0068"
down_revision = "0067"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE units ADD COLUMN redact_after_days SMALLINT")
    op.execute("ALTER TABLE units ADD CONSTRAINT ck_units_redact_after_days CHECK (redact_after_days >= 30) NOT VALID")
    op.execute("ALTER TABLE units VALIDATE CONSTRAINT ck_units_redact_after_days")
    op.execute(
        "CREATE INDEX ix_units_redact_after_days ON units (redact_after_days) WHERE redact_after_days IS NOT NULL"
    )
    op.execute("""
        CREATE TABLE redactions (
            what TEXT NOT NULL,
            day DATE NOT NULL,
            days INTEGER NOT NULL,
            after BIGINT[] NOT NULL DEFAULT '{}',
            left_over INTEGER NOT NULL DEFAULT 0,
            look_at TIMESTAMPTZ DEFAULT '1970-01-01 00:00:00+00',
            CONSTRAINT pk_redactions PRIMARY KEY (what, days, day),
            CONSTRAINT ck_redactions_what CHECK (what IN ('texts', 'replies', 'raw_receipts', 'raw_replies'))
        )
    """)
    op.execute("CREATE INDEX ix_redactions_look_at ON redactions (look_at) WHERE look_at IS NOT NULL")
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON redactions TO sms_app")


def downgrade() -> None:
    op.execute("DROP TABLE redactions")
    op.execute("ALTER TABLE units DROP COLUMN redact_after_days")
