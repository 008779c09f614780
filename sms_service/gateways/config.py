"""`gateways.toml`: the gateway accounts and the routes over them.

    [accounts.<name>]
    adapter = "simulator"        # or twilio, null, or one that an installed package brings
    max_group = 100              # texts of one call to the gateway: how many one time-out can make unknown
    rate = 100                   # parts per second, over all workers; without it, what the adapter declares
    in_flight = 2                # groups that one worker has under way at once
    receipt_parts = "all"        # "one": the provider reports one part of a long text, which counts for the whole
    price_per_part = 3.5         # fen, by contract; without it nobody is told what a campaign costs
    longest_signature = 12       # characters of the longest signature that the carrier registers; without it, 16
    shared = true                # others send over it too: a stop that comes in there is said to all; without it, false
    policy = {…}                 # which texts the provider lets through: see policy.py
    …                            # the adapter's own options
    [routes]
    default = ["<name>", …]      # accounts in the order in which they are tried, or as tables:
    shared = [{account = "<name>", priority = 1, weight = 3}, {account = "<name>", priority = 1}]

The open accounts with a route's lowest `priority` are used, and share its texts by `weight`, which is 1 if not given.

`${NAME}` anywhere in a text stands for that variable of the environment; secrets must be written so. Files are named
relative to the folder of `gateways.toml`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from sms_service.gateways import discovery
from sms_service.gateways.options import BadOption, UnknownOption, marked, read_options
from sms_service.gateways.policy import FREE, Policy

DEFAULT_ROUTE = "default"
_OWN_KEYS = frozenset(
    {"adapter", "max_group", "rate", "in_flight", "receipt_parts", "price_per_part", "longest_signature", "policy"}
    | {"shared"}
)
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


class BadGatewayConfig(Exception):
    """The file cannot be used; the message names file, table and key and says what would be right, never a secret."""


@dataclass(frozen=True, slots=True)
class AccountConfig:
    """One gateway account. `options` is the adapter's own option object.

    `max_group`: the most texts in a group; `rate`: parts per second (None: what the adapter declares); `in_flight`: the
    groups that one worker has under way at once; `receipt_parts`: "all" if every part of a long text must be reported
    delivered, "one" if the provider reports one part for the whole. `price_per_part` is in fen (None: not known).
    `longest_signature`: characters. `policy`: which texts the provider lets through. `shared`: its numbers are those of
    other senders too, so that a reply that stops means every signature.
    """

    name: str
    adapter: str
    max_group: int
    rate: float | None
    in_flight: int
    options: Any = field(repr=False)
    receipt_parts: str = "all"
    price_per_part: float | None = None
    longest_signature: int = 16
    policy: Policy = FREE
    shared: bool = False


@dataclass(frozen=True, slots=True)
class ConfiguredMember:
    """The place of an account in a route. The open accounts with the lowest `priority` are used, and share the texts by
    `weight`.
    """

    account: str
    priority: int
    weight: int


@dataclass(frozen=True, slots=True)
class GatewayConfig:
    """Accounts by name, and routes by name, the members of each by priority, then by name."""

    accounts: Mapping[str, AccountConfig]
    routes: Mapping[str, tuple[ConfiguredMember, ...]]


def load_gateway_config(path: Path, environ: Mapping[str, str]) -> GatewayConfig:
    """The accounts and routes in the file at `path`, with `${NAME}` taken from `environ`.

    Raises BadGatewayConfig if anything in it cannot be used.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadGatewayConfig(f"{path}: there is no such file; gateways.toml names the gateway accounts") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadGatewayConfig(f"{path}: cannot be read: {error}") from None

    def fail(where: str, reason: str) -> BadGatewayConfig:
        return BadGatewayConfig(f"{path}: {where}: {reason}")

    for key in document.keys() - {"accounts", "routes"}:
        raise fail(key, "is not known here; known are [accounts.<name>] and [routes]")
    tables = document.get("accounts")
    if not isinstance(tables, dict) or not tables:
        raise fail("[accounts.<name>]", "at least one account is needed")
    accounts = {name: _account(name, table, environ, path.parent, fail) for name, table in tables.items()}
    return GatewayConfig(MappingProxyType(accounts), MappingProxyType(_routes(document.get("routes"), accounts, fail)))


_Fail = Callable[[str, str], BadGatewayConfig]


