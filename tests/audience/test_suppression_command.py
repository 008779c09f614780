"""`python -m sms_service suppressions …`."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result
from sqlalchemy.orm import Session

from sms_service.cli import main
from tests.factories import make_account, make_person, make_unit


@pytest.fixture
def run(database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch, session: Session) -> Callable[..., Result]:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("REDIS_URL", redis_url)
    city = make_unit(session, code="01", name="云州市")
    make_person(session, city, "王伟", number="M1", phone="+8613900001234")
    make_person(session, city, "李娜", number="M2", phone=None)
    make_account(session, make_unit(session, code="02"), "stranger")
    session.commit()
    return lambda *arguments: CliRunner().invoke(main, ["suppressions", *arguments])


def test_a_number_is_added_listed_and_lifted(run: Callable[..., Result]) -> None:
    assert run("add", "--number", "M1").output == "suppression 1: opted_out\n"
    made = run("add", "--number", "M1", "--reason", "manual", "--note", "正在住院", "--unit", "01")
    assert made.output == "suppression 2: manual\n"
    listed = run("list", "--scope", "unit").output.splitlines()
    assert listed[0].startswith("suppression 2: +86139****1234 (王伟, 云州市): manual, texts of 云州市; since 20")
    assert listed[0].endswith("by api (正在住院)")
    assert listed[1] == "1 entries"
    assert run("lift", "--number", "M1", "--unit", "01", "--why", "已出院").output == "lifted\n"
    assert run("list").output.splitlines()[-1] == "1 entries"
    history = run("history", "--number", "M1").output.splitlines()
    assert "by the service (已出院)" in history[0]
    assert history[-1] == "2 entries"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("add", "--number", "M2"), "has no phone number"),
        (("add", "--number", "M1", "--reason", "manual"), "is needed with this reason"),
        (("lift", "--number", "M1", "--why", "x"), "there is no suppression of this phone"),
        (("add", "--number", "M1", "--as", "stranger"), "does not hold the permission"),
        (("list", "--unit", "01", "--as", "stranger"), "does not hold the permission"),
        (("history", "--number", "M9"), "no person with the number"),
    ],
)
def test_what_is_wrong_is_one_line(run: Callable[..., Result], arguments: tuple[str, ...], said: str) -> None:
    answer = run(*arguments)
    assert (answer.exit_code, said in answer.output, answer.output.count("\n")) == (1, True, 1)


def test_a_class_and_a_signature_name_an_entry(run: Callable[..., Result]) -> None:
    kind = ("--class", "study", "--signature", "云州先锋")
    assert run("add", "--number", "M1", *kind).output == "suppression 1: opted_out\n"
    run("add", "--number", "M1")
    listed = run("list", "--scope", "kind").output.splitlines()
    assert "opted_out, study 【云州先锋】 texts; since" in listed[0]
    assert listed[-1] == "1 entries"
    assert ", all texts; since" in run("list", "--scope", "everywhere").output
    assert run("lift", "--number", "M1", *kind, "--why", "本人来电").output == "lifted\n"
    assert run("list").output.splitlines()[-1] == "1 entries"
