"""The operator's commands: run, demo, clock, migrate, doctor."""

from __future__ import annotations

import json
import signal
import sys
import threading
from typing import Any

import click

from sms_service.settings import load_settings


def say(line: str) -> None:
    """One line for the operator, on standard error: standard output is for results."""
    click.echo(line, err=True)


@click.command()
def run() -> None:
    """Run the whole service on this machine until Ctrl-C or TERM; in an empty database, show the demonstration."""
    from sms_service.ops import demonstration
    from sms_service.ops.supervisor import Supervisor

    with Supervisor(load_settings(), say) as supervisor:
        supervisor.watch(demonstration.first_start)


@click.command()
def demo() -> None:
    """The demonstration once, in a throw-away folder; the last line is its result as JSON."""
    from sms_service.ops import demonstration
    from sms_service.ops.supervisor import Running, Supervisor
    from sms_service.ops.throwaway import throwaway

    results: list[dict[str, Any]] = []

    def show(running: Running) -> None:
        results.append(demonstration.show_demonstration(running))

    with throwaway(load_settings()) as settings:
        supervisor = Supervisor(settings, say)
        try:
            with supervisor:
                supervisor.watch(show, until_hook_ends=True)
        finally:
            supervisor.destroy()
    if not results:
        raise click.ClickException("the demonstration was stopped before its end")
    click.echo(json.dumps(results[0], ensure_ascii=False))
    sys.exit(0 if results[0]["identity"] else 1)


@click.command()
def clock() -> None:
    """Do what is due by the time of day, once a second: schedules, sweeps, partitions. Any number may run."""
    from redis import Redis

    from sms_service.cli.context import running_settings
    from sms_service.clock import Clock
    from sms_service.db.engine import Database
    from sms_service.db.leadership import PATIENCE_S
    from sms_service.endings import Kept
    from sms_service.gateways.registry import Gateways
    from sms_service.keepalive import redis_keepalive

    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    settings = running_settings()
    gateways = Gateways.from_file(settings.gateways_file, settings.public_url)
    url = settings.redis_url or ""
    redis = Redis.from_url(url, **redis_keepalive(url), socket_timeout=5, socket_connect_timeout=5)
    database = Database(
        settings.database_url or "", pool_size=2, application_name="sms_service clock", patience_s=PATIENCE_S
    )
    kept = Kept(settings.list_days, settings.redact_after_days or None, settings.raw_days)
    lifetimes = settings.no_receipt_hours, kept
    Clock(database, redis, gateways, *lifetimes, settings.public_url, settings.exports_dir).run(stopping)
    database.close()


@click.command()
@click.option(
    "--down-to", metavar="REVISION", help="Take the schema back to this revision instead (`base`: drop everything)."
)
def migrate(down_to: str | None) -> None:
    """Prepare the database and bring its schema to this version."""
    from sms_service.embedded import with_running_engines
    from sms_service.ops import schema

    settings = with_running_engines(load_settings())
    if down_to is None:
        schema.make_ready(settings, schema.embedded_admin_url(load_settings()))
    else:
        schema.take_schema_down(settings, down_to)
    say(f"the schema is at {schema.schema_revision(settings) or 'nothing'}")


@click.command()
def doctor() -> None:
    """Check the installation; say what is wrong and how to mend it. Exit code 1 if something is."""
    from sms_service.ops.doctor import examine_installation

    wrong = 0
    for finding in examine_installation(load_settings()):
        mark = click.style("ok    ", fg="green") if finding.mend is None else click.style("WRONG ", fg="red")
        click.echo(f"{mark}{finding.subject}: {finding.found}")
        if finding.mend is not None:
            click.echo(f"      → {finding.mend}")
            wrong += 1
    if wrong:
        raise click.ClickException(f"{wrong} of the checks found something to mend")
