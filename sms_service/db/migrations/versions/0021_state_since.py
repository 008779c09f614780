"""Since when a gateway account is in its state. Empty for what began before, and for what a process of the release
before writes while this one is rolled out.
"""

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE gateway_accounts ADD COLUMN state_since TIMESTAMPTZ")


def downgrade() -> None:
    op.execute("ALTER TABLE gateway_accounts DROP COLUMN IF EXISTS state_since")
