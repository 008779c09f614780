"""What migrations share, mainly for changing large tables while people work on them
(tests/db/test_online_migrations.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import op

Run = Callable[..., Any]


def run_file(migration: str) -> None:
    """Run the statements of the .sql file beside a migration, which gives its own `__file__`."""
    statements = Path(migration).with_suffix(".sql").read_text(encoding="utf-8")
    # The driver looks for parameters in the text, so each % is doubled.
    op.get_bind().exec_driver_sql(statements.replace("%", "%%"), {})


def create_index(name: str, table: str, definition: str) -> None:
    """Build an index without stopping anybody who writes, on a plain table or on each month of a partitioned one.

    `definition` is what follows the table: "(columns) WHERE …". What the migration did before is committed first, so
    the migration must work when it is begun again. Building takes longer the larger the table is, and waits for
    transactions under way.
    """
    with _apart() as run:
        if run("SELECT relkind FROM pg_class WHERE oid = %(table)s::regclass", {"table": table}).scalar_one() != "p":
            _build(run, name, table, definition)
            return
        run(f"DROP INDEX IF EXISTS {name}")  # of a migration that was cut off
        run(f"CREATE INDEX {name} ON ONLY {table} {definition}")
        # A month that is made from now on has the index already, as its parent has.
        months = run(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %(table)s::regclass ORDER BY 1",
            {"table": table},
        )
        for month in months.scalars().all():
            own = f"{name}_{month.rsplit('_', 1)[1]}"
            _build(run, own, month, definition)
            run(f"ALTER INDEX {name} ATTACH PARTITION {own}")


def build_key(name: str, table: str, columns: str) -> None:
    """Build a unique index on a plain table, which then becomes its key, without stopping anybody. Call it inside an
    autocommit block. A valid index that is there stays: then the migration is begun again, and failed at another step.
    """
    run = op.get_bind().exec_driver_sql
    state = run("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%(name)s)", {"name": name})
    if state.scalar() is not True:
        _build(run, name, table, columns, kind="UNIQUE INDEX")


def drop_index(name: str) -> None:
    """Drop an index that `create_index` built, in the migration's own transaction: its lock is short."""
    op.execute(f"DROP INDEX IF EXISTS {name}")


def _build(run: Run, name: str, table: str, definition: str, *, kind: str = "INDEX") -> None:
    run(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")  # a migration that was cut off may have left it
    timeout = run("SHOW lock_timeout").scalar_one()
    run("SET lock_timeout = 0")  # the build waits for transactions at work, and nobody waits for it
    try:
        run(f"CREATE {kind} CONCURRENTLY {name} ON {table} {definition}")
    finally:
        run(f"SET lock_timeout = '{timeout}'")


@contextmanager
def _apart() -> Iterator[Run]:
    """Runs statements of which each is its own transaction."""
    with op.get_context().autocommit_block():
        yield op.get_bind().exec_driver_sql
