"""Questions that texts ask, what people answer, and what a reply was read as before."""

from alembic import op

from sms_service.db.online import run_file

revision = "0053"
down_revision = "0052"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_file(__file__)


def downgrade() -> None:
    op.execute("DROP TABLE reply_readings, answers, questions")
