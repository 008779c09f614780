"""When a vanished peer is noticed: asked of the kernel, for real sockets of real connections, at both ends."""

from __future__ import annotations

import ctypes
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
import redis
from simulator_process import SimulatorProcess
from smpp_provider import SmppProvider

from sms_service import keepalive
from sms_service.db import bootstrap
from sms_service.db.engine import Database, connection_parameters
from sms_service.dispatch.pace import connect_pace
from sms_service.embedded import PostgresServer, RedisServer
from sms_service.embedded.process import die_with_parent
from sms_service.embedded.redis import embedded_binary
from sms_service.gateways.http_client import HttpAnswer, HttpClient
from sms_service.ops.supervisor import free_port
from tests.conftest import SMALL, binaries
from tests.system.test_leading import wait
from tests.system.test_web_process import HELD_APP, say, web

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
OURS = [value for _, _, value in keepalive.SOCKET_OPTIONS]
# What makes a connection, and what each of them must be given.
MAKERS = {
    r"psycopg\.connect\(": "connection_parameters",
    r"create_engine\(": "connection_parameters",
    r"Redis\.from_url\(": "redis_keepalive",
    r"TCPConnector\(": "open_keepalive_socket",
    r"\.create_connection\(|\.open_connection\(|\.create_server\(|\.start_server\(": "set_keepalive",
}
# These need none: the embedded engines, which are reached by a Unix socket; a connection that its session sets itself.
ELSEWHERE = {
    "sms_service/embedded/postgres.py": "psycopg.connect(self.url, connect_timeout=5)",
    "sms_service/embedded/redis.py": "redis.Redis.from_url(self.url)",
    "sms_service/db/bootstrap.py": "psycopg.connect(conninfo, ",  # which `prepare` made with the parameters
    "sms_service/gateways/smpp/adapter.py": "loop.create_connection(make, ",  # Session.connection_made
    "sms_service/simulator/smpp.py": "create_server(self._session, ",  # Session.connection_made
}


def test_no_connection_is_made_without_it() -> None:
    files = [*ROOT.glob("sms_service/**/*.py"), ROOT / "worker.py"]
    for file in files:
        source, name = file.read_text(encoding="utf-8"), str(file.relative_to(ROOT))
        for maker, needed in MAKERS.items():
            for found in re.finditer(maker, source):
                call = source[source.rfind("\n", 0, found.start()) : found.end() + 300]
                assert needed in call or ELSEWHERE.get(name, "nowhere") in call, f"{name}: {call}"


def test_the_document_has_these_seconds() -> None:
    server = {**keepalive.POSTGRES_SETTINGS, **keepalive.REDIS_SETTINGS}
    assert all(re.search(rf"^{name}(?: =)? {value}$", DOCUMENT, re.MULTILINE) for name, value in server.items())
    idle, interval, count = keepalive.IDLE_S, keepalive.INTERVAL_S, keepalive.COUNT
    client = f"`keepalives_idle` {idle} s, `keepalives_interval` {interval} s, `keepalives_count` {count}, "
    assert client + f"`tcp_user_timeout` {keepalive.NOTICED_S} s" in DOCUMENT
    noticed_s, while_waiting_s = keepalive.NOTICED_S, keepalive.NOTICED_S + keepalive.CHECK_S
    assert f"after {noticed_s} s, while a statement runs or waits after {while_waiting_s} s" in DOCUMENT


def options_of(pid: int, descriptor: int) -> list[int]:
    """What the kernel has of SOCKET_OPTIONS for a socket of this or another process, in their order."""
    system_call = ctypes.CDLL(None, use_errno=True).syscall
    process = os.pidfd_open(pid)
    try:
        copy = system_call(438, process, descriptor, 0)  # pidfd_getfd
    finally:
        os.close(process)
    if copy < 0:
        pytest.skip(f"no look into another process: {os.strerror(ctypes.get_errno())}")
    with socket.socket(fileno=copy) as found:
        return [found.getsockopt(level, option) for level, option, _ in keepalive.SOCKET_OPTIONS]


def ends(port: int, pid: int | None = None) -> list[list[int]]:
    """Of every connection with this port at either end, as this process has it, or another one."""
    pid = pid or os.getpid()
    return [
        options_of(pid, found.fd)
        for found in psutil.Process(pid).net_connections("tcp")
        if found.status == "ESTABLISHED" and port in (found.laddr.port, found.raddr.port)
    ]


@pytest.fixture
def postgres(engines_dir: Path) -> Iterator[tuple[str, PostgresServer]]:
    """An embedded server that listens on an address of its own too, and lets everybody in: its URL there."""
    address = ".".join(["127", *(str(secrets.randbelow(250) + 1) for _ in range(3))])
    rules = engines_dir / f"{address}.conf"
    rules.write_text("local all all trust\nhost all all 127.0.0.0/8 trust\n")
    configuration = {**SMALL, "listen_addresses": address, "hba_file": str(rules)}
    server = PostgresServer(engines_dir / address, bin_dir=binaries(), configuration=configuration)
    try:
        server.start()
        yield f"postgresql://postgres@{address}/postgres", server
    finally:
        server.destroy()


def shown(connection: psycopg.Connection) -> list[str]:
    """What the server does at its end of this connection."""
    return [str(connection.execute(f"SHOW {name}").fetchone()[0]) for name in keepalive.POSTGRES_SETTINGS]  # type: ignore


