"""Where acts come from at this moment: the doors say so, and the trail writes it down."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

SERVICE = "service"  # a worker, the clock, or another process of ours
SHELL = "shell"

_ORIGIN = ContextVar("origin", default=SERVICE)


def name_origin() -> str:
    """The address of the request that is being answered, `shell` or `service`."""
    return _ORIGIN.get()


@contextmanager
def come_from(origin: str) -> Iterator[None]:
    """Acts within come from there."""
    token = _ORIGIN.set(origin)
    try:
        yield
    finally:
        _ORIGIN.reset(token)
