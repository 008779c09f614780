"""Applications that tests use one after the other: the hundreds of addresses of each take a quarter of a second."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path

from flask import Blueprint, Flask

from sms_service import settings
from sms_service.api import create_app
from sms_service.db.engine import Database
from sms_service.replies.answering import limit_answers
from sms_service.web.context import EXTENSION, Context

_free: dict[tuple[Blueprint, ...], list[Flask]] = {}
_lent: list[tuple[tuple[Blueprint, ...], Flask]] = []


def lend_app(
    environ: dict[str, str],
    folder: Path,
    database: Database,
    doors: Iterable[Blueprint] = (),
    clock: Callable[[], datetime] | None = None,
    random_bytes: Callable[[int], bytes] | None = None,
) -> Flask:
    """An application for this test alone, with settings of its own. What it keeps between requests is in its context
    and its limits, so those are new. Settings that `create_app` itself follows are not for a lent one.
    """
    key = tuple(doors)
    configuration = settings.load_settings(environ, folder)
    plain = settings.load_settings({}, folder)
    for name in ("rate_limit", "redis_url", "trusted_hosts", "trusted_proxies"):
        assert getattr(configuration, name) == getattr(plain, name), name
    if kept := _free.get(key):
        app = kept.pop()
        limit_answers(configuration.answers_a_day)
        app.extensions["sms_service.limiter"].reset()
    else:
        app = create_app(configuration, database, doors=key)
    app.extensions[EXTENSION] = context = Context(configuration, database)
    context.clock = clock or context.clock
    context.random_bytes = random_bytes or context.random_bytes
    _lent.append((key, app))
    return app


def take_apps_back() -> None:
    """Whatever was lent can be lent to the next test."""
    for key, app in _lent:
        _free.setdefault(key, []).append(app)
    _lent.clear()
