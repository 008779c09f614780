"""Every error as RFC 9457 `application/problem+json`: what is wrong, in which field, and what would be right."""

from __future__ import annotations

import json

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from sms_service.said import to_json
from sms_service.web.problems import REQUEST_ID, RequestProblem, find_problem, request_id

MEDIA_TYPE = "application/problem+json"


def register_problems(app: Flask) -> None:
    """Let `app` answer every error as a problem and name every request in its answer and in the log."""
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, lambda error: answer_problem(find_problem(error)))
    app.after_request(_finish)


def answer_problem(problem: RequestProblem) -> Response:
    """The problem as the API answers it.

    The detail is there as an English sentence and as its message and values, so that a client can translate it.
    """
    body = {"type": f"/docs#problem-{problem.slug}", "title": problem.title, "status": problem.status}
    body |= {"detail": problem.detail, **to_json(problem.detail), "request_id": request_id()}
    if problem.errors is not None:
        body["errors"] = problem.errors
    if problem.overtaken is not None:
        body |= {"wanted": problem.overtaken.wanted, "standing": problem.overtaken.standing}
    response = Response(json.dumps(body, ensure_ascii=False), problem.status, content_type=MEDIA_TYPE)
    response.headers.update(problem.headers)
    if problem.slug == "not-authenticated":
        scheme = 'Basic realm="sms_service", charset="UTF-8"' if g.get("accepts_password") else _BEARER
        response.headers["WWW-Authenticate"] = scheme
    return response


_BEARER = 'Bearer realm="sms_service"'


def _http_error(error: HTTPException) -> Response:
    if error.code is not None and error.code < 400:  # a redirect to the canonical address
        return Response(error.get_body(), error.code, error.get_headers())
    return answer_problem(find_problem(error))


def _finish(response: Response) -> Response:
    response.headers[REQUEST_ID] = request_id()
    response.headers["X-Content-Type-Options"] = "nosniff"
    if request.path.startswith("/api/"):
        response.headers["Cache-Control"] = "no-store"  # answers hold personal data and, once, a secret
    return response
