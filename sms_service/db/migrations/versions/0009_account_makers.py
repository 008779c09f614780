"""Who created an account and who last set its password: neither is another person than the account."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Few rows, so the keys are checked at once; what was done before is in the trail, found by its index.
    op.execute(
        """
        ALTER TABLE accounts ADD COLUMN created_by BIGINT, ADD COLUMN password_set_by BIGINT;
        ALTER TABLE accounts ADD CONSTRAINT fk_accounts_created_by FOREIGN KEY (created_by) REFERENCES accounts (id),
            ADD CONSTRAINT fk_accounts_password_set_by FOREIGN KEY (password_set_by) REFERENCES accounts (id);
        UPDATE accounts SET
            created_by = (
                SELECT t.account_id FROM trail AS t
                WHERE t.target_kind = 'account' AND t.target_id = accounts.id::text AND t.act = 'account.create'
                ORDER BY t.id LIMIT 1
            ),
            password_set_by = (
                SELECT t.account_id FROM trail AS t
                WHERE t.target_kind = 'account' AND t.target_id = accounts.id::text
                    AND (t.act = 'account.create' OR t.act = 'account.set_password')
                    AND t.account_id IS DISTINCT FROM accounts.id
                ORDER BY t.id DESC LIMIT 1
            );
        """
    )


def downgrade() -> None:
    op.execute("ALTER TABLE accounts DROP COLUMN password_set_by, DROP COLUMN created_by")
