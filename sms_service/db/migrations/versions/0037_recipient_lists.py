"""Lists for one campaign: a file's rows as recipients with values of their own; people outside the register as guests."""

from alembic import op

from sms_service.db.online import run_file

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _check("imports", "kind", "kind IN ('units', 'people', 'recipients')")
    _check("column_meanings", "kind", "kind IN ('units', 'people', 'recipients')")
    _check("people", "kind", "kind IN ('member', 'contact', 'guest')")
    # The older constraint, which was narrower, held for all rows; so this one does.
    for table in ("imports", "column_meanings", "people"):
        op.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT ck_{table}_kind")
    run_file(__file__)


def downgrade() -> None:
    op.execute("DROP TABLE IF EXISTS recipient_rows, recipient_lists")
    # Imports and guests of meanwhile stay, and no older program makes another one.
    _check("imports", "kind", "kind IN ('units', 'people')")
    _check("column_meanings", "kind", "kind IN ('units', 'people')")
    _check("people", "kind", "kind IN ('member', 'contact')")


def _check(table: str, name: str, rule: str) -> None:
    op.execute(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS ck_{table}_{name}")
    op.execute(f"ALTER TABLE {table} ADD CONSTRAINT ck_{table}_{name} CHECK ({rule}) NOT VALID")
