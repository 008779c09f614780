"""`GET /health`: whether this process can work, for supervisors and load balancers; no secrets, no log-in."""

from __future__ import annotations

import logging
from typing import Any

from flask import Blueprint
from redis.exceptions import RedisError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from sms_service.web.context import Context, current_context

log = logging.getLogger(__name__)

blueprint = Blueprint("health", __name__)


@blueprint.get("/health")
def health() -> tuple[dict[str, Any], int]:
    """200 if the database answers, else 503. Without Redis the API still works, so a dead Redis is named, but with
    200.
    """
    context = current_context()
    database, redis = _database(context), _redis(context)
    status = "ok" if (database, redis) == ("ok", "ok") else "degraded" if database == "ok" else "down"
    return {"status": status, "database": database, "redis": redis}, 200 if database == "ok" else 503


def _database(context: Context) -> str:
    try:
        with context.database.transaction() as connection:
            connection.execute(text("SELECT 1"))
    except SQLAlchemyError as error:
        log.warning("health: the database does not answer (%s)", type(error).__name__)
        return "unreachable"
    return "ok"


def _redis(context: Context) -> str:
    if context.redis is None:
        return "not configured"
    try:
        context.redis.ping()
    except RedisError as error:
        log.warning("health: Redis does not answer (%s)", type(error).__name__)
        return "unreachable"
    return "ok"
