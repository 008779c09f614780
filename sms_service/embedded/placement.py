"""Decides where an engine's files may lie and which user works on them.

PostgreSQL refuses to run as root, so root's PostgreSQL runs as another user. That user must reach the binaries and the
data, and below /root (mode 0700) it cannot. Then the binaries are copied to /var/lib/sms_service, and the data is kept
there, with a link to it in the data folder. No permission of an existing folder is changed.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import secrets
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

from sms_service.embedded.process import EngineError, make_folder

STATE_DIR = Path("/var/lib/sms_service")  # only root's engines use it
SOCKET_PATH_LIMIT = 107  # bytes, sun_path of unix(7) without its closing zero


@dataclass(frozen=True, slots=True)
class ServiceUser:
    """The user that an engine runs as; if both are None, the user who started it."""

    uid: int | None
    gid: int | None

    def can(self, access: str, path: Path) -> bool:
        """Whether the user may read ("r"), write ("w") or pass through and execute ("x") `path`. The kernel decides."""
        command = ["test", f"-{access}", str(path)]
        groups: list[int] | None = None if self.uid is None else []
        return (
            subprocess.run(command, user=self.uid, group=self.gid, extra_groups=groups, cwd="/", check=False).returncode
            == 0
        )

    def give(self, path: Path) -> None:
        """Make the user the owner of `path`."""
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)


def service_user(data_dir: Path) -> ServiceUser:
    """The user who runs PostgreSQL on `data_dir`: ourselves; if we are root, the data's owner, `postgres` or `nobody`.

    Raises EngineError if root's machine has neither of these users.
    """
    if os.geteuid() != 0:
        return ServiceUser(None, None)
    if data_dir.exists() and (owner := data_dir.stat()).st_uid != 0:
        return ServiceUser(owner.st_uid, owner.st_gid)
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return ServiceUser(entry.pw_uid, entry.pw_gid)
    raise EngineError(
        "PostgreSQL does not run as root, and there is no user postgres or nobody to run it as: create one"
    )


def reachable_data_dir(wanted: Path, user: ServiceUser) -> Path:
    """The folder for the data: `wanted`, or the target of a link at that place if `user` cannot reach `wanted`.

    `wanted` need not exist; its parent must.
    """
    if wanted.is_symlink():
        return wanted.resolve()
    if user.uid is None or user.can("x", wanted.parent):
        return wanted
    if wanted.exists():
        raise EngineError(
            f"{wanted} cannot be reached by the user with id {user.uid} that owns it: move it elsewhere or set DATA_DIR"
        )
    target = _state_dir() / f"{wanted.name}-{secrets.token_hex(6)}"  # never a name that was used before: a link decides
    wanted.symlink_to(target)
    return target


def reachable_binaries(bin_dir: Path, user: ServiceUser) -> Path:
    """A folder with the same PostgreSQL binaries that `user` can execute: `bin_dir` itself, or a copy made once."""
    share = next((bin_dir.parent / "share").rglob("postgres.bki"), None)
    if user.can("x", bin_dir / "postgres") and (share is None or user.can("r", share)):
        return bin_dir
    inside = Path(*bin_dir.parts[-3:-1])
    digest = hashlib.sha256(bytes(inside) + (bin_dir / "postgres").read_bytes()).hexdigest()[:16]
    copy = _state_dir() / f"postgresql-{digest}"
    if not copy.exists():
        fresh = copy.with_name(f"{copy.name}.{secrets.token_hex(4)}")
        try:
            # A wheel's libraries lie in a folder beside its package, where the binaries look for them.
            package = bin_dir.parents[1]
            beside = package.with_name(f"{package.name}.libs")
            if beside.is_dir():
                shutil.copytree(beside, fresh / beside.name, symlinks=True)
            for part in ("bin", "lib", "share"):
                shutil.copytree(bin_dir.parent / part, fresh / inside / part, symlinks=True)
            for path in (fresh, *fresh.rglob("*")):
                if not path.is_symlink():
                    mode = path.stat().st_mode
                    path.chmod(0o755 if path.is_dir() or mode & stat.S_IXUSR else 0o644)
            fresh.rename(copy)
        except OSError as error:
            shutil.rmtree(fresh, ignore_errors=True)
            if not copy.exists():  # if it exists, another start was faster
                raise EngineError(f"cannot copy PostgreSQL to {copy}: {error.strerror or error}") from None
    return copy / inside / "bin"


def runtime_dir(data_dir: Path, user: ServiceUser) -> Path:
    """The private folder for an engine's socket, created if need be.

    Its name depends on the data's place and on who starts the engine. It is the same in every shell, so it is not in
    $TMPDIR or $XDG_RUNTIME_DIR, which differ. It is short, because a socket's path may have only 107 bytes.
    Raises EngineError if somebody else owns it.
    """
    path = _runtime_path(data_dir)
    owner = os.geteuid() if user.uid is None else user.uid
    try:
        path.mkdir(mode=0o700)
        if user.uid is not None:
            path.chmod(0o755)  # the engine's user owns it and root connects; PostgreSQL checks who connects (peer)
        user.give(path)
    except FileExistsError:
        pass
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner or found.st_mode & 0o022:
        raise EngineError(f"{path} is not a private folder of the user with id {owner}: remove it and start again")
    return path


def _runtime_path(data_dir: Path) -> Path:
    digest = hashlib.sha256(os.fsencode(data_dir.absolute())).hexdigest()[:12]
    return Path("/tmp") / f"sms_service-{os.geteuid()}-{digest}"  # noqa: S108 - its owner and mode are checked


def known_runtime_dir(data_dir: Path) -> Path:
    """The folder of the socket of an engine with this data, if it runs; creates nothing."""
    return _runtime_path(data_dir)


def _state_dir() -> Path:
    make_folder(STATE_DIR)
    try:
        STATE_DIR.chmod(0o755)
    except OSError as error:
        raise EngineError(
            f"cannot use {STATE_DIR}: {error.strerror}; set DATA_DIR to a folder that others may enter"
        ) from None
    return STATE_DIR
