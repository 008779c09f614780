"""Statements on the pages: issued, shown as they were, printed, and checked without a log-in."""

from __future__ import annotations

import re
import shutil
from datetime import UTC, datetime

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


def test_a_month_a_quarter_or_a_year_is_one_press_away(clock, log_in, ledger):  # noqa: F811
    clock.now = datetime(2026, 11, 28, 17, tzinfo=UTC)  # in the city it is the 29th
    auditor = log_in(ledger.city, "auditor")
    page = auditor.get("/statement").text
    asked = {
        name: (re.search(r"since=([\d-]+)", link)[1], re.search(r"until=([\d-]+)", link)[1])
        for link, name in re.findall(r'<a href="([^"]*since[^"]*)"[^>]*>([^<]+)</a>', page)
    }
    assert asked == {
        "Last month": ("2026-10-01", "2026-10-31"),
        "Last quarter": ("2026-07-01", "2026-09-30"),
        "Last year": ("2025-01-01", "2025-12-31"),
        "This year so far": ("2026-01-01", "2026-11-29"),
    }
    quarter = auditor.get("/statement", query_string={"since": "2026-07-01", "until": "2026-09-30"}).text
    assert 'value="2026-07-01"' in quarter
    assert re.search(r'aria-current="true">Last quarter<', quarter)


@pytest.mark.skipif(shutil.which("chromium") is None, reason="there is no Chromium here")
def test_the_pdf_is_of_the_same_page(log_in, ledger):  # noqa: F811
    auditor = log_in(ledger.city, "auditor")
    data = {"unit": str(ledger.city.id), "since": DAY.isoformat(), "until": DAY.isoformat()}
    issued = auditor.post("/statement", form="/statement", data=data)
    pdf = auditor.get(f"{issued.location}/pdf")
    assert (pdf.status_code, pdf.content_type, pdf.data[:5]) == (200, "application/pdf", b"%PDF-")
