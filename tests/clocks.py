"""The service's clock is PostgreSQL's; a test looks at the same database at another time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.engine import make_url

from sms_service.db.engine import Database

_MOST_KEPT = 8
_kept: dict[str, Database] = {}


@contextmanager
def ahead_by(database_url: str, offset: str) -> Iterator[Database]:
    """The database as its sessions see it when the clock is an interval ("2 minutes") ahead.

    Its connections are kept for the next who is so far ahead, unless a test listens to them or failed: to connect, and
    to compile each statement anew, takes longer than most of what is done with them.
    """
    escaped = offset.replace(" ", "\\ ")
    made = make_url(database_url).update_query_dict({"options": f"-c sms.clock_offset={escaped}"})
    url = made.render_as_string(hide_password=False)
    ahead = _kept.pop(url, None) or Database(url)
    try:
        yield ahead
    except BaseException:
        ahead.close()
        raise
    listened = ahead.engine.dispatch.before_cursor_execute or ahead.engine.dispatch.after_cursor_execute
    if listened or url in _kept:
        ahead.close()
        return
    _kept[url] = ahead
    if len(_kept) > _MOST_KEPT:
        _kept.pop(next(iter(_kept))).close()


def end_lease(database: Database, name: str = "clock") -> None:
    """The leader's lease in `name` is over now, as if it had been silent for that long."""
    with database.transaction() as connection:
        connection.exec_driver_sql(
            "UPDATE leaderships SET until = clock_timestamp() WHERE name = %(name)s", {"name": name}
        )
