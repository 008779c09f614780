"""The engines of an installation that names none: PostgreSQL and Redis as child processes, their data under `var/`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from sms_service.embedded.placement import known_runtime_dir
from sms_service.embedded.postgres import PostgresServer
from sms_service.embedded.process import EngineError, FolderLock
from sms_service.embedded.redis import RedisServer
from sms_service.settings import Settings

__all__ = [
    "DATABASE_NAME",
    "EngineError",
    "Engines",
    "FolderLock",
    "PostgresServer",
    "RedisServer",
    "with_running_engines",
]

DATABASE_NAME = "sms_service"


class Engines:
    """The engines that `settings` does not name. An engine that it names is used as it is, and never started or
    stopped.

    The caller holds the data folder's FolderLock. After `start`, `settings` names every engine.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        logs = settings.data_dir / "log"
        self.postgres = (
            None if settings.database_url else PostgresServer(_postgres_dir(settings), log=logs / "postgres.log")
        )
        self.redis = None if settings.redis_url else RedisServer(_redis_dir(settings), log=logs / "redis.log")

    @property
    def database_admin_url(self) -> str | None:
        """The embedded PostgreSQL's superuser; None if `DATABASE_URL` names another."""
        return self.postgres.url if self.postgres else None

    def start(self) -> None:
        """Start the embedded engines. Raises EngineError; then none of them runs."""
        try:
            if self.postgres:
                self.postgres.start()
            if self.redis:
                self.redis.start()
        except BaseException:
            self.stop()
            raise
        self.settings = _named(self.settings)

    def stop(self) -> None:
        """Stop the embedded engines: Redis, then PostgreSQL."""
        if self.redis:
            self.redis.stop()
        if self.postgres:
            self.postgres.stop()

    def destroy(self) -> None:
        """Stop the embedded engines and remove their data for good."""
        if self.redis:
            self.redis.destroy()
        if self.postgres:
            self.postgres.destroy()


def with_running_engines(settings: Settings) -> Settings:
    """The same settings with the URLs of the embedded engines running on `data_dir`, for another process of this user.

    Raises EngineError if one that is needed does not run.
    """
    needed: list[Path] = []
    if not settings.database_url:
        needed.append(known_runtime_dir(_postgres_dir(settings)) / ".s.PGSQL.5432")
    if not settings.redis_url:
        needed.append(known_runtime_dir(_redis_dir(settings)) / "redis.sock")
    if not all(path.is_socket() for path in needed):
        raise EngineError(
            f"no service runs on {settings.data_dir}: start it with `make run`, or set DATABASE_URL and REDIS_URL"
        )
    return _named(settings)


def _named(settings: Settings) -> Settings:
    postgres = PostgresServer(_postgres_dir(settings))
    return replace(
        settings,
        database_url=settings.database_url or postgres.url_of("sms_app", DATABASE_NAME),
        migration_database_url=settings.migration_database_url or postgres.url_of("sms_owner", DATABASE_NAME),
        redis_url=settings.redis_url or RedisServer(_redis_dir(settings)).url,
    )


def _postgres_dir(settings: Settings) -> Path:
    return settings.data_dir / "postgres"


def _redis_dir(settings: Settings) -> Path:
    return settings.data_dir / "redis"
