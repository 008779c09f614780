"""Statements on the pages: issued, shown as they were, printed, and checked without a log-in."""

from __future__ import annotations

import re
import shutil

import pytest

from tests.reports.test_exports import DAY, Ledger, ledger  # noqa: F401 - a fixture


def test_a_statement_is_issued_and_checked_by_somebody_without_an_account(app, log_in, ledger):  # noqa: F811
    auditor = log_in(ledger.city, "auditor", language="zh")
    data = {"unit": str(ledger.city.id), "since": DAY.isoformat(), "until": DAY.isoformat()}
    issued = auditor.post("/statement", form="/statement", data=data)
    assert issued.status_code == 303
    page = auditor.get(issued.location).text
    assert "盖章处" in page
    number, digest = re.search(r"\d{8}-[A-Z2-9]{8}", page)[0], re.search(r"<strong>([0-9a-f]{64})<", page)[1]
    assert number in auditor.get("/statement").text
    anybody = app.test_client()
    agrees = anybody.get("/statements/check", query_string={"number": number, "digest": digest}).text
    assert "Number and digest agree" in agrees or "编号与摘要一致" in agrees
    assert ledger.city.name not in agrees
    for wrong in ({"number": number, "digest": "0" * 16}, {"number": "x", "digest": digest}):
        assert 'role="alert"' in anybody.get("/statements/check", query_string=wrong).text
    many = [anybody.get("/statements/check", query_string={"number": "x", "digest": digest}) for _ in range(25)]
    assert many[-1].status_code == 429


def test_days_that_cannot_be_used_are_named_and_kept(log_in, ledger):  # noqa: F811
    auditor = log_in(ledger.city, "auditor")
    data = {"unit": str(ledger.city.id), "since": "2016-01-01", "until": "2026-01-01"}
    again = auditor.post("/statement", form="/statement", data=data)
    assert again.status_code == 422
    assert 'class="wrong-text"' in again.text
    assert 'name="since" value="2016-01-01"' in again.text


def test_without_prices_no_column_is_of_money(log_in, ledger):  # noqa: F811
    auditor = log_in(ledger.city, "auditor")
    data = {"unit": str(ledger.city.id), "since": DAY.isoformat(), "until": DAY.isoformat()}
    issued = auditor.post("/statement", form="/statement", data=data)
    assert "Yuan" not in auditor.get(issued.location).text


@pytest.mark.skipif(shutil.which("chromium") is None, reason="there is no Chromium here")
def test_the_pdf_is_of_the_same_page(log_in, ledger):  # noqa: F811
    auditor = log_in(ledger.city, "auditor")
    data = {"unit": str(ledger.city.id), "since": DAY.isoformat(), "until": DAY.isoformat()}
    issued = auditor.post("/statement", form="/statement", data=data)
    pdf = auditor.get(f"{issued.location}/pdf")
    assert (pdf.status_code, pdf.content_type, pdf.data[:5]) == (200, "application/pdf", b"%PDF-")
