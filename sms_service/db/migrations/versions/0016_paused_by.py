"""Who paused a gateway account: a column, no longer the first words of its reason.

Processes of before write the reason alone, while this release is rolled out: then the column is empty or says who paused
it the last time. So no constraint ties it to the state, and what decides asks for `reopens_at` too.
"""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "ALTER TABLE gateway_accounts ADD COLUMN paused_by TEXT,"
        " ADD CONSTRAINT ck_gateway_accounts_paused_by CHECK (paused_by IN ('person', 'breaker', 'link'))"
    )
    # A few rows at most. What a person opens, a person has paused as far as is known: an account whose password was
    # refused looks the same.
    op.execute("""
        UPDATE gateway_accounts
        SET paused_by = CASE
                WHEN reopens_at IS NULL THEN 'person'
                WHEN reason ^@ 'the link is down: ' THEN 'link'
                ELSE 'breaker'
            END
        WHERE state = 'paused'
    """)


def downgrade() -> None:
    op.execute("ALTER TABLE gateway_accounts DROP COLUMN IF EXISTS paused_by")
