"""Runs one machine's whole service as children of one process: engines, web, workers, clock, webhooks, simulator."""

from __future__ import annotations

import signal
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType

from redis import Redis
from rq import Worker

from sms_service.embedded import EngineError, Engines, FolderLock, PostgresServer, RedisServer
from sms_service.embedded.process import make_folder
from sms_service.gateways.config import BadGatewayConfig
from sms_service.gateways.registry import Gateways
from sms_service.keepalive import redis_keepalive
from sms_service.ops import orphans
from sms_service.ops.children import Address, Child, rotate_log
from sms_service.ops.errors import OperationError
from sms_service.ops.schema import make_ready
from sms_service.ops.variables import service_variables
from sms_service.settings import Settings, read_environment

_WATCH_S = 0.2
_READY_S = 90.0
_HOOK_PATIENCE_S = 30.0
# A worker ends after its group, which takes the gate's 10 s, an adapter's total time-out (30 s) and writing the
# outcomes.
_WORKER_PATIENCE_S = 90.0


@dataclass(frozen=True)
class Running:
    """What a function gets that runs beside the service. When `stopping` is set, the function has to end.

    `settings` names every engine; `variables` are the environment of the service's processes, with its secrets.
    """

    settings: Settings
    variables: Mapping[str, str]
    stopping: threading.Event
    say: Callable[[str], None]

    @property
    def base_url(self) -> str:
        """The web process's own address."""
        return f"http://{_reachable(self.settings.host)}:{self.settings.port}"


Hook = Callable[[Running], object]


