"""gunicorn's settings, which it reads by itself when the web process is started in this folder: `gunicorn wsgi:app`."""

from __future__ import annotations

import signal
from contextlib import suppress
from typing import Any

from sms_service import settings
from sms_service.embedded.process import die_with_parent

workers = 2
worker_class = "sms_service.ops.web_worker.BufferingWorker"

with suppress(settings.BadSetting):  # wsgi.py says in one line what is wrong
    _ours = settings.load_settings()
    # HOST and PORT mean the same as everywhere else; gunicorn alone would listen on all addresses once PORT is set.
    bind = f"[{_ours.host}]:{_ours.port}" if ":" in _ours.host else f"{_ours.host}:{_ours.port}"


def post_fork(server: Any, worker: Any) -> None:
    """Let the workers die together with a master that is killed.

    Otherwise they would keep the port without accepting anything, until their callers close their connections or 30 s
    have passed, and a new master could not listen. When a web worker dies, nothing is lost.
    """
    die_with_parent(signal.SIGKILL, server.pid)()
