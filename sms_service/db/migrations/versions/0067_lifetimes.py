"""What was reported of phones, and how many callbacks were refused, is deleted after a year."""

from alembic import op

from sms_service.db.online import create_index, drop_index

revision = "0067"
down_revision = "0066"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_index("ix_phone_reports_at", "phone_reports", "(at)")
    op.execute("GRANT DELETE ON refused_callbacks TO sms_app")


def downgrade() -> None:
    op.execute("REVOKE DELETE ON refused_callbacks FROM sms_app")
    drop_index("ix_phone_reports_at")
