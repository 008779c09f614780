"""`python -m sms_service account …`: from an empty database to an administrator who calls the API."""

from __future__ import annotations

import pytest
from click.testing import CliRunner
from factories import make_unit
from sqlalchemy import select

from sms_service import settings
from sms_service.accounts.models import Account, Token
from sms_service.api import create_app
from sms_service.audit.models import TrailEntry
from sms_service.cli import main


@pytest.fixture
def run(database_url, redis_url, monkeypatch, session):
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("REDIS_URL", redis_url)
    make_unit(session, code="01")
    session.commit()

    def command(*arguments: str, answer: str | None = None):
        return CliRunner().invoke(main, ["account", *arguments], input=answer)

    return command


def test_the_first_administrator_comes_from_the_shell(run, database, tmp_path, session):
    made = run("create", "li.na", "--unit", "01", "--name", "李娜", "--role", "administrator", "--role", "officer")
    assert (made.exit_code, made.output) == (0, "account 1 li.na of unit 01: administrator, officer\n")
    token = run("token", "li.na", "--name", "first", "--days", "1")
    secret = token.output.strip()
    client = create_app(settings.load_settings({}, tmp_path), database).test_client()
    me = client.get("/api/v1/me", headers={"Authorization": f"Bearer {secret}"})
    assert (me.status_code, me.json["name"]) == (200, "李娜")
    kept = session.scalars(select(Token)).one()
    assert (kept.expires_at - kept.created_at).days == 1
    by_the_service = session.scalars(select(TrailEntry.account_id)).all()
    assert by_the_service
    assert set(by_the_service) == {None}


def test_a_password_is_asked_for_and_opens_the_api(run, database, tmp_path):
    word = "correct horse battery"
    made = run("create", "li.na", "--unit", "01", "--password", answer=f"{word}\n{word}\n")
    assert made.exit_code == 0
    assert word not in made.output
    client = create_app(settings.load_settings({}, tmp_path), database).test_client()
    assert client.post("/api/v1/tokens", json={"name": "x"}, auth=("li.na", word)).status_code == 201


def test_roles_are_granted_and_listed(run):
    run("create", "li.na", "--unit", "01")
    assert run("list").output == "li.na, unit 01: no role\n"
    assert run("grant", "li.na", "approver", "--unit", "01").output == "li.na is approver of unit 01\n"
    assert run("list").output == "li.na, unit 01: approver of 01\n"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("create", "li.na", "--unit", "99"), "Error: there is no unit with the code 99\n"),
        (("token", "nobody"), "Error: there is no account with the login nobody\n"),
        (("grant", "nobody", "officer", "--unit", "01"), "Error: there is no account with the login nobody\n"),
    ],
)
def test_what_cannot_be_done_is_one_line(run, session, arguments, line):
    refused = run(*arguments)
    assert (refused.exit_code, refused.output) == (1, line)
    assert session.scalars(select(Account)).all() == []


def test_half_an_account_is_never_made(run, session):
    refused = run("create", "Li", "--unit", "01", "--role", "officer")
    assert refused.exit_code == 1
    assert refused.output.startswith("Error: login: must be")
    assert session.scalars(select(Account)).all() == []
