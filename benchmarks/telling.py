"""What a webhook that is told of every text costs a run, if its receiver takes what it is told, and if it hangs."""

from __future__ import annotations

import secrets
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from benchmarks import city
from benchmarks.figures import Benchmark, Measured
from benchmarks.laboratory import READY_S, BenchmarkError, Laboratory, wait_for
from benchmarks.sending import WORKERS, launch, plan, seconds_of, wait_until_sent
from benchmarks.services import GROUP, clock, null_gateway
from benchmarks.turns import GROUPS, compare_cost
from sms_service.accounts.actors import SYSTEM
from sms_service.audit.happening_models import HappeningKind
from sms_service.channels.sealing import Sealer
from sms_service.db.engine import Database
from sms_service.webhooks.owning import add_webhook

TURNS = 3
NOBODY, TAKES, HANGS = "nobody", "takes", "hangs"
_WEBHOOKS = "sms_service webhooks"  # its application name at PostgreSQL
_KEY = secrets.token_urlsafe(32)


def _measure(laboratory: Laboratory) -> Measured:
    seconds: dict[str, list[float]] = {NOBODY: [], TAKES: [], HANGS: []}
    listeners = list(seconds)
    for turn in range(TURNS):
        # Each comes first in its turn, so that a machine that grows slower or faster is not taken for the webhook.
        for listener in listeners[turn % len(listeners) :] + listeners[: turn % len(listeners)]:
            seconds[listener].append(_send(laboratory, listener))
    alone = seconds[NOBODY]
    slower = {who: [100 * (s / a - 1) for s, a in zip(seconds[who], alone, strict=True)] for who in (TAKES, HANGS)}
    return {
        "webhook_slows_dispatch_pct": slower[TAKES],
        "hanging_webhook_slows_dispatch_pct": slower[HANGS],
        "dispatch_webhook_s": seconds[TAKES],
        "dispatch_hanging_webhook_s": seconds[HANGS],
        "dispatch_no_webhook_s": alone,
    }


def _send(laboratory: Laboratory, listener: str) -> float:
    """Seconds from launch to the last outcome of a run to the whole city, of each text of which somebody is told."""
    with laboratory.city() as database, _listening(laboratory, listener) as host:
        gateways = null_gateway(laboratory)
        plan(database, gateways)
        if host:
            _add_webhook(database, host)
        variables = laboratory.variables(database, gateways, CHANNELS_KEY=_KEY, PRIVATE_RECEIVERS=host)
        with laboratory.workers(WORKERS, variables), clock(laboratory, variables), _telling(laboratory, variables):
            run_id = launch(laboratory, database)
            wait_until_sent(database, run_id, city.PEOPLE)
            _check_told(host)
        return seconds_of(database, run_id, city.PEOPLE)


@contextmanager
def _listening(laboratory: Laboratory, listener: str) -> Iterator[str]:
    """The host of a receiver, with its port; none for nobody."""
    if listener == NOBODY:
        yield ""
        return
    with laboratory.process(["-m", "benchmarks.listener", listener], {}, read_line=True) as process:
        assert process.stdout is not None
        yield f"127.0.0.1:{process.stdout.readline().strip()}"


@contextmanager
def _telling(laboratory: Laboratory, variables: Mapping[str, str]) -> Iterator[None]:
    """The process that tells; it runs in an installation without a webhook too."""
    with laboratory.process(["-m", "sms_service", "webhooks", "run"], variables):
        wait_for(lambda: laboratory.at_work(_WEBHOOKS), "the process that tells", READY_S)
        yield


def _add_webhook(database: Database, host: str) -> None:
    with database.session() as session:
        add_webhook(
            *(session, SYSTEM, Sealer([_KEY]), [host], secrets.token_bytes),
            unit_id=1,
            name="benchmarks",
            address=f"http://{host}/",
            kinds=[kind for kind in HappeningKind if kind.startswith("message.")],
        )


def _check_told(host: str) -> None:
    """Raises BenchmarkError if the receiver was told nothing meanwhile."""
    if not host:
        return
    with urllib.request.urlopen(f"http://{host}/", timeout=30) as answer:
        came = int(answer.read())
    print(f"{came} POSTs came", file=sys.stderr)
    if not came:
        raise BenchmarkError("the receiver was told nothing")


def _note(laboratory: Laboratory) -> Measured:
    """What it costs PostgreSQL to note each text's outcome for a webhook, whoever tells it when."""
    without, with_ = compare_cost(laboratory, "RECORD_OUTCOMES", lambda database: _add_webhook(database, "127.0.0.1:1"))
    return {
        "webhook_slows_outcomes_pct": 100 * (with_ / without - 1),
        "outcomes_webhook_cpu_ms": with_,
        "outcomes_cpu_ms": without,
    }


WEBHOOKS = Benchmark(
    _measure,
    {
        "webhook_slows_dispatch_pct": "%",
        "hanging_webhook_slows_dispatch_pct": "%",
        "dispatch_webhook_s": "s",
        "dispatch_hanging_webhook_s": "s",
        "dispatch_no_webhook_s": "s",
    },
    runs=1,
    group=GROUP,
    size=city.PEOPLE,
)
NOTES = Benchmark(
    _note,
    {
        "webhook_slows_outcomes_pct": "%",
        "outcomes_webhook_cpu_ms": "ms/1000 texts",
        "outcomes_cpu_ms": "ms/1000 texts",
    },
    runs=3,
    group=GROUP,
    size=GROUPS * GROUP,
)
