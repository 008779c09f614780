"""The acts of before are linked too: the clock finds them. Apart from 0064, so that nobody waits for their number."""

from alembic import op

revision = "0065"
down_revision = "0064"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "INSERT INTO trail_unlinked (entry_id) SELECT id FROM trail AS t"
        " WHERE NOT EXISTS (SELECT FROM trail_links AS l WHERE l.entry_id = t.id) ON CONFLICT DO NOTHING"
    )


def downgrade() -> None:
    pass
