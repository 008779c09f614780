"""The accounts of docs/gateways-http.md, at their stand-ins, and the callbacks that these would send."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from http_providers import HERON_KEY, MAS, StandIn, example, heron_signature

from sms_service.gateways import config
from sms_service.gateways.base import CallbackRequest

CALLBACKS = "https://sms.example.gov.cn"
ENVIRON = {
    "HERON_KEY": HERON_KEY,
    "HERON_PATH": "heron-path-of-the-tests",
    "MAS_SECRET_KEY": MAS["secretKey"],
    "MAS_CALLBACK": "mas-path-of-the-tests",
}
HERON_ADDRESS, MAS_ADDRESS = "198.51.100.7", "112.35.1.155"


def options(name: str, provider: StandIn, folder: Path, **changes: Any) -> Any:
    """The options of the account of the example `name`, at `provider`; `changes` are set besides, or, if None, not."""
    text = example(name)
    for address in ("https://api.heron.example", "http://112.35.1.155:1992"):
        text = text.replace(f'url = "{address}', f'url = "{provider.url}')
    head, _, rest = text.partition("\n")
    rest = "\n".join(line for line in rest.split("\n") if line.partition(" = ")[0] not in changes)
    lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in changes.items() if value is not None)
    return options_of(f"{head}\n{lines}{rest}", folder)


def options_of(accounts: str, folder: Path) -> Any:
    """The options of the first account in a piece of gateways.toml."""
    path = folder / "gateways.toml"
    name = accounts.partition("[accounts.")[2].partition("]")[0]
    path.write_text(f'{accounts}\n[routes]\ndefault = ["{name}"]\n', encoding="utf-8")
    return config.load_gateway_config(path, ENVIRON).accounts[name].options


def heron_callback(kind: str, records: Any, **changes: Any) -> CallbackRequest:
    """What heron pushes: `kind` is reports or replies. `changes`: at (seconds), key, secret, path, address, body."""
    body = changes.get("body", json.dumps({kind: records}, ensure_ascii=False).encode())
    at = str(int(changes.get("at", time.time())))
    headers = {"x-heron-time": at, "X-Heron-Signature": heron_signature(at, body, changes.get("key", HERON_KEY))}
    secret = changes.get("secret", ENVIRON["HERON_PATH"])
    path = changes.get("path", f"{kind.replace('reports', 'receipts')}/{secret}")
    return callback("heron", path, headers, body, changes.get("address", HERON_ADDRESS))


def mas_callback(kind: str, records: Any, **changes: Any) -> CallbackRequest:
    """What cloud MAS pushes: `kind` is receipts or replies. `changes`: secret, address, body."""
    body = changes.get("body", json.dumps(records, ensure_ascii=False).encode())
    path = f"{kind}/{changes.get('secret', ENVIRON['MAS_CALLBACK'])}"
    return callback("mas", path, {}, body, changes.get("address", MAS_ADDRESS))


def callback(
    account: str, path: str, headers: dict[str, str], body: bytes, address: str, query: dict[str, str] | None = None
) -> CallbackRequest:
    """A callback as the door hands it on."""
    url = f"{CALLBACKS}/callbacks/{account}/{path}"
    return CallbackRequest("POST", url, headers, query or {}, body, address, path)
