"""`python -m benchmarks.counting_worker FILE`: `worker.py`, which also writes to FILE how many SQL statements it has
sent: eight bytes in the machine's byte order. BEGIN, COMMIT and the pool's connection checks are not counted.
"""

from __future__ import annotations

import mmap
import struct
import sys
import threading
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event

import worker

_COUNT = struct.Struct("=Q")


def count_in(path: Path) -> None:
    """Count in `path` what all of this process's engines send from now on."""
    path.write_bytes(bytes(_COUNT.size))
    with path.open("r+b") as file:
        memory = mmap.mmap(file.fileno(), _COUNT.size)
    lock = threading.Lock()  # the worker has several threads
    sent = 0

    @event.listens_for(Engine, "before_cursor_execute")
    def count(*_: Any) -> None:
        nonlocal sent
        with lock:
            sent += 1
            _COUNT.pack_into(memory, 0, sent)


def counted(path: Path) -> int:
    """How many statements the worker that was given this file has sent so far."""
    number: int = _COUNT.unpack(path.read_bytes())[0]
    return number


if __name__ == "__main__":
    count_in(Path(sys.argv[1]))
    sys.exit(worker.main())
