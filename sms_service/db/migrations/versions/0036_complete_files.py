"""A file of people may be said to be complete for a unit: who vanished from it is listed until the draft goes."""

from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE imports ADD COLUMN IF NOT EXISTS complete_for BIGINT")
    op.execute("ALTER TABLE imports ADD COLUMN IF NOT EXISTS vanishing JSONB")
    op.execute("ALTER TABLE import_rows ADD COLUMN IF NOT EXISTS words TEXT[]")
    # No foreign keys, as for the outcomes: they would be asked for each of thousands of rows that go with their import.
    op.execute(
        """
        CREATE TABLE import_vanished (
            import_id BIGINT NOT NULL,
            person_id BIGINT NOT NULL,
            seen_at TIMESTAMPTZ NOT NULL,
            CONSTRAINT pk_import_vanished PRIMARY KEY (import_id, person_id)
        )
        """
    )
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON import_vanished TO sms_app")


def downgrade() -> None:
    op.execute("DROP TABLE IF EXISTS import_vanished")
    op.execute("ALTER TABLE import_rows DROP COLUMN IF EXISTS words")
    op.execute("ALTER TABLE imports DROP COLUMN IF EXISTS vanishing")
    op.execute("ALTER TABLE imports DROP COLUMN IF EXISTS complete_for")
