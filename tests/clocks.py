"""The service's clock is PostgreSQL's; a test looks at the same database at another time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy

from sqlalchemy import Connection, event
from sqlalchemy.engine import make_url
from sqlalchemy.orm import sessionmaker

from sms_service.db.engine import Database

_MOST_KEPT = 2
_kept: dict[str, Database] = {}


@contextmanager
def ahead_by(database_url: str, offset: str) -> Iterator[Database]:
    """The database as its sessions see it when the clock is an interval ("2 minutes") ahead.

    Its connections are those of all who were ahead in this database before, and are told the time whenever one is
    taken: to connect, and to compile each statement anew, takes longer than most of what is done with them.
    """
    if (base := _kept.get(database_url)) is None:
        while len(_kept) >= _MOST_KEPT:
            _kept.pop(next(iter(_kept))).close()
        base = _kept[database_url] = Database(database_url, pool_size=15)
    ahead = copy(base)
    escaped = offset.replace(" ", "\\ ")
    made = make_url(database_url).update_query_dict({"options": f"-c sms.clock_offset={escaped}"})
    ahead.url = made.render_as_string(hide_password=False)
    ahead.engine = base.engine.execution_options()  # with listeners of its own, on the same connections
    ahead._sessions = sessionmaker(ahead.engine, expire_on_commit=False)

    @event.listens_for(ahead.engine, "engine_connect")
    def tell(connection: Connection) -> None:
        session = connection.connection.driver_connection
        assert session is not None
        session.autocommit = True  # or it would begin a transaction
        session.execute("SELECT set_config('sms.clock_offset', %s, false)", (offset,))
        session.autocommit = False

    try:
        yield ahead
    except BaseException:
        ahead.close()
        raise


def end_lease(database: Database, name: str = "clock") -> None:
    """The leader's lease in `name` is over now, as if it had been silent for that long."""
    with database.transaction() as connection:
        connection.exec_driver_sql(
            "UPDATE leaderships SET until = clock_timestamp() WHERE name = %(name)s", {"name": name}
        )
