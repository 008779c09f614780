"""A decision keeps what was decided on, so that the next approver sees what is different."""

from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE decisions ADD COLUMN IF NOT EXISTS content JSONB")


def downgrade() -> None:
    op.execute("ALTER TABLE decisions DROP COLUMN IF EXISTS content")
