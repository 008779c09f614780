"""Who is asked which question of the bank."""

from alembic import op

revision = "0055"
down_revision = "0054"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE messages ADD COLUMN quiz_question_id BIGINT")


def downgrade() -> None:
    op.execute("ALTER TABLE messages DROP COLUMN quiz_question_id")
