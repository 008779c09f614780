"""A table that refuses some rows, as tables do that an index or a constraint has grown too narrow for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg


@contextmanager
def refusing(url: str, table: str, condition: str) -> Iterator[None]:
    """No row of `table` may be written for which `condition` holds."""
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute(f"ALTER TABLE {table} ADD CONSTRAINT poison CHECK (NOT ({condition})) NOT VALID")  # type: ignore[arg-type]
        try:
            yield
        finally:
            owner.execute(f"ALTER TABLE {table} DROP CONSTRAINT poison")  # type: ignore[arg-type]
