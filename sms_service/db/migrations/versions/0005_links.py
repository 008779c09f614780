"""Accounts whose receipts are each of one part."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE gateway_accounts ADD COLUMN names_parts BOOLEAN DEFAULT false NOT NULL")


def downgrade() -> None:
    op.execute("ALTER TABLE gateway_accounts DROP COLUMN names_parts")
