"""Is this installation well? Each check says what it found and how to mend what is wrong; nothing is changed."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import psycopg
from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError

from sms_service import wake
from sms_service.audit import chain
from sms_service.clock import LEADERSHIP
from sms_service.content.policies import describe_policy
from sms_service.controls import cluster, stops
from sms_service.db import bootstrap, migrate
from sms_service.db.engine import APP_ROLE, OWNER_ROLE, Database, connection_parameters
from sms_service.db.statements import check_all
from sms_service.embedded import EngineError, with_running_engines
from sms_service.embedded.process import last_line
from sms_service.gateways import config
from sms_service.keepalive import redis_keepalive
from sms_service.ledger.archive_models import ArchivedMonth, ArchiveState
from sms_service.ops.archiving import MANIFEST
from sms_service.ops.children import Address
from sms_service.ops.errors import OperationError
from sms_service.ops.variables import service_variables
from sms_service.settings import Settings

LEAST_REDIS = 5  # the version that RQ needs: https://python-rq.org
LEAST_SPACE = 1 << 30  # bytes
LARGEST_CLOCK_DIFFERENCE_S = 2.0
LATEST_LINK_S = 60.0  # the clock links acts within seconds
# Versions that, as far as is known, crash with signal 11 if a statement chooses partitions while it runs and then has
# to read a row again because another transaction has changed it.
FAULTY = range(180000, 180005)
# Importing these loads every module that has a statement.
STATEMENT_USERS = (
    "sms_service.jobs",
    "sms_service.clock",
    "sms_service.delivery.reconcile",
    "sms_service.pulls",
    "sms_service.api",
    "sms_service.links",
    "sms_service.channels.posting",
    "sms_service.webhooks.delivering",
    "sms_service.audit.verification",
)


@dataclass(frozen=True, slots=True)
class DoctorFinding:
    """One check's answer: `mend` is None if all is well, else what to do."""

    subject: str
    found: str
    mend: str | None = None


def examine_installation(settings: Settings) -> Iterator[DoctorFinding]:
    """Every check in turn. Checks that need an engine which does not answer are left out."""
    yield _space(settings)
    try:
        settings = with_running_engines(settings)
    except EngineError as error:
        yield DoctorFinding("service", "the embedded engines do not run", str(error))
        return
    yield _gateways(settings)
    yield from _database(settings)
    yield from _redis(settings)
    yield _web(settings)
    yield _transport(settings)


def _space(settings: Settings) -> DoctorFinding:
    place = next(path for path in (settings.data_dir, *settings.data_dir.parents) if path.exists())
    free = shutil.disk_usage(place).free
    mend = None if free >= LEAST_SPACE else f"free at least {LEAST_SPACE >> 30} GB, or set DATA_DIR to a larger disk"
    return DoctorFinding("disk", f"{free / (1 << 30):.1f} GB free at {place}", mend)


def _gateways(settings: Settings) -> DoctorFinding:
    try:
        accounts = config.load_gateway_config(settings.gateways_file, service_variables(settings)).accounts
    except (config.BadGatewayConfig, OperationError) as error:
        return DoctorFinding("gateways", "the configuration cannot be used", str(error))
    return DoctorFinding("gateways", f"accounts: {', '.join(map(_with_policy, accounts.values()))}")


def _with_policy(account: config.AccountConfig) -> str:
    said = [str(one) for one in describe_policy(account.policy.templates == "required", account.policy.as_json())]
    said += ["shared: a stop that comes in there holds for every signature"] if account.shared else []
    return f"{account.name} ({', '.join(said)})" if said else account.name


def _web(settings: Settings) -> DoctorFinding:
    address = Address(settings.host, settings.port)
    if address.healthy():
        return DoctorFinding("web", f"answers on port {settings.port}")
    return DoctorFinding(
        "web",
        f"no healthy answer on {settings.host} port {settings.port}",
        "start it: `make run`, or gunicorn wsgi:app",
    )


def _transport(settings: Settings) -> DoctorFinding:
    """Whether what people send to the console can be read on its way."""
    if settings.allow_plain_http:
        return DoctorFinding(
            "transport",
            "ALLOW_PLAIN_HTTP=1: passwords and phone numbers travel readable",
            "put a reverse proxy with https in front and take the setting out",
        )
    return DoctorFinding("transport", "the console takes https, and plain http of this machine alone")


