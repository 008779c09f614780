"""How the gateways of the attack are configured, and how they and the receiver of webhooks behave."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chaos.plan import GATEWAYS, LINE, RECEIVER
from chaos.receiver import TAKES

GROUP = 50
_ADAPTER_S = 5.0  # total time-out of a hand-over: a gateway that hangs keeps a group for so long
# While nothing is wrong with it; a few texts fail, and a few receipts never come.
_GATEWAY: Mapping[str, Any] = {
    "refuse_share": 0.01,
    "refuse_code": "blocked",
    "throttle_share": 0.0,
    "hang_share": 0.0,
    "error_share": 0.0,
    "reset_share": 0.0,
    "garble_share": 0.0,
    "lose_share": 0.0,
    "fail_share": 0.02,
    "silent_share": 0.05,
    "duplicate_share": 0.0,
    "interim": False,
    "reversed": False,
    "receipt_delay_s": [0.1, 2.0],
    "answer_delay_s": [0.0, 0.5],  # so that much is under way when something breaks
}
NORMAL: Mapping[str, Mapping[str, Any]] = {**dict.fromkeys(GATEWAYS, _GATEWAY), RECEIVER: {"manner": TAKES}}


def write_gateways(folder: Path, ports: Mapping[str, int], smpp_port: int) -> Path:
    """A gateways.toml of two accounts at two providers, and a line; what one refused, for certain, another may take."""
    path = folder / "gateways.toml"
    first, second, line = GATEWAYS
    accounts = "".join(
        f'[accounts.{name}]\nadapter = "simulator"\nurl = "http://127.0.0.1:{ports[name]}"\n'
        f'secret = "${{SIMULATOR_SECRET}}"\nmax_group = {GROUP}\ntotal_timeout_s = {_ADAPTER_S}\n'
        for name in (first, second)
    )
    accounts += (
        f'[accounts.{LINE}]\nadapter = "smpp"\nhost = "127.0.0.1"\nport = {smpp_port}\n'
        f'system_id = "simulator"\npassword = "${{LINE_PASSWORD}}"\nsource_addr = "10690000"\nthroughput = 5000\n'
        f"max_group = {GROUP}\ntotal_timeout_s = {2 * _ADAPTER_S}\nanswer_timeout_s = {_ADAPTER_S}\n"
    )
    routes = (
        f'[routes]\ndefault = ["{first}", "{second}"]\nother = ["{second}", "{first}"]\nline = ["{line}", "{first}"]\n'
    )
    path.write_text(accounts + routes)
    return path
