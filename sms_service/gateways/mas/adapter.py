"""Adapter of China Mobile's cloud MAS: an account of the adapter `http`. `mas.toml` has its tables, and in them all
assumptions about the provider.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from sms_service.gateways import options
from sms_service.gateways.extensions import MOST_DIGITS
from sms_service.gateways.http import adapter as http
from sms_service.gateways.http.options import NO_CODES, Codes, networks, path_secret
from sms_service.gateways.options import between, http_url, not_empty, option

_FOLDER = Path(__file__).parent
_PRESET = MappingProxyType(tomllib.loads((_FOLDER / "mas.toml").read_text(encoding="utf-8")))


@dataclass(frozen=True, slots=True)
class Options:
    """`url`: the provider's address, without a path. `ec_name`, `ap_id`, `secret_key`: the enterprise's name, and user
    and password of the interface. `sign`: the code of the signature; `add_serial`: what is added to the service number.
    `extension_digits`: how many digits of the question are added behind that, for texts that ask something; 0: none.
    `number`: what the addSerial of replies has in front of these digits.

    `template_id`: texts go through this registered template (tmpsubmit), whose one variable is the whole text.
    `send_secret_key`: the request also has the key itself, as in the provider's HTTP example. `strips_signature`: the
    【signature】 in front of a text is left out, because the provider adds it. `pull_every_s`: ask for receipts and
    replies every so many seconds. `callback_secret`, `callback_addresses`: how pushes are verified; without either,
    nothing is pushed. `codes`: overrides `codes.csv`, as in `http`.
    """

    url: str = option(check=http_url)
    ec_name: str = option(check=not_empty)
    ap_id: str = option(check=not_empty)
    secret_key: str = option(secret=True, check=not_empty)
    sign: str = option(check=not_empty)
    add_serial: str = option(default="")
    extension_digits: int = option(default=0, check=between(0, MOST_DIGITS))
    number: str = option(default="")
    template_id: str = option(default="")
    send_secret_key: bool = option(default=True)
    strips_signature: bool = option(default=False)
    callback_secret: str = option(default="", secret=True, check=path_secret)
    callback_addresses: tuple[str, ...] = option(default=(), check=networks)
    pull_every_s: float | None = option(default=None, check=between(1, 86_400))
    codes: Codes = NO_CODES
    connections: int = option(default=5, check=between(1, 100))
    total_timeout_s: float = option(default=30.0, check=between(0.2, 300))

    def __post_init__(self) -> None:
        self.as_http()

    def as_http(self) -> http.Options:
        """The account of the adapter `http` that this is. Raises BadOption."""
        url, paths = self.url.rstrip("/"), _PRESET["paths"]
        kind = "template" if self.template_id else "normal"
        path = paths["normal_https"] if kind == "normal" and url.startswith("https:") else paths[kind]
        variables = {name: getattr(self, name) for name in ("ec_name", "ap_id", "sign", "add_serial", "template_id")}
        # A template takes an empty text for false.
        variables |= {name: "yes" * getattr(self, name) for name in ("send_secret_key", "strips_signature")}
        pushed, pulled = bool(self.callback_secret or self.callback_addresses), self.pull_every_s is not None
        tables: dict[str, Any] = {
            "phone": _PRESET["phone"],
            "request": {"url": url + path, **_PRESET[kind]},
            "answer": _PRESET["answer"],
            "codes": {
                "file": str(self.codes.file or "codes.csv"),
                "answers": dict(self.codes.answers),
                "receipts": dict(self.codes.receipts),
            },
            "variables": variables,
            "secrets": {"secret_key": self.secret_key},
            "extension_digits": self.extension_digits,
            "number": self.number,
            "connections": self.connections,
            "total_timeout_s": self.total_timeout_s,
        }
        if pushed or pulled:
            for name in ("receipts", "replies"):
                pull = {"pull": {"url": url + paths[name], **_PRESET["pull"]}} if pulled else {}
                tables[name] = {**_PRESET[name], **pull, "push": pushed}
        if pulled:
            tables["pull_every_s"] = self.pull_every_s
        if pushed:
            proof = {"secret": self.callback_secret, "addresses": list(self.callback_addresses)}
            tables["callbacks"] = {**proof, "acknowledge": _PRESET["acknowledge"]}
        return options.read_options(http.Options, tables, _FOLDER)


def create(name: str, options: Options, callback_url: str) -> http.HttpAdapter:
    """The adapter of one account; receipts come back to `/receipts`, replies to `/replies` behind `callback_url`."""
    return http.HttpAdapter(options.as_http(), callback_url)
