"""Channels: robots of group chats to which campaigns also post, their posts, and who forwarded them."""

from alembic import op

from sms_service.db.online import create_index, drop_index, run_file

revision = "0045"
down_revision = "0044"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE campaigns ADD COLUMN IF NOT EXISTS channels BIGINT[] NOT NULL DEFAULT '{}'")
    # By these the clock finds, each second, what was frozen and is not posted yet, however many campaigns have ended.
    create_index("ix_campaigns_posting", "campaigns", "(id) WHERE status = 'active' AND channels <> '{}'")
    create_index("ix_runs_campaign_id_frozen_at", "runs", "(campaign_id, frozen_at)")
    run_file(__file__)


def downgrade() -> None:
    drop_index("ix_runs_campaign_id_frozen_at")
    drop_index("ix_campaigns_posting")
    op.execute("ALTER TABLE campaigns DROP COLUMN IF EXISTS channels")
    op.execute("DROP TABLE IF EXISTS forwardings, channel_posts, channels")
