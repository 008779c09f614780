"""`python -m chaos --minutes 30 --seed 1`: a line of JSON on standard output, and what happens on standard error."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sms_service.tables  # noqa: F401 - every room's tables, so that foreign keys resolve
from chaos import plan
from chaos.faults import Faults
from chaos.house import House
from chaos.judgement import judge
from chaos.people import People
from chaos.settling import settle, unknown
from chaos.webhooks import add_listeners
from sms_service.embedded import EngineError
from sms_service.ops.errors import OperationError


def main() -> int:
    """Attack; returns the exit status: 0, or 1 if the service did not hold."""
    parser = argparse.ArgumentParser(prog="python -m chaos", description="Breaks the service while it sends.")
    parser.add_argument("--minutes", type=float, default=30.0, help="how long faults are injected; by default 30")
    parser.add_argument("--seed", type=int, default=1, help="what the plan is drawn from; by default 1")
    parser.add_argument(
        "--faults", metavar="KINDS", help="only these, like line_cut,gateway: a first word is all that begin with it"
    )
    parser.add_argument(
        "--acts", metavar="KINDS", help="instead of a time: one of each, like launch_city,worker_killed, in this order"
    )
    parser.add_argument("--folder", type=Path, help="a new folder, in which everything is kept")
    options = parser.parse_args()
    if options.minutes <= 0:
        parser.error(f"--minutes is {options.minutes:g}; it must be more than 0")
    try:
        events = _plan(options)
    except ValueError as error:
        parser.error(str(error))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("chaos: stopped"))  # nothing is left behind
    try:
        with ExitStack() as stack:
            if options.folder is None:
                name = stack.enter_context(tempfile.TemporaryDirectory(prefix="sms_chaos-", ignore_cleanup_errors=True))
                folder = Path(name)
            else:
                folder = options.folder.resolve()
                folder.mkdir(parents=True)
            folder.chmod(0o711)  # root's PostgreSQL runs as another user, who has to pass
            line = attack(folder, events, in_order=bool(options.acts), keep=options.folder is not None)
    except (EngineError, OperationError, FileExistsError) as error:
        say(f"chaos: {error}")
        return 1
    asked = {"acts": options.acts} if options.acts else {"minutes": options.minutes, "only": options.faults}
    line = {"chaos": line.pop("chaos"), "seed": options.seed, **asked, **line}
    print(json.dumps(line, ensure_ascii=False), flush=True)
    return 0 if line["chaos"] == "held" else 1


def _plan(options: argparse.Namespace) -> list[plan.Event]:
    """What is to happen. Raises ValueError, which names the option."""
    option = "--acts" if options.acts else "--faults"
    try:
        if options.acts:
            kinds = plan.find_kinds(options.acts.split(","), (*plan.LAUNCHES, *plan.FAULTS))
            return plan.one_of_each(options.seed, kinds)
        kinds = plan.find_kinds(options.faults.split(",")) if options.faults else list(plan.FAULTS)
    except ValueError as error:
        raise ValueError(f"{option}: {error}") from None
    return plan.make(options.seed, options.minutes * 60, kinds)


def attack(folder: Path, events: Sequence[plan.Event], *, in_order: bool, keep: bool) -> dict[str, Any]:
    """Start, break, mend, settle, compare; returns the line. `in_order`: each event comes when the one before is done,
    instead of at its time; `keep`: the database stays in `folder`.
    """
    started = time.monotonic()
    with House(folder, say, keep=keep) as house, closing(People(house.database_url, house.reply, say)) as people:
        with people.database.session() as session:
            listeners = add_listeners(session, house.receiver_host, house.channels_key)
        faults = Faults(house, people, say)
        try:
            faults.carry_out_in_order(events) if in_order else faults.carry_out(events)
        finally:
            faults.end()
        people.rest()
        ended_at = datetime.now(UTC)
        settle(house, people.database, say)
        with people.database.session() as session:
            judgement = judge(session, house, listeners, unknown(people.database), ended_at, say)
    return {
        "chaos": "held" if judgement.good else "broken",
        "seconds": round(time.monotonic() - started, 1),
        "faults": dict(sorted((faults.injected + people.done).items())),
        "ended_by_themselves": dict(house.ended_by_themselves),
        **judgement.figures,
    }


def say(line: str) -> None:
    """One line of what happens."""
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
