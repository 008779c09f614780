"""Stopping, retrying, sending again, settling, gateway accounts and caps from the shell."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import update

from sms_service.cli import main
from sms_service.db.engine import Database
from sms_service.ledger.models import Run
from tests.dispatch.city import City, make_city, statuses
from tests.factories import make_account
from tests.ledger.outcomes import hand_over

Shell = Callable[..., Result]


@pytest.fixture
def run(database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("REDIS_URL", redis_url)
    return lambda *arguments: CliRunner().invoke(main, list(arguments))


@pytest.fixture
def city(database: Database) -> City:
    """Three people, one campaign, one run; wang is an officer."""
    made = make_city(database, 3, code="01", name="云州市")
    with database.session() as session:
        make_account(session, made.unit, "wang")
    return made


def test_stop_everything_and_release_it(run: Shell, city: City) -> None:
    assert run("stops").output == "nothing is stopped\n"
    first = run("stop", "--city", "--why", "错字")
    assert first.output.startswith("stop 1: unit 01 云州市, ")
    assert first.output.endswith(", the shell: 错字\n")
    assert run("stop", "--unit", "01", "--why", "又").output.endswith(": 错字 (stopped already)\n")
    assert run("stop", "--gateway", "main", "--why", "密钥外泄").output.startswith("stop 2: gateway account main, ")
    assert [line.split(":")[0] for line in run("stops").output.splitlines()] == ["stop 2", "stop 1"]
    refused = run("release", "2", "--why", "好了", "--as", "wang")
    assert (refused.exit_code, "operate_service" in refused.output) == (1, True)
    assert "; released " in run("release", "1", "--why", "已改", "--as", "wang").output
    assert run("stops", "--as", "wang").output.startswith("stop 2: ")
    assert len(run("stops", "--released").output.splitlines()) == 2
    assert run("stop", "--why", "x").exit_code == run("stop", "--city", "--unit", "01", "--why", "x").exit_code == 2


def test_retry_says_what_goes_again_and_what_does_not(run: Shell, city: City, database: Database) -> None:
    hand_over(database, city, "refused", "balance")
    with database.session() as session:
        session.execute(update(Run).values(status="finished"))
    words = ("campaign", "retry", "1", "--why", "已充值", "--as", "wang")
    assert run(*words, "--class", "rate").output.splitlines()[0] == "0 texts go again; 3 do not (3 balance)"
    done = run(*words)
    assert done.output.splitlines() == [
        "3 texts go again (3 balance); 0 do not",
        "campaign 1 学习 is active, run 1 is running",
    ]
    assert statuses(database, city.run_id) == {"pending": 3}
    assert run(*words, "--class", "content").exit_code == 2


def test_send_again_and_settle(run: Shell, city: City, database: Database) -> None:
    one, two, three = map(str, hand_over(database, city, "unknown"))
    again = ("campaign", "send-again", "1", "--why", "没收到")
    assert run(*again, "--message", one, "--message", "99").output.startswith(
        "1 texts go again (1 unknown); 1 do not (1 not_of_this_run)\n"
    )
    assert run(*again).exit_code == run(*again, "--all", "--message", one).exit_code == 2
    settled = run("settle", two, "accepted", "--why", "有记录", "--as", "wang")
    assert settled.output == f"message {two} is accepted\n"
    twice = run("settle", two, "refused", "--why", "没有", "--as", "wang")
    assert twice.output == f"Error: message {two} is accepted; only an unknown one can be settled\n"
    assert run("settle", three, "refused", "--why", "没有").exit_code == 2  # somebody must answer for it
    assert run(*again, "--all").output.startswith("1 texts go again (1 unknown); 0 do not\n")
    assert statuses(database, city.run_id) == {"pending": 2, "accepted": 1}


def test_several_texts_are_settled_at_once(run: Shell, city: City, database: Database) -> None:
    one, two, three = map(str, hand_over(database, city, "unknown"))
    settled = run("settle", two, one, "refused", "--why", "没有", "--as", "wang")
    assert settled.output == f"message {one} is refused\nmessage {two} is refused\n"
    twice = run("settle", two, three, "accepted", "--why", "有记录", "--as", "wang")
    assert (twice.exit_code, f"message {two} is refused" in twice.output) == (1, True)
    assert statuses(database, city.run_id) == {"refused": 2, "unknown": 1}


def test_a_run_held_for_the_cluster_is_resumed_by_a_verdict(run: Shell, city: City, database: Database) -> None:
    with database.session() as session:
        session.execute(update(Run).values(status="held", held_for="cluster"))
    resume = ("campaign", "resume", "1", "--why", "已核对")
    assert run(*resume).output.startswith("Error: verdict: must be `nothing_lost` or `go_on`")
    assert run(*resume, "--verdict", "nothing_lost").output.endswith("run 1 is running\n")


def test_gateway_accounts_and_caps(run: Shell, city: City) -> None:
    assert run("gateway", "list").output == "gateway account main (scripted) is open\n"
    assert run("gateway", "pause", "main", "--why", "换密钥").output.endswith("is paused: 换密钥\n")
    assert run("gateway", "open", "main", "--why", "已换").output.endswith("is open\n")
    assert run("gateway", "open", "main", "--why", "再开").exit_code == 1
    assert run("caps").output == "no class has a cap\n"
    assert run("caps", "set", "study", "2", "--why", "试行").output == "study: 2 a day\n"
    assert run("caps").output == "study: 2 a day\n"
    assert run("caps", "remove", "study", "--why", "放开").output == "study has no cap any more\n"
    assert run("caps", "remove", "study", "--why", "放开").output == "Error: there is no cap of the class study\n"


def test_a_calendar_of_quiet_days(run: Shell, city: City, tmp_path: Path) -> None:
    calendar = tmp_path / "calendar.txt"
    calendar.write_text("2149-04-05 清明节\n2149-05-01 至 2149-05-02 劳动节\n", encoding="utf-8")
    assert run("quiet-days", "list").output == "no day is quiet\n"
    assert run("quiet-days", "set", str(calendar), "--unit", "01").output == "3 days are quiet\n"
    lines = run("quiet-days", "list").output.splitlines()
    assert lines[0] == "1: 2149-04-05 清明节, 01 云州市: study, invitation, survey"
    refused = run("quiet-days", "remove", "1", "--as", "wang")
    assert (refused.exit_code, "manage_directory" in refused.output) == (1, True)
    assert run("quiet-days", "remove", "1").output == "quiet day 1 is removed\n"
    assert len(run("quiet-days", "list").output.splitlines()) == 2
