"""Exports on the pages: asked for on any list of rows, watched, downloaded, deleted."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from sms_service.audit.models import TrailEntry
from sms_service.reports.export_models import Export
from sms_service.reports.export_work import ExportDesk, work_on_export
from sms_service.web.words import find_wording
from tests.reports.test_exports import Ledger, ledger  # noqa: F401 - a fixture


@pytest.fixture
def write(app, database):
    """Does what a worker does."""
    folder = app.extensions["sms_service"].settings.exports_dir
    return lambda: work_on_export(database, ExportDesk(folder, 7, {}, find_wording))


def test_an_auditor_takes_two_clicks_from_the_rows_to_the_file(session, log_in, ledger, write):  # noqa: F811
    auditor = log_in(ledger.city, "auditor", language="zh")
    rows = auditor.get("/rows?status=delivered").text
    fields = dict(
        re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', rows.partition('action="/exports"')[2])
    )
    assert fields["status"] == "delivered"
    made = auditor.post("/exports", form="/exports", data={"status": "delivered"})
    assert (made.status_code, made.location) == (303, "/exports")
    page = auditor.get("/exports").text
    assert 'hx-get="/exports/live"' in page
    assert "状态 已送达</span>" in page, "of several exports each says what it holds"
    write()
    done = auditor.get("/exports/live")
    assert done.headers["HX-Refresh"] == "true"
    link = re.search(r'href="(/exports/\d+/file)"', done.text)
    assert link is not None
    file = auditor.get(link[1])
    assert file.data[:2] == b"PK"
    assert auditor.get(link[1], headers={"Range": "bytes=10-"}).data == file.data[10:]
    deleted = auditor.post("/exports/1/delete", form="/exports")
    assert deleted.status_code == 303
    acts = session.scalars(select(TrailEntry.act).where(TrailEntry.target_kind == "export").order_by(TrailEntry.id))
    assert acts.all() == ["export.create", "export.download", "export.download", "export.delete"]


def test_columns_have_a_choice_and_an_order(session, log_in, ledger):  # noqa: F811
    auditor = log_in(ledger.city, "auditor")
    page = auditor.get("/exports/new?status=delivered").text
    assert 'name="status" value="delivered"' in page
    assert "whole_phones" not in page, "an auditor sees no whole numbers"
    data = {"columns": ["unit", "status", "parts"], "place.unit": "3", "place.status": "1", "place.parts": "2"}
    auditor.post("/exports", form="/exports/new", data={**data, "format": "csv-plain"})
    export = session.scalars(select(Export)).one()
    assert (export.columns, export.format, export.bom) == (["status", "parts", "unit"], "csv", False)


def test_whole_numbers_ask_for_a_reason(session, log_in, ledger):  # noqa: F811
    officer = log_in(ledger.city, "officer")
    refused = officer.post("/exports", form="/exports/new", data={"whole_phones": "true", "columns": ["phone"]})
    assert refused.status_code == 422
    data = {"whole_phones": "true", "columns": ["phone"], "why": "核对"}
    assert officer.post("/exports", form="/exports/new", data=data).status_code == 303
    assert session.scalars(select(Export.whole_phones)).one()


def test_a_files_name_has_the_day_of_the_city():
    export = Export(id=7, as_of=datetime(2026, 11, 29, 17, 43, tzinfo=UTC), format="xlsx")
    assert export.download_name == "ledger-7-20261130.xlsx"
