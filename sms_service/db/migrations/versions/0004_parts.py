"""Receipts of single parts, and provider ids that name a whole group."""

from pathlib import Path

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.get_bind().exec_driver_sql(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8").replace("%", "%%"), {})


def downgrade() -> None:
    op.execute(
        """
        DROP TABLE attempt_parts;
        ALTER TABLE attempts DROP COLUMN delivered_parts;
        ALTER TABLE gateway_accounts DROP COLUMN receipt_parts, DROP COLUMN names_groups;
        """
    )
