"""Roll-ups of the ledger by day, what was changed in days that are sealed, and the seals."""

from alembic import op

from sms_service.db.online import run_file

revision = "0062"
down_revision = "0061"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_file(__file__)


def downgrade() -> None:
    op.execute("DROP FUNCTION amend_messages(), amend_attempts(), amend_runs(), is_sealed(counted_days)")
    op.execute(
        "DROP TABLE sealed_counts, day_seals, monthly_people, counted_months, daily_people, daily_counts, amendments,"
        " day_changes, counted_days"
    )
    op.execute("DROP FUNCTION carrier_of(TEXT)")
