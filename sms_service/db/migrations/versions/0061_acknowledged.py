"""A reply that only says thanks for a text has a meaning of its own."""

from alembic import op

revision = "0061"
down_revision = "0060"
branch_labels = None
depends_on = None

MEANINGS = "'stop', 'resume', 'yes', 'no', 'choice', 'wrong_person', 'free_text', 'ambiguous', 'empty', 'automatic'"


def upgrade() -> None:
    _allow(f"{MEANINGS}, 'acknowledged'")


def downgrade() -> None:
    # Rows with the new meaning stay as they are.
    _allow(MEANINGS)


def _allow(meanings: str) -> None:
    op.execute("ALTER TABLE replies DROP CONSTRAINT ck_replies_meaning")
    op.execute(f"ALTER TABLE replies ADD CONSTRAINT ck_replies_meaning CHECK (meaning IN ({meanings})) NOT VALID")
