"""A provider may take registered templates alone: what it calls a version, and what else an account's policy says."""

from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE template_bindings (
            template_version_id BIGINT NOT NULL,
            gateway_account_id BIGINT NOT NULL,
            state TEXT NOT NULL,
            provider_template_id TEXT,
            parameters TEXT[] NOT NULL,
            note TEXT,
            changed_by BIGINT,
            changed_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            CONSTRAINT pk_template_bindings PRIMARY KEY (template_version_id, gateway_account_id),
            CONSTRAINT ck_template_bindings_state CHECK (state IN ('draft', 'filed', 'usable', 'refused')),
            CONSTRAINT ck_template_bindings_usable CHECK (state <> 'usable' OR provider_template_id IS NOT NULL),
            CONSTRAINT ck_template_bindings_refused CHECK (state <> 'refused' OR note IS NOT NULL),
            CONSTRAINT fk_template_bindings_template_version_id_template_versions
                FOREIGN KEY (template_version_id) REFERENCES template_versions (id),
            CONSTRAINT fk_template_bindings_gateway_account_id_gateway_accounts
                FOREIGN KEY (gateway_account_id) REFERENCES gateway_accounts (id),
            CONSTRAINT fk_template_bindings_changed_by_accounts FOREIGN KEY (changed_by) REFERENCES accounts (id)
        )
        """
    )
    op.execute("GRANT SELECT, INSERT, UPDATE ON template_bindings TO sms_app")
    op.execute("ALTER TABLE gateway_accounts ADD COLUMN IF NOT EXISTS needs_binding BOOLEAN NOT NULL DEFAULT false")
    op.execute("ALTER TABLE gateway_accounts ADD COLUMN IF NOT EXISTS policy JSONB NOT NULL DEFAULT '{}'")


def downgrade() -> None:
    op.execute("ALTER TABLE gateway_accounts DROP COLUMN IF EXISTS policy, DROP COLUMN IF EXISTS needs_binding")
    op.execute("DROP TABLE IF EXISTS template_bindings")
