"""Second PostgreSQL servers made from a first one: standbys, and restored dumps. Real ones, on `own_postgres`."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from sqlalchemy.engine import make_url

from sms_service.db import bootstrap, migrate
from sms_service.embedded import PostgresServer, placement
from sms_service.embedded.postgres import embedded_binaries
from tests.engines import SMALL, binaries

NAME = "sms"
_OURSELVES = placement.ServiceUser(None, None)


def migrated(server: PostgresServer) -> str:
    """The URL of a migrated database on the server."""
    url = server.url_of("postgres", NAME)
    bootstrap.prepare_database(url)
    migrate.upgrade_schema(url)
    return url


def either(first: PostgresServer, second: PostgresServer) -> str:
    """A URL that reaches whichever of the two takes writes, as docs/operating.md recommends."""
    url = make_url(first.url_of("postgres", NAME))
    hosts = ",".join(str(placement.known_runtime_dir(server.data_dir)) for server in (first, second))
    return url.set(query={"host": hosts, "target_session_attrs": "read-write"}).render_as_string()


@contextmanager
def standby(primary: PostgresServer, *, synchronous: bool) -> Iterator[PostgresServer]:
    """A streaming standby of the running primary, made by pg_basebackup; connected."""
    copy = PostgresServer(
        primary.data_dir.with_name(f"{primary.data_dir.name}-standby"), bin_dir=binaries(), configuration=SMALL
    )
    _let_replicate(primary)
    copy.data_dir.mkdir(mode=0o700)
    user = placement.service_user(primary.data_dir.resolve())
    user.give(copy.data_dir)
    place = ("-h", placement.known_runtime_dir(primary.data_dir), "-U", "postgres")
    _run("pg_basebackup", *place, "-D", copy.data_dir, "-R", "-c", "fast", user=user)
    try:
        copy.start()
        if synchronous:
            make_synchronous(primary)
        else:
            _until(primary, "SELECT state = 'streaming' FROM pg_stat_replication")
        yield copy
    finally:
        copy.destroy()


def make_synchronous(primary: PostgresServer) -> None:
    """From now on every commit waits for the standby; returns when it does."""
    with psycopg.connect(primary.url, autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
        connection.execute("SELECT pg_reload_conf()")
    _until(primary, "SELECT sync_state = 'sync' FROM pg_stat_replication")


def promote(server: PostgresServer) -> None:
    """Make a standby the server that takes writes, and wait until it is."""
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("ALTER SYSTEM RESET synchronous_standby_names")  # it has no standby of its own
        connection.execute("SELECT pg_reload_conf()")
        connection.execute("SELECT pg_promote()")


@contextmanager
def restored(source: PostgresServer) -> Iterator[PostgresServer]:
    """A new server into which a dump of the source's database was restored."""
    dump = _run("pg_dump", "-Fc", source.url_of("postgres", NAME))
    fresh = PostgresServer(
        source.data_dir.with_name(f"{source.data_dir.name}-restored"), bin_dir=binaries(), configuration=SMALL
    )
    try:
        fresh.start()
        bootstrap.prepare_database(fresh.url_of("postgres", NAME))
        _run("pg_restore", "-d", fresh.url_of("postgres", NAME), dump=dump)
        yield fresh
    finally:
        fresh.destroy()


def _let_replicate(server: PostgresServer) -> None:
    """Peer authentication knows who started the server; a standby's own process is another user."""
    rules = server.data_dir.resolve() / "pg_hba.conf"
    rules.write_text("local all,replication postgres trust\n" + rules.read_text())
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("SELECT pg_reload_conf()")
    _until(server, f"SELECT pg_conf_load_time() >= to_timestamp({rules.stat().st_mtime})")


def _until(server: PostgresServer, condition: str) -> None:
    answer: object = None
    while not answer:
        with psycopg.connect(server.url, autocommit=True) as connection:  # a new session knows the newest settings
            row = connection.execute(condition).fetchone()  # type: ignore[arg-type]
            answer = row and row[0]


def _run(
    tool: str,
    *arguments: object,
    dump: bytes | None = None,
    user: placement.ServiceUser = _OURSELVES,
) -> bytes:
    """One of PostgreSQL's own tools, as ourselves or, where it writes a server's files, as that server's user."""
    done = subprocess.run(
        [placement.reachable_binaries(binaries() or embedded_binaries(), user) / tool, *map(str, arguments)],
        input=dump, capture_output=True, cwd="/", user=user.uid, group=user.gid,
        extra_groups=None if user.uid is None else [], check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout
