"""What campaigns ask, and what each reply was read as."""

from alembic import op

from sms_service.db.online import create_index, drop_index, run_file

revision = "0054"
down_revision = "0053"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Each step can be taken again: what stands before an index is committed when that is built.
    run_file(__file__)
    create_index("ix_runs_question_id", "runs", "(question_id) WHERE question_id IS NOT NULL")
    create_index("ix_replies_question_id", "replies", "(question_id, received_at) WHERE question_id IS NOT NULL")
    create_index("ix_replies_inbox", "replies", "(inbox_status, received_at, id) WHERE inbox_status IS NOT NULL")


def downgrade() -> None:
    for name in ("ix_replies_inbox", "ix_replies_question_id", "ix_runs_question_id"):
        drop_index(name)
    op.execute("ALTER TABLE replies DROP CONSTRAINT IF EXISTS ck_replies_meaning")
    # Rows that mean something else stay as they are.
    op.execute("ALTER TABLE replies ADD CONSTRAINT ck_replies_meaning CHECK (meaning = 'stop') NOT VALID")
    columns = ("rule", "question_id", "inbox_status", "assigned_to", "read_by")
    op.execute("ALTER TABLE replies " + ", ".join(f"DROP COLUMN IF EXISTS {column}" for column in columns))
    op.execute("ALTER TABLE runs DROP COLUMN IF EXISTS asks, DROP COLUMN IF EXISTS question_id")
    op.execute("ALTER TABLE campaigns DROP COLUMN IF EXISTS asks")
    op.execute("ALTER TABLE campaign_items DROP COLUMN IF EXISTS asks")
