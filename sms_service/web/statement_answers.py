"""An issued statement as an answer: the PDF of its paper."""

from __future__ import annotations

from flask import Response, make_response

from sms_service.reports.export_models import IssuedStatement
from sms_service.web.context import current_context
from sms_service.web.statement_papers import print_statement


def send_statement(statement: IssuedStatement, language: str) -> Response:
    """The paper in `zh` or `en` as a PDF. It takes seconds, so no transaction should be open. Raises Conflict."""
    answer = make_response(print_statement(statement, language, current_context().settings.public_url))
    answer.headers["Content-Type"] = "application/pdf"
    answer.headers["Content-Disposition"] = f'attachment; filename="statement-{statement.number}.pdf"'
    return answer