def _account(name: str, table: Any, environ: Mapping[str, str], folder: Path, fail: _Fail) -> AccountConfig:
    where = f"[accounts.{name}]"
    if not _NAME.fullmatch(name):
        raise fail(where, "an account's name is part of a URL: a-z, 0-9, - and _, at most 40 characters")
    if not isinstance(table, dict):
        raise fail(where, "must be a table")
    adapter = table.get("adapter")
    try:
        module = discovery.find_adapter(adapter) if isinstance(adapter, str) else None
    except discovery.BadAdapter as error:
        raise fail(f"{where} adapter", f"{adapter!r} {error}") from error
    if not isinstance(adapter, str) or module is None:
        raise fail(f"{where} adapter", f"is {adapter!r}; it must be one of {', '.join(discovery.adapter_names())}")
    max_group = _whole(table.get("max_group", 100), 1000, f"{where} max_group", fail)
    in_flight = _whole(table.get("in_flight", 2), 50, f"{where} in_flight", fail)
    rate = table.get("rate")
    if rate is not None and (type(rate) not in (int, float) or not 0 < rate <= 100_000):
        raise fail(f"{where} rate", f"is {rate!r}; it must be a number of parts per second, above 0, at most 100000")
    price = table.get("price_per_part")
    if price is not None and (type(price) not in (int, float) or not 0 <= price <= 10_000):
        raise fail(f"{where} price_per_part", f"is {price!r}; it must be a number of fen, from 0 to 10000")
    signature = table.get("longest_signature", 16)
    if type(signature) is not int or not 2 <= signature <= 16:
        raise fail(f"{where} longest_signature", f"is {signature!r}; it must be a whole number from 2 to 16")
    receipt_parts = table.get("receipt_parts", "all")
    if receipt_parts not in ("all", "one"):
        raise fail(f"{where} receipt_parts", f'is {receipt_parts!r}; it must be "all" or "one"')
    shared = table.get("shared", False)
    if type(shared) is not bool:
        raise fail(f"{where} shared", f"is {shared!r}; it must be true or false")
    policy = _policy(table.get("policy", {}), f"[accounts.{name}.policy]", fail)
    written = {key: value for key, value in table.items() if key not in _OWN_KEYS}
    for keys, value in marked("secret", module.Options, written):
        if not isinstance(value, str) or not _VARIABLE.fullmatch(value):
            reason = "is a secret, so it comes from the environment: write it as ${NAME}"
            raise fail(f"{where} {'.'.join(keys)}", reason)
    for keys, value in marked("template", module.Options, written):
        if isinstance(value, str) and _VARIABLE.search(value):
            reason = "is a template, which cannot hold ${NAME}: give the value a name in variables or secrets"
            raise fail(f"{where} {'.'.join(keys)}", reason)
    expanded = {key: _expand(value, environ, f"{where} {key}", fail) for key, value in written.items()}
    try:
        options = read_options(module.Options, expanded, folder)
    except BadOption as error:
        # Show what the file says, never the value of a variable: a misspelt key might be that of a secret.
        shown = "" if isinstance(error, UnknownOption) else _shown(written, error.keys)
        raise fail(f"{where} {error.key}", f"{shown}{error.reason}") from None
    return AccountConfig(
        name, adapter, max_group, rate, in_flight, options, receipt_parts, price, signature, policy, shared
    )


def _policy(table: Any, where: str, fail: _Fail) -> Policy:
    if not isinstance(table, dict):
        raise fail(where, "must be a table")
    try:
        return read_options(Policy, table)
    except BadOption as error:
        raise fail(f"{where} {error.key}", f"{_shown(table, error.keys)}{error.reason}") from None


def _expand(value: Any, environ: Mapping[str, str], where: str, fail: _Fail) -> Any:
    if isinstance(value, dict):
        return {key: _expand(one, environ, f"{where}.{key}", fail) for key, one in value.items()}
    if isinstance(value, list):
        return [_expand(one, environ, where, fail) for one in value]
    if not isinstance(value, str):
        return value

    def variable(match: re.Match[str]) -> str:
        if not environ.get(match[1]):
            raise fail(where, f"the environment variable {match[1]} is not set")
        return environ[match[1]]

    return _VARIABLE.sub(variable, value)


def _shown(written: Any, keys: tuple[str, ...]) -> str:
    """What the file says at `keys`, as the beginning of a sentence; empty if there is nothing or too much to show."""
    for key in keys:
        if not isinstance(written, dict) or key not in written:
            return ""
        written = written[key]
    return "" if isinstance(written, dict | list) or len(repr(written)) > 100 else f"is {written!r}; it "


def _routes(table: Any, accounts: Mapping[str, AccountConfig], fail: _Fail) -> dict[str, tuple[ConfiguredMember, ...]]:
    if not isinstance(table, dict) or DEFAULT_ROUTE not in table:
        raise fail(f"[routes] {DEFAULT_ROUTE}", f'is missing; write {DEFAULT_ROUTE} = ["{next(iter(accounts))}"]')
    return {route: _members(items, accounts, f"[routes] {route}", fail) for route, items in table.items()}


def _members(
    items: Any, accounts: Mapping[str, AccountConfig], where: str, fail: _Fail
) -> tuple[ConfiguredMember, ...]:
    if not isinstance(items, list) or not items:
        raise fail(where, "must be a list of account names, in the order in which they are tried, or of tables")
    if len({isinstance(item, dict) for item in items}) > 1:
        raise fail(
            where, "must be all names or all tables: a name has its priority from its place, a table from its key"
        )
    members = []
    for place, item in enumerate(items, 1):
        entry = item if isinstance(item, dict) else {"account": item, "priority": place}
        for key in entry.keys() - {"account", "priority", "weight"}:
            raise fail(f"{where} {key}", "is not known here; known are account, priority, weight")
        name = entry.get("account")
        if not isinstance(name, str) or name not in accounts:
            raise fail(where, f"{name!r} is no account; accounts are {', '.join(sorted(accounts))}")
        priority = _whole(entry.get("priority"), 100, f"{where} {name} priority", fail)
        weight = _whole(entry.get("weight", 1), 100, f"{where} {name} weight", fail)
        members.append(ConfiguredMember(name, priority, weight))
    if len({member.account for member in members}) != len(members):
        raise fail(where, "names an account twice")
    return tuple(sorted(members, key=lambda member: (member.priority, member.account)))


def _whole(value: Any, most: int, where: str, fail: _Fail) -> int:
    if type(value) is not int or not 1 <= value <= most:
        raise fail(where, f"is {value!r}; it must be a whole number from 1 to {most}")
    return value