class Supervisor:
    """Starts everything, keeps it alive, stops it in order. Use it from the main thread, as a context manager:

        with Supervisor(settings, say) as supervisor:
            supervisor.watch(hook)

    Children die with the thread that started them, so the thread that enters is the one that watches.
    Raises OperationError, EngineError or BootstrapError; then nothing is left running.
    """

    def __init__(self, settings: Settings, say: Callable[[str], None]) -> None:
        self.settings = settings
        self.say = say
        self.stopping = threading.Event()
        self.children: list[Child] = []
        self.variables: dict[str, str] = {}
        self._register = settings.data_dir / "children"
        self._remembered: set[int] = set()
        self._engines = Engines(settings)
        self._lock = FolderLock(settings.data_dir)

    def __enter__(self) -> Supervisor:
        signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        self._handlers = {number: signal.signal(number, self._asked_to_stop) for number in signals}
        try:
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._stop()

    @property
    def running(self) -> Running:
        """For functions that run beside the service."""
        return Running(self.settings, self.variables, self.stopping, self.say)

    def watch(self, hook: Hook | None = None, *, until_hook_ends: bool = False) -> None:
        """Keep everything alive until TERM, Ctrl-C or, with `until_hook_ends`, the end of `hook`.

        `hook` runs in a thread of its own. An error that it raises ends the watch and is raised here.
        """
        failures: list[BaseException] = []

        def beside() -> None:
            try:
                if hook is not None:
                    hook(self.running)
            except BaseException as error:  # noqa: BLE001 - raised again below, in the thread that can report it
                failures.append(error)
                self.stopping.set()

        # A daemon thread: whatever it waits for, it does not keep the service from ending.
        thread = threading.Thread(target=beside, name="beside", daemon=True)
        thread.start()
        while not self.stopping.wait(_WATCH_S):
            if until_hook_ends and not thread.is_alive():
                break
            self._mend()
        thread.join(_HOOK_PATIENCE_S)
        if failures:
            raise failures[0]

    def _start(self) -> None:
        self._lock.acquire()
        orphans.wait_for(self._register)  # children of a killed parent hold ports until they have ended
        _check_free("HOST/PORT", self.settings.host, self.settings.port)
        own_simulator = not read_environment(root=self.settings.root).get("SIMULATOR_URL")
        if own_simulator:
            _check_free("SIMULATOR_PORT", "127.0.0.1", self.settings.simulator_port)
        make_folder(self._logs)
        if self._engines.postgres:
            self.say("starting PostgreSQL and Redis")
        self._engines.start()
        if (postgres := self._engines.postgres) and postgres.data_dir.is_symlink():
            place = postgres.data_dir.resolve()
            self.say(f"PostgreSQL's data are in {place}: the user it runs as cannot enter {self.settings.data_dir}")
        self.settings = self._engines.settings
        make_ready(self.settings, self._engines.database_admin_url)
        self.variables = service_variables(self.settings)
        self.children = self._plan(own_simulator)
        for child in self.children:
            if self.stopping.is_set():
                return
            child.start()
        self._remember()
        self._wait_until_ready()

    @property
    def _logs(self) -> Path:
        return self.settings.data_dir / "log"

    def _wait_until_ready(self) -> None:
        for _ in range(int(_READY_S / _WATCH_S)):
            waiting = [child for child in self.children if not child.ready()]  # ask all each time: one may have ended
            if not waiting or self.stopping.wait(_WATCH_S):
                return
        child = waiting[0]
        raise OperationError(f"{child.name} is not ready after {_READY_S:g} s (see {child.log})")

    def _plan(self, own_simulator: bool) -> list[Child]:
        """The children in the order in which they start."""
        python, host, port = sys.executable, self.settings.host, self.settings.port
        root = self.settings.root
        children = []
        if own_simulator:
            simulator_port = self.settings.simulator_port
            ledger = self.settings.data_dir / "simulator.jsonl"
            command = [python, "-m", "sms_service.simulator", "--port", str(simulator_port), "--ledger"]
            command.append(str(ledger))
            children.append(self._child("simulator", command, _answers("127.0.0.1", simulator_port)))
        command = [python, "-m", "gunicorn", "--chdir", str(root), "wsgi:app"]  # gunicorn.conf.py has the other options
        children.append(self._child("web", command, _answers(_reachable(host), port), patience_s=40.0))
        for number in range(1, self.settings.workers + 1):
            command = [python, str(root / "worker.py")]
            children.append(self._child(f"worker-{number}", command, self._works, patience_s=_WORKER_PATIENCE_S))
        children += [
            self._child(
                f"link-{name}", [python, str(root / "worker.py"), "--link", name], patience_s=_WORKER_PATIENCE_S
            )
            for name in self._links()
        ]
        children.append(self._child("clock", [python, "-m", "sms_service", "clock"]))
        command = [python, "-m", "sms_service", "webhooks", "run"]
        children.append(self._child("webhooks", command, patience_s=30.0))  # a delivery takes 15 s at most
        return children

    def _links(self) -> list[str]:
        """The gateway accounts that need a process of their own."""
        try:
            return sorted(
                Gateways.from_file(self.settings.gateways_file, self.settings.public_url, self.variables).links()
            )
        except BadGatewayConfig as error:
            raise OperationError(str(error)) from None

    def _works(self, pid: int) -> bool:
        """Whether the worker with this pid has signed on at RQ."""
        url = self.settings.redis_url or ""
        with Redis.from_url(url, **redis_keepalive(url), socket_timeout=5) as client:
            return any(worker.pid == pid for worker in Worker.all(connection=client))

    def _child(
        self, name: str, command: list[str], health: Callable[[int], bool] | None = None, patience_s: float = 10.0
    ) -> Child:
        log = self._logs / f"{name}.log"
        return Child(name, command, log, self.settings.root, self.variables, health, patience_s)

    def _mend(self) -> None:
        for engine in (self._engines.postgres, self._engines.redis):
            if engine is None:
                continue
            rotate_log(engine.log)
            if engine.process.poll() is not None:
                self._mend_engine(engine)
        for child in self.children:
            try:
                told = child.mend()
            except OperationError as error:
                told = str(error)
            if told:
                self.say(told)
        self._remember()

    def _remember(self) -> None:
        pids = {child.process.pid for child in self.children if child.process is not None}
        if pids != self._remembered:
            orphans.remember_children(self._register, pids)
            self._remembered = pids

    def _mend_engine(self, engine: PostgresServer | RedisServer) -> None:
        self.say(f"{engine.data_dir.name} ended by itself; it starts again (see {engine.log})")
        try:
            engine.start()
        except EngineError as error:
            raise OperationError(f"{error}; the service stops") from None

    def destroy(self) -> None:
        """Remove the embedded engines' data for good; call it only after the service has ended."""
        self._engines.destroy()

    def _stop(self) -> None:
        """Stop web first, so that nothing new comes in, then the workers after their groups, then what they need."""
        self.stopping.set()
        order = {"web": 0, "worker": 1, "link": 1, "clock": 2, "webhooks": 2, "simulator": 3}
        for rank in range(len(order)):
            same = [child for child in self.children if order[child.name.partition("-")[0]] == rank]
            for child in same:
                child.ask_to_end()
            for child in same:
                if not child.end():
                    self.say(f"{child.name} did not end within {child.patience_s:g} s and was killed")
        self._engines.stop()
        self._lock.release()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def _asked_to_stop(self, number: int, frame: FrameType | None) -> None:
        if not self.stopping.is_set():
            self.say("stopping: texts that are under way are finished first")
        self.stopping.set()


def free_port() -> int:
    """A port of this machine that nobody listens on now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _check_free(setting: str, host: str, port: int) -> None:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port that is just closing counts as free
            tried.bind(address)
            tried.listen(1)
    except OSError as error:
        reason = f"cannot listen on {host} port {port}: {error.strerror}; choose another with {setting}"
        raise OperationError(reason) from None


def _answers(host: str, port: int) -> Callable[[int], bool]:
    address = Address(host, port)
    return lambda pid: address.healthy()


def _reachable(host: str) -> str:
    """An address of ours at which a process that listens on `host` answers."""
    return {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
