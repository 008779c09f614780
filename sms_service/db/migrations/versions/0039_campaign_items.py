"""A campaign has items that fire once or by a rule; a run knows the digest that was approved for it.

`held_for` gets two more words, which stay when this is taken back: a run may be held for one of them. A process of an
earlier release makes runs without a digest, which are released as before. A campaign that was approved for a unit with
another window than the usual one is approved anew: its digest covers the window from now on.
"""

from alembic import op

from sms_service.db.online import create_index, drop_index

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None

_CHECKS = {
    "campaigns": {
        "kind": "kind IN ('plain', 'recurring', 'series', 'event')",
        "schedule": "(kind = 'plain') = (schedule IS NULL)",
    },
    "runs": {"held_for": "held_for IN ('missed', 'unfreezable', 'canary', 'breaker', 'cluster', 'changed', 'grown')"},
}


def upgrade() -> None:
    # Each step can be taken again: what stands before the index is committed when that is built.
    op.execute(
        "ALTER TABLE campaigns ADD COLUMN IF NOT EXISTS kind TEXT NOT NULL DEFAULT 'plain',"
        " ADD COLUMN IF NOT EXISTS schedule JSONB,"
        " ADD COLUMN IF NOT EXISTS undecided BOOLEAN NOT NULL DEFAULT FALSE"
    )
    op.execute("ALTER TABLE runs ADD COLUMN IF NOT EXISTS digest BYTEA, ADD COLUMN IF NOT EXISTS most_people INTEGER")
    for table, checks in _CHECKS.items():
        for name, rule in checks.items():
            op.execute(
                f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS ck_{table}_{name},"
                f" ADD CONSTRAINT ck_{table}_{name} CHECK ({rule}) NOT VALID"
            )
            op.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT ck_{table}_{name}")
    op.execute(
        """
        CREATE TABLE IF NOT EXISTS campaign_items (
            campaign_id BIGINT NOT NULL,
            number SMALLINT NOT NULL,
            position INTEGER NOT NULL,
            label TEXT NOT NULL,
            template_version_id BIGINT,
            values JSONB NOT NULL DEFAULT '{}',
            rule JSONB,
            skipped BOOLEAN NOT NULL DEFAULT FALSE,
            next_at TIMESTAMPTZ,
            fired_at TIMESTAMPTZ,
            next_firing SMALLINT NOT NULL DEFAULT 1,
            approved BYTEA,
            updated_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            CONSTRAINT pk_campaign_items PRIMARY KEY (campaign_id, number),
            CONSTRAINT ck_campaign_items_number CHECK (number > 0),
            CONSTRAINT fk_campaign_items_campaign_id_campaigns FOREIGN KEY (campaign_id) REFERENCES campaigns (id),
            CONSTRAINT fk_campaign_items_template_version_id_template_versions
                FOREIGN KEY (template_version_id) REFERENCES template_versions (id)
        )
        """
    )
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON campaign_items TO sms_app")
    create_index("ix_campaign_items_due", "campaign_items", "(next_at) WHERE next_at IS NOT NULL")
    create_index("ix_campaigns_undecided", "campaigns", "(id) WHERE undecided")


def downgrade() -> None:
    drop_index("ix_campaigns_undecided")
    op.execute("DROP TABLE IF EXISTS campaign_items")
    op.execute("ALTER TABLE runs DROP COLUMN IF EXISTS digest, DROP COLUMN IF EXISTS most_people")
    op.execute(
        "ALTER TABLE campaigns DROP COLUMN IF EXISTS kind, DROP COLUMN IF EXISTS schedule,"
        " DROP COLUMN IF EXISTS undecided"
    )