def _database(settings: Settings) -> Iterator[DoctorFinding]:
    url = settings.database_url or ""
    before = time.time()
    try:
        connection = psycopg.connect(
            url, autocommit=True, **connection_parameters(url) | {"application_name": "sms_service doctor"}
        )
    except psycopg.Error as error:
        yield DoctorFinding(
            "database", f"cannot be reached: {last_line(str(error))}", "check DATABASE_URL, and that the server runs"
        )
        return
    with connection:
        version = connection.info.server_version // 10000
        mend = (
            None
            if version >= bootstrap.MINIMUM_VERSION
            else f"PostgreSQL {bootstrap.MINIMUM_VERSION} or newer is needed"
        )
        yield DoctorFinding("database", _version(connection.info), mend)
        yield _clock(connection, before)
        yield _durability(connection)
        yield _standbys(connection)
        for check in (_roles, _schema):
            finding = check(connection)
            yield finding
            if finding.mend:
                return  # the checks that follow would fail for the same reason
        yield _months(connection)
        yield _history(connection)
    database = Database(url, pool_size=1, application_name="sms_service doctor")
    try:
        yield _cluster(database)
        yield from _leaders(database)
        yield _trail(database)
        yield _counts(database)
        yield _archives(database)
        yield _stops(database)
        yield _webhooks(database)
        yield _statements(database)
    finally:
        database.close()


def _version(server: psycopg.ConnectionInfo) -> str:
    """The server's version and, if it is one of FAULTY, a note. Our own statements avoid the fault, so nothing has to
    be mended.
    """
    version = f"PostgreSQL {server.parameter_status('server_version')}"
    if server.server_version not in FAULTY:
        return version
    return (
        f"{version}; 18.0 to 18.4 crash on some statements that choose a partition while they run: ours do not,"
        " yours may (docs/operating.md, Versions of PostgreSQL)"
    )


def _clock(connection: psycopg.Connection, before: float) -> DoctorFinding:
    row = connection.execute("SELECT extract(epoch FROM clock_timestamp())::float8").fetchone()
    assert row is not None, "a SELECT without FROM has one row"
    after = time.time()
    # The server's time was read between our two readings: only a time outside them is a difference.
    difference = max(before - row[0], row[0] - after, 0.0)
    mend = (
        None if difference <= LARGEST_CLOCK_DIFFERENCE_S else "set both machines' clocks (chrony or systemd-timesyncd)"
    )
    return DoctorFinding("clock", f"{difference:.1f} s from the database's", mend)


def _roles(connection: psycopg.Connection) -> DoctorFinding:
    user = connection.info.user
    known = {
        name
        for (name,) in connection.execute(
            "SELECT rolname FROM pg_roles WHERE rolname = ANY (%s)", [[APP_ROLE, OWNER_ROLE]]
        )
    }
    if known != {APP_ROLE, OWNER_ROLE}:
        return DoctorFinding("roles", "sms_owner and sms_app are not both there", "run `python -m sms_service migrate`")
    try:
        connection.execute(f"SET ROLE {APP_ROLE}")
        connection.execute("RESET ROLE")
    except psycopg.errors.InsufficientPrivilege:
        return DoctorFinding(
            "roles", f"{user} may not become sms_app", f'as an administrator: GRANT sms_app TO "{user}"'
        )
    allowed = connection.execute(
        "SELECT has_schema_privilege(%s, 'public', 'CREATE') OR rolsuper FROM pg_roles WHERE rolname = %s",
        [APP_ROLE, APP_ROLE],
    ).fetchone()
    if allowed and allowed[0]:
        return DoctorFinding(
            "roles",
            "sms_app may change the schema",
            "as an administrator: REVOKE CREATE ON SCHEMA public FROM sms_app, PUBLIC",
        )
    return DoctorFinding("roles", f"{user} works as sms_app")


def _schema(connection: psycopg.Connection) -> DoctorFinding:
    wanted = migrate.head_revision()
    found = None
    if (row := connection.execute("SELECT to_regclass('alembic_version')").fetchone()) and row[0]:
        connection.execute(f"SET ROLE {APP_ROLE}")
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        found = row[0] if row else None
        connection.execute("RESET ROLE")
    if found != wanted:
        return DoctorFinding(
            "schema", f"at {found or 'nothing'}, this code needs {wanted}", "run `python -m sms_service migrate`"
        )
    return DoctorFinding("schema", f"at {found}")


def _durability(connection: psycopg.Connection) -> DoctorFinding:
    rows = connection.execute(
        "SELECT name, setting FROM pg_settings"
        " WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit') ORDER BY name"
    ).fetchall()
    off = [name for name, value in rows if value == "off"]
    mend = f"set {' and '.join(off)} to on: a power cut would lose texts that were sent" if off else None
    return DoctorFinding("durability", ", ".join(f"{name} {value}" for name, value in rows), mend)


