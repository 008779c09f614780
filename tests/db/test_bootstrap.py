"""Servers of one's own: what a login may do by itself, and what it asks an administrator for."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest
from sqlalchemy.engine import make_url

from sms_service.db import bootstrap, migrate
from sms_service.db.bootstrap import BootstrapError
from sms_service.db.engine import Database
from sms_service.embedded import PostgresServer


def at(url: str, **parts: str) -> str:
    return make_url(url).set(**parts).render_as_string(hide_password=False)


def execute(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)  # type: ignore[arg-type]


@pytest.fixture
def make_login(own_postgres: PostgresServer) -> Callable[[str, str], str]:
    """Makes a login with attributes; returns its URL to the database `mine`, which is not made."""

    def make(name: str, attributes: str) -> str:
        execute(own_postgres.url, f"CREATE ROLE {name} LOGIN {attributes}")
        with (own_postgres.data_dir / "pg_ident.conf").open("a") as identities:
            identities.write(f"starter /^(.*)$ {name}\n")
        execute(own_postgres.url, "SELECT pg_reload_conf()")
        return at(own_postgres.url, username=name, database="mine")

    return make


def works(url: str) -> bool:
    """Whether migrations and processes can use the database with this login."""
    migrate.upgrade_schema(url)
    database = Database(url)
    try:
        with database.transaction() as connection:
            return connection.exec_driver_sql("SELECT current_user, count(*) FROM units").one() == ("sms_app", 0)
    finally:
        database.close()


def test_a_login_that_may_make_roles_and_databases_needs_nobody(make_login: Callable[[str, str], str]) -> None:
    url = make_login("builder", "CREATEROLE CREATEDB")
    bootstrap.prepare_database(url)
    bootstrap.prepare_database(url)
    assert works(url)


def test_the_owner_of_an_existing_database_needs_the_roles_only(
    make_login: Callable[[str, str], str], own_postgres: PostgresServer
) -> None:
    url = make_login("keeper", "CREATEROLE")
    execute(own_postgres.url, "CREATE DATABASE mine OWNER keeper TEMPLATE template0 ENCODING 'UTF8'")
    bootstrap.prepare_database(url)
    assert works(url)


def test_a_plain_login_gets_the_sql_that_an_administrator_must_run(
    make_login: Callable[[str, str], str], own_postgres: PostgresServer
) -> None:
    url = make_login("plain", "")
    execute(own_postgres.url, "CREATE DATABASE mine OWNER plain TEMPLATE template0 ENCODING 'UTF8'")
    with pytest.raises(BootstrapError, match="ask an administrator to run: ") as raised:
        bootstrap.prepare_database(url)
    assert "\n" not in str(raised.value)
    advice = str(raised.value).partition("to run: ")[2].split(" or, if it exists, in it: ")
    roles = [statement for statement in advice[0].split("; ") if "DATABASE" not in statement]
    execute(at(own_postgres.url, database="mine"), *roles, *advice[1].rstrip(";").split("; "))
    bootstrap.prepare_database(url)
    assert works(url)


def test_a_plain_login_without_a_database_gets_the_sql_too(
    make_login: Callable[[str, str], str], own_postgres: PostgresServer
) -> None:
    url = make_login("plain", "")
    with pytest.raises(BootstrapError, match="ask an administrator to run: ") as raised:
        bootstrap.prepare_database(url)
    advice = str(raised.value).partition("to run: ")[2].split(" or, if it exists")[0]
    execute(own_postgres.url, *advice.rstrip(";").split("; "))
    bootstrap.prepare_database(url)
    assert works(url)


def test_processes_may_have_a_login_of_their_own(
    make_login: Callable[[str, str], str], own_postgres: PostgresServer
) -> None:
    process_url = make_login("process", "")
    bootstrap.prepare_database(at(own_postgres.url, database="mine"), app_login="process")
    migrate.upgrade_schema(at(own_postgres.url, database="mine"))
    database = Database(process_url)
    with database.transaction() as connection:
        assert connection.exec_driver_sql("SELECT current_user").scalar() == "sms_app"
    database.close()
    with psycopg.connect(process_url) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("SET ROLE sms_owner")


def test_an_encoding_without_chinese_is_refused(own_postgres: PostgresServer) -> None:
    execute(own_postgres.url, "CREATE DATABASE mine TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
    with pytest.raises(BootstrapError, match="encoding is LATIN1; it must be UTF8"):
        bootstrap.prepare_database(at(own_postgres.url, database="mine"))


@pytest.mark.parametrize("url", ["postgresql://u:geheim@127.0.0.1:1/x", "postgresql:///x?host=/nowhere"])
def test_a_server_that_is_not_there_is_one_line_without_the_password(url: str) -> None:
    with pytest.raises(BootstrapError) as raised:
        bootstrap.prepare_database(url)
    assert "\n" not in str(raised.value)
    assert "geheim" not in str(raised.value)
