"""The runs of a unit, wherever in the tree it is by now, are found by an index."""

from sms_service.db import online

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    online.create_index("ix_runs_unit_id_id", "runs", "(unit_id, id)")


def downgrade() -> None:
    online.drop_index("ix_runs_unit_id_id")
