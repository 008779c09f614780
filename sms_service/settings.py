"""The settings of an installation: read once from the environment and `.env`, checked, then passed on."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dotenv import dotenv_values

SHORTEST_KEY = 32  # characters


class BadSetting(Exception):
    """A setting cannot be used; the message names it, its value (never a secret) and what would be right."""


@dataclass(frozen=True, slots=True)
class Settings:
    """One process's settings.

    `database_url`, `redis_url`: None means the embedded engines under `data_dir`. `migration_database_url`: the owner's
    login, by default `database_url`. `public_url`: where providers reach our callbacks, without a trailing slash.
    `rate_limit`: how many API requests one token may make. `trusted_proxies`: how many of our own reverse proxies are
    in front of the web process; each adds the caller's address to X-Forwarded-For. `no_receipt_hours`: an accepted text
    without a receipt for so long ends as `no_receipt`. `trusted_hosts`: the only host names by which the web process
    may be called (empty: any). `list_days`: how long the rows of a list for one campaign are kept after its last run.
    `redact_after_days`: phone and text of messages and replies are emptied after so many days where the unit says
    nothing of its own (0: never); `raw_days`: what providers sent is kept for so long as it came.
    `answers_a_day`: to so many of a phone's replies of one day the service answers by itself.
    `stop_confirmations`: a reply that stops texts, or lets them come again, is confirmed by a text.
    `allow_plain_http`: people may log in to the console without https from elsewhere too. `private_receivers`: hosts,
    or hosts with a port, to which we may post although they are within a network of our own, and without https.
    `exports_dir`: where the files of ledger exports are, `export_days`: for how long they are kept. `channels_keys`:
    what addresses and secrets of channels are sealed with; the first seals, each can open.
    """

    root: Path
    data_dir: Path
    database_url: str | None
    migration_database_url: str | None
    redis_url: str | None
    host: str
    port: int
    simulator_port: int
    workers: int
    public_url: str
    gateways_file: Path
    log_level: str
    rate_limit: str = "600 per minute"
    trusted_proxies: int = 0
    no_receipt_hours: int = 72
    list_days: int = 30
    redact_after_days: int = 0
    raw_days: int = 90
    answers_a_day: int = 5
    stop_confirmations: bool = True
    trusted_hosts: tuple[str, ...] = ()
    allow_plain_http: bool = False
    private_receivers: tuple[str, ...] = ()
    exports_dir: Path = Path("var/exports")
    export_days: int = 7
    channels_keys: tuple[str, ...] = field(default=(), repr=False)


def load_settings(environ: Mapping[str, str] | None = None, root: Path | None = None) -> Settings:
    """Settings from `environ` (by default the process's own) over the file `ENV_FILE`, by default `<root>/.env`.

    Raises BadSetting if one cannot be used.
    """
    root = (root or Path.cwd()).resolve()
    env = read_environment(environ, root)
    host = env.get("HOST", "127.0.0.1")
    port = _number(env, "PORT", 8000, 1, 65535)
    data_dir = Path(env.get("DATA_DIR", root / "var")).resolve()
    database_url = _url(env, "DATABASE_URL", ("postgresql", "postgres"))
    return Settings(
        root=root,
        data_dir=data_dir,
        database_url=database_url,
        migration_database_url=_url(env, "MIGRATION_DATABASE_URL", ("postgresql", "postgres")) or database_url,
        redis_url=_url(env, "REDIS_URL", ("redis", "rediss", "unix")),
        host=host,
        port=port,
        simulator_port=_number(env, "SIMULATOR_PORT", 8001, 1, 65535),
        workers=_number(env, "WORKERS", 2, 0, 64),
        public_url=env.get("PUBLIC_URL", f"http://{host}:{port}").rstrip("/"),
        gateways_file=Path(env.get("GATEWAYS_FILE", root / "gateways.toml")).resolve(),
        log_level=env.get("LOG_LEVEL", "INFO").upper(),
        rate_limit=_rate(env, "RATE_LIMIT", "600 per minute"),
        trusted_proxies=_number(env, "TRUSTED_PROXIES", 0, 0, 10),
        no_receipt_hours=_number(env, "NO_RECEIPT_HOURS", 72, 1, 720),
        list_days=_number(env, "LIST_DAYS", 30, 1, 365),
        redact_after_days=_redaction(env),
        raw_days=_number(env, "RAW_DAYS", 90, 30, 3650),
        answers_a_day=_number(env, "ANSWERS_A_DAY", 5, 0, 100),
        stop_confirmations=_switch(env, "STOP_CONFIRMATIONS", default="1"),
        trusted_hosts=_hosts(env, "TRUSTED_HOSTS"),
        allow_plain_http=_switch(env, "ALLOW_PLAIN_HTTP"),
        private_receivers=_hosts(env, "PRIVATE_RECEIVERS"),
        exports_dir=Path(env.get("EXPORTS_DIR", data_dir / "exports")).resolve(),
        export_days=_number(env, "EXPORT_DAYS", 7, 1, 90),
        channels_keys=_keys(env, "CHANNELS_KEY"),
    )


def read_environment(environ: Mapping[str, str] | None = None, root: Path | None = None) -> dict[str, str]:
    """Every variable that is not empty: `environ` (by default the process's own) over the file that `load` names."""
    given = {k: v for k, v in (os.environ if environ is None else environ).items() if v}
    dotenv = dotenv_values((root or Path.cwd()).resolve() / given.get("ENV_FILE", ".env"))
    return {**{k: v for k, v in dotenv.items() if v}, **given}


def _number(env: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    value = env.get(name, str(default))
    if not (value.isascii() and value.isdecimal()) or not low <= int(value) <= high:
        raise BadSetting(f"{name} is {value!r}; it must be a whole number from {low} to {high}")
    return int(value)


def _redaction(env: Mapping[str, str]) -> int:
    days = _number(env, "REDACT_AFTER_DAYS", 0, 0, 3650)
    if 0 < days < 30:
        raise BadSetting(f"REDACT_AFTER_DAYS is '{days}'; it must be 0 (never) or a whole number from 30 to 3650")
    return days


def _rate(env: Mapping[str, str], name: str, default: str) -> str:
    value = env.get(name, default)
    if not re.fullmatch(r"[1-9][0-9]{0,8} per (second|minute|hour|day)", value):
        raise BadSetting(f"{name} is {value!r}; it must be like '600 per minute' (second, minute, hour or day)")
    return value


def _hosts(env: Mapping[str, str], name: str) -> tuple[str, ...]:
    hosts = tuple(host.strip() for host in env.get(name, "").split(",") if host.strip())
    for host in hosts:
        if not re.fullmatch(r"\.?[A-Za-z0-9:\[\]][A-Za-z0-9.:\[\]-]*", host):
            raise BadSetting(f"{name} has {host!r}; it must be names like 'sms.example.cn', commas between")
    return hosts


def _keys(env: Mapping[str, str], name: str) -> tuple[str, ...]:
    keys = tuple(key.strip() for key in env.get(name, "").split(",") if key.strip())
    if any(len(key) < SHORTEST_KEY for key in keys):
        raise BadSetting(f"{name} must be secrets of at least {SHORTEST_KEY} characters, commas between")
    return keys


def _switch(env: Mapping[str, str], name: str, default: str = "0") -> bool:
    value = env.get(name, default)
    if value not in ("0", "1"):
        raise BadSetting(f"{name} is {value!r}; it must be 0 or 1")
    return value == "1"


def _url(env: Mapping[str, str], name: str, schemes: tuple[str, ...]) -> str | None:
    value = env.get(name)
    if value and value.split(":", 1)[0] not in schemes:
        raise BadSetting(f"{name} must start with {' or '.join(s + '://' for s in schemes)}")
    return value
