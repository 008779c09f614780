"""An installation for one use: its own folder, free ports, nothing left behind."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from sms_service.ops.supervisor import free_port
from sms_service.settings import Settings


@contextmanager
def throwaway(settings: Settings) -> Iterator[Settings]:
    """The same settings with a new data folder, removed at the end, and free ports.

    Engines that `settings` names are used as they are. Data that a Supervisor placed elsewhere is removed by its
    `destroy`.
    """
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="sms_service-demo-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)  # root's PostgreSQL runs as another user, who has to pass through the folder
        yield replace(
            settings,
            data_dir=Path(folder),
            port=port,
            simulator_port=free_port(),
            public_url=f"http://{settings.host}:{port}",
        )
