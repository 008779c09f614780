"""Ledger exports, and statements that were issued."""

from alembic import op

from sms_service.db.online import run_file

revision = "0066"
down_revision = "0065"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_file(__file__)


def downgrade() -> None:
    op.execute("DROP TABLE statements, exports")
