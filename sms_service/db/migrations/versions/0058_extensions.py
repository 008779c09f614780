"""The extension number to which a reply was sent names the question that it answers."""

from alembic import op

revision = "0058"
down_revision = "0057"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE replies ADD COLUMN extension TEXT")


def downgrade() -> None:
    op.execute("ALTER TABLE replies DROP COLUMN extension")
