"""Receipts of single parts, and provider ids that name a whole group."""

from alembic import op

from sms_service.db.online import run_file

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_file(__file__)


def downgrade() -> None:
    op.execute(
        """
        DROP TABLE attempt_parts;
        ALTER TABLE attempts DROP COLUMN delivered_parts;
        ALTER TABLE gateway_accounts DROP COLUMN receipt_parts, DROP COLUMN names_groups;
        """
    )
