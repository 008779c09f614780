"""Who came to an event."""

from alembic import op

revision = "0048"
down_revision = "0047"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE attendances (
            campaign_id BIGINT NOT NULL,
            person_id BIGINT NOT NULL,
            unit_id BIGINT NOT NULL,
            came BOOLEAN NOT NULL,
            recorded_by BIGINT,
            recorded_at TIMESTAMPTZ NOT NULL,
            CONSTRAINT pk_attendances PRIMARY KEY (campaign_id, person_id),
            CONSTRAINT fk_attendances_campaign_id_campaigns FOREIGN KEY (campaign_id) REFERENCES campaigns (id),
            CONSTRAINT fk_attendances_person_id_people FOREIGN KEY (person_id) REFERENCES people (id),
            CONSTRAINT fk_attendances_unit_id_units FOREIGN KEY (unit_id) REFERENCES units (id),
            CONSTRAINT fk_attendances_recorded_by_accounts FOREIGN KEY (recorded_by) REFERENCES accounts (id)
        )
        """
    )
    op.execute("CREATE INDEX ix_attendances_person_id ON attendances (person_id)")
    op.execute("CREATE INDEX ix_attendances_unit_id ON attendances (unit_id)")
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON attendances TO sms_app")


def downgrade() -> None:
    op.execute("DROP TABLE IF EXISTS attendances")
