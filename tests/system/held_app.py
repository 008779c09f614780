"""A WSGI application for tests of the web process: pages wait until a callback releases them.

`GATE` names a FIFO: /gate answers with what is written into it. `HURRY`: requests have to be whole at once.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from sms_service.ops import web_worker

released = threading.Event()

if "HURRY" in os.environ:
    web_worker.READING_S = 0
    web_worker._SMALL.cleanup_interval = 0


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Pages wait; a callback releases them and answers without a body; all else answers with its path and body."""
    path = environ["PATH_INFO"]
    if path == "/page":
        released.wait(60)
    elif path == "/callbacks/release":
        released.set()
        start_response("204 No Content", [])
        return [b""]
    elif path == "/gate":
        path = Path(os.environ["GATE"]).read_text()
    answer = path.encode() + b" " + environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Length", str(len(answer)))])
    return [answer]
