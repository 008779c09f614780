"""The service's clock is PostgreSQL's; a test looks at the same database at another time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.engine import make_url

from sms_service.db.engine import Database


@contextmanager
def ahead_by(database_url: str, offset: str) -> Iterator[Database]:
    """The database as its sessions see it when the clock is an interval ("2 minutes") ahead."""
    escaped = offset.replace(" ", "\\ ")
    url = make_url(database_url).update_query_dict({"options": f"-c sms.clock_offset={escaped}"})
    ahead = Database(url.render_as_string(hide_password=False))
    try:
        yield ahead
    finally:
        ahead.close()


def end_lease(database: Database, name: str = "clock") -> None:
    """The leader's lease in `name` is over now, as if it had been silent for that long."""
    with database.transaction() as connection:
        connection.exec_driver_sql(
            "UPDATE leaderships SET until = clock_timestamp() WHERE name = %(name)s", {"name": name}
        )
