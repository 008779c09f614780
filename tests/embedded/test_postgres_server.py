"""The PostgreSQL that the service brings along: real servers, real kills."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from sms_service.embedded import EngineError, PostgresServer, RedisServer, placement
from sms_service.embedded.postgres import embedded_binaries

ROOT = Path(__file__).resolve().parents[2]
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")

START_AND_WAIT = """
import sys
from pathlib import Path
from sms_service.embedded import PostgresServer, RedisServer
postgres, redis = PostgresServer(Path(sys.argv[1]) / "postgres"), RedisServer(Path(sys.argv[1]) / "redis")
postgres.start()
redis.start()
print(postgres.process.pid, redis.process.pid, flush=True)
sys.stdin.read()
postgres.stop()
redis.stop()
"""


@pytest.fixture
def make_server(engines_dir: Path) -> Iterator[Callable[..., PostgresServer]]:
    """Makes servers that are removed at the end."""
    made: list[PostgresServer] = []

    def make(data_dir: Path, **options: object) -> PostgresServer:
        made.append(PostgresServer(data_dir, configuration={"shared_buffers": "16MB"}, **options))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for server in made:
        server.destroy()


@pytest.fixture
def folder(engines_dir: Path) -> Iterator[Path]:
    """A folder that the server's user can enter."""
    path = Path(tempfile.mkdtemp(dir=engines_dir))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path, ignore_errors=True)


def one(url: str, query: str) -> object:
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(query).fetchone()
        return row[0] if row else None


def test_committed_rows_survive_a_kill(own_postgres: PostgresServer) -> None:
    with psycopg.connect(own_postgres.url) as connection:
        connection.execute("CREATE TABLE t AS SELECT '中文' AS word")
    own_postgres.kill()
    own_postgres.start()
    assert one(own_postgres.url, "SELECT word FROM t") == "中文"


def test_it_is_durable_and_reached_by_its_socket_only(own_postgres: PostgresServer) -> None:
    for name, value in {
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        "listen_addresses": "",
        "server_encoding": "UTF8",
        "log_error_verbosity": "terse",
    }.items():
        assert one(own_postgres.url, f"SHOW {name}") == value
    listening = [c for c in psutil.Process(own_postgres.process.pid).net_connections("inet") if c.status == "LISTEN"]
    assert listening == []


def test_a_phone_number_in_an_error_does_not_reach_the_log(own_postgres: PostgresServer) -> None:
    phone = "+8613912345678"
    with psycopg.connect(own_postgres.url, autocommit=True) as connection:
        connection.execute("CREATE TABLE t (phone TEXT PRIMARY KEY)")
        connection.execute("INSERT INTO t VALUES (%s)", [phone])
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("INSERT INTO t VALUES (%s)", [phone])
    log = own_postgres.log.read_text()
    assert "unique constraint" in log
    assert phone not in log


def test_a_very_deep_folder_and_its_neighbour_work_side_by_side(
    folder: Path, make_server: Callable[..., PostgresServer]
) -> None:
    deep = folder.joinpath(*["a_folder_with_quite_a_long_name"] * 5)
    deep.mkdir(parents=True)
    assert len(str(deep)) > placement.SOCKET_PATH_LIMIT
    servers = [make_server(deep / "postgres"), make_server(deep / "postgres2")]
    for server in servers:
        server.start()
    places = [one(server.url, "SHOW data_directory") for server in servers]
    assert places == [str(deep / "postgres"), str(deep / "postgres2")]


def test_a_killed_parent_leaves_no_orphan_that_blocks_the_next_start(
    folder: Path, make_server: Callable[..., PostgresServer]
) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", START_AND_WAIT, str(folder)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    children = [psutil.Process(int(pid)) for pid in parent.stdout.readline().split()]
    assert len(children) == 2
    parent.kill()
    parent.communicate()
    server, redis = make_server(folder / "postgres"), RedisServer(folder / "redis")
    server.start()  # waits for the old one to end
    redis.start()
    assert one(server.url, "SELECT 1") == 1
    redis.destroy()
    _, alive = psutil.wait_procs(children, timeout=30)
    assert alive == []


def test_a_server_left_by_a_parent_that_could_not_say_goodbye_is_taken_over(
    folder: Path, make_server: Callable[..., PostgresServer]
) -> None:
    first = make_server(folder / "postgres")
    first.start()
    with psycopg.connect(first.url) as connection:
        connection.execute("CREATE TABLE t AS SELECT 7 AS n")
    second = make_server(folder / "postgres")
    second.start()
    assert first.process.wait(30) == 0
    assert one(second.url, "SELECT n FROM t") == 7


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda data: (data / "PG_VERSION").write_text("14\n"), "made by PostgreSQL 14"),
        (lambda data: (data / "postgresql.conf").write_text("no_such_setting = 1\n"), "did not start"),
    ],
)
def test_data_it_cannot_use_is_one_clear_line(
    folder: Path, make_server: Callable[..., PostgresServer], spoil: Callable[[Path], object], says: str
) -> None:
    server = make_server(folder / "postgres")
    server.start()
    server.stop()
    spoil(folder / "postgres")
    with pytest.raises(EngineError, match=says) as raised:
        server.start()
    assert "\n" not in str(raised.value)


