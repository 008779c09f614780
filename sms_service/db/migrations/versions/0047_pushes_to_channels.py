"""Pushes of tasks to a webhook channel."""

from alembic import op

revision = "0047"
down_revision = "0046"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE push_settings ADD COLUMN IF NOT EXISTS channel_id BIGINT")
    op.execute("ALTER TABLE push_settings DROP CONSTRAINT IF EXISTS fk_push_settings_channel_id")
    op.execute(
        "ALTER TABLE push_settings ADD CONSTRAINT fk_push_settings_channel_id"
        " FOREIGN KEY (channel_id) REFERENCES channels (id) NOT VALID"
    )
    op.execute("ALTER TABLE push_settings VALIDATE CONSTRAINT fk_push_settings_channel_id")
    _check("way", "way IN ('none', 'text', 'webhook')")
    _check("channel", "(way = 'webhook') = (channel_id IS NOT NULL)")


def downgrade() -> None:
    # Who was told by a channel is told by a text, if they have a phone.
    op.execute("ALTER TABLE push_settings DROP CONSTRAINT IF EXISTS ck_push_settings_channel")
    op.execute("ALTER TABLE push_settings DROP COLUMN IF EXISTS channel_id")


def _check(name: str, rule: str) -> None:
    op.execute(f"ALTER TABLE push_settings DROP CONSTRAINT IF EXISTS ck_push_settings_{name}")
    op.execute(f"ALTER TABLE push_settings ADD CONSTRAINT ck_push_settings_{name} CHECK ({rule}) NOT VALID")
    op.execute(f"ALTER TABLE push_settings VALIDATE CONSTRAINT ck_push_settings_{name}")
