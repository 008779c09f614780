"""Accounts whose receipts are each of one part, and those that take one text for several recipients."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "ALTER TABLE gateway_accounts ADD COLUMN names_parts BOOLEAN DEFAULT false NOT NULL,"
        " ADD COLUMN one_text BOOLEAN DEFAULT false NOT NULL"
    )


def downgrade() -> None:
    op.execute("ALTER TABLE gateway_accounts DROP COLUMN names_parts, DROP COLUMN one_text")
