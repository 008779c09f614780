"""What gunicorn reads by itself when the web process is started in this folder: `gunicorn wsgi:app`."""

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
    # HOST and PORT as everywhere else: by itself gunicorn listens on all addresses as soon as PORT is set.
    bind = f"[{_ours.host}]:{_ours.port}" if ":" in _ours.host else f"{_ours.host}:{_ours.port}"


def post_fork(server: Any, worker: Any) -> None:
    """A master that was killed takes its workers along.

    They would otherwise keep the port, without accepting anything, until their callers let go of connections that are
    kept alive or 30 s have passed; a new master could not listen meanwhile. To a web worker's death nothing is lost.
    """
    die_with_parent(signal.SIGKILL, server.pid)()
