"""Texts to oneself: an account's own phone, test texts, pushes of tasks. Runs that belong to no campaign.

Columns that every row of before has may now be empty, except of a campaign's run. On the way down they stay so: to
demand them again would read every row, and no older program leaves them empty.
"""

from alembic import op

revision = "0044"
down_revision = "0041"
branch_labels = None
depends_on = None

_OF_CAMPAIGN = (
    "kind <> 'campaign' OR"
    " (campaign_id IS NOT NULL AND template_version_id IS NOT NULL AND segment_rule IS NOT NULL AND NOT hides_text)"
)


def upgrade() -> None:
    op.execute("ALTER TABLE runs ADD COLUMN IF NOT EXISTS hides_text BOOLEAN NOT NULL DEFAULT false")
    op.execute("ALTER TABLE runs DROP CONSTRAINT IF EXISTS ck_runs_of_campaign")
    op.execute(f"ALTER TABLE runs ADD CONSTRAINT ck_runs_of_campaign CHECK ({_OF_CAMPAIGN}) NOT VALID")
    op.execute("ALTER TABLE runs VALIDATE CONSTRAINT ck_runs_of_campaign")
    for column in ("campaign_id", "template_version_id", "segment_rule"):
        op.execute(f"ALTER TABLE runs ALTER COLUMN {column} DROP NOT NULL")
    op.execute("ALTER TABLE messages ALTER COLUMN template_version_id DROP NOT NULL")
    op.execute(
        """
        CREATE TABLE own_phones (
            person_id BIGINT NOT NULL,
            account_id BIGINT NOT NULL,
            code_digest BYTEA,
            code_until TIMESTAMPTZ,
            tries SMALLINT NOT NULL DEFAULT 0,
            confirmed_at TIMESTAMPTZ,
            ended_at TIMESTAMPTZ,
            look_at TIMESTAMPTZ,
            created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            CONSTRAINT pk_own_phones PRIMARY KEY (person_id),
            CONSTRAINT ck_own_phones_ended CHECK ((ended_at IS NULL) = (look_at IS NULL)),
            CONSTRAINT ck_own_phones_code CHECK ((code_digest IS NULL) = (code_until IS NULL)),
            CONSTRAINT fk_own_phones_person_id FOREIGN KEY (person_id) REFERENCES people (id),
            CONSTRAINT fk_own_phones_account_id FOREIGN KEY (account_id) REFERENCES accounts (id)
        )
        """
    )
    op.execute("CREATE UNIQUE INDEX uq_own_phones_account_id ON own_phones (account_id) WHERE ended_at IS NULL")
    op.execute("CREATE INDEX ix_own_phones_look_at ON own_phones (look_at) WHERE look_at IS NOT NULL")
    op.execute(
        """
        CREATE TABLE own_texts (
            run_id BIGINT NOT NULL,
            month DATE NOT NULL,
            account_id BIGINT NOT NULL,
            purpose TEXT NOT NULL,
            sample_id BIGINT,
            created_at TIMESTAMPTZ NOT NULL,
            CONSTRAINT pk_own_texts PRIMARY KEY (run_id),
            CONSTRAINT ck_own_texts_purpose CHECK (purpose IN ('code', 'test', 'push')),
            CONSTRAINT fk_own_texts_run_id_month FOREIGN KEY (run_id, month) REFERENCES runs (id, month),
            CONSTRAINT fk_own_texts_account_id FOREIGN KEY (account_id) REFERENCES accounts (id)
        )
        """
    )
    op.execute("CREATE INDEX ix_own_texts_account_id_created_at ON own_texts (account_id, created_at)")
    op.execute("CREATE INDEX ix_own_texts_created_at ON own_texts (created_at)")
    op.execute("CREATE INDEX ix_own_texts_sample_id ON own_texts (sample_id) WHERE sample_id IS NOT NULL")
    op.execute(
        """
        CREATE TABLE push_settings (
            account_id BIGINT NOT NULL,
            way TEXT NOT NULL,
            kinds TEXT[] NOT NULL,
            look_at TIMESTAMPTZ,
            CONSTRAINT pk_push_settings PRIMARY KEY (account_id),
            CONSTRAINT ck_push_settings_way CHECK (way IN ('none', 'text')),
            CONSTRAINT ck_push_settings_looks CHECK ((way = 'none') = (look_at IS NULL)),
            CONSTRAINT fk_push_settings_account_id FOREIGN KEY (account_id) REFERENCES accounts (id)
        )
        """
    )
    op.execute("CREATE INDEX ix_push_settings_look_at ON push_settings (look_at) WHERE look_at IS NOT NULL")
    op.execute(
        """
        CREATE TABLE told_tasks (
            account_id BIGINT NOT NULL,
            kind TEXT NOT NULL,
            number INTEGER NOT NULL,
            newest TIMESTAMPTZ,
            told_at TIMESTAMPTZ NOT NULL,
            CONSTRAINT pk_told_tasks PRIMARY KEY (account_id, kind),
            CONSTRAINT fk_told_tasks_account_id FOREIGN KEY (account_id) REFERENCES accounts (id)
        )
        """
    )
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON own_phones, own_texts, push_settings, told_tasks TO sms_app")


def downgrade() -> None:
    op.execute("DROP TABLE IF EXISTS told_tasks, push_settings, own_texts, own_phones")
    op.execute("ALTER TABLE runs DROP CONSTRAINT IF EXISTS ck_runs_of_campaign")
    op.execute("ALTER TABLE runs DROP COLUMN IF EXISTS hides_text")
