"""Why the service holds a run is kept as message and values too, so that it can be said in another language."""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE runs ADD COLUMN reason_message JSONB")


def downgrade() -> None:
    op.execute("ALTER TABLE runs DROP COLUMN IF EXISTS reason_message")
