"""People who join a series later may begin at its first item: in cohorts, to which the audience of a run is bound."""

from alembic import op

from sms_service.db.online import create_index, drop_index

revision = "0049"
down_revision = "0048"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Each step can be taken again: what stands before the index is committed when that is built.
    op.execute("ALTER TABLE runs ADD COLUMN IF NOT EXISTS of_cohort BOOLEAN NOT NULL DEFAULT FALSE")
    op.execute(
        """
        CREATE TABLE IF NOT EXISTS series_cohorts (
            campaign_id BIGINT NOT NULL,
            firing SMALLINT NOT NULL,
            next_at TIMESTAMPTZ,
            fired_at TIMESTAMPTZ,
            CONSTRAINT pk_series_cohorts PRIMARY KEY (campaign_id, firing),
            CONSTRAINT ck_series_cohorts_firing CHECK (firing > 1),
            CONSTRAINT fk_series_cohorts_campaign_id_campaigns FOREIGN KEY (campaign_id) REFERENCES campaigns (id)
        )
        """
    )
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON series_cohorts TO sms_app")
    create_index("ix_series_cohorts_due", "series_cohorts", "(next_at) WHERE next_at IS NOT NULL")


def downgrade() -> None:
    drop_index("ix_series_cohorts_due")
    op.execute("DROP TABLE IF EXISTS series_cohorts")
    op.execute("ALTER TABLE runs DROP COLUMN IF EXISTS of_cohort")
