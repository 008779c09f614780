"""A branch is also asked about somebody whose number belongs to somebody else, who said so."""

from alembic import op

revision = "0059"
down_revision = "0058"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _allow("'dead_number', 'not_reached', 'other_person'")


def downgrade() -> None:
    # Rows with the new cause stay as they are.
    _allow("'dead_number', 'not_reached'")


def _allow(causes: str) -> None:
    op.execute("ALTER TABLE lost_checks DROP CONSTRAINT ck_lost_checks_cause")
    op.execute(f"ALTER TABLE lost_checks ADD CONSTRAINT ck_lost_checks_cause CHECK (cause IN ({causes})) NOT VALID")
