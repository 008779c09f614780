"""`python -m sms_service.simulator`: one simulator process. Ends on TERM or Ctrl-C and loses nothing."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, get_type_hints

from aiohttp import web

from sms_service.gateways.options import http_url
from sms_service.simulator.behaviour import Behaviour
from sms_service.simulator.changing import BadBehaviour, change_behaviour
from sms_service.simulator.ledger import Ledger, LedgerInUse
from sms_service.simulator.server import Simulator


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until told to stop; returns the exit status. If it cannot start, one line on standard error says why."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if not options.secret:
        parser.error("--secret (or SIMULATOR_SECRET in the environment) must not be empty")
    if options.callback_url and (reason := http_url(options.callback_url)):
        parser.error(f"--callback-url {reason}")
    try:
        given = {name: getattr(options, name) for name in _behaviour_options()}
        behaviour = change_behaviour(Behaviour(), {name: value for name, value in given.items() if value is not None})
    except BadBehaviour as error:
        parser.error(str(error))
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        ledger = Ledger(options.ledger)
    except (LedgerInUse, OSError, ValueError, KeyError) as error:
        print(f"simulator: the ledger {options.ledger} cannot be used: {error}", file=sys.stderr)  # noqa: T201
        return 1
    simulator = Simulator(ledger, options.secret, options.callback_url, behaviour, options.system_id)
    try:
        asyncio.run(_serve(simulator, options.host, options.port, options.smpp_port))
    except OSError as error:
        smpp = "" if options.smpp_port is None else f" or {options.smpp_port}"
        where = f"{options.host} port {options.port}{smpp}"
        print(f"simulator: cannot listen on {where}: {error.strerror}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


async def _serve(simulator: Simulator, host: str, port: int, smpp_port: int | None) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    # Requests that hang on purpose would delay the end; half a second is enough for all others.
    runner = web.AppRunner(simulator.app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    try:
        smpp_port = await simulator.start(smpp=None if smpp_port is None else (host, smpp_port))
        await web.TCPSite(runner, host, port).start()
        # A caller who started it with --port 0 learns the port from this line.
        print(f"simulator listening on http://{host}:{runner.addresses[0][1]}", flush=True)  # noqa: T201
        if smpp_port is not None:
            print(f"simulator listening on smpp://{host}:{smpp_port}", flush=True)  # noqa: T201
        await stopped.wait()
    finally:
        await runner.cleanup()
        await simulator.stop()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sms_service.simulator",
        description="A simulated SMS provider: takes texts over HTTP and SMPP, sends receipts, keeps a ledger.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, required=True, help="port to listen on; 0 takes a free one")
    parser.add_argument("--smpp-port", type=int, help="port to listen on for SMPP 3.4; 0 takes a free one")
    parser.add_argument(
        "--system-id", default="simulator", help="of SMPP clients; the secret's first 8 are their password"
    )
    parser.add_argument("--ledger", type=Path, required=True, metavar="FILE.jsonl", help="made, or continued")
    parser.add_argument("--callback-url", help="where receipts of texts without a callback_url go")
    parser.add_argument(
        "--secret",
        default=os.environ.get("SIMULATOR_SECRET", ""),
        help="shared with the caller; better given as SIMULATOR_SECRET, which no list of processes shows",
    )
    group = parser.add_argument_group("behaviour", "see behaviour.Behaviour; PUT /behaviour changes it while it runs")
    for name, options in _behaviour_options().items():
        group.add_argument("--" + name.replace("_", "-"), **options)
    return parser


def _behaviour_options() -> dict[str, dict[str, Any]]:
    """One command-line option for every field of Behaviour that is not a list of rules."""
    hints = get_type_hints(Behaviour)
    options: dict[str, dict[str, Any]] = {}
    for declared in fields(Behaviour):
        hint = hints[declared.name]
        if hint is bool:
            options[declared.name] = {"action": "store_true", "default": None}
        elif hint == tuple[float, float]:
            options[declared.name] = {"type": float, "nargs": 2, "metavar": ("SHORTEST", "LONGEST")}
        elif hint in (int, float, str):
            options[declared.name] = {"type": hint, "metavar": hint.__name__.upper()}
    return options


if __name__ == "__main__":
    sys.exit(main())
