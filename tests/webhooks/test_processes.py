"""The process that delivers, against receivers in processes of their own: it is killed, there are two of it, and a
receiver hangs.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import select

from sms_service.accounts.actors import SYSTEM
from sms_service.db.engine import Database
from sms_service.webhooks.deliveries import request_test_delivery
from sms_service.webhooks.models import WebhookDelivery
from tests.channels.chat import KEY
from tests.clocks import ahead_by
from tests.dispatch.city import drain, make_city, statuses
from tests.factories import make_unit
from tests.webhooks.receiving import list_kept, make_webhook

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def receiver_process(manner: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A receiver and its host with the port."""
    command = [sys.executable, "-m", "tests.webhooks.receiver_process", manner]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process, f"127.0.0.1:{process.stdout.readline().strip()}"
    finally:
        process.kill()
        process.wait()


@contextmanager
def telling_process(url: str, redis_url: str, *hosts: str) -> Iterator[subprocess.Popen[bytes]]:
    """`webhooks run`, which may post to these hosts."""
    variables = {
        **os.environ,
        "DATABASE_URL": url,
        "REDIS_URL": redis_url,
        "CHANNELS_KEY": KEY,
        "PRIVATE_RECEIVERS": ",".join(hosts),
        "ENV_FILE": os.devnull,
    }
    process = subprocess.Popen([sys.executable, "-m", "sms_service", "webhooks", "run"], cwd=ROOT, env=variables)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def read_ids(process: subprocess.Popen[str], number: int) -> list[str]:
    """The ids of the next requests that arrive."""
    assert process.stdout is not None
    return [process.stdout.readline().split(" ")[0] for _ in range(number)]


def make_waiting(database: Database, host: str, number: int) -> None:
    with database.session() as session:
        webhook = make_webhook(session, make_unit(session), f"http://{host}/hook")
        for _ in range(number):
            request_test_delivery(session, SYSTEM, webhook.id)


def test_what_a_killed_process_was_sending_goes_again(database: Database, redis_url: str) -> None:
    with receiver_process("hang") as (hanging, host):
        make_waiting(database, host, 1)
        with telling_process(database.url, redis_url, host) as killed:
            [first] = read_ids(hanging, 1)
            killed.send_signal(signal.SIGKILL)
            killed.wait()
        assert [row.status for row in list_kept(database)] == ["sending"]
        with ahead_by(database.url, "1 minute") as later, telling_process(later.url, redis_url, host):
            assert read_ids(hanging, 1) == [first], "the receiver knows by the id that it had it"


def test_two_processes_tell_each_event_once_and_end_in_order(database: Database, redis_url: str) -> None:
    with receiver_process("ok") as (receiver, host):
        make_waiting(database, host, 30)
        with (
            telling_process(database.url, redis_url, host) as one,
            telling_process(database.url, redis_url, host) as other,
        ):
            ids = read_ids(receiver, 30)
            for process in (one, other):
                process.send_signal(signal.SIGTERM)
                assert process.wait(30) == 0
    assert len(set(ids)) == 30
    assert {row.status for row in list_kept(database)} == {"delivered"}


def test_while_a_receiver_hangs_texts_leave_and_another_one_is_told(database: Database, redis_url: str) -> None:
    city = make_city(database, 3)
    with receiver_process("hang") as (hanging, slow), receiver_process("ok") as (well, quick):
        make_waiting(database, slow, 10)
        with telling_process(database.url, redis_url, slow, quick):
            read_ids(hanging, 1)
            with database.session() as session:
                make_webhook(session, city.unit, f"http://{quick}/hook", kinds=["message.accepted"])
            drain(database, city.gateways)
            assert statuses(database, city.run_id) == {"accepted": 3}
            assert len(set(read_ids(well, 3))) == 3
            with database.session() as session:
                under_way = select(WebhookDelivery.id).where(
                    WebhookDelivery.status == "sending", WebhookDelivery.webhook_id == 1
                )
                assert len(session.scalars(under_way).all()) <= 4
