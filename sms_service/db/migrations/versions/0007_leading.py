"""Who leads, proved by a lease; when a run's canary began."""

from alembic import op

from sms_service.db.online import run_file

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_file(__file__)


def downgrade() -> None:
    op.execute(
        """
        DROP FUNCTION still_leads(text, bigint);
        DROP FUNCTION leadership_key(text);
        DROP TABLE leaderships;
        ALTER TABLE runs DROP COLUMN canary_since;
        """
    )
