"""What was found in an import's rows is kept as message and values too, so that it can be said in another language."""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Findings from before have neither, and their English sentence alone.
    op.execute("ALTER TABLE import_problems ADD COLUMN message TEXT, ADD COLUMN values JSONB")


def downgrade() -> None:
    op.execute("ALTER TABLE import_problems DROP COLUMN IF EXISTS message, DROP COLUMN IF EXISTS values")
