"""The runs of a unit by when they were launched: what a reply may answer is looked for among those of late."""

from sms_service.db.online import create_index, drop_index

revision = "0060"
down_revision = "0059"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_index("ix_runs_unit_path_launched_at", "runs", "(unit_path, launched_at)")


def downgrade() -> None:
    drop_index("ix_runs_unit_path_launched_at")
