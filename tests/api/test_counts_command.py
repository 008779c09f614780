"""Counts in the shell: all filters and dimensions of the API, the same answers, and exports of the same rows."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select
from sqlalchemy.orm import Session

from sms_service.audit.models import TrailEntry
from sms_service.cli import main
from sms_service.cli.counts import counts
from sms_service.cli.exports import export_
from sms_service.ledger.models import Message
from sms_service.reports.filters import DIMENSIONS
from sms_service.web.ledger_rows import MessageFilter
from tests.api.directory_client import Caller
from tests.reports.test_exports import Ledger, ledger  # noqa: F401 - a fixture


@pytest.fixture
def shell(
    ledger: Ledger,  # noqa: F811
    database_url: str,
    redis_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., Result]:
    for name, value in (("DATABASE_URL", database_url), ("REDIS_URL", redis_url), ("DATA_DIR", str(tmp_path / "var"))):
        monkeypatch.setenv(name, value)
    return lambda *words: CliRunner().invoke(main, words)


@pytest.mark.parametrize("command", [counts, export_], ids=["counts", "export"])
def test_a_command_has_all_filters_of_the_api(command: click.Command) -> None:
    own = {"by", "login", "as_json"} if command is counts else set()
    own |= set() if command is counts else {"file", "columns", "bom", "language", "whole_phones", "why", "login"}
    assert {option.name for option in command.params} - own == set(MessageFilter().fields)


def test_its_help_names_all_dimensions(shell: Callable[..., Result]) -> None:
    assert ", ".join(DIMENSIONS) in " ".join(shell("counts", "--help").output.split())


@pytest.mark.parametrize(
    "query",
    [
        {"by": "unit,status"},
        {"by": "status,reason"},
        {"by": "month", "status": "delivered", "kind": "campaign"},
        {"by": "reason", "reason": ""},
        {"by": "campaign", "of_campaign": "true"},
        {"by": "sender", "class": "notice"},
        {"by": "day", "since": "2026-09-01", "until": "2026-09-01"},
        {"by": "account", "account": "main", "changed_since": "2026-01-01T00:00+08:00"},
        {"by": "carrier", "template": "1", "item": "1"},
    ],
    ids=lambda query: "-".join(query.values()),
)
def test_the_shell_answers_what_the_api_does(
    make_app,
    session: Session,
    ledger: Ledger,  # noqa: F811
    shell: Callable[..., Result],
    query: dict[str, str],
) -> None:
    words = [
        word
        for name, value in query.items()
        for word in (f"--{name.replace('_', '-')}", *([] if value == "true" else [value]))
    ]
    answer = Caller(make_app().test_client(), session, ledger.city, "auditor").get("/counts", **query).json
    said = json.loads(shell("counts", "--json", *words, "--as", ledger.auditor.login).stdout)
    numbers = ("people", "messages", "left", "delivered", "delivery_rate", "parts")
    assert said["total"]["messages"] == answer["total"]["messages"] > 0
    assert [[line[name] for name in numbers] for line in said["items"]] == [
        [line[name] for name in numbers] for line in answer["items"]
    ]
    assert [line["names"] for line in said["items"] if "carrier" not in line["by"]] == [
        line["names"] for line in answer["items"] if "carrier" not in line["by"]
    ]
    assert (said["identity"], said["amendments"], said["people"]) == (
        answer["identity"],
        answer["amendments"],
        answer["people"],
    )


def test_units_are_named_by_their_codes(shell: Callable[..., Result], ledger: Ledger) -> None:  # noqa: F811
    def total(*words: str) -> int:
        messages: int = json.loads(shell("counts", "--json", *words).stdout)["total"]["messages"]
        return messages

    city, branch = ledger.city.code, ledger.branch.code
    assert (total("--unit", city), total("--unit", branch), total("--unit", city, "--no-subtree")) == (3, 2, 0)
    assert (total("--sender", city), total("--sender", branch), total("--under", branch)) == (3, 0, 2)
    printed = shell("counts", "--by", "unit").output
    assert "1 runs: 3 recipients = 3 texts" in printed


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--status", "gone"], "--status: must be one of"),
        (["--since", "yesterday"], "--since: "),
        (["--since", "2026-09-02", "--until", "2026-09-01"], "until: "),
        (["--changed-since", "2026-09-02"], "--changed-since: "),
        (["--unit", "none"], "there is no unit with the code none"),
        (["--by", "colour"], "by: must be some of unit, sender"),
    ],
)
def test_what_cannot_be_asked_is_said(shell: Callable[..., Result], words: list[str], says: str) -> None:
    ended = shell("counts", *words)
    assert (ended.exit_code, says in ended.output) == (1, True), ended.output


def test_the_same_rows_as_a_file(
    shell: Callable[..., Result],
    session: Session,
    ledger: Ledger,  # noqa: F811
    tmp_path: Path,
) -> None:
    path = tmp_path / "rows.csv"
    words = ["--unit", ledger.city.code, "--reason", "capped", "--columns", "message,status", "--language", "en"]
    done = shell("export", str(path), *words, "--as", ledger.auditor.login)
    assert done.exit_code == 0, done.output
    skipped = session.scalars(select(Message.id).where(Message.status == "skipped")).one()
    assert list(csv.reader(path.open(encoding="utf-8-sig"))) == [
        ["Number in the ledger", "Status"],
        [str(skipped), "Skipped"],
    ]
    entry = session.scalars(select(TrailEntry).where(TrailEntry.act == "export.create")).one()
    assert entry.details["filter"] == {"unit": str(ledger.city.id), "reason": "capped"}
