"""The phone of attempts whose answer never came, by which receipts that name nothing of ours find them.

Those that are unknown already keep their phone in the message alone, where they are found too.
"""

from alembic import op

from sms_service.db.online import create_index, drop_index

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE attempts ADD COLUMN IF NOT EXISTS phone TEXT")
    create_index("ix_attempts_unanswered", "attempts", "(account_id, phone, started_at) WHERE phone IS NOT NULL")
    create_index(
        "ix_attempts_phoneless", "attempts", "(account_id, started_at) WHERE status = 'unknown' AND phone IS NULL"
    )


def downgrade() -> None:
    drop_index("ix_attempts_unanswered")
    drop_index("ix_attempts_phoneless")
    op.execute("ALTER TABLE attempts DROP COLUMN phone")
