"""How soon both ends of every connection of the service notice that the peer has vanished without closing it.

Without this, a connection that waits for its peer notices after two hours that the host is gone, and one that is
sending after a quarter of an hour. Unix sockets need none of this, since no host can vanish there.
"""

from __future__ import annotations

import socket
from typing import Any

# The kernel asks a peer that has been silent for IDLE_S seconds, and again after each INTERVAL_S; COUNT answers may be
# missing.
IDLE_S, INTERVAL_S, COUNT = 10, 5, 3
# The connection ends so many seconds after the peer's last sign of life, also if the peer does not acknowledge what was
# sent, or cannot take it because it reads nothing.
NOTICED_S = IDLE_S + INTERVAL_S * COUNT
# Seconds after which PostgreSQL checks, again and again, that the client of a long statement is still there.
CHECK_S = 10

# Levels, names and values for setsockopt. Options that the system does not have are left out (TCP_USER_TIMEOUT is
# Linux's).
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
# Redis' setting: the server's end. It asks after so many seconds of silence, then three times, each after a third of
# that.
REDIS_SETTINGS: dict[str, str] = {"tcp-keepalive": str(IDLE_S)}


def set_keepalive(connection: Any) -> None:
    """Set the options with which this socket, or asyncio's wrapper of one, notices that its peer is gone."""
    if connection.family != getattr(socket, "AF_UNIX", None):
        for level, option, value in SOCKET_OPTIONS:
            connection.setsockopt(level, option, value)


def open_keepalive_socket(address: tuple[Any, Any, int, str, Any]) -> socket.socket:
    """A socket for aiohttp (`socket_factory`), for an address as getaddrinfo gives it."""
    opened = socket.socket(*address[:3])
    set_keepalive(opened)
    return opened


def redis_keepalive(url: str) -> dict[str, Any]:
    """The keyword arguments for a Redis client of `url`: our end of its connections."""
    if url.startswith("unix:"):
        return {}
    options = {option: value for level, option, value in SOCKET_OPTIONS if level == socket.IPPROTO_TCP}
    return {"socket_keepalive": True, "socket_keepalive_options": options}
