"""The trail as a chain: where each act came from, what it changed, and a digest over all entries so far."""

from alembic import op

from sms_service.db.online import run_file

revision = "0064"
down_revision = "0063"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_file(__file__)


def downgrade() -> None:
    op.execute("DROP TRIGGER IF EXISTS queue_entry ON trail")
    op.execute("DROP FUNCTION IF EXISTS queue_entry(), link_trail(integer)")
    op.execute("DROP TABLE IF EXISTS trail_links, trail_unlinked, trail_personal")
    op.execute("ALTER TABLE trail DROP CONSTRAINT IF EXISTS ck_trail_bounded")
    op.execute("ALTER TABLE trail DROP COLUMN IF EXISTS origin, DROP COLUMN IF EXISTS personal")
    op.execute("GRANT INSERT ON trail TO sms_app")
    op.execute("GRANT USAGE ON SEQUENCE trail_id_seq TO sms_app")
