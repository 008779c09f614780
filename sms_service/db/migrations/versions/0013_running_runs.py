"""Running runs by lane: a worker reads the next few of them, however many there are."""

from sms_service.db.online import create_index, drop_index

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_index("ix_runs_running", "runs", "(lane, id) WHERE status = 'running'")


def downgrade() -> None:
    drop_index("ix_runs_running")