def test_a_session_of_postgresql_at_both_ends(postgres: tuple[str, PostgresServer]) -> None:
    url, server = postgres
    asked = ["10", "5", "3", "25000", "10s"]
    with psycopg.connect(url) as anyone:  # by the embedded server's settings alone
        assert shown(anyone) == asked
        anyone.execute("ALTER ROLE postgres SET tcp_keepalives_idle = 7000")  # a server that knows better
    bootstrap.prepare_database(url)
    with psycopg.connect(url, **connection_parameters(url)) as ours:
        assert shown(ours) == asked
        assert ends(5432) == [OURS]
    database = Database(f"{url}?keepalives_idle=77")
    with database.transaction() as connection:
        raw = connection.connection.driver_connection
        assert isinstance(raw, psycopg.Connection)
        assert shown(raw) == asked
        [own] = ends(5432)
        assert own == [OURS[0], 77, *OURS[2:]]  # what the URL says counts more
    database.close()
    with psycopg.connect(server.url, **connection_parameters(server.url)) as local:
        assert shown(local) == ["0", "0", "0", "0", "10s"]  # a Unix socket has none, and is none the worse


def test_redis_at_both_ends(tmp_path: Path, own_redis: RedisServer) -> None:
    with redis.Redis.from_url(own_redis.url, **keepalive.redis_keepalive(own_redis.url)) as local:
        assert local.config_get("tcp-keepalive") == {"tcp-keepalive": str(keepalive.IDLE_S)}
    port = free_port()
    arguments = ("--port", str(port), "--save", "", "--dir", str(tmp_path), *("--tcp-keepalive", "10"))
    server = subprocess.Popen([embedded_binary(), *arguments], preexec_fn=die_with_parent(signal.SIGKILL))
    client = connect_pace(f"redis://127.0.0.1:{port}/0")
    try:
        wait(lambda: answers(client))
        assert ends(port) == [OURS]
        [[on, idle, *_]] = ends(port, server.pid)
        assert (on, idle) == (1, keepalive.IDLE_S)
    finally:
        client.close()
        server.kill()
        server.wait()


def answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False


def test_what_is_sent_over_http(tmp_path: Path) -> None:
    with SimulatorProcess(tmp_path / "ledger.jsonl") as simulator:
        client = HttpClient(f"{simulator.url}/behaviour", in_flight=1, total_timeout_s=20)
        [answer] = client.get_all([{}])
        assert isinstance(answer, HttpAnswer)
        assert ends(simulator.port) == [OURS]
        client.close()


def test_a_link_at_both_ends(tmp_path: Path) -> None:
    with SmppProvider(tmp_path) as provider:
        adapter = provider.adapter()
        process = provider.process
        assert ends(process.smpp_port) == [OURS]
        assert ends(process.smpp_port, process.process.pid) == [OURS]
        adapter.close()


def test_whoever_calls_the_web_process() -> None:
    with web(HELD_APP) as (master, port), say(port, b"GET / HTTP/1.1\r\n") as connection:
        connection.sendall(b"\r\n")
        assert connection.recv(1)
        [worker] = psutil.Process(master.pid).children()
        assert ends(port, worker.pid) == [OURS]


@pytest.fixture
def other_host() -> Iterator[tuple[str, int, Callable[[], None]]]:
    """A host of its own, as the kernel sees it, that takes connections and says nothing: its address and port, and what
    makes it vanish.
    """
    hold = subprocess.Popen(["unshare", "--net", "sleep", "60"], stderr=subprocess.DEVNULL)
    name = f"sms{secrets.token_hex(4)}"
    net = f"198.18.{secrets.randbelow(250)}"
    commands = (
        f"ip link add {name} type veth peer name other netns {hold.pid}",
        f"ip addr add {net}.1/24 dev {name}",
        f"ip link set {name} up",
        f"nsenter -t {hold.pid} -n ip addr add {net}.2/24 dev other",
        f"nsenter -t {hold.pid} -n ip link set other up",
    )
    listening = None
    try:
        wait(lambda: os.readlink(f"/proc/{hold.pid}/ns/net") != os.readlink("/proc/self/ns/net") or hold.poll())
        for command in commands:
            if subprocess.run(command.split(), capture_output=True, check=False).returncode:
                pytest.skip("no network of its own on this machine")
        code = "import socket; s = socket.create_server(('', 7)); print(1, flush=True); c = s.accept(); s.accept()"
        listening = subprocess.Popen(
            ["nsenter", "-t", str(hold.pid), "-n", sys.executable, "-c", code], stdout=subprocess.PIPE
        )
        assert listening.stdout is not None
        listening.stdout.readline()
        vanish = ["nsenter", "-t", str(hold.pid), "-n", "ip", "addr", "flush", "dev", "other"]
        yield f"{net}.2", 7, lambda: subprocess.run(vanish, check=True) and None
    finally:
        for process in (listening, hold):
            if process is not None:
                process.kill()
                process.wait()
        subprocess.run(["ip", "link", "del", name], capture_output=True, check=False)


@pytest.mark.parametrize("sends", [False, True], ids=["waiting", "sending"])
def test_a_host_that_vanishes_is_noticed(
    other_host: tuple[str, int, Callable[[], None]], monkeypatch: pytest.MonkeyPatch, sends: bool
) -> None:
    """A real one, in seconds instead of tens of them: whether or not something is under way."""
    address, port, vanish = other_host
    quick = [(level, name, 1 if value < 1000 else 2000) for level, name, value in keepalive.SOCKET_OPTIONS]
    monkeypatch.setattr(keepalive, "SOCKET_OPTIONS", quick)
    with socket.create_connection((address, port), timeout=60) as connection:
        keepalive.set_keepalive(connection)
        vanish()
        if sends:
            connection.sendall(b"a text")
        with pytest.raises(OSError, match=r"timed out|No route to host"):
            connection.recv(1)
