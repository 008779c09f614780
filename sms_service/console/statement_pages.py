"""对账单: a unit's counts for some days on paper, with a number and a digest that anybody can have checked later."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from flask import Response, g, make_response, request
from marshmallow import fields
from sqlalchemy.orm import Session

from sms_service.accounts.permissions import Permission
from sms_service.console import cookies
from sms_service.console.assets import read_assets
from sms_service.console.blueprint import blueprint
from sms_service.console.forms import read_form, read_query
from sms_service.console.languages import choose_language
from sms_service.console.pages import act_view, go_to, page_view
from sms_service.console.rendering import render_page
from sms_service.console.unit_choice import choose_unit
from sms_service.errors import Conflict, Invalid
from sms_service.reports.export_models import IssuedStatement
from sms_service.reports.statements import (
    check_statement,
    draw_statement,
    find_statements,
    get_statement,
    issue_statement,
)
from sms_service.said import as_said
from sms_service.web.context import current_context
from sms_service.web.limits import guesses_counted
from sms_service.web.paging import PageQuery, fetch_page
from sms_service.web.rates import read_prices
from sms_service.web.schemas import Id, In

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
PDF_S = 30
CHECKS_AN_ADDRESS = "20 per minute; 100 per hour"


class StatementForm(In):
    """Of which unit, with all below it, and of which days."""

    unit = Id(required=True)
    since = fields.Date(required=True)
    until = fields.Date(required=True)


class CheckQuery(In):
    """What is printed on the paper."""

    number = fields.String(load_default=None)
    digest = fields.String(load_default=None)


@page_view("/statement", Permission.read)
def list_statements() -> str:
    """The form for a new one, and those that were issued."""
    query = read_query(PageQuery)
    found, following = fetch_page(
        g.session,
        find_statements(g.actor),
        query,
        sort="id",
        key=IssuedStatement.id,
        id_=IssuedStatement.id,
        descending=True,
    )
    first = current_context().clock().date().replace(day=1)
    return render_page(
        "statements.html",
        found=found,
        following=following,
        choice=choose_unit(g.session, g.actor, Permission.read, None, top=True),
        since=(first - timedelta(days=1)).replace(day=1),
        until=first - timedelta(days=1),
    )


@act_view("/statement", Permission.read, again=list_statements)
def issue_one_statement() -> Response:
    """Count now, give it a number, and keep it."""
    form = read_form(StatementForm)
    with current_context().database.one_snapshot() as snapshot:  # so that all tables are of one moment
        days = form["since"], form["until"]
        content = draw_statement(Session(snapshot), g.actor, form["unit"], *days, read_prices())
    statement = issue_statement(g.session, g.actor, content, current_context().random_bytes)
    return go_to("console.show_statement", statement_id=statement.id)


@page_view("/statement/<int:statement_id>", Permission.read)
def show_statement(statement_id: int) -> str:
    """What was issued, to be printed."""
    return render_page("statement.html", pdf=_find_chromium() is not None, **_shown(statement_id))


@page_view("/statement/<int:statement_id>/pdf", Permission.read)
def download_statement(statement_id: int) -> Response:
    """The same as a PDF."""
    shown = _shown(statement_id)
    page = render_page("statement_pdf.html", **shown)
    g.session.commit()  # no transaction is open while the browser works
    answer = make_response(_print(page))
    answer.headers["Content-Type"] = "application/pdf"
    answer.headers["Content-Disposition"] = f'attachment; filename="statement-{shown["statement"].number}.pdf"'
    return answer


@blueprint.get("/statements/check")
def check_printed_statement() -> str:
    """Whether number and digest of a paper agree; for everybody, without a log-in. Says nothing about the content."""
    g.language = choose_language()
    cookies.require_safe_transport()
    query = read_query(CheckQuery)
    answer, wrong = None, None
    if query["number"] and query["digest"]:
        try:
            with guesses_counted(CHECKS_AN_ADDRESS, f"statement-{request.remote_addr}"):
                with current_context().database.session() as session:
                    answer = check_statement(session, query["number"], query["digest"])
                if answer is None or not answer[0]:
                    raise Invalid("digest", None, "does not agree")
        except Invalid as error:
            wrong = error.reason
    return render_page("statement_check.html", answer=answer, wrong=wrong, query=query)


def _shown(statement_id: int) -> dict[str, Any]:
    statement = get_statement(g.session, g.actor, statement_id)
    content = json.loads(statement.content)
    days = {name: date.fromisoformat(content[name]) for name in ("since", "until")}
    return {"statement": statement, "said": content, "host": current_context().settings.public_url, **days}


def _find_chromium() -> str | None:
    return next((path for name in CHROMIUM if (path := shutil.which(name))), None)


def _print(page: str) -> bytes:
    """The page as a PDF, made in a folder that nobody else can read. Raises Conflict where there is no browser."""
    browser = _find_chromium()
    if browser is None:
        raise Conflict("there is no Chromium on this machine; print the page")
    with tempfile.TemporaryDirectory() as folder:
        html, pdf = Path(folder, "statement.html"), Path(folder, "statement.pdf")
        html.write_text(page, encoding="utf-8")
        for name in ("vendor/bootstrap.min.css", "statement.css"):
            Path(folder, Path(name).name).write_bytes(read_assets()[name].content)
        # A sandbox needs another user than root; the page has no scripts and loads nothing.
        options = [f"--user-data-dir={folder}/profile", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
        options += ["--headless", "--disable-gpu", "--no-pdf-header-footer", "--no-first-run"]
        try:
            subprocess.run(
                [browser, *options, f"--print-to-pdf={pdf}", html.as_uri()],
                check=True,
                capture_output=True,
                timeout=PDF_S,
            )
            return pdf.read_bytes()
        except (OSError, subprocess.SubprocessError):
            raise Conflict(as_said("Chromium made no PDF; print the page")) from None
