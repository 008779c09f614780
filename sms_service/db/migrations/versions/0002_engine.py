"""The dispatch engine: pace, lanes, canary, breaker, caps, stops, the cluster's identity."""

from alembic import op

from sms_service.db.online import run_file

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_file(__file__)


def downgrade() -> None:
    op.execute(
        """
        DROP FUNCTION cluster_is_known(), server_identity(), analyse_month(date), analyse_new_months();
        DROP TABLE cluster, tallies, cap_uses, caps, stops;
        ALTER TABLE messages DROP COLUMN cap_day;
        ALTER TABLE runs
            DROP CONSTRAINT ck_runs_held, DROP COLUMN held_for, DROP COLUMN lane, DROP COLUMN canary,
            DROP COLUMN canary_receipts, DROP COLUMN parts_estimate, DROP COLUMN watched_from;
        ALTER TABLE campaigns DROP COLUMN urgent, DROP COLUMN canary_receipts;
        ALTER TABLE route_members DROP COLUMN weight;
        ALTER TABLE gateway_accounts DROP COLUMN reopens_at, DROP COLUMN trips, DROP COLUMN watched_from;
        """
    )
