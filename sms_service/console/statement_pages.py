"""对账单: a unit's counts for some days on paper, with a number and a digest that anybody can have checked later."""

from __future__ import annotations

from datetime import date, timedelta
from zoneinfo import ZoneInfo

from dateutil.relativedelta import relativedelta
from flask import Response, g, request
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.console import cookies
from sms_service.console.blueprint import blueprint
from sms_service.console.forms import read_form, read_query
from sms_service.console.languages import choose_language, page_language, say_here
from sms_service.console.pages import act_view, go_to, page_view
from sms_service.console.rendering import render_page
from sms_service.console.unit_choice import choose_unit
from sms_service.directory.models import CITY_ZONE
from sms_service.errors import Invalid
from sms_service.reports.export_models import IssuedStatement
from sms_service.reports.statements import (
    check_statement,
    draw_in_snapshot,
    find_statements,
    get_statement,
    issue_statement,
)
from sms_service.web.context import current_context
from sms_service.web.limits import guesses_counted
from sms_service.web.paging import ScopedPageQuery, fetch_page, scope_filter
from sms_service.web.rates import read_prices
from sms_service.web.schemas import Id, In
from sms_service.web.statement_answers import send_statement
from sms_service.web.statement_papers import CHECK_PATH, find_chromium, write_paper

CHECKS_AN_ADDRESS = "20 per minute; 100 per hour"


class StatementForm(In):
    """Of which unit, with all below it, and of which days."""

    unit = Id(required=True)
    since = fields.Date(required=True)
    until = fields.Date(required=True)


class StatementsQuery(ScopedPageQuery):
    """Which were issued, and the days that the form begins with."""

    since = fields.Date(load_default=None)
    until = fields.Date(load_default=None)


class CheckQuery(In):
    """What is printed on the paper."""

    number = fields.String(load_default=None)
    digest = fields.String(load_default=None)


@page_view("/statement", Permission.read)
def list_statements() -> str:
    """The form for a new one, and those that were issued."""
    query = read_query(StatementsQuery)
    found, following = fetch_page(
        g.session,
        find_statements(scope_filter(g.session, g.actor, Permission.read, query["unit"]).paths),
        query,
        sort="id",
        key=IssuedStatement.id,
        id_=IssuedStatement.id,
        descending=True,
    )
    periods = _choose_periods(current_context().clock().astimezone(ZoneInfo(CITY_ZONE)).date())
    return render_page(
        "statements.html",
        found=found,
        following=following,
        choice=choose_unit(g.session, g.actor, Permission.read, query["unit"], top=True),
        periods=periods,
        unit=query["unit"],
        since=query["since"] or periods[0][1],
        until=query["until"] or periods[0][2],
    )


@act_view("/statement", Permission.read, again=list_statements)
def issue_one_statement() -> Response:
    """Count now, give it a number, and keep it."""
    form = read_form(StatementForm)
    context, days = current_context(), (form["since"], form["until"])
    content = draw_in_snapshot(context.database, g.actor, form["unit"], *days, read_prices())
    statement = issue_statement(g.session, g.actor, content, context.random_bytes)
    return go_to("console.show_statement", statement_id=statement.id)


@page_view("/statement/<int:statement_id>", Permission.read)
def show_statement(statement_id: int) -> str:
    """What was issued, to be printed."""
    statement = get_statement(g.session, g.actor, statement_id)
    paper = write_paper(statement, page_language(), current_context().settings.public_url)
    return render_page("statement.html", statement=statement, paper=paper, pdf=find_chromium() is not None)


@page_view("/statement/<int:statement_id>/pdf", Permission.read)
def download_statement(statement_id: int) -> Response:
    """The same as a PDF."""
    statement = get_statement(g.session, g.actor, statement_id)
    g.session.commit()  # no transaction is open while the browser works
    return send_statement(statement, page_language())


@blueprint.get(CHECK_PATH)
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


def _choose_periods(today: date) -> list[tuple[str, date, date]]:
    """Periods that are asked for often: the month, quarter and year that is over, and the year so far."""
    month, year = today.replace(day=1), today.replace(month=1, day=1)
    quarter = month.replace(month=(today.month - 1) // 3 * 3 + 1)
    day, back = timedelta(days=1), relativedelta
    return [
        (say_here("Last month"), month - back(months=1), month - day),
        (say_here("Last quarter"), quarter - back(months=3), quarter - day),
        (say_here("Last year"), year - back(years=1), year - day),
        (say_here("This year so far"), year, today),
    ]
