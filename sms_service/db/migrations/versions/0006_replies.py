"""Replies, what callbacks were refused, when providers were asked, and phones that seem dead."""

from alembic import op

from sms_service.db.online import run_file

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_file(__file__)


def downgrade() -> None:
    op.execute(
        """
        DROP TABLE replies;
        DROP TABLE refused_callbacks;
        DROP TABLE phone_reports;
        DROP INDEX ix_runs_launched_at;
        DROP INDEX ix_receipts_unclassified;
        DROP INDEX ix_attempts_unclassified;
        ALTER TABLE gateway_accounts DROP COLUMN pulled_at;
        ALTER TABLE people DROP COLUMN suspect_since;
        """
    )
