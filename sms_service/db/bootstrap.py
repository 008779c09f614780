"""Creates what the first migration needs: the roles `sms_owner` and `sms_app`, and the database."""

from __future__ import annotations

from contextlib import suppress
from typing import LiteralString

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from sms_service.db.engine import APP_ROLE, OWNER_ROLE, connection_parameters

MINIMUM_VERSION = 15


class BootstrapError(Exception):
    """The server cannot be prepared; the message is for a person and has the SQL that an administrator must run."""


def prepare_database(
    admin_url: str, database: str | None = None, *, login_roles: bool = False, app_login: str | None = None
) -> None:
    """Create the roles, the database and their rights, as far as they are missing. A second call changes nothing.

    `admin_url`: a login that may do so, unless everything is there already. `database`: by default the one in the URL.
    `login_roles`: the roles themselves may log in (the embedded server). `app_login`: a further login, which the
    processes use and which must be able to become `sms_app`.
    Raises BootstrapError if the server cannot be reached, is too old, or refuses.
    """
    parts = conninfo_to_dict(admin_url)
    database = database or str(parts.get("dbname") or parts.get("user") or "")
    try:
        _prepare(make_conninfo(admin_url, **connection_parameters(admin_url)), database, login_roles, app_login)
    except psycopg.errors.InsufficientPrivilege as error:
        user = str(parts.get("user", "the user"))
        raise BootstrapError(
            f"the login {user} may not prepare the database ({error.diag.message_primary}); "
            f"ask an administrator to run: {_by_hand(user, app_login, database)}"
        ) from None
    except psycopg.Error as error:
        raise BootstrapError(f"PostgreSQL: {' '.join(str(error).split())}") from None


def _prepare(conninfo: str, database: str, login_roles: bool, app_login: str | None) -> None:
    try:
        connection = psycopg.connect(conninfo, dbname=database, autocommit=True)
    except psycopg.OperationalError as error:
        try:  # the server's reason has no code, only words in the server's language
            maintenance = psycopg.connect(conninfo, dbname="postgres", autocommit=True)
        except psycopg.OperationalError:
            raise error from None
        with maintenance:
            if _true(maintenance, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = %s)", database):
                raise
            _check_version(maintenance)
            _roles(maintenance, login_roles, app_login)
            _create_database(maintenance, database)
        connection = psycopg.connect(conninfo, dbname=database, autocommit=True)
    with connection:
        _check_version(connection)
        _roles(connection, login_roles, app_login)
        if not _true(connection, "SELECT has_schema_privilege(%s, 'public', 'CREATE')", OWNER_ROLE):
            _do(connection, "GRANT USAGE, CREATE ON SCHEMA public TO {}", OWNER_ROLE)
        if not _true(connection, "SELECT has_schema_privilege(%s, 'public', 'USAGE')", APP_ROLE):
            _do(connection, "GRANT USAGE ON SCHEMA public TO {}", APP_ROLE)


def _check_version(connection: psycopg.Connection) -> None:
    version = connection.info.server_version // 10000
    if version < MINIMUM_VERSION:
        raise BootstrapError(f"PostgreSQL {MINIMUM_VERSION} or newer is needed; this server is version {version}")
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise BootstrapError(f"the database's encoding is {encoding}; it must be UTF8: create it with ENCODING 'UTF8'")


def _roles(connection: psycopg.Connection, login_roles: bool, app_login: str | None) -> None:
    for role in (OWNER_ROLE, APP_ROLE):
        if not _true(connection, "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = %s)", role):
            with suppress(psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation):  # another start was faster
                _do(connection, "CREATE ROLE {} LOGIN" if login_roles else "CREATE ROLE {}", role)
        _let_become(connection, connection.info.user, role)
    if app_login:
        _let_become(connection, app_login, APP_ROLE)


def _let_become(connection: psycopg.Connection, login: str, role: str) -> None:
    """Grant membership that allows SET ROLE. From PostgreSQL 16 on this is a separate right, which even the creator of
    a role has to be granted.
    """
    right = "SET" if connection.info.server_version >= 160000 else "MEMBER"
    if not _true(connection, "SELECT pg_has_role(%s, %s, %s)", login, role, right):
        connection.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(role), sql.Identifier(login)))


def _create_database(connection: psycopg.Connection, database: str) -> None:
    statement = sql.SQL("CREATE DATABASE {} OWNER {} ENCODING 'UTF8' TEMPLATE template0")
    with suppress(psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):  # another start was faster
        connection.execute(statement.format(sql.Identifier(database), sql.Identifier(OWNER_ROLE)))


def _true(connection: psycopg.Connection, query: LiteralString, *arguments: str) -> bool:
    row = connection.execute(query, arguments).fetchone()
    return bool(row and row[0])


def _do(connection: psycopg.Connection, statement: LiteralString, role: str) -> None:
    connection.execute(sql.SQL(statement).format(sql.Identifier(role)))


def _by_hand(user: str, app_login: str | None, database: str) -> str:
    app = f'GRANT sms_app TO "{app_login}"; ' if app_login else ""
    return (
        f'CREATE ROLE sms_owner; CREATE ROLE sms_app; GRANT sms_owner, sms_app TO "{user}"; {app}'
        f"CREATE DATABASE \"{database}\" OWNER sms_owner ENCODING 'UTF8' TEMPLATE template0;"
        " or, if it exists, in it: GRANT USAGE, CREATE ON SCHEMA public TO sms_owner;"
        " GRANT USAGE ON SCHEMA public TO sms_app;"
    )
