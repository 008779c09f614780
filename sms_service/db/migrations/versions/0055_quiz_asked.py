"""Who is asked which question of the bank, and how questions are written in texts."""

from alembic import op

revision = "0055"
down_revision = "0054"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE messages ADD COLUMN IF NOT EXISTS quiz_question_id BIGINT")
    op.execute("ALTER TABLE quiz_questions ADD COLUMN IF NOT EXISTS written TEXT")
    op.execute(
        """
        UPDATE quiz_questions q
        SET written = q.text || (
            SELECT string_agg(E'\\n' || chr(64 + o.place::int) || '. ' || o.option, '' ORDER BY o.place)
            FROM jsonb_array_elements_text(q.options) WITH ORDINALITY AS o (option, place))
        WHERE q.written IS NULL
        """
    )
    op.execute("ALTER TABLE quiz_questions ALTER COLUMN written SET NOT NULL")


def downgrade() -> None:
    op.execute("ALTER TABLE quiz_questions DROP COLUMN IF EXISTS written")
    op.execute("ALTER TABLE messages DROP COLUMN IF EXISTS quiz_question_id")
