"""A gateway account may be shared with other senders: a stop that comes in there is said to all of them."""

from alembic import op

revision = "0057"
down_revision = "0056"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE gateway_accounts ADD COLUMN IF NOT EXISTS shared BOOLEAN NOT NULL DEFAULT FALSE")


def downgrade() -> None:
    op.execute("ALTER TABLE gateway_accounts DROP COLUMN IF EXISTS shared")
