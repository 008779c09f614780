"""The service under attack: its own engines, and every process of `make run`; each can be killed by itself."""

from __future__ import annotations

import json
import os
import secrets
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import redis
from psycopg import sql
from rq import Worker

from benchmarks.laboratory import ROOT
from chaos.gateways import NORMAL, write_gateways
from chaos.plan import CLOCKS, GATEWAYS, LINE, RECEIVER, WORKERS
from sms_service.db import bootstrap, migrate
from sms_service.embedded import DATABASE_NAME, PostgresServer, RedisServer
from sms_service.ops.children import Address, Child
from sms_service.ops.errors import OperationError
from sms_service.ops.http import call_api
from sms_service.ops.supervisor import free_port

_READY_S = 120.0
_WITH_LEASES = ("worker", "clock", "link", "webhooks")
_WORKER_PATIENCE_S = 90.0
_WEBHOOKS_PATIENCE_S = 30.0  # a delivery takes 15 s at most


class House:
    """Engines, `worker-0` …, `clock-0` …, `web`, `link`, `webhooks`, a simulator per gateway, and the receiver of
    webhooks; their logs and ledgers in `folder`.

    `keep`: the database and the engines' logs stay there too. Use as a context manager, from the thread that attacks
    it: children die with the thread that started them.
    """

    def __init__(self, folder: Path, say: Callable[[str], None], *, keep: bool = False) -> None:
        self.folder, self._say, self._keep = folder, say, keep
        self.postgres = PostgresServer(folder / "postgres")
        self.redis = RedisServer(folder / "redis")
        self.redis_is_up = False
        self.secret, self.channels_key = secrets.token_urlsafe(16), secrets.token_urlsafe(32)
        self.ended_by_themselves: Counter[str] = Counter()
        self._down: set[str] = set()
        self._ports = {name: free_port() for name in NORMAL}
        self._smpp_port = free_port()
        self._wanted: dict[str, Mapping[str, Any]] = dict(NORMAL)
        self._told: dict[str, Mapping[str, Any] | None] = dict.fromkeys(NORMAL)
        self.children: dict[str, Child] = {}
        self.variables: dict[str, str] = {}
        self._clock_set: list[tuple[float, float]] = []  # when the service's clock was put forward, and how far

    def __enter__(self) -> House:
        try:
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    @property
    def database_url(self) -> str:
        """The login of the service's processes."""
        return self.postgres.url_of("sms_app", DATABASE_NAME)

    @property
    def receiver_host(self) -> str:
        """Of what webhooks tell, with its port; PRIVATE_RECEIVERS names it."""
        return f"127.0.0.1:{self._ports[RECEIVER]}"

    def _start(self) -> None:
        self.postgres.start()
        bootstrap.prepare_database(self.postgres.url, DATABASE_NAME, login_roles=True)
        migrate.upgrade_schema(self.postgres.url_of("sms_owner", DATABASE_NAME))
        self.start_redis()
        web_port = free_port()
        self.variables = {
            **os.environ,
            "ENV_FILE": os.devnull,
            "DATABASE_URL": self.database_url,
            "REDIS_URL": self.redis.url,
            "GATEWAYS_FILE": str(write_gateways(self.folder, self._ports, self._smpp_port)),
            "CHANNELS_KEY": self.channels_key,
            "PRIVATE_RECEIVERS": self.receiver_host,
            "SIMULATOR_SECRET": self.secret,
            "LINE_PASSWORD": self.secret[:8],  # the longest that SMPP allows
            "PUBLIC_URL": f"http://127.0.0.1:{web_port}",
            "PORT": str(web_port),
            "PYTHONUNBUFFERED": "1",
        }
        python = sys.executable
        for name in GATEWAYS:
            command = [python, "-m", "sms_service.simulator", "--port", str(self._ports[name])]
            command += ["--ledger", str(self._ledger(name))]
            if name == LINE:
                command += ["--smpp-port", str(self._smpp_port)]
            self._add(name, command, _answers(self._ports[name]))
        receiver = [python, "-m", "chaos.receiver", "--port", str(self._ports[RECEIVER])]
        receiver += ["--ledger", str(self._ledger(RECEIVER))]
        self._add(RECEIVER, receiver, _answers(self._ports[RECEIVER]))
        web = [python, "-m", "gunicorn", "--bind", f"127.0.0.1:{web_port}", "--workers", "1", "wsgi:app"]
        self._add("web", web, _answers(web_port))
        for number in range(CLOCKS):
            self._add(f"clock-{number}", [python, "-m", "sms_service", "clock"])
        link = [python, str(ROOT / "worker.py"), "--link", LINE]
        self._add("link", link, patience_s=_WORKER_PATIENCE_S)
        telling = [python, "-m", "sms_service", "webhooks", "run"]
        self._add("webhooks", telling, patience_s=_WEBHOOKS_PATIENCE_S)
        for number in range(WORKERS):
            self._add(f"worker-{number}", [python, str(ROOT / "worker.py")], self._works, _WORKER_PATIENCE_S)
        self._start_all(self.children.values())
        self.mend()

    def _start_all(self, children: Collection[Child]) -> None:
        for child in children:
            child.start()
        if not until(lambda: all(child.ready() for child in children), _READY_S):
            raise OperationError(f"the service is not ready after {_READY_S:g} s (see {self.folder})")

    def _add(
        self, name: str, command: list[str], health: Callable[[int], bool] | None = None, patience_s: float = 20.0
    ) -> None:
        log = self.folder / f"{name}.log"
        self.children[name] = Child(name, command, log, ROOT, self.variables, health, patience_s)

    def _works(self, pid: int) -> bool:
        with redis.Redis.from_url(self.redis.url) as client:
            return any(worker.pid == pid for worker in Worker.all(connection=client))

    def send(self, name: str, number: signal.Signals) -> bool:
        """Send a signal; False if the process does not run."""
        process = self.children[name].process
        if process is None or process.poll() is not None:
            return False
        process.send_signal(number)
        return True

    def take_down(self, name: str, number: signal.Signals) -> bool:
        """KILL or TERM, and no mending until `bring_up`; False if it does not run."""
        if name in self._down or not self.send(name, number):
            return False
        self._down.add(name)
        return True

    def bring_up(self, name: str) -> bool:
        """Start again what was taken down; False if it has not ended yet."""
        child = self.children[name]
        if child.process is not None and child.process.poll() is None:
            return False
        child.start()
        self._down.discard(name)
        if name in NORMAL:
            self._told[name] = None
        return True

    def mend(self) -> None:
        """Do what a supervisor does: start again every process that ended by itself. Tell simulators and the receiver
        how to behave.
        """
        for name, child in self.children.items():
            if name not in self._down and (told := child.mend()):
                self.ended_by_themselves[name.partition("-")[0]] += 1
                self._say(told)
        for name in NORMAL:
            if self._told[name] is not self._wanted[name]:
                with suppress(OperationError):  # it is down; later
                    call_api(self._address(name, "/behaviour"), self.secret, "PUT", self._wanted[name])
                    self._told[name] = self._wanted[name]

    def behave(self, name: str, **changes: Any) -> None:
        """Let a gateway, or the receiver, behave as NORMAL says, except for `changes`, from the next `mend` on."""
        self._wanted[name] = {**NORMAL[name], **changes}

    def start_redis(self) -> None:
        """Start Redis, empty."""
        self.redis.start()
        self.redis_is_up = True

    def kill_redis(self) -> bool:
        """End Redis at once; False if it is down."""
        if not self.redis_is_up:
            return False
        self.redis.kill()
        self.redis_is_up = False
        return True

    def restart_postgres(self) -> None:
        """End every server process at once, without a checkpoint, and start again: it recovers from its log."""
        process = self.postgres.process
        process.send_signal(signal.SIGQUIT)
        process.wait()
        self.postgres.start()

    def promote_postgres(self) -> None:
        """End every server process at once, and let the server come back as a standby that is promoted: nothing is
        lost, but its timeline is another, and the ledger cannot know what is missing.
        """
        process = self.postgres.process
        process.send_signal(signal.SIGQUIT)
        process.wait()
        (self.postgres.data_dir / "standby.signal").touch()
        self.postgres.start()
        self.administer(sql.SQL("SELECT pg_promote(false)"))  # do not wait here: the replay would cut off the wait
        if not until(self._is_primary, _READY_S):
            raise OperationError(f"the promoted PostgreSQL takes no writes after {_READY_S:g} s")

    def _is_primary(self) -> bool:
        with psycopg.connect(self.postgres.url) as connection:
            row = connection.execute("SELECT NOT pg_is_in_recovery()").fetchone()
        return row is not None and bool(row[0])

    def cut_line(self) -> bool:
        """End every session of the SMSC without a log-out; False if it is down."""
        return self._tell(LINE, "/smpp", {"do": "cut"})

    def reply(self, phone: str, gateway: str, words: str) -> bool:
        """Let a phone answer what this gateway brought it; False if the gateway is down."""
        return self._tell(gateway, "/replies", {"from": phone, "text": words})

    def _tell(self, gateway: str, target: str, wanted: Mapping[str, Any]) -> bool:
        try:
            call_api(self._address(gateway, target), self.secret, "POST", wanted)
        except OperationError:
            return False
        return True

    def administer(self, statement: sql.SQL | sql.Composed) -> None:
        """Run a statement as PostgreSQL's superuser."""
        with psycopg.connect(self.postgres.url_of("postgres", DATABASE_NAME), autocommit=True) as connection:
            connection.execute(statement)

    def put_clock_forward(self, minutes: int) -> None:
        """Put the service's clock so far ahead of ours. All that hold leases are ended, as an operator does it, and
        started again, so that no lease ends while its process lives.
        """
        children = [child for name, child in self.children.items() if name.startswith(_WITH_LEASES)]
        for child in children:
            child.ask_to_end()
        for child in children:
            if not child.end():
                raise OperationError(f"{child.name} did not end on TERM (see {child.log})")
        statement = sql.SQL("ALTER DATABASE {} SET sms.clock_offset = {}")
        self.administer(statement.format(sql.Identifier(DATABASE_NAME), sql.Literal(f"{minutes} minutes")))
        self._clock_set.append((time.time(), minutes * 60.0))
        self._start_all(children)

    def service_time(self, at: float) -> float:
        """What the service's clock said at this time, in seconds since 1970."""
        return at + max((ahead_s for since, ahead_s in self._clock_set if since <= at), default=0.0)

    def ledgers(self, names: Collection[str] = GATEWAYS) -> Iterator[dict[str, Any]]:
        """Every whole line of the ledgers of these simulators, or of the receiver."""
        for name in names:
            with self._ledger(name).open("rb") as lines:
                yield from (json.loads(line) for line in lines if line.endswith(b"\n"))

    def versions(self) -> dict[str, str]:
        """Of the engines."""
        with psycopg.connect(self.postgres.url) as connection, redis.Redis.from_url(self.redis.url) as client:
            return {
                "postgresql": connection.info.parameter_status("server_version") or "",
                "redis": str(client.info("server")["redis_version"]),
            }

    def _ledger(self, name: str) -> Path:
        return self.folder / f"{name}.jsonl"

    def _address(self, name: str, target: str) -> str:
        return f"http://127.0.0.1:{self._ports[name]}{target}"

    def _stop(self) -> None:
        for name in self.children:
            self.send(name, signal.SIGCONT)
        for names in (("web",), _WITH_LEASES, tuple(NORMAL)):
            same = [child for name, child in self.children.items() if name.partition("-")[0] in names]
            for child in same:
                child.ask_to_end()
            for child in same:
                child.end()
        for engine in (self.redis, self.postgres):
            engine.stop() if self._keep else engine.destroy()


def _answers(port: int) -> Callable[[int], bool]:
    address = Address("127.0.0.1", port)
    return lambda pid: address.healthy()


def until(condition: Callable[[], object], patience_s: float, *, every_s: float = 0.2) -> bool:
    """Whether `condition` came to hold within `patience_s` seconds."""
    give_up = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > give_up:
            return False
        time.sleep(every_s)
    return True
