"""The environment of the service's processes; the same for everybody who starts one."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from sms_service.embedded.process import make_folder
from sms_service.ops.errors import OperationError
from sms_service.settings import Settings, read_environment


def service_variables(settings: Settings) -> dict[str, str]:
    """Our own environment, every engine's address as `settings` names it, and the secrets that the service makes.

    Raises OperationError if a secret can be neither read nor made.
    """
    given = read_environment(root=settings.root)
    own = {
        "DATABASE_URL": settings.database_url or "",
        "REDIS_URL": settings.redis_url or "",
        "PUBLIC_URL": settings.public_url,
        "DATA_DIR": str(settings.data_dir),
        "GATEWAYS_FILE": str(settings.gateways_file),
        "HOST": settings.host,
        "PORT": str(settings.port),
        "SIMULATOR_PORT": str(settings.simulator_port),
        "SIMULATOR_URL": given.get("SIMULATOR_URL") or f"http://127.0.0.1:{settings.simulator_port}",
        "CHANNELS_KEY": given.get("CHANNELS_KEY") or kept_secret(settings.data_dir, "CHANNELS_KEY"),
        "SIMULATOR_SECRET": given.get("SIMULATOR_SECRET") or kept_secret(settings.data_dir, "SIMULATOR_SECRET"),
        "ENV_FILE": os.devnull,  # the file has been read already
        "PYTHONUNBUFFERED": "1",
    }
    # Only processes that migrate get the schema owner's login.
    return {name: value for name, value in {**given, **own}.items() if name != "MIGRATION_DATABASE_URL"}


def kept_secret(data_dir: Path, name: str) -> str:
    """A secret of this installation, made once and stored in `secrets.env`, which only its owner may read.

    Raises OperationError if the file can be neither read nor written.
    """
    path = data_dir / "secrets.env"
    make_folder(data_dir)
    try:
        lines = path.read_text(encoding="ascii").splitlines() if path.exists() else []
        known = dict(line.split("=", 1) for line in lines if "=" in line)
        if name not in known:
            known[name] = secrets.token_urlsafe(32)
            fresh = path.with_name(f"{path.name}.{os.getpid()}")
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as output:
                output.writelines(f"{key}={value}\n" for key, value in known.items())
            fresh.replace(path)
    except OSError as error:
        raise OperationError(f"the secrets in {path} cannot be used: {error.strerror}") from None
    return known[name]
