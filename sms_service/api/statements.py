"""`/statements`: a unit's counts for some days under a number and a digest, kept as they were issued."""

from __future__ import annotations

from typing import Any

from flask import Response, g
from flask.views import MethodView
from marshmallow import fields

from sms_service.accounts.permissions import Permission
from sms_service.api.authentication import endpoint
from sms_service.api.blueprint import Blueprint
from sms_service.directory.models import Unit
from sms_service.reports.export_models import IssuedStatement
from sms_service.reports.statements import draw_in_snapshot, find_statements, get_statement, issue_statement
from sms_service.web.answer_language import choose_answer_language
from sms_service.web.context import current_context
from sms_service.web.paging import ScopedPageQuery, fetch_page, scope_filter
from sms_service.web.rates import read_prices
from sms_service.web.schemas import Id, In, Out, list_of
from sms_service.web.statement_answers import send_statement

blueprint = Blueprint(
    "statements",
    description="Statements: what a unit with all below it counts for some days, on paper, with a number and a digest. "
    "Each is kept as it was issued; the page `/statements/check` tells whoever holds the paper, without an account, "
    "whether number and digest agree.",
)


class StatementsQuery(ScopedPageQuery):
    """Which statements."""

    number = fields.String(
        load_default=None, metadata={"description": "Only the one with this number, as it stands on the paper"}
    )


class StatementIn(In):
    """Of which unit, and of which days."""

    unit_id = Id(required=True, metadata={"description": "The unit, with all below it"})
    since = fields.Date(
        required=True, metadata={"description": "Campaigns launched on this local day or later, such as 2026-12-01"}
    )
    until = fields.Date(
        required=True, metadata={"description": "Campaigns launched on this local day or earlier; 400 days at most"}
    )


class StatementOut(Out):
    """A statement that was issued."""

    id = fields.Integer(metadata={"description": "The statement's id"})
    number = fields.String(metadata={"description": "The number that stands on the paper"})
    unit_id = fields.Integer(metadata={"description": "The unit, with all below it"})
    unit = fields.String(metadata={"description": "Its name by now; the paper has that of then"})
    since = fields.Date(metadata={"description": "The first local day of launch"})
    until = fields.Date(metadata={"description": "The last one"})
    digest = fields.Function(
        lambda shown: shown["digest"].hex(),
        metadata={"type": "string", "description": "SHA-256 over `content` in UTF-8, in hexadecimal"},
    )
    issued_by = fields.Integer(allow_none=True, metadata={"description": "Which account; null: the service itself"})
    issued_at = fields.AwareDateTime(metadata={"description": "When"})


class WholeStatementOut(StatementOut):
    """The same with what it says."""

    content = fields.String(
        metadata={
            "description": "What the paper says, as JSON, kept letter by letter: `unit`, `since`, `until`, `as_of`, "
            "`identity`, `total`, `by_status`, `by_class`, `by_unit`, `amendments` since the days were sealed (null: "
            "not all of them are), `last_seal`, `head` of the trail, `number`, `issued_by`"
        }
    )


@blueprint.route("/statements")
class Statements(MethodView):
    """The statements."""

    @endpoint(Permission.read)
    @blueprint.arguments(StatementsQuery, location="query")
    @blueprint.response(200, list_of(StatementOut, "StatementList"))
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List the statements that were issued of the scope's units, newest first"""
        scope = scope_filter(g.session, g.actor, Permission.read, query["unit"])
        found, following = fetch_page(
            g.session,
            find_statements(scope.paths, query["number"]),
            query,
            sort="id",
            key=IssuedStatement.id,
            id_=IssuedStatement.id,
            descending=True,
        )
        return scope.answer([_shown(row.IssuedStatement, row.Unit) for row in found], following)

    @endpoint(Permission.read)
    @blueprint.arguments(StatementIn)
    @blueprint.response(201, WholeStatementOut)
    def post(self, body: dict[str, Any]) -> dict[str, Any]:
        """Count now, give it a number, and keep it"""
        context, days = current_context(), (body["since"], body["until"])
        content = draw_in_snapshot(context.database, g.actor, body["unit_id"], *days, read_prices())
        statement = issue_statement(g.session, g.actor, content, context.random_bytes)
        return _shown(statement, g.session.get_one(Unit, statement.unit_id))


@blueprint.route("/statements/<int:statement_id>")
class OneStatement(MethodView):
    """One statement."""

    @endpoint(Permission.read)
    @blueprint.response(200, WholeStatementOut)
    def get(self, statement_id: int) -> dict[str, Any]:
        """Show a statement as it was issued"""
        statement = get_statement(g.session, g.actor, statement_id)
        return _shown(statement, g.session.get_one(Unit, statement.unit_id))


@blueprint.route("/statements/<int:statement_id>/pdf")
class StatementPdf(MethodView):
    """Its paper."""

    @endpoint(Permission.read)
    @blueprint.response(200, {"type": "string", "format": "binary"}, content_type="application/pdf")
    def get(self, statement_id: int) -> Response:
        """Download the paper as a PDF, in the language that Accept-Language asks for

        409 where there is no Chromium on the machine.
        """
        statement = get_statement(g.session, g.actor, statement_id)
        g.session.commit()  # no transaction is open while the browser works
        return send_statement(statement, choose_answer_language())


def _shown(statement: IssuedStatement, unit: Unit) -> dict[str, Any]:
    names = ("id", "number", "unit_id", "since", "until", "digest", "issued_by", "issued_at", "content")
    return {name: getattr(statement, name) for name in names} | {"unit": unit.name}
