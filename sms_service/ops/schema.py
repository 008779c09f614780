"""Prepares the database: roles, database, migrations. The supervisor does it when it starts, and `migrate` does it."""

from __future__ import annotations

from collections.abc import Callable

from alembic.util import CommandError
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy.exc import DBAPIError

from sms_service.db import bootstrap, migrate
from sms_service.embedded import DATABASE_NAME, Engines
from sms_service.ops.errors import OperationError
from sms_service.settings import Settings


def make_ready(settings: Settings, admin_url: str | None) -> None:
    """Create what is missing and bring the schema to this code's revision.

    `settings` names every engine; `admin_url` is the embedded PostgreSQL's superuser, None if another server is used.
    Raises BootstrapError or OperationError.
    """
    owner_url = _named(settings.migration_database_url)
    if admin_url:
        bootstrap.prepare_database(admin_url, DATABASE_NAME, login_roles=True)
    else:
        app_login = conninfo_to_dict(_named(settings.database_url)).get("user")
        bootstrap.prepare_database(owner_url, app_login=str(app_login) if app_login else None)
    _told(lambda: migrate.upgrade_schema(owner_url))


def take_schema_down(settings: Settings, revision: str) -> None:
    """Take the schema back to `revision`. Raises OperationError with the server's reason."""
    _told(lambda: migrate.downgrade_schema(_named(settings.migration_database_url), revision))


def schema_revision(settings: Settings) -> str | None:
    """The schema's revision; None if nothing was migrated."""
    return migrate.current_revision(_named(settings.migration_database_url))


def embedded_admin_url(settings: Settings) -> str | None:
    """The superuser of the embedded PostgreSQL, if `settings` (as loaded) means that one."""
    return Engines(settings).database_admin_url


def _told(act: Callable[[], None]) -> None:
    try:
        act()
    except CommandError as error:
        raise OperationError(f"the migration cannot start: {error}") from None
    except DBAPIError as error:
        raise OperationError(f"the migration stopped: {' '.join(str(error.orig).split())}") from None


def _named(url: str | None) -> str:
    if url is None:
        raise OperationError("DATABASE_URL is not set and the embedded database does not run: start it with `make run`")
    return url
