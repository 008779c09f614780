"""When a peer that vanished without a word is noticed: on both ends of every connection of the service.

Without this a connection that waits for its peer believes for two hours in a host that is gone, and one on which
something is under way for a quarter of an hour. On a Unix socket, where no host can vanish, none of it means anything.
"""

from __future__ import annotations

import socket
from typing import Any

# A peer that is silent for so many seconds is asked by the kernel, and again after each interval; it may leave out so
# many answers.
IDLE_S, INTERVAL_S, COUNT = 10, 5, 3
# So many seconds after the last sign of life the connection ends: also one on which something was sent that the peer
# does not acknowledge, or cannot take because it reads nothing.
NOTICED_S = IDLE_S + INTERVAL_S * COUNT
# PostgreSQL looks so often, in seconds, whether the one for whom a long statement runs, or waits, is still there.
CHECK_S = 10

# Levels, names and values for setsockopt. What a system lacks is left out (TCP_USER_TIMEOUT is Linux's).
SOCKET_OPTIONS: list[tuple[int, int, int]] = [
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    *(
        (socket.IPPROTO_TCP, getattr(socket, name), value)
        for name, value in (
            ("TCP_KEEPIDLE", IDLE_S),
            ("TCP_KEEPINTVL", INTERVAL_S),
            ("TCP_KEEPCNT", COUNT),
            ("TCP_USER_TIMEOUT", NOTICED_S * 1000),
        )
        if hasattr(socket, name)
    ),
]
# libpq's parameters: our end of a connection to PostgreSQL.
LIBPQ_PARAMETERS: dict[str, int] = {
    "keepalives": 1,
    "keepalives_idle": IDLE_S,
    "keepalives_interval": INTERVAL_S,
    "keepalives_count": COUNT,
    "tcp_user_timeout": NOTICED_S * 1000,
}
# PostgreSQL's settings: the server's end. Any login may set them for its own sessions.
POSTGRES_SETTINGS: dict[str, str] = {
    "tcp_keepalives_idle": f"{IDLE_S}s",
    "tcp_keepalives_interval": f"{INTERVAL_S}s",
    "tcp_keepalives_count": f"{COUNT}",
    "tcp_user_timeout": f"{NOTICED_S}s",
    "client_connection_check_interval": f"{CHECK_S}s",
}
# Redis' setting: the server's end. It asks after so many seconds, then three times a third of them apart.
REDIS_SETTINGS: dict[str, str] = {"tcp-keepalive": str(IDLE_S)}


def set_keepalive(connection: Any) -> None:
    """Let this socket, or asyncio's stand-in for one, notice that its peer is gone."""
    if connection.family != getattr(socket, "AF_UNIX", None):
        for level, option, value in SOCKET_OPTIONS:
            connection.setsockopt(level, option, value)


def open_keepalive_socket(address: tuple[Any, Any, int, str, Any]) -> socket.socket:
    """A socket for aiohttp (`socket_factory`), for an address as getaddrinfo gives it."""
    opened = socket.socket(*address[:3])
    set_keepalive(opened)
    return opened


def redis_keepalive(url: str) -> dict[str, Any]:
    """What a Redis client of `url` is given: our end of its connections."""
    if url.startswith("unix:"):
        return {}
    options = {option: value for level, option, value in SOCKET_OPTIONS if level == socket.IPPROTO_TCP}
    return {"socket_keepalive": True, "socket_keepalive_options": options}
