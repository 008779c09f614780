"""`python -m sms_service campaign …` and `counts` from the shell."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select

from sms_service.audit.models import TrailEntry
from sms_service.cli import main
from sms_service.controls.accounts import synchronise_gateways
from sms_service.db.engine import Database
from sms_service.directory.models import Person
from sms_service.dispatch import freeze
from sms_service.ledger.models import Run
from tests.dispatch.city import ALL_DAY, ScriptedAdapter, ScriptedGateways
from tests.factories import make_account, make_person, make_segment, make_template, make_unit

Shell = Callable[..., Result]


@pytest.fixture
def run(database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("REDIS_URL", redis_url)
    return lambda *arguments: CliRunner().invoke(main, list(arguments))


@pytest.fixture
def writing(database: Database) -> list[str]:
    """The words that write a campaign of unit 0101, with two people, as wang; zhao may approve it."""
    with database.session() as session:
        synchronise_gateways(session, ScriptedGateways({"main": ScriptedAdapter()}))
        city = make_unit(session, code="01")
        district = make_unit(session, code="0101", parent=city, name="城东区", **ALL_DAY)
        make_unit(session, code="0102", parent=city)
        branch = make_unit(session, code="0101001", parent=district, name="第一支部")
        make_person(session, branch)
        make_person(session, branch, phone=None)
        template = make_template(session, city, body="{{ 内容 }}", variables=("内容",)).template_id
        segment = make_segment(session, district, {"everyone": True}).id
        for login, roles in (("wang", ("officer", "approver")), ("zhao", ("approver",)), ("qian", ("auditor",))):
            make_account(session, district, login, roles)
    words = f"campaign create --as wang --unit 0101 --name 学习 --template {template} --segment {segment}"
    return [*words.split(), "--signature", "城东街道", "--value", "内容=读书"]


def test_the_outlook_is_told(run: Shell, writing: list[str], database: Database) -> None:
    run(*writing)
    told = run("campaign", "outlook", "1", "--as", "wang", "--at", "2036-12-01T09:00:00+08:00")
    with database.session() as session:
        names = session.scalars(select(Person.name).order_by(Person.id)).all()
    assert told.stdout.splitlines()[:5] == [
        "1 of 2 people get a text",
        f"  no_phone: 1 ({names[1]})",
        "  第一支部: 2 people, 1 of them without a reason against it",
        "parts: 1",
        f"to {names[0]}, 第一支部 (parts: 1): 【城东街道】读书 拒收请回复R",
    ]
    assert told.stderr == "", "the command has the variables of the processes of the service"
    strange = run("campaign", "outlook", "1", "--as", "nobody")
    assert (strange.exit_code, strange.stderr.splitlines()[-1]) == (
        1,
        "Error: there is no account with the login nobody",
    )


def test_what_its_texts_ask(run: Shell, writing: list[str]) -> None:
    def asks() -> object:
        return json.loads(run("campaign", "show", "1", "--json").output)["asks"]

    assert run(*writing, "--asks", '{"kind": "rsvp", "hours": 5}').exit_code == 0
    assert asks() == {"kind": "rsvp", "hours": 5}
    survey = '{"kind": "survey", "options": ["满意", "不满意"]}'
    assert run("campaign", "change", "1", "--as", "wang", "--asks", survey).exit_code == 0
    assert asks() == {"kind": "survey", "options": ["满意", "不满意"], "hours": 72}
    assert run("campaign", "change", "1", "--as", "wang", "--asks-nothing").exit_code == 0
    assert asks() is None
    for wrong, named in (("rsvp", "--asks"), ("[1]", "--asks"), ('{"kind": "exam"}', "asks.kind")):
        refused = run(*writing, "--asks", wrong)
        assert (refused.exit_code, named in refused.output) == (1, True), refused.output


def test_from_draft_to_counts(run: Shell, writing: list[str], database: Database) -> None:
    assert run(*writing).output == "campaign 1 学习 is draft\n"
    assert run("campaign", "submit", "1", "--as", "wang").output == "campaign 1 学习 is submitted\n"
    own = run("campaign", "approve", "1", "--as", "wang")
    assert (own.exit_code, own.output.startswith("Error: wang had a hand in campaign 1")) == (1, True)
    assert run("campaign", "approve", "1", "--as", "zhao").output == "campaign 1 学习 is approved\n"
    for _ in range(2):
        launched = run("campaign", "launch", "1", "--as", "wang")
        assert launched.output == "campaign 1 学习 is active, run 1 is planned\n"
    freeze.begin_due_runs(database)
    freeze.freeze_run(database, 1)

    assert run("campaign", "pause", "1", "--why", "错字").output == "campaign 1 学习 is active, run 1 is paused\n"
    assert run("campaign", "resume", "1", "--why", "没错").output.endswith("run 1 is running\n")
    shown = json.loads(run("campaign", "show", "1", "--json", "--as", "qian").output)
    assert shown["run"] == {
        "id": 1,
        "status": "running",
        "reason": None,
        "held_for": None,
        "lane": "small",
        "canary": False,
        "stops": [],
        "audience": 2,
        "statuses": {"pending": 1, "skipped": 1},
        "identity": True,
    }
    assert (shown["decision"]["login"], shown["class"]) == ("zhao", "study")

    counted = json.loads(run("counts", "--by", "unit,status", "--unit", "0101", "--run", "1", "--json").output)
    assert [(line["by"]["unit"]["code"], line["by"]["status"], line["messages"]) for line in counted["items"]] == [
        ("0101001", "pending", 1),
        ("0101001", "skipped", 1),
    ]
    total = {"people": 2, "messages": 2, "parts": 0, "left": 0, "delivered": 0}
    assert counted["total"] == counted["total"] | total
    table = run("counts", "--by", "status", "--as", "qian").output
    assert all(word in table for word in ("pending", "skipped", "total", "messages"))

    cancelled = run("campaign", "cancel", "1", "--why", "停", "--as", "wang")
    assert cancelled.output.splitlines()[0] == "0 texts had left already"
    with database.session() as session:
        assert session.scalars(select(Run.status)).all() == ["cancelled"]
        acts = session.execute(select(TrailEntry.act, TrailEntry.account_id).order_by(TrailEntry.id)).all()
    assert [act for act, _ in acts[-3:]] == ["run.paused", "run.running", "run.cancelled"]
    assert [account is None for _, account in acts[-3:]] == [True, True, False]
    assert [line["id"] for line in json.loads(run("campaign", "list", "--json").output)] == [1]


def test_what_cannot_be_done_is_one_line(run: Shell, writing: list[str], database: Database) -> None:
    run(*writing)
    for words, error in (
        ("campaign approve 1 --as nobody", "there is no account with the login nobody"),
        ("campaign approve 1 --as zhao", "campaign 1 is draft; to approve it, it must be submitted"),
        ("campaign submit 1 --as qian", "qian does not hold the permission edit_campaigns"),
        ("campaign launch 1 --at tomorrow", "--at: must be a time with its offset"),
        ("campaign pause 1 --why x", "campaign 1 is draft; it was never launched"),
        ("campaign show 9", "there is no campaign 9"),
        ("campaign list --status lost", "--status: must be one of"),
        ("counts --by colour", "by: must be some of"),
        ("counts --unit 0102 --as qian", "qian does not hold the permission read"),
        ("counts --run 9", "there is no run 9"),
        ("counts --since 2026-12-02 --until 2026-12-01", "until: must not be before"),
    ):
        answer = run(*words.split())
        assert (answer.exit_code, answer.output.count("\n")) == (1, 1), answer.output
        assert error in answer.output
    assert run("campaign", "approve", "1").exit_code == 2  # never without an account
    bad = run(*writing, "--value", "内容")
    assert bad.output == "Error: --value: must be written NAME=TEXT\n"