def test_a_folder_with_other_things_in_it_is_left_alone(
    folder: Path, make_server: Callable[..., PostgresServer]
) -> None:
    (folder / "postgres").mkdir()
    (folder / "postgres" / "letter.txt").write_text("mine")
    with pytest.raises(EngineError, match="holds no database"):
        make_server(folder / "postgres").start()
    assert (folder / "postgres" / "letter.txt").read_text() == "mine"
    (folder / "postgres" / "letter.txt").unlink()


def test_missing_binaries_are_named(folder: Path, make_server: Callable[..., PostgresServer]) -> None:
    with pytest.raises(EngineError, match=f"no initdb in {folder}"):
        make_server(folder / "postgres", bin_dir=folder).start()


def test_a_socket_folder_that_is_not_ours_is_refused(folder: Path, make_server: Callable[..., PostgresServer]) -> None:
    server = make_server(folder / "postgres")
    trap = placement.known_runtime_dir(folder / "postgres")
    trap.mkdir()
    trap.chmod(0o777)
    with pytest.raises(EngineError, match=f"{trap} is not a private folder"):
        server.start()


@as_root
def test_a_full_disk_is_one_clear_line(folder: Path, make_server: Callable[..., PostgresServer]) -> None:
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", str(folder)], capture_output=True).returncode:
        pytest.skip("this machine does not let root mount a small disk")
    try:
        with pytest.raises(EngineError, match="no disk space for a database"):
            make_server(folder / "postgres").start()
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@as_root
def test_below_a_folder_that_only_root_may_enter(folder: Path, make_server: Callable[..., PostgresServer]) -> None:
    folder.chmod(0o700)
    package = embedded_binaries().parents[1]
    for name in (package.name, f"{package.name}.libs"):  # as in a virtual environment below /root
        shutil.copytree(package.with_name(name), folder / name)
    binaries = folder / embedded_binaries().relative_to(package.parent)
    server = make_server(folder / "postgres", bin_dir=binaries)
    server.start()
    with psycopg.connect(server.url) as connection:
        connection.execute("CREATE TABLE t AS SELECT 7 AS n")
    server.stop()
    place = (folder / "postgres").resolve()
    assert place.is_relative_to(placement.STATE_DIR)
    again = make_server(folder / "postgres", bin_dir=binaries)
    again.start()
    assert one(again.url, "SELECT n FROM t") == 7
    again.destroy()
    assert not place.exists()
    assert folder.stat().st_mode & 0o777 == 0o700


@as_root
def test_nobody_else_may_connect(own_postgres: PostgresServer) -> None:
    stranger = pwd.getpwnam("daemon")
    user = placement.ServiceUser(stranger.pw_uid, stranger.pw_gid)
    psql = placement.reachable_binaries(embedded_binaries(), user) / "psql"
    tried = subprocess.run(
        [psql, own_postgres.url, "-c", "SELECT 1"],
        user=user.uid, group=user.gid, extra_groups=[], cwd="/", capture_output=True, text=True,
    )  # fmt: skip
    assert "Peer authentication failed" in tried.stderr


def test_stop_lets_nothing_run_on(folder: Path, make_server: Callable[..., PostgresServer]) -> None:
    server = make_server(folder / "postgres")
    server.start()
    family = [psutil.Process(server.process.pid), *psutil.Process(server.process.pid).children(recursive=True)]
    assert len(family) > 1
    server.stop()
    _, alive = psutil.wait_procs(family, timeout=30)
    assert alive == []


@as_root
def test_an_ordinary_user_runs_it_too(tmp_path: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    user = placement.ServiceUser(nobody.pw_uid, nobody.pw_gid)
    if not (user.can("x", Path(sys.executable).resolve()) and user.can("r", Path(placement.__file__))):
        pytest.skip("another user cannot read this Python or this checkout")
    with tempfile.TemporaryDirectory(prefix="sms_service-user-") as home:
        user.give(Path(home))
        parent = subprocess.Popen(
            [sys.executable, "-c", START_AND_WAIT, home],
            cwd=ROOT, user=user.uid, group=user.gid, extra_groups=[],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert parent.stdout is not None
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert [psutil.Process(pid).username() for pid in pids] == ["nobody"] * 2
        parent.communicate("")
        assert parent.returncode == 0
        assert not any(psutil.pid_exists(pid) for pid in pids)


def test_term_ends_it_in_good_order(own_postgres: PostgresServer) -> None:
    own_postgres.process.send_signal(signal.SIGINT)
    assert own_postgres.process.wait(30) == 0
    own_postgres.start()
    assert "was not properly shut down" not in own_postgres.log.read_text()
