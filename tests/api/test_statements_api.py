"""Statements over HTTP and from the shell: issued, listed, shown letter by letter, printed, checked."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import select
from sqlalchemy.orm import Session

from sms_service.audit.models import TrailEntry
from sms_service.cli import main
from tests.api.directory_client import Caller
from tests.reports.test_exports import DAY, Ledger, ledger  # noqa: F401 - a fixture

DAYS = {"since": DAY.isoformat(), "until": DAY.isoformat()}
WITH_CHROMIUM = pytest.mark.skipif(shutil.which("chromium") is None, reason="there is no Chromium here")


@pytest.fixture
def auditor(make_app, session: Session, ledger: Ledger) -> Caller:  # noqa: F811
    return Caller(make_app().test_client(), session, ledger.city, "auditor")


@pytest.fixture
def shell(
    ledger: Ledger,  # noqa: F811
    database_url: str,
    redis_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "var"))
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("REDIS_URL", redis_url)

    def run(*words: str):
        return CliRunner().invoke(main, ["statement", *words])

    return run


def issue(auditor: Caller, ledger: Ledger):  # noqa: F811
    return auditor.post("/statements", json={"unit_id": ledger.city.id, **DAYS})


def test_one_is_issued_and_says_what_its_digest_is_of(
    auditor: Caller,
    session: Session,
    ledger: Ledger,  # noqa: F811
) -> None:
    made = issue(auditor, ledger)
    assert made.status_code == 201
    assert made.json["digest"] == hashlib.sha256(made.json["content"].encode()).hexdigest()
    said = json.loads(made.json["content"])
    assert (said["total"]["messages"], said["number"], said["unit"]["id"]) == (3, made.json["number"], ledger.city.id)
    assert auditor.get(f"/statements/{made.json['id']}").json == made.json
    other = issue(auditor, ledger).json
    without = {name: value for name, value in made.json.items() if name != "content"}
    assert auditor.get("/statements", number=made.json["number"].lower()).json["items"] == [without]
    assert [one["id"] for one in auditor.get("/statements").json["items"]] == [other["id"], made.json["id"]]
    assert auditor.get("/statements", unit=ledger.branch.id).json["items"] == []
    entry = session.scalars(select(TrailEntry).where(TrailEntry.act == "statement.issue")).first()
    assert entry is not None
    assert entry.account_id == auditor.account_id == made.json["issued_by"]


def test_the_same_key_issues_one(auditor: Caller, ledger: Ledger) -> None:  # noqa: F811
    body, headers = {"unit_id": ledger.city.id, **DAYS}, {"Idempotency-Key": "statement-of-september"}
    first, second = (auditor.post("/statements", json=body, headers=headers) for _ in range(2))
    assert first.json == second.json
    assert len(auditor.get("/statements").json["items"]) == 1


def test_what_cannot_be_issued_is_said(auditor: Caller, make_app, session: Session, ledger: Ledger) -> None:  # noqa: F811
    for wrong in ({"since": "2026-09-02"}, {"until": "2028-01-01"}, {"until": "x"}):
        refused = auditor.post("/statements", json={"unit_id": ledger.city.id, **DAYS, **wrong})
        assert (refused.status_code, refused.json["errors"][0]["field"]) == (422, "until")
    stranger = Caller(make_app().test_client(), session, ledger.branch, "auditor")
    assert issue(stranger, ledger).status_code == 403
    made = issue(auditor, ledger).json
    assert stranger.get(f"/statements/{made['id']}").status_code == 403
    assert stranger.get("/statements").json["items"] == []


@WITH_CHROMIUM
def test_the_paper_is_a_pdf_over_http_and_from_the_shell(
    auditor: Caller,
    shell,
    ledger: Ledger,  # noqa: F811
    tmp_path: Path,
) -> None:
    made = issue(auditor, ledger).json
    pdf = auditor.get(f"/statements/{made['id']}/pdf")
    assert (pdf.status_code, pdf.content_type, pdf.data[:5]) == (200, "application/pdf", b"%PDF-")
    path = tmp_path / "statement.pdf"
    assert shell("pdf", made["number"], str(path)).output == f"{path}: statement {made['number']}\n"
    assert path.read_bytes()[:5] == b"%PDF-"
    assert "is there already" in shell("pdf", made["number"], str(path)).output


def test_without_a_browser_the_page_is_what_can_be_printed(
    auditor: Caller,
    shell,
    ledger: Ledger,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = issue(auditor, ledger).json
    monkeypatch.setenv("PATH", str(tmp_path))
    refused = auditor.get(f"/statements/{made['id']}/pdf")
    assert (refused.status_code, "no Chromium" in refused.text) == (409, True)
    ended = shell("pdf", made["number"], str(tmp_path / "x.pdf"))
    assert (ended.exit_code, "no Chromium" in ended.output, not (tmp_path / "x.pdf").exists()) == (1, True, True)


def test_the_same_from_the_shell(auditor: Caller, shell, ledger: Ledger) -> None:  # noqa: F811
    assert shell("list").output == "no statement was issued\n"
    issued = shell("issue", "--unit", ledger.city.code, "--since", DAYS["since"], "--until", DAYS["until"])
    assert issued.exit_code == 0, issued.output
    [made] = auditor.get("/statements").json["items"]
    assert issued.output == f"statement {made['number']} is issued\nSHA-256 {made['digest']}\n"
    assert made["issued_by"] is None
    assert hashlib.sha256(shell("show", made["number"]).output.encode()).hexdigest() == made["digest"]
    listed = shell("list", "--unit", ledger.city.code).output
    assert listed.startswith(f"{made['number']}: {ledger.city.code} {ledger.city.name}, 2026-09-01 to 2026-09-01")
    assert shell("list", "--unit", ledger.branch.code).output == "no statement was issued\n"
    agrees = shell("check", made["number"], made["digest"][:16])
    assert (agrees.exit_code, agrees.output.startswith("number and digest agree; issued ")) == (0, True)
    for wrong, says in (((made["number"], "0" * 16), "is not that of"), (("x", made["digest"]), "no statement has")):
        ended = shell("check", *wrong)
        assert (ended.exit_code, says in ended.output) == (1, True)
    assert shell("show", "x").exit_code == 1
