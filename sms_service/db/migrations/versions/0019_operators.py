"""A role for those who watch the installation: gateway accounts, caps, stops and what has an unknown outcome."""

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _allow("'administrator', 'officer', 'approver', 'auditor', 'operator'")


def downgrade() -> None:
    op.execute("DELETE FROM role_grants WHERE role = 'operator'")
    _allow("'administrator', 'officer', 'approver', 'auditor'")


def _allow(roles: str) -> None:
    op.execute(
        "ALTER TABLE role_grants DROP CONSTRAINT IF EXISTS ck_role_grants_role,"
        f" ADD CONSTRAINT ck_role_grants_role CHECK (role IN ({roles}))"
    )
