"""When the clock looks again at a run that ended, so that its tick does not grow with history."""

from alembic import op

from sms_service.db import online

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Every run of before is looked at once more.
    op.execute(
        "ALTER TABLE runs ADD COLUMN IF NOT EXISTS look_at TIMESTAMP WITH TIME ZONE DEFAULT '1970-01-01 00:00:00+00'"
    )
    online.create_index("ix_runs_ended", "runs", "(look_at) WHERE status IN ('finished', 'cancelled')")
    online.create_index("ix_campaigns_active", "campaigns", "(id) WHERE status = 'active'")


def downgrade() -> None:
    online.drop_index("ix_campaigns_active")
    online.drop_index("ix_runs_ended")
    op.execute("ALTER TABLE runs DROP COLUMN look_at")
