"""What a command works with: the installation's settings and its database, embedded or not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.orm import Session

import sms_service.tables  # noqa: F401 - every room's tables, so that foreign keys resolve
from sms_service.audit.origin import SHELL, come_from
from sms_service.db.engine import Database
from sms_service.embedded import with_running_engines
from sms_service.settings import Settings, load_settings


def running_settings() -> Settings:
    """The settings with every engine named. Raises EngineError if the embedded ones are needed and do not run."""
    return with_running_engines(load_settings())


@contextmanager
def open_database() -> Iterator[Database]:
    """The installation's database, for as long as the command runs."""
    url = running_settings().database_url
    assert url is not None, "with_running_engines names it"
    database = Database(url, pool_size=1, application_name="sms_service cli")
    try:
        with come_from(SHELL):
            yield database
    finally:
        database.close()


@contextmanager
def open_session() -> Iterator[Session]:
    """One session in one transaction, committed at the end."""
    with open_database() as database, database.session() as session:
        yield session
