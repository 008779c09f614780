"""POSTs JSON to addresses that people type in: robots of group chats, webhooks. Each POST is made once.

Nobody may reach our own network by such an address. So the address is https, its name is looked up here, every address
that it has is checked, and the connection goes to one of those that were checked; a redirect is an answer and is not
followed; time and size of the answer are bounded, and a compressed one is not unpacked. Hosts that an installation
names (`PRIVATE_RECEIVERS`) may be within its own network and speak plain http.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from enum import StrEnum
from urllib.parse import SplitResult, urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from sms_service.gateways.http_client import HttpClient, HttpRequest, NotWritten, Result, boot_clock
from sms_service.keepalive import open_keepalive_socket

LONGEST_ADDRESS = 2000  # characters
TOTAL_TIMEOUT_S = 15.0
FORBIDDEN = "the address is within a network of our own"  # reason of a NotWritten
_HEADERS = {
    "Content-Type": "application/json; charset=utf-8",
    "Accept-Encoding": "identity",
    "User-Agent": "sms_service",
}
_LABEL = "[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?"
_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(\.{_LABEL})*\.?")
_GLOBAL_V6 = ipaddress.IPv6Network("2000::/3")  # what is given to anybody; the rest is special
_CARRIES_V4 = (ipaddress.IPv6Network("2002::/16"), ipaddress.IPv6Network("2001::/32"))  # 6to4, Teredo


class AddressFault(StrEnum):
    """Why nothing can be posted to an address."""

    malformed = "malformed"  # characters, a host or a port that no address has, or too long
    incomplete = "incomplete"  # not all of it, from https:// on
    superfluous = "superfluous"  # a user before the host, or something after #
    plain = "plain"  # without https, and no host that may do without
    private = "private"  # within a network of our own


Resolve = Callable[[str, int], Collection[str]]


class ForbiddenAddress(OSError):
    """A name has an address to which nothing may be posted."""


def resolve_name(host: str, port: int) -> Collection[str]:
    """The numeric addresses of a name, as the system knows them. Raises OSError."""
    return {str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}


def is_public(address: str) -> bool:
    """Whether a numeric address is one of the internet's: not of a private or local network, not special, and none that
    carries an IPv4 address within, since that one could be private.
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:  # also fe80::1%eth0
        return False
    if isinstance(found, ipaddress.IPv6Address):
        return found in _GLOBAL_V6 and found.is_global and not any(found in one for one in _CARRIES_V4)
    return found.is_global and not found.is_multicast


def check_address(address: str, allowed: Collection[str] = ()) -> AddressFault | None:
    """Why nothing can be posted to this address; None: it can be, as far as its text tells. `allowed`: hosts, or hosts
    with a port, that may be private and need no https.
    """
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError:
        return AddressFault.malformed
    if len(address) > LONGEST_ADDRESS or not re.fullmatch(r"[\x21-\x7e]+", address) or "\\" in address:
        return AddressFault.malformed
    if parts.scheme not in ("https", "http") or not host or port == 0:
        return AddressFault.incomplete
    if parts.username is not None or parts.password is not None or parts.fragment:
        return AddressFault.superfluous
    named = _is_named(parts, allowed)
    if parts.scheme == "http" and not named:
        return AddressFault.plain
    numeric = ":" in host or host.rstrip(".").replace(".", "").isdigit()
    if not numeric:
        return None if _NAME.fullmatch(host) else AddressFault.malformed
    with suppress(ValueError):
        ipaddress.ip_address(host)
        if named or is_public(host):
            return None
    return AddressFault.private


class JsonPoster:
    """Posts JSON, from any number of threads; `in_flight` of them at once.

    `allowed`: see `check_address`. `total_timeout_s` bounds a whole POST; nothing is written in its second half.
    `resolve` and `clock` are passed in by tests.
    """

    def __init__(
        self,
        allowed: Collection[str] = (),
        *,
        in_flight: int = 8,
        total_timeout_s: float = TOTAL_TIMEOUT_S,
        resolve: Resolve = resolve_name,
        clock: Callable[[], float] = boot_clock,
    ) -> None:
        self._allowed = frozenset(one.lower() for one in allowed)
        # Names are looked up by threads of this client alone, so that a name server that hangs holds nobody else up.
        self._names = ThreadPoolExecutor(in_flight, thread_name_prefix="names")
        self._resolve = resolve
        self._client = HttpClient(
            in_flight=in_flight,
            total_timeout_s=total_timeout_s,
            decompresses=False,
            connector=self._open_connector,
            clock=clock,
        )

    def post_json(self, address: str, body: bytes, headers: Mapping[str, str] | None = None) -> Result:
        """POST the body, once: what was answered, `NotWritten` if it surely did not leave, or `NoAnswer` if it may have
        arrived. A redirect is an answer like any other.
        """
        if check_address(address, self._allowed) is not None:
            return NotWritten(FORBIDDEN)
        request = HttpRequest("POST", address, {**_HEADERS, **(headers or {})}, body=body)
        [result] = self._client.send_all([request])
        if isinstance(result, NotWritten) and ForbiddenAddress.__name__ in result.reason:
            return NotWritten(FORBIDDEN)
        return result

    def close(self) -> None:
        """Close what is open; a look-up of a name under way is not waited for."""
        self._client.close()
        self._names.shutdown(wait=False, cancel_futures=True)

    def _open_connector(self) -> aiohttp.BaseConnector:
        # Each POST has a connection of its own: one that is kept may be closed by the other side while we write.
        return aiohttp.TCPConnector(
            limit=0,
            force_close=True,
            use_dns_cache=False,
            resolver=_CheckingResolver(self._look_up),
            socket_factory=open_keepalive_socket,
        )

    async def _look_up(self, host: str, port: int) -> Sequence[str]:
        found = await asyncio.get_running_loop().run_in_executor(self._names, self._resolve, host, port)
        named = _is_allowed(host, port, self._allowed)
        if not named and not all(map(is_public, found)):
            raise ForbiddenAddress("a private address")
        return sorted(found)


class _CheckingResolver(AbstractResolver):
    """Gives the connection the addresses that were checked, and no name."""

    def __init__(self, look_up: Callable[[str, int], Awaitable[Sequence[str]]]) -> None:
        self._look_up = look_up

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses of a host. Raises ForbiddenAddress, or OSError where it has none."""
        return [
            ResolveResult(
                hostname=host,
                host=one,
                port=port,
                family=socket.AF_INET6 if ":" in one else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for one in await self._look_up(host, port)
        ]

    async def close(self) -> None:
        """Nothing is held."""


def _is_named(parts: SplitResult, allowed: Collection[str]) -> bool:
    return _is_allowed(parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80), allowed)


def _is_allowed(host: str, port: int, allowed: Collection[str]) -> bool:
    shown = f"[{host}]" if ":" in host else host
    return not {shown.lower(), f"{shown}:{port}".lower()}.isdisjoint(allowed)