def _standbys(connection: psycopg.Connection) -> DoctorFinding:
    """Whether every standby that may be promoted has every commit. A base backup under way is not a standby."""
    rows = connection.execute(
        "SELECT coalesce(nullif(application_name, ''), 'unnamed'), sync_state, current_setting('synchronous_commit')"
        " FROM pg_stat_replication WHERE state IS DISTINCT FROM 'backup' ORDER BY 1"
    ).fetchall()
    if any(state is None for _, state, _ in rows):
        return DoctorFinding(
            "standbys",
            "this login may not see their state",
            f'as an administrator: GRANT pg_monitor TO "{connection.info.user}"',
        )
    loose = [name for name, state, commit in rows if state not in ("sync", "quorum") or commit in ("local", "off")]
    if loose:
        return DoctorFinding(
            "standbys",
            f"not synchronous: {', '.join(loose)}",
            "name them in synchronous_standby_names with synchronous_commit on, or never promote them: what was"
            " committed last is missing there, and texts would go twice",
        )
    return DoctorFinding("standbys", f"{len(rows)}, all synchronous" if rows else "none")


def _months(connection: psycopg.Connection) -> DoctorFinding:
    """Whether the partitions of this month and the next two exist; they are named by year and month."""
    rows = connection.execute(
        "SELECT to_char(m, 'YYYYMM') FROM generate_series(0, 2) AS n,"
        " LATERAL (SELECT date_trunc('month', now()) + make_interval(months => n)) AS months (m)"
        " WHERE EXISTS (SELECT FROM unnest('{messages,attempts,receipts,replies}'::text[]) AS tables (name)"
        " WHERE to_regclass(name || to_char(m, '_YYYYMM')) IS NULL)"
    ).fetchall()
    missing = [month for (month,) in rows]
    if missing:
        return DoctorFinding(
            "months",
            f"the ledger has no partitions for {', '.join(missing)}",
            "start the clock: `python -m sms_service clock`",
        )
    return DoctorFinding("months", "three are ready")


def _history(connection: psycopg.Connection) -> DoctorFinding:
    """Whether whoever has the processes' login could change what the trail says."""
    row = connection.execute(
        "SELECT pg_has_role(%(owner)s, 'MEMBER') OR (SELECT rolsuper FROM pg_roles WHERE rolname = session_user)"
        " OR EXISTS (SELECT FROM unnest('{trail,trail_links,trail_unlinked}'::text[]) AS tables (name)"
        " WHERE has_table_privilege(name, 'UPDATE, DELETE, TRUNCATE, TRIGGER'))",
        {"owner": OWNER_ROLE},
    ).fetchone()
    user = connection.info.user
    if row and row[0]:
        return DoctorFinding(
            "history",
            f"{user}, the login of DATABASE_URL, could change the trail",
            "give the processes a login that may become sms_app and nothing else, and keep the owner's for"
            " MIGRATION_DATABASE_URL (docs/operating.md)",
        )
    return DoctorFinding("history", f"{user} can add to the trail, and change nothing in it")


def _trail(database: Database) -> DoctorFinding:
    """Whether the chain over the trail keeps up."""
    with database.session() as session:
        state = chain.find_chain_state(session)
        now = session.scalars(select(func.clock_timestamp())).one()
    age = (now - state.waiting_since).total_seconds() if state.waiting_since else 0.0
    if age > LATEST_LINK_S:
        return DoctorFinding(
            "trail",
            f"{state.waiting} acts have no link in the chain, the oldest for {age:.0f} s",
            "start the clock: `python -m sms_service clock`; if one leads, its log says what fails",
        )
    return DoctorFinding("trail", f"its head is {state.head}" if state.head else "nothing is linked yet")


def _counts(database: Database) -> DoctorFinding:
    """Whether a roll-up differed from the ledger lately."""
    with database.transaction() as connection:
        days = connection.exec_driver_sql(
            "SELECT count(*) FROM trail WHERE act = 'counts.rebuild' AND (details ->> 'lines')::int > 0"
            " AND at > clock_timestamp() - interval '7 days'"
        ).scalar_one()
    if days:
        return DoctorFinding(
            "counts",
            f"the roll-ups of {days} days differed from the ledger in the last week, and were added up again",
            "the clock's log has each line that differed; `python -m sms_service counts verify` compares all days now",
        )
    return DoctorFinding("counts", "no roll-up differed from the ledger in the last week")


def _archives(database: Database) -> DoctorFinding:
    """Which months are archived, and whether a command was cut off, or files are gone."""
    with database.session() as session:
        found = session.scalars(select(ArchivedMonth).order_by(ArchivedMonth.month)).all()
    said = ", ".join(f"{one.month:%Y-%m} {one.state}" for one in found)
    lost = [one.folder for one in found if one.folder and not Path(one.folder, MANIFEST).is_file()]
    if lost:
        return DoctorFinding("archives", said, f"bring the files back from the backup: {', '.join(lost)}")
    if any(one.state not in (ArchiveState.detached, ArchiveState.dropped) for one in found):
        return DoctorFinding("archives", said, "a command was cut off; run the same one again, and it goes on")
    return DoctorFinding("archives", said or "no month is archived")


