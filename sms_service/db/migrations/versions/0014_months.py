"""Receipts, replies and attempts' parts have the months of the ledger.

What is there becomes the first partition as it is: no row is written, and writers wait only for the moment in which the
tables change their names. Rows of before count as come in the month of this migration.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from alembic import op

from sms_service.db import online

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

# When the row came in, by UTC. Also what a process of before writes, which does not know of months.
_NOW = "(date_trunc('month', sms_now() AT TIME ZONE 'UTC'))::date"


class _Table(NamedTuple):
    """A table to be partitioned by `month`. `numbered`: it has an `id`, and the account as a foreign key."""

    name: str
    month: str
    key: str
    old_key: str
    may: str
    indexes: Mapping[str, str]
    numbered: bool = True


_TABLES = (
    _Table(
        "attempt_parts",
        "month",
        "month, attempt_id, part",
        "month, attempt_id, part",
        "SELECT, INSERT",
        {"ix_attempt_parts_account_id_provider_id": "(account_id, provider_id)"},
        numbered=False,
    ),
    _Table(
        "receipts",
        "in_month",
        "in_month, id",
        "id",
        "SELECT, INSERT, UPDATE",
        {
            "ix_receipts_attempt": "(attempt_id) WHERE attempt_id IS NOT NULL",
            "ix_receipts_parked": "(next_try_at, id) WHERE applied_at IS NULL",
            "ix_receipts_unclassified": "(account_id, raw_code) WHERE status = 'unclassified'",
        },
    ),
    _Table(
        "replies",
        "in_month",
        "in_month, id",
        "id",
        "SELECT, INSERT, UPDATE",
        {
            "ix_replies_fingerprint_received_at": "(fingerprint, received_at)",
            "ix_replies_series": "(account_id, phone, series) WHERE parts > 1",
            "ix_replies_waiting": "(id) WHERE matched_at IS NULL",
            "ix_replies_received_at_id": "(received_at, id)",
        },
    ),
)


def upgrade() -> None:
    bounds = {}
    with op.get_context().autocommit_block():
        for table in _TABLES:
            bounds[table.name] = _prepare(table)
    for table in _TABLES:
        _partition(table, bounds[table.name])
    online.run_file(__file__)
    this_month = _this_month()
    for month in _months():
        if month >= this_month:
            _run("SELECT ensure_month(%(month)s::date)", month=month)


def _run(sql: str, **parameters: str) -> Any:
    return op.get_bind().exec_driver_sql(sql, parameters)


def _this_month() -> str:
    return str(_run("SELECT to_char(sms_now() AT TIME ZONE 'UTC', 'YYYY-MM-01')").scalar_one())


def _months() -> list[str]:
    """This month, and all months of attempts."""
    suffixes = _run(
        "SELECT right(relname, 6) FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid"
        " WHERE inhparent = 'attempts'::regclass"
    )
    return sorted({_this_month(), *(f"{suffix[:4]}-{suffix[4:]}-01" for suffix in suffixes.scalars())})


def _prepare(table: _Table) -> str:
    """What takes time: the months of what is there are proved by a constraint, and its new key is built. Each statement
    is a transaction of its own, and bears being begun again. Answers the months, as a list of literals.
    """
    months = _add_month(table) if table.numbered else ", ".join(f"'{month}'" for month in _months())
    check = f"ck_{table.name}_bounds"
    _run(f"ALTER TABLE {table.name} DROP CONSTRAINT IF EXISTS {check}")
    _run(f"ALTER TABLE {table.name} ADD CONSTRAINT {check} CHECK ({table.month} IN ({months})) NOT VALID")
    _run(f"ALTER TABLE {table.name} VALIDATE CONSTRAINT {check}")
    if table.numbered:
        online.build_key(f"key_{table.name}", table.name, f"({table.key})")
    return months


def _add_month(table: _Table) -> str:
    """The month's column, with a constant default, which writes no row. Answers the constant: of a migration that was
    cut off, and is begun again in another month, what it has set.
    """
    if _default(table) is None:
        _run(f"ALTER TABLE {table.name} ADD COLUMN {table.month} DATE DEFAULT '{_this_month()}' NOT NULL")
    return str(_default(table)).split("::")[0]


def _default(table: _Table) -> str | None:
    asked = _run(
        "SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef JOIN pg_attribute ON attrelid = adrelid AND attnum = adnum"
        " WHERE adrelid = %(name)s::regclass AND attname = %(month)s",
        name=table.name,
        month=table.month,
    )
    found: str | None = asked.scalar()
    return found


def _partition(table: _Table, months: str) -> None:
    """The old table becomes the first partition of a new one that has its name. Only the catalog changes."""
    name = table.name
    suffix = months.strip("'").replace("-", "")[:6] if table.numbered else "first"
    old = f"{name}_{suffix}"
    if name == "replies":
        _run("ALTER TABLE replies DROP CONSTRAINT fk_replies_joined_to")
    _run(f"ALTER TABLE {name} RENAME TO {old}")
    for index in table.indexes:
        _run(f"ALTER INDEX {index} RENAME TO {index}_{suffix}")
    if table.numbered:
        _run(f"ALTER TABLE {old} DROP CONSTRAINT pk_{name}")
        _run(f"ALTER TABLE {old} ADD CONSTRAINT pk_{name}_{suffix} PRIMARY KEY USING INDEX key_{name}")
        following = _next_id(name)
        _run(f"ALTER TABLE {old} ALTER id DROP IDENTITY, ALTER {table.month} DROP DEFAULT")
        _run(f"CREATE SEQUENCE {name}_id_seq START {following}")
        _run(f"GRANT USAGE ON SEQUENCE {name}_id_seq TO sms_app")
    else:
        _run(f"ALTER TABLE {old} RENAME CONSTRAINT pk_{name} TO pk_{name}_{suffix}")
    like = "INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE"
    _run(f"CREATE TABLE {name} (LIKE {old} {like}) PARTITION BY LIST ({table.month})")
    _run(f"ALTER TABLE {name} DROP CONSTRAINT ck_{name}_bounds")
    if table.numbered:
        _run(
            f"ALTER TABLE {name} ALTER id SET DEFAULT nextval('{name}_id_seq'), ALTER {table.month} SET DEFAULT {_NOW}"
        )
    _finish(table, table.key)
    _run(f"ALTER TABLE {name} ATTACH PARTITION {old} FOR VALUES IN ({months})")
    _run(f"ALTER TABLE {old} DROP CONSTRAINT ck_{name}_bounds")


def _next_id(name: str) -> int:
    """The next of the table's ids. The caller's lock keeps others from taking more."""
    taken = _run("SELECT pg_sequence_last_value(%(name)s::regclass)", name=f"{name}_id_seq").scalar_one()
    return 1 + (taken or 0)


def _finish(table: _Table, key: str) -> None:
    """Keys, indexes and rights of a table that has no rows yet."""
    _run(f"ALTER TABLE {table.name} ADD CONSTRAINT pk_{table.name} PRIMARY KEY ({key})")
    if table.numbered:
        _run(
            f"ALTER TABLE {table.name} ADD CONSTRAINT fk_{table.name}_account_id"
            " FOREIGN KEY (account_id) REFERENCES gateway_accounts (id)"
        )
    for index, definition in table.indexes.items():
        _run(f"CREATE INDEX {index} ON {table.name} {definition}")
    _run(f"GRANT {table.may} ON {table.name} TO sms_app")


def downgrade() -> None:
    """Plain tables take the names, empty at first, and what was there is copied to them while people go on."""
    if _run("SELECT relkind FROM pg_class WHERE oid = 'receipts'::regclass").scalar_one() == "p":
        for table in _TABLES:
            _unite(table)
        _restore_functions()
    with op.get_context().autocommit_block():
        for table in _TABLES:
            _copy(table)
        _run("ALTER TABLE replies DROP CONSTRAINT IF EXISTS fk_replies_joined_to")
        _run(
            "ALTER TABLE replies ADD CONSTRAINT fk_replies_joined_to FOREIGN KEY (joined_to) REFERENCES replies (id)"
            " NOT VALID"
        )
        _run("ALTER TABLE replies VALIDATE CONSTRAINT fk_replies_joined_to")


def _unite(table: _Table) -> None:
    name, old = table.name, f"{table.name}_months"
    _run(f"ALTER TABLE {name} RENAME TO {old}")
    _run(f"ALTER TABLE {old} DROP CONSTRAINT pk_{name}")
    for index in table.indexes:
        _run(f"DROP INDEX {index}")
    _run(f"CREATE TABLE {name} (LIKE {old} INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE)")
    if table.numbered:
        following = _next_id(name)
        _run(f"ALTER TABLE {old} ALTER id DROP DEFAULT")
        _run(f"ALTER TABLE {name} ALTER id DROP DEFAULT")
        _run(f"DROP SEQUENCE {name}_id_seq")
        _run(
            f"ALTER TABLE {name} DROP COLUMN {table.month},"
            f" ALTER id ADD GENERATED BY DEFAULT AS IDENTITY (START {following})"
        )
        if name == "receipts":  # as before: 0001 gave away all sequences of its time, and an identity needs no right
            _run(f"GRANT USAGE ON SEQUENCE {name}_id_seq TO sms_app")
    _finish(table, table.old_key)


def _copy(table: _Table) -> None:
    if _run("SELECT to_regclass(%(old)s)", old=f"{table.name}_months").scalar_one() is None:
        return  # a downgrade that was cut off has done it
    found = _run(
        "SELECT quote_ident(attname) FROM pg_attribute"
        " WHERE attrelid = %(name)s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
        name=table.name,
    )
    columns = ", ".join(found.scalars())
    copied = f"INSERT INTO {table.name} ({columns}) SELECT {columns} FROM {table.name}_months"  # noqa: S608 - our names
    _run(f"{copied} ON CONFLICT DO NOTHING")
    _run(f"DROP TABLE {table.name}_months")


def _restore_functions() -> None:
    before = Path(__file__).with_name("0002_engine.sql").read_text(encoding="utf-8")
    for function in ("ensure_month", "analyse_new_months"):
        found = re.search(rf"CREATE (OR REPLACE )?(FUNCTION {function}\(.*?\n\$\$;)", before, re.DOTALL)
        assert found is not None
        _run(f"CREATE OR REPLACE {found[2].replace('%', '%%')}")
