"""Webhooks: what happened, noted in the transaction in which it did, and its deliveries to whoever wants it."""

from alembic import op

from sms_service.db.online import run_file

revision = "0056"
down_revision = "0055"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_file(__file__)


def downgrade() -> None:
    for table in ("runs", "trail", "campaigns", "imports", "replies"):
        op.execute(f"DROP TRIGGER IF EXISTS note_happening ON {table}")
    op.execute(
        "DROP FUNCTION IF EXISTS note_run(), note_decision(), note_undecided(), note_import(), note_reply(),"
        " note_happening(text, date, bigint, text), wanted_kinds()"
    )
    op.execute("DROP TABLE IF EXISTS webhook_deliveries, webhooks, happenings")
