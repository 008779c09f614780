"""A unit can be closed, and merged into another; its row stays, since past counts stand on it. An erasure takes the
questions about a person along.
"""

from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE units ADD COLUMN IF NOT EXISTS closed_at TIMESTAMPTZ")
    op.execute("ALTER TABLE units ADD COLUMN IF NOT EXISTS merged_into BIGINT")
    op.execute("GRANT DELETE ON lost_checks TO sms_app")


def downgrade() -> None:
    op.execute("REVOKE DELETE ON lost_checks FROM sms_app")
    op.execute("ALTER TABLE units DROP COLUMN IF EXISTS merged_into")
    op.execute("ALTER TABLE units DROP COLUMN IF EXISTS closed_at")
