"""Replies whose phone cannot be read, and those that are said again; a provider may use an id again."""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_FORGET_SECONDS = """
    WITH seconds AS (
        SELECT id FROM (
            SELECT id, row_number() OVER (PARTITION BY account_id, provider_id ORDER BY id) AS time
            FROM replies WHERE provider_id IS NOT NULL
        ) AS named
        WHERE time > 1
        LIMIT 5000
    )
    UPDATE replies SET provider_id = NULL FROM seconds WHERE replies.id = seconds.id
"""


def upgrade() -> None:
    # Constant defaults write no row.
    op.execute("ALTER TABLE replies ADD COLUMN sender TEXT, ADD COLUMN repeated BOOLEAN NOT NULL DEFAULT false")
    op.execute("DROP INDEX uq_replies_provider_id")


def downgrade() -> None:
    op.execute("ALTER TABLE replies DROP COLUMN IF EXISTS sender, DROP COLUMN IF EXISTS repeated")
    with op.get_context().autocommit_block():
        # The older schema has each id once: the newer of two lose it.
        while op.get_bind().exec_driver_sql(_FORGET_SECONDS).rowcount:
            pass
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS uq_replies_provider_id")  # of a migration that was cut off
        op.execute(
            "CREATE UNIQUE INDEX CONCURRENTLY uq_replies_provider_id ON replies (account_id, provider_id)"
            " WHERE provider_id IS NOT NULL"
        )
