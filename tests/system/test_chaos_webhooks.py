"""Whether webhooks were told everything, and nothing else, as `make chaos` judges: each judgement can fail."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete

from chaos.receiver import Receiver
from chaos.webhooks import Kept, Listener, Owed, compare_posts, judge_webhooks
from sms_service.audit.happening_models import Happening
from sms_service.db.engine import Database
from sms_service.dispatch import freeze
from sms_service.gateways.posting import JsonPoster
from sms_service.ops.http import call_api
from sms_service.webhooks.collecting import collect_happenings
from sms_service.webhooks.delivering import deliver_next
from sms_service.webhooks.models import WebhookDelivery
from sms_service.webhooks.owning import WANTABLE
from tests.dispatch.city import drain, make_city
from tests.webhooks.receiving import SEALER, end_waits, make_webhook_and_secret

SECRET = "whsec_" + base64.b64encode(b"s" * 32).decode()
HOOK = "/C"
BODIES = {"first": {"type": "run.running", "data": {"run_id": 1}}, "second": {"type": "run.closed", "data": {}}}
KEPT = {"first": Kept("run.running", 1, BODIES["first"]), "second": Kept("run.closed", 1, BODIES["second"])}
RUNS_AND_TEXTS = [kind for kind in WANTABLE if kind.startswith(("run.", "message."))]  # nobody approved `make_city`'s
ALL_RIGHT = {
    "webhooks_told": 2,
    "webhooks_told_again": 0,
    "webhook_posts_failed": 0,
    "webhooks_untold": 0,
    "webhooks_told_falsely": 0,
    "webhooks_badly_signed": 0,
}


def post(uid: str, *, answer: int | None = 200, body: Any = None, secret: str = SECRET) -> dict[str, Any]:
    """A line of the receiver's ledger."""
    said = json.dumps(body or BODIES[uid])
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = base64.b64encode(hmac.digest(key, f"{uid}.7.{said}".encode(), hashlib.sha256)).decode()
    headers = {"webhook-id": uid, "webhook-timestamp": "7", "webhook-signature": f"v1,{digest}"}
    return {"path": HOOK, "headers": headers, "body": said, "answer": answer}


@pytest.mark.parametrize(
    ("lines", "differs"),
    [
        ([post("first"), post("second")], {}),
        ([post("first"), post("second"), post("first")], {"webhooks_told_again": 1}),
        ([post("first", answer=500), post("first"), post("second")], {"webhook_posts_failed": 1}),
        ([post("first")], {"webhooks_told": 1, "webhooks_untold": 1}),
        (
            [post("first"), post("second", answer=None)],
            {"webhooks_told": 1, "webhooks_untold": 1, "webhook_posts_failed": 1},
        ),
        (
            [post("first"), post("second"), post("third", body=BODIES["first"])],
            {"webhooks_told": 3, "webhooks_told_falsely": 1},
        ),
        ([post("first", body=BODIES["second"]), post("second")], {"webhooks_told_falsely": 1}),
        ([post("first", secret="whsec_" + "A" * 44), post("second")], {"webhooks_badly_signed": 1}),
    ],
    ids=["right", "twice", "refused first", "never", "unanswered", "of nothing", "other words", "other secret"],
)
def test_posts_are_compared_with_what_is_kept(lines: list[dict[str, Any]], differs: dict[str, int]) -> None:
    owed = {HOOK: Owed(SECRET, KEPT, [("run.closed", 1)])}
    assert compare_posts(owed, lines, lambda _: None) == ALL_RIGHT | differs


def test_what_stands_and_was_not_noted_is_untold() -> None:
    said: list[str] = []
    owed = {HOOK: Owed(SECRET, KEPT, [("run.closed", 1), ("message.accepted", 7)])}
    found = compare_posts(owed, [post("first"), post("second")], said.append)
    assert found == ALL_RIGHT | {"webhooks_untold": 1}
    assert said == ["webhook, never told: /C message.accepted 7, which was not noted"]


@contextmanager
def receiver_at(ledger: Path) -> Iterator[Receiver]:
    receiver = Receiver(0, ledger)
    thread = threading.Thread(target=receiver.serve_forever)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.shutdown()
        thread.join()
        receiver.server_close()


def behave(host: str, manner: str) -> None:
    """As the house tells it."""
    call_api(f"http://{host}/behaviour", "", "PUT", {"manner": manner})


def test_a_run_is_told_to_a_receiver_that_misbehaves_and_all_of_it_is_judged(
    database: Database, tmp_path: Path
) -> None:
    ledger = tmp_path / "receiver.jsonl"
    with receiver_at(ledger) as receiver:
        city = make_city(database, 3, freeze_now=False)
        host = f"127.0.0.1:{receiver.server_port}"
        with database.session() as session:
            webhook, secret = make_webhook_and_secret(session, city.unit, f"http://{host}/C", kinds=RUNS_AND_TEXTS)
            listener = Listener(webhook.id, "/C", secret)
        freeze.begin_due_runs(database)
        freeze.freeze_run(database, city.run_id)
        drain(database, city.gateways)
        while collect_happenings(database):
            pass
        poster = JsonPoster([host], total_timeout_s=1.0)
        for manner in ("refuses", "closes", "hangs"):
            behave(host, manner)
            assert deliver_next(database, poster, SEALER)
            end_waits(database)
        behave(host, "takes")
        while deliver_next(database, poster, SEALER):
            end_waits(database)
        poster.close()
    lines = [json.loads(line) for line in ledger.read_bytes().splitlines()]

    def judged() -> dict[str, int]:
        with database.session() as session:
            return judge_webhooks(session, [listener], lines, lambda _: None)

    found = judged()
    told = found["webhooks_told"]
    assert told >= 3 + 2, "each text, and the run"
    assert found == ALL_RIGHT | {"webhooks_told": told, "webhook_posts_failed": 3}
    with database.session() as session:  # as if the statement that hands over had not noted it
        session.execute(delete(WebhookDelivery))
        session.execute(delete(Happening))
    stands = 3 + 1  # the texts, and the run
    nothing = {"webhooks_untold": stands, "webhooks_told_falsely": len(lines)}
    assert {name: judged()[name] for name in nothing} == nothing
