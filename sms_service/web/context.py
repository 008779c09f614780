"""What one process's web application works with, at `app.extensions["sms_service"]`."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import cast

from flask import current_app
from redis import Redis

from sms_service.db.engine import Database
from sms_service.dispatch.pace import Pace, connect_pace
from sms_service.gateways.config import BadGatewayConfig, GatewayConfig
from sms_service.gateways.registry import Gateways
from sms_service.keepalive import redis_keepalive
from sms_service.settings import Settings, read_environment

EXTENSION = "sms_service"


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Context:
    """Settings and engines of the process. Clock and randomness are fields, so that a test can replace them.

    `clock` gives an aware time; `random_bytes(n)` gives n bytes fit for secrets. `redis` and `gateways` are made when
    they are first used.
    """

    settings: Settings
    database: Database
    clock: Callable[[], datetime] = _utc_now
    random_bytes: Callable[[int], bytes] = secrets.token_bytes

    @cached_property
    def redis(self) -> Redis | None:
        """The client of Redis, or None if no REDIS_URL is set; it connects when it is first used."""
        if self.settings.redis_url is None:
            return None
        return Redis.from_url(
            self.settings.redis_url,
            **redis_keepalive(self.settings.redis_url),
            socket_timeout=2,
            socket_connect_timeout=2,
        )

    @cached_property
    def pace(self) -> Redis | None:
        """A client of the same Redis for a `Pace`; it gives up at once if Redis does not answer."""
        return None if self.settings.redis_url is None else connect_pace(self.settings.redis_url)

    @cached_property
    def gateways(self) -> Gateways:
        """The accounts of gateways.toml and their adapters. Raises gateways.config.BadGatewayConfig."""
        return Gateways.from_file(
            self.settings.gateways_file, self.settings.public_url, read_environment(root=self.settings.root)
        )


def current_pace(gateways: Gateways) -> Pace | None:
    """How fast these gateways' accounts may go at present; None where no Redis is named."""
    redis = current_context().pace
    return None if redis is None else Pace(redis, gateways.rates())


def gateways_or_none() -> Gateways:
    """The accounts of gateways.toml; none if it cannot be read: then no worker can read it either, and `doctor` says
    what is wrong.
    """
    try:
        return current_context().gateways
    except BadGatewayConfig:
        return Gateways(GatewayConfig({}, {}), "")


def current_context() -> Context:
    """The context of the application that serves the present request."""
    return cast(Context, current_app.extensions[EXTENSION])
