"""Calls to the service's own processes over HTTP, as any client makes them."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from sms_service.ops.errors import OperationError

TIMEOUT_S = 30


def call_api(url: str, token: str, method: str = "GET", body: Any = None) -> bytes:
    """The answer's body. Raises OperationError with the address and what was answered."""
    data = json.dumps(body).encode() if body is not None else None
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = urllib.request.Request(url, data=data, headers=headers, method=method)  # noqa: S310 - our own addresses
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:  # noqa: S310
            content: bytes = response.read()
            return content
    except urllib.error.HTTPError as error:
        raise OperationError(f"{method} {url} answered {error.code}: {error.read()[:300].decode()}") from None
    except OSError as error:
        raise OperationError(f"{method} {url}: {error}") from None


def instruct_simulator(variables: Mapping[str, str], behaviour: Mapping[str, Any]) -> None:
    """Change how the simulator behaves (see simulator.behaviour)."""
    call_api(f"{variables['SIMULATOR_URL']}/behaviour", variables["SIMULATOR_SECRET"], "PUT", behaviour)


def simulators_ledger(variables: Mapping[str, str]) -> list[dict[str, Any]]:
    """Every line of the simulator's own ledger."""
    content = call_api(f"{variables['SIMULATOR_URL']}/ledger", variables["SIMULATOR_SECRET"])
    return [json.loads(line) for line in content.splitlines()]
