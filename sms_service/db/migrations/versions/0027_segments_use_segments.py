"""A segment's rule may use other segments: each segment keeps which, so that its users are found.

No segment of before uses another, so the empty list is right for all of them.
"""

from alembic import op

from sms_service.db.online import create_index, drop_index

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE segments ADD COLUMN IF NOT EXISTS uses BIGINT[] NOT NULL DEFAULT '{}'")
    create_index("ix_segments_uses", "segments", "USING gin (uses)")


def downgrade() -> None:
    drop_index("ix_segments_uses")
    op.execute("ALTER TABLE segments DROP COLUMN IF EXISTS uses")
