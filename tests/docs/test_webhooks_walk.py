"""docs/webhooks.md: a walk whose commands print what stands below them; its receiver knows what is ours."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from sms_service.audit.happening_models import HappeningKind
from sms_service.cli import main
from sms_service.controls.accounts import synchronise_gateways
from sms_service.db.engine import Database
from sms_service.gateways.http_client import LARGEST_ANSWER
from sms_service.gateways.posting import TOTAL_TIMEOUT_S
from sms_service.webhooks import delivering
from sms_service.webhooks.models import DeliveryStatus
from tests.channels.chat import KEY
from tests.dispatch.city import ScriptedAdapter, ScriptedGateways
from tests.docs.turned import walk_through
from tests.factories import make_account, make_person, make_template, make_unit
from tests.hostile_receiver import HostileReceiver, http
from tests.schedules.eventful import HOURS
from tests.webhooks.receiving import deliver, end_waits, tell

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "webhooks.md").read_text(encoding="utf-8")
PLAIN = " ".join(DOCUMENT.split())
OK, OOPS = http("200 OK", b""), http("500 Oops", b"")


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", DOCUMENT, re.DOTALL)
    assert found is not None
    return found[1]


@pytest.fixture
def gateways(database: Database) -> ScriptedGateways:
    """A branch in a city, its secretary, and who approves."""
    gateways = ScriptedGateways({"main": ScriptedAdapter()})
    with database.session() as session:
        synchronise_gateways(session, gateways)
        top = make_unit(session, code="01", name="云州市", **HOURS)
        branch = make_unit(session, code="0101", name="第一支部", parent=top, level="branch", **HOURS)
        make_person(session, branch)
        make_template(session, top, "今天学习党章。", name="学习")
        make_account(session, branch, "secretary")
        make_account(session, top, "approver", ("approver",))
    return gateways


def test_the_walk_prints_what_it_says(
    gateways: ScriptedGateways, database: Database, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.setenv("CHANNELS_KEY", KEY)
    monkeypatch.setattr("secrets.token_bytes", lambda size: b"k" * size)
    ran = 0
    with HostileReceiver("status", OK) as receiver:
        monkeypatch.setenv("PRIVATE_RECEIVERS", receiver.host)
        for later, heading, commands in walk_through(DOCUMENT, database, gateways, monkeypatch):
            if "out of order" in heading:
                while delivering.collect_happenings(later):
                    pass
                deliver(later, receiver)  # one was taken before
                receiver.answer = OOPS
            if "three days" in heading:
                end_waits(database)
            if "works again" in heading:
                receiver.answer = OK
            tell(later, receiver)
            for command, printed in commands:
                run(command, printed, receiver)
                ran += 1
    assert ran >= 14
    names: dict = {}
    exec(block("python"), names)
    secret = re.search(r"whsec_\S+", DOCUMENT)
    assert secret is not None
    assert len(receiver.taken) >= 6
    for taken in receiver.taken:
        assert names["is_ours"](taken.headers, taken.body, secret[0])
        assert not names["is_ours"](taken.headers, taken.body + b" ", secret[0])
        assert set(taken.json) == set(json.loads(block("json")))  # type: ignore[call-overload]


def run(command: str, printed: str, receiver: HostileReceiver) -> None:
    words = shlex.split(command.replace("https://platform.example.cn", f"http://{receiver.host}"))
    assert words[:3] == ["python", "-m", "sms_service"]
    output = CliRunner().invoke(main, words[3:]).output.replace(receiver.host, "platform.example.cn")
    assert re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "…", output) == printed, command


def test_words_and_numbers_are_those_of_the_code() -> None:
    kinds = set(re.findall(r"`((?:run|message|reply|approval|import|webhook)\.\w+)`", DOCUMENT))
    assert kinds == set(HappeningKind)
    assert set(re.findall(r"^\| `(\w+)` \|", DOCUMENT, re.MULTILINE)) == set(DeliveryStatus)
    assert f"more than {LARGEST_ANSWER // 1024} KB" in PLAIN
    assert f"within {TOTAL_TIMEOUT_S:.0f} seconds" in PLAIN
    assert f"after {delivering.LEASE_S:.0f} seconds" in PLAIN
    assert f"first for {delivering.FIRST_WAIT_S:.0f} seconds, at most for {delivering.LONGEST_REST_S / 60:.0f}" in PLAIN
    assert f"at most {delivering.LONGEST_WAIT_S / 3600:.0f} hours" in PLAIN
    assert (delivering.AT_ONCE, delivering.TRIED_FOR.days) == (4, 3)
    assert f"kept for {delivering.KEPT_DAYS} days" in PLAIN
