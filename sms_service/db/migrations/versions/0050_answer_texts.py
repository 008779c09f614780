"""Texts that answer a reply: their runs name it, each reply has one at most, and why a reply got none is kept.

A process of an earlier release writes no such run.
"""

from alembic import op

from sms_service.db.online import build_key

revision = "0050"
down_revision = "0049"
branch_labels = None
depends_on = None

_OF_REPLY = (
    "(kind = 'answer') = (reply_id IS NOT NULL) AND (reply_id IS NULL) = (reply_in_month IS NULL)"
    " AND (kind = 'answer' OR NOT passes_opt_outs)"
)


def upgrade() -> None:
    op.execute(
        "ALTER TABLE runs ADD COLUMN IF NOT EXISTS reply_in_month DATE, ADD COLUMN IF NOT EXISTS reply_id BIGINT,"
        " ADD COLUMN IF NOT EXISTS written_by BIGINT,"
        " ADD COLUMN IF NOT EXISTS passes_opt_outs BOOLEAN NOT NULL DEFAULT false"
    )
    op.execute("ALTER TABLE runs DROP CONSTRAINT IF EXISTS ck_runs_of_reply")
    op.execute(f"ALTER TABLE runs ADD CONSTRAINT ck_runs_of_reply CHECK ({_OF_REPLY}) NOT VALID")
    op.execute("ALTER TABLE runs VALIDATE CONSTRAINT ck_runs_of_reply")
    op.execute(
        """
        CREATE TABLE IF NOT EXISTS answer_uses (
            phone TEXT NOT NULL,
            day DATE NOT NULL,
            used SMALLINT NOT NULL,
            CONSTRAINT pk_answer_uses PRIMARY KEY (day, phone)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE IF NOT EXISTS withheld_answers (
            in_month DATE NOT NULL,
            reply_id BIGINT NOT NULL,
            unit_path TEXT COLLATE "C" NOT NULL,
            why TEXT NOT NULL,
            at TIMESTAMPTZ NOT NULL,
            CONSTRAINT pk_withheld_answers PRIMARY KEY (in_month, reply_id),
            CONSTRAINT ck_withheld_answers_why
                CHECK (why IN ('nobody', 'other_phone', 'no_mobile', 'automatic', 'often', 'quota'))
        )
        """
    )
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON answer_uses, withheld_answers TO sms_app")
    with op.get_context().autocommit_block():
        build_key("uq_runs_reply", "runs", "(reply_in_month, reply_id) WHERE reply_id IS NOT NULL")


def downgrade() -> None:
    op.execute("DROP TABLE IF EXISTS withheld_answers, answer_uses")
    op.execute("ALTER TABLE runs DROP CONSTRAINT IF EXISTS ck_runs_of_reply")
    op.execute("DROP INDEX IF EXISTS uq_runs_reply")
    op.execute(
        "ALTER TABLE runs DROP COLUMN IF EXISTS passes_opt_outs, DROP COLUMN IF EXISTS written_by,"
        " DROP COLUMN IF EXISTS reply_id, DROP COLUMN IF EXISTS reply_in_month"
    )
