"""Why the service paused a gateway account, and why a phone is unusable, is kept as message and values too.

So that both can be said in another language. Processes of before write the sentence alone: whoever reads believes the
message only while it makes that sentence.
"""

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE gateway_accounts ADD COLUMN reason_message JSONB")
    op.execute("ALTER TABLE people ADD COLUMN phone_problem_message JSONB")


def downgrade() -> None:
    op.execute("ALTER TABLE people DROP COLUMN IF EXISTS phone_problem_message")
    op.execute("ALTER TABLE gateway_accounts DROP COLUMN IF EXISTS reason_message")
