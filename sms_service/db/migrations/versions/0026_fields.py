"""A version of a template keeps how forms ask for its variables: label, hint, example, kind, and their order."""

from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE template_versions ADD COLUMN IF NOT EXISTS fields JSONB NOT NULL DEFAULT '[]'")


def downgrade() -> None:
    op.execute("ALTER TABLE template_versions DROP COLUMN IF EXISTS fields")
