"""What came from one phone is found by an index."""

from sms_service.db.online import create_index, drop_index

revision = "0069"
down_revision = "0068"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_index("ix_replies_phone", "replies", "(phone, received_at) WHERE phone IS NOT NULL")
    create_index("ix_replies_phoneless", "replies", "(person_id) WHERE phone IS NULL AND person_id IS NOT NULL")


def downgrade() -> None:
    drop_index("ix_replies_phoneless")
    drop_index("ix_replies_phone")
