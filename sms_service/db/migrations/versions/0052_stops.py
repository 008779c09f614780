"""An opt-out is of a class of texts, of a signature, or of all; what replies say about stopping is kept in its order.

A process of the release before asks by the phone alone: for these minutes it takes an opt-out from some texts for one
from all of them. A text too few leaves, never one too many. What it writes is for every text, as it meant it.
"""

from alembic import op

from sms_service.db.online import build_key, create_index, drop_index, run_file

revision = "0052"
down_revision = "0051"
branch_labels = None
depends_on = None

BEFORE = "(phone, unit_id) NULLS NOT DISTINCT WHERE lifted_at IS NULL"
NOW = "(phone, unit_id, class, signature) NULLS NOT DISTINCT WHERE lifted_at IS NULL"
NARROW = "(phone) WHERE lifted_at IS NULL AND (unit_id IS NOT NULL OR class IS NOT NULL OR signature IS NOT NULL)"


def upgrade() -> None:
    # Each step can be taken again: what stands before the indexes is committed when they are built.
    run_file(__file__)
    create_index("ix_stop_requests_phone", "stop_requests", "(phone)")
    create_index("ix_suppressions_of_some", "suppressions", NARROW)
    with op.get_context().autocommit_block():
        build_key("uq_suppressions_standing", "suppressions", NOW)
    drop_index("uq_suppressions_active")


def downgrade() -> None:
    """The release before knows no opt-out from some texts: each becomes one from all, a text too few. Of several of a
    phone the widest stays. A city has some thousands of entries, so that this takes no time.
    """
    op.execute(
        """
        DO $$
        BEGIN
            DELETE FROM suppressions WHERE id IN (
                SELECT id FROM (
                    SELECT id, row_number() OVER (
                        PARTITION BY phone, unit_id ORDER BY class NULLS FIRST, signature NULLS FIRST, id) AS place
                    FROM suppressions WHERE lifted_at IS NULL
                ) AS standing
                WHERE place > 1);
        END
        $$
        """
    )
    op.execute("DROP INDEX IF EXISTS uq_suppressions_standing")
    op.execute("DROP INDEX IF EXISTS ix_suppressions_of_some")
    with op.get_context().autocommit_block():
        build_key("uq_suppressions_active", "suppressions", BEFORE)
    for name in ("lifted_by_reply", "class"):
        op.execute(f"ALTER TABLE suppressions DROP CONSTRAINT IF EXISTS ck_suppressions_{name}")
    for name in ("class", "signature", "confirmed_at", "lifted_by_reply"):
        op.execute(f"ALTER TABLE suppressions DROP COLUMN IF EXISTS {name}")
    op.execute("DROP TABLE IF EXISTS stop_requests")
    op.execute("DROP FUNCTION IF EXISTS find_suppression(text, text, text, text)")