def _cluster(database: Database) -> DoctorFinding:
    with database.transaction() as connection:
        known, own = cluster.read_identities(connection)
        waiting = connection.exec_driver_sql("SELECT count(*) FROM runs WHERE held_for = 'cluster'").scalar_one()
    if differs := cluster.describe_difference(known, own):
        return DoctorFinding(
            "cluster",
            f"nothing is handed over: {differs}",
            "start the clock (`python -m sms_service clock`): it holds the runs, then decide for each",
        )
    if waiting:
        return DoctorFinding(
            "cluster",
            f"{waiting} runs are held since PostgreSQL became another server than before",
            "decide for each: nothing was lost; go on, some may get it twice; or cancel the rest (docs/operating.md)",
        )
    return DoctorFinding("cluster", f"the server that the ledger was last at work on, timeline {own.timeline}")


def _leaders(database: Database) -> Iterator[DoctorFinding]:
    """Which process leads in each duty that only one does at a time. A link that nobody holds is a paused account."""
    with database.transaction() as connection:
        rows = connection.exec_driver_sql(
            "SELECT name, holder, to_char(since, 'YYYY-MM-DD HH24:MI:SS') AS since, until > clock_timestamp() AS leads"
            " FROM leaderships ORDER BY name"
        ).all()
    now = [f"{row.name}: {row.holder}, since {row.since} UTC" for row in rows if row.leads]
    if any(row.name == LEADERSHIP and row.leads for row in rows):
        yield DoctorFinding("leaders", "; ".join(now))
    else:
        yield DoctorFinding("leaders", "; ".join(["no clock", *now]), "start one: `python -m sms_service clock`")


def _stops(database: Database) -> DoctorFinding:
    with database.session() as session:
        standing = [stops.describe_stop(row) for row in session.execute(stops.find_stops(["/"]))]
    if not standing:
        return DoctorFinding("stops", "nothing is stopped")
    words = (f"{stop['unit_code'] or stop['gateway_account']} (stop {stop['id']}: {stop['why']})" for stop in standing)
    return DoctorFinding(
        "stops", f"stopped: {', '.join(words)}", "once it may go on: `python -m sms_service release ID --why …`"
    )


def _webhooks(database: Database) -> DoctorFinding:
    with database.transaction() as connection:
        waiting: int = connection.exec_driver_sql(
            "SELECT count(*) FROM happenings WHERE body IS NULL AND at < sms_now() - interval '1 minute'"
        ).scalar_one()
    if waiting == 0:
        return DoctorFinding("webhooks", "they are told what happens")
    return DoctorFinding(
        "webhooks", f"{waiting} events wait to be told", "start a process: `python -m sms_service webhooks run`"
    )


def _statements(database: Database) -> DoctorFinding:
    for module in STATEMENT_USERS:
        import_module(module)
    try:
        with database.transaction() as connection:
            checked = check_all(connection)
    except DBAPIError as error:
        return DoctorFinding(
            "statements",
            last_line(str(error.orig)),
            "code and schema do not match: run `python -m sms_service migrate`",
        )
    return DoctorFinding("statements", f"{len(checked)} prepared")


def _redis(settings: Settings) -> Iterator[DoctorFinding]:
    client = Redis.from_url(
        settings.redis_url or "",
        **redis_keepalive(settings.redis_url or ""),
        socket_timeout=10,
        socket_connect_timeout=10,
    )
    try:
        version = str(client.info("server")["redis_version"])
    except RedisError as error:
        yield DoctorFinding("redis", f"cannot be reached: {error}", "check REDIS_URL, and that the server runs")
        return
    mend = None if int(version.split(".")[0]) >= LEAST_REDIS else f"Redis {LEAST_REDIS} or newer is needed"
    yield DoctorFinding("redis", f"version {version}", mend)
    policy = str(client.info("memory").get("maxmemory_policy", "noeviction"))
    if policy != "noeviction":
        yield DoctorFinding(
            "redis memory",
            f"maxmemory-policy is {policy}",
            "set it to noeviction: wake-ups and pace must not be evicted",
        )
    yield _workers(client)
    client.close()


def _workers(client: Redis) -> DoctorFinding:
    alive = wake.count_workers(client)
    return DoctorFinding("workers", f"{alive} alive", None if alive else "start one: `python worker.py`")
