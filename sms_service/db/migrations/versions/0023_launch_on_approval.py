"""A campaign may be launched by its approval, at the time that was planned for it.

Beside it the indexes by which pages find the campaigns that wait for an approval and those that use a segment.
"""

from alembic import op

from sms_service.db.online import create_index, drop_index

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "ALTER TABLE campaigns ADD COLUMN IF NOT EXISTS launch_on_approval BOOLEAN NOT NULL DEFAULT FALSE,"
        " ADD COLUMN IF NOT EXISTS planned_at TIMESTAMPTZ"
    )
    create_index("ix_campaigns_submitted", "campaigns", "(id) WHERE status = 'submitted'")
    create_index("ix_campaigns_segment_id_id", "campaigns", "(segment_id, id)")


def downgrade() -> None:
    drop_index("ix_campaigns_submitted")
    drop_index("ix_campaigns_segment_id_id")
    op.execute("ALTER TABLE campaigns DROP COLUMN IF EXISTS launch_on_approval, DROP COLUMN IF EXISTS planned_at")
