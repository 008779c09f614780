"""Exports over the API: asked for, watched, downloaded in parts, deleted; and nobody else's."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from sms_service.reports.export_work import ExportDesk, work_on_export
from sms_service.web.words import find_wording
from tests.api.directory_client import Caller
from tests.reports.test_exports import DAY, Ledger, ledger  # noqa: F401 - a fixture


@pytest.fixture
def auditor(make_app, session, ledger: Ledger, tmp_path: Path) -> Caller:  # noqa: F811
    app = make_app({"EXPORTS_DIR": str(tmp_path / "exports")})
    return Caller(app.test_client(), session, ledger.city, "auditor")


def write(ledger: Ledger) -> None:  # noqa: F811
    work_on_export(ledger.database, ExportDesk(ledger.folder, 7, {}, find_wording))


def test_an_export_from_the_question_to_the_file(auditor: Caller, ledger: Ledger) -> None:  # noqa: F811
    asked = {"status": "delivered", "since": DAY.isoformat(), "format": "csv", "columns": ["unit", "status"]}
    made = auditor.post("/exports", json={**asked, "bom": False, "language": "en"})
    assert (made.status_code, made.json["state"]) == (202, "queued")
    assert made.json["filter"] == {"status": "delivered", "since": "2026-09-01"}
    path = f"/exports/{made.json['id']}"
    assert auditor.get(f"{path}/file").status_code == 409
    write(ledger)
    ready = auditor.get(path).json
    assert (ready["state"], ready["rows_done"], ready["rows_total"]) == ("ready", 1, 1)
    file = auditor.get(f"{path}/file")
    assert file.data.decode() == f"Unit,Status\r\n{ledger.branch.name},Delivered\r\n"
    assert ready["digest"] == hashlib.sha256(file.data).hexdigest()
    assert (file.headers["ETag"], len(file.data)) == (f'"{ready["digest"]}"', ready["size"])
    assert file.headers["Content-Disposition"].startswith("attachment; filename=ledger-1-")
    assert [one["id"] for one in auditor.get("/exports").json["items"]] == [made.json["id"]]
    assert auditor.call("DELETE", path).status_code == 204
    assert auditor.get(path).status_code == 404


def test_a_download_goes_on_where_it_broke_off(auditor: Caller, ledger: Ledger) -> None:  # noqa: F811
    path = f"/exports/{auditor.post('/exports', json={}).json['id']}/file"
    write(ledger)
    whole = auditor.get(path)
    rest = auditor.call("GET", path, headers={"Range": "bytes=100-", "If-Range": whole.headers["ETag"]})
    assert (rest.status_code, whole.data[:100] + rest.data) == (206, whole.data)
    assert rest.headers["Content-Range"] == f"bytes 100-{len(whole.data) - 1}/{len(whole.data)}"
    other = auditor.call("GET", path, headers={"Range": "bytes=100-", "If-Range": '"another"'})
    assert (other.status_code, other.data) == (200, whole.data)
    assert auditor.call("GET", path, headers={"If-None-Match": whole.headers["ETag"]}).status_code == 304


@pytest.mark.parametrize(
    ("body", "field"),
    [({"columns": ["secret"]}, "columns[0]"), ({"format": "pdf"}, "format"), ({"columns": []}, "columns")],
)
def test_what_cannot_be_exported_is_said(auditor: Caller, body: dict[str, object], field: str) -> None:
    refused = auditor.post("/exports", json=body)
    assert (refused.status_code, refused.json["errors"][0]["field"]) == (422, field)
