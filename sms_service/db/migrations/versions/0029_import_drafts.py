"""An import is uploaded, checked and applied: what it would do is kept until a person says so.

The rows of a file, what each would do and who a person said they are stand beside the import until they expire. What
the columns of a unit's files mean is remembered.
"""

from alembic import op

from sms_service.db.online import create_index, drop_index, run_file

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

_COLUMNS = (
    ("state", "TEXT NOT NULL DEFAULT 'applied'"),
    ("moved", "BIGINT NOT NULL DEFAULT 0"),
    ("noted", "BIGINT NOT NULL DEFAULT 0"),
    ("asked", "BIGINT NOT NULL DEFAULT 0"),
    ("suppressed", "BIGINT NOT NULL DEFAULT 0"),
    ("progress", "BIGINT NOT NULL DEFAULT 0"),
    ("size", "BIGINT NOT NULL DEFAULT 0"),
    ("choices", "JSONB NOT NULL DEFAULT '{}'"),
    ("meanings", "JSONB"),
    ("layout", "JSONB"),
    ("notice", "JSONB"),
    ("version", "BIGINT NOT NULL DEFAULT 0"),
    ("token", "UUID"),
    ("lease_until", "TIMESTAMPTZ"),
    ("tries", "SMALLINT NOT NULL DEFAULT 0"),
    ("applied_by", "BIGINT"),
    ("applied_at", "TIMESTAMPTZ"),
    ("expires_at", "TIMESTAMPTZ"),
)


def upgrade() -> None:
    added = ", ".join(f"ADD COLUMN IF NOT EXISTS {name} {kind}" for name, kind in _COLUMNS)
    op.execute(f"ALTER TABLE imports {added}")
    _check("nothing_dropped", "rows = created + changed + moved + unchanged + refused")
    _check("state", "state IN ('uploaded', 'checking', 'checked', 'applying', 'applied', 'failed', 'expired')")
    op.execute("ALTER TABLE imports VALIDATE CONSTRAINT ck_imports_nothing_dropped")
    op.execute("ALTER TABLE imports VALIDATE CONSTRAINT ck_imports_state")
    # What SQL finds has its message and values only.
    op.execute("ALTER TABLE import_problems ALTER COLUMN reason DROP NOT NULL")
    create_index("ix_imports_work", "imports", "(id) WHERE state IN ('uploaded', 'checking', 'applying')")
    create_index("ix_imports_expires_at", "imports", "(expires_at) WHERE expires_at IS NOT NULL")
    create_index("ix_import_problems_import_id_row_id", "import_problems", "(import_id, row, id)")
    run_file(__file__)


def downgrade() -> None:
    op.execute("DROP FUNCTION IF EXISTS said_attributes(jsonb, jsonb, text[])")
    op.execute("DROP TABLE IF EXISTS import_rows, import_outcomes, import_files, import_answers, column_meanings")
    drop_index("ix_imports_work")
    drop_index("ix_imports_expires_at")
    drop_index("ix_import_problems_import_id_row_id")
    op.execute("ALTER TABLE imports DROP CONSTRAINT IF EXISTS ck_imports_state")
    # Imports of meanwhile may have moved people, whom the older constraint does not know.
    _check("nothing_dropped", "rows = created + changed + unchanged + refused")
    op.execute("ALTER TABLE imports " + ", ".join(f"DROP COLUMN IF EXISTS {name}" for name, _ in _COLUMNS))


def _check(name: str, rule: str) -> None:
    op.execute(f"ALTER TABLE imports DROP CONSTRAINT IF EXISTS ck_imports_{name}")
    op.execute(f"ALTER TABLE imports ADD CONSTRAINT ck_imports_{name} CHECK ({rule}) NOT VALID")
