"""Who leads, proved by a lease; when a run's canary began."""

from pathlib import Path

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.get_bind().exec_driver_sql(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8").replace("%", "%%"), {})


def downgrade() -> None:
    op.execute(
        """
        DROP FUNCTION still_leads(text, bigint);
        DROP FUNCTION leadership_key(text);
        DROP TABLE leaderships;
        ALTER TABLE runs DROP COLUMN canary_since;
        """
    )
