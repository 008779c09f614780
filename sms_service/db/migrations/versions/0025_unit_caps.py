"""Caps of units: people of a unit's subtree get fewer texts of a class a day than the city's cap allows.

A table of its own, since a process of an earlier release reads `caps` by the class alone.
"""

from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE unit_caps (
            unit_id BIGINT NOT NULL,
            class TEXT NOT NULL,
            per_day SMALLINT NOT NULL,
            CONSTRAINT pk_unit_caps PRIMARY KEY (unit_id, class),
            CONSTRAINT fk_unit_caps_unit_id_units FOREIGN KEY (unit_id) REFERENCES units (id),
            CONSTRAINT ck_unit_caps_class CHECK (class IN ('study', 'notice', 'invitation', 'survey', 'answer')),
            CONSTRAINT ck_unit_caps_per_day CHECK (per_day BETWEEN 1 AND 100)
        )
        """
    )
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON unit_caps TO sms_app")
    # The cap for a person of a unit: the smallest of the city's and of those of the unit and of the units above it.
    op.execute(
        """
        CREATE FUNCTION find_cap(unit_path text, wanted text) RETURNS smallint LANGUAGE sql STABLE PARALLEL SAFE AS $$
            SELECT least(
                (SELECT c.per_day FROM caps c WHERE c.class = wanted),
                (SELECT min(c.per_day) FROM unit_caps c JOIN units u ON u.id = c.unit_id
                 WHERE c.class = wanted AND unit_path ^@ u.path))
        $$
        """
    )


def downgrade() -> None:
    op.execute("DROP FUNCTION IF EXISTS find_cap(text, text)")
    op.execute("DROP TABLE IF EXISTS unit_caps")
