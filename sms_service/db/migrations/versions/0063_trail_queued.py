"""The acts of before are linked too: the clock finds them. Apart from 0062, so that nobody waits for their number."""

from alembic import op

revision = "0063"
down_revision = "0062"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "INSERT INTO trail_unlinked (entry_id) SELECT id FROM trail AS t"
        " WHERE NOT EXISTS (SELECT FROM trail_links AS l WHERE l.entry_id = t.id) ON CONFLICT DO NOTHING"
    )


def downgrade() -> None:
    pass
