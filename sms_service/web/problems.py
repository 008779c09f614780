"""What went wrong with a request: which kind of problem, in which field, and what the caller can do.

The API answers it as RFC 9457 (`api/problems.py`), the console as a page.
"""

from __future__ import annotations

import logging
import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from flask import g, has_request_context, request
from flask_limiter import RateLimitExceeded
from marshmallow import ValidationError
from sqlalchemy.exc import DataError, IntegrityError, OperationalError
from werkzeug.exceptions import HTTPException, InternalServerError

from sms_service.accounts.passwords import TooManyHashes
from sms_service.accounts.tokens import NotAuthenticated
from sms_service.errors import EditedMeanwhile, Forbidden, Invalid, NotFound, ServiceError
from sms_service.masking import mask_quoted, mask_said, mask_text
from sms_service.said import Said, as_said, say, to_json
from sms_service.web.limits import TooManyGuesses, used_up

log = logging.getLogger(__name__)

REQUEST_ID = "X-Request-Id"
LONGEST_VALUE, LONGEST_FIELD = 100, 300
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
# Values that no column takes: a character, a number or a time outside its range, a text that is too long.
_UNSTORABLE = ("22001", "22003", "22008", "22021", "22P02", "22P05", "54000")
_IN_THE_WAY = ("40001", "40P01", "55P03")  # serialization, deadlock, lock time-out
_TOO_SLOW = "57014"  # statement time-out
_NEVER_ECHOED = re.compile(r"password|secret|token|phone|authorization", re.IGNORECASE)

# slug: (status, title, what the caller can do); the documentation page lists them.
KINDS: Mapping[str, tuple[int, Said, str]] = {
    "malformed": (
        400,
        as_said("The request cannot be read"),
        "Send strict JSON in UTF-8 (no NaN, at most 32 levels deep), or the form that the route asks for.",
    ),
    "not-authenticated": (
        401,
        as_said("Not authenticated"),
        "Send `Authorization: Bearer sms_…`; POST /api/v1/tokens gives a token.",
    ),
    "forbidden": (
        403,
        as_said("Not allowed"),
        "Ask an administrator for a role with the permission that the detail names.",
    ),
    "not-found": (404, as_said("Not found"), "Check the address and the id."),
    "method-not-allowed": (405, as_said("Method not allowed"), "Use a method that the header Allow names."),
    "conflict": (
        409,
        as_said("Conflict with the present state"),
        "Read the detail: it names the state and what is possible. Where another editor was faster, `wanted` has what "
        "you wanted to write and `standing` what stands there now.",
    ),
    "too-large": (413, as_said("Too large"), "Send less at once."),
    "media-type": (
        415,
        as_said("Wrong content type"),
        "Send Content-Type: application/json, or the type that the route asks for.",
    ),
    "invalid": (422, as_said("Invalid values"), "Mend the fields that `errors` names; nothing was done."),
    "too-many-requests": (429, as_said("Too many requests"), "Wait the seconds that the header Retry-After names."),
    "internal": (500, as_said("The service failed"), "Try again; tell the operator the request_id: the log has it."),
    "too-slow": (503, as_said("Takes too long"), "Ask for less at once: a smaller unit, fewer rules, fewer days."),
    "unavailable": (503, as_said("Not available for the moment"), "Try again in a few seconds."),
}
_SLUGS = {status: slug for slug, (status, _, _) in KINDS.items()}


class InvalidRequest(ServiceError):
    """Fields of a request that cannot be used: a list of {field, value, reason}."""

    def __init__(self, errors: list[dict[str, Any]]) -> None:
        super().__init__("; ".join(f"{error['field']}: {error['reason']}" for error in errors[:3]))
        self.errors = errors


@dataclass(frozen=True, slots=True)
class RequestProblem:
    """Why a request failed: `slug` is a key of KINDS, `detail` says what went wrong this time.

    `errors` are made by `field_error`; None if no field is at fault. `headers` are sent with the answer. `overtaken`:
    both wordings, where another editor was faster.
    """

    slug: str
    detail: Said
    errors: list[dict[str, Any]] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    overtaken: EditedMeanwhile | None = None

    @property
    def status(self) -> int:
        """The HTTP status."""
        return KINDS[self.slug][0]

    @property
    def title(self) -> Said:
        """The kind of problem in words."""
        return KINDS[self.slug][1]


def find_problem(error: BaseException) -> RequestProblem:
    """What `error` means for the caller of the present request. An unexpected error is logged with its frames."""
    match error:
        case ServiceError():
            return _of_service(error)
        case RateLimitExceeded():
            return _of_service(used_up(error))
        case ValidationError():
            return _of_service(InvalidRequest(list(field_errors(error.messages, error.data))))
        case HTTPException():
            return _of_http(error)
        case IntegrityError():
            return _of_integrity(error)
        case DataError():
            return _of_data(error)
        case OperationalError():
            return _of_operation(error)
    return _unexpected(error)


def request_id() -> str:
    """The present request's name: the caller's X-Request-Id if it is usable, else a new one."""
    if not has_request_context():
        return "-"
    if "request_id" not in g:
        given = request.headers.get(REQUEST_ID, "")
        g.request_id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
    return str(g.request_id)


def field_errors(messages: Any, data: Any, path: str = "") -> Iterator[dict[str, Any]]:
    """marshmallow's nested `messages` on `data` as flat {field, value?, reason}, with fields like `rule.all[0].tag`."""
    if isinstance(messages, Mapping):
        for key, inner in messages.items():
            if key == "_schema":
                yield from field_errors(inner, data, path)
            else:
                step = f"[{key}]" if isinstance(key, int) else f".{key}" if path else str(key)
                yield from field_errors(inner, _step(data, key), path + step)
    else:
        for reason in messages if isinstance(messages, list) else [messages]:
            yield field_error(path or "body", data, reason if isinstance(reason, str) else str(reason))


def field_error(field: str, value: Any, reason: str) -> dict[str, Any]:
    """One entry of a problem's `errors`. The value is left out if it may be a secret or is not a plain value."""
    field = field.encode("utf-8", "replace").decode()
    shown = mask_text(field)  # it may contain keys that the caller chose, and in them a phone number
    error: dict[str, Any] = {"field": shown if len(shown) <= LONGEST_FIELD else shown[:LONGEST_FIELD] + "…"}
    if not _NEVER_ECHOED.search(field):
        if isinstance(value, str):
            shown = mask_text(value.encode("utf-8", "replace").decode())
            error["value"] = shown if len(shown) <= LONGEST_VALUE else shown[:LONGEST_VALUE] + "…"
        elif isinstance(value, (bool, float)) or (isinstance(value, int) and abs(value) < 10**6):
            error["value"] = value
        elif isinstance(value, int):
            error["value"] = mask_text(str(value)[:LONGEST_VALUE])
    said = mask_said(reason, lambda sentence: mask_quoted(sentence, value, field))
    return error | {"reason": said, **to_json(said)}


def _of_service(error: ServiceError) -> RequestProblem:
    match error:
        case InvalidRequest():
            return RequestProblem("invalid", _NOTHING_DONE, error.errors)
        case Invalid():
            return RequestProblem("invalid", _NOTHING_DONE, [field_error(error.field, error.value, error.reason)])
        case NotFound():
            return RequestProblem("not-found", error.said)
        case Forbidden():
            return RequestProblem("forbidden", error.said)
        case TooManyGuesses():
            return RequestProblem("too-many-requests", error.said, headers={"Retry-After": str(error.seconds)})
        case TooManyHashes():
            return RequestProblem("unavailable", error.said, headers={"Retry-After": "5"})
        case NotAuthenticated():
            return RequestProblem("not-authenticated", error.said)
        case EditedMeanwhile():
            return RequestProblem("conflict", error.said, overtaken=error)
    return RequestProblem("conflict", error.said)


_NOTHING_DONE = as_said("Nothing was done: see `errors`.")


def _step(data: Any, key: Any) -> Any:
    if isinstance(data, Mapping):
        return data.get(key)
    if isinstance(data, list) and isinstance(key, int) and key < len(data):
        return data[key]
    return None


def _of_http(error: HTTPException) -> RequestProblem:
    if isinstance(error, InternalServerError):
        return _unexpected(error.original_exception or error)
    status = error.code or 500
    headers = {name: value for name, value in error.get_headers() if name in ("Allow", "Retry-After")}
    slug = _SLUGS.get(status) or ("malformed" if status < 500 else "internal")
    detail = error.description or error.name
    return RequestProblem(slug, as_said(detail if isinstance(detail, Said) else detail.strip()), headers=headers)


def _of_integrity(error: IntegrityError) -> RequestProblem:
    diagnosis = getattr(error.orig, "diag", None)
    if getattr(error.orig, "sqlstate", "") == "23505":  # unique_violation: another request was faster
        constraint = diagnosis and diagnosis.constraint_name
        log.info("request %s met a duplicate: %s", request_id(), constraint)
        detail = say("It exists already ({constraint}); read it and try again.", constraint=constraint)
        return RequestProblem("conflict", detail)
    return _unexpected(error)


def _of_data(error: DataError) -> RequestProblem:
    """The last resort for a value that passed every check and that PostgreSQL cannot hold."""
    state = getattr(error.orig, "sqlstate", "")
    if state not in _UNSTORABLE:
        return _unexpected(error)
    log.error("request %s %s %s: a value cannot be stored: %s", request_id(), request.method, request.path, state)
    detail = as_said("Nothing was done: a value is longer, larger or earlier than can be stored.")
    return RequestProblem("invalid", detail, [])


def _of_operation(error: OperationalError) -> RequestProblem:
    state = getattr(error.orig, "sqlstate", None)
    if state == _TOO_SLOW:
        log.warning("request %s %s %s took too long", request_id(), request.method, request.path)
        detail = as_said("PostgreSQL had to look for too long; nothing was done. Ask for less at once.")
        return RequestProblem("too-slow", detail)
    log.error("request %s: PostgreSQL: %s %s", request_id(), type(error.orig).__name__, state or "")
    if state in _IN_THE_WAY:
        detail = as_said("Another request was in the way; nothing was done. Try again.")
    else:
        detail = as_said("The database cannot be reached; nothing was done.")
    return RequestProblem("unavailable", detail, headers={"Retry-After": "5"})


def _unexpected(error: BaseException) -> RequestProblem:
    # Frames only: an exception's message can hold a statement's parameters, and with them phone numbers.
    frames = []
    trace = error.__traceback__
    while trace is not None:
        frames.append(f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno} {trace.tb_frame.f_code.co_name}")
        trace = trace.tb_next
    log.error(
        "request %s %s %s: %s\n  %s", request_id(), request.method, request.path, _kind(error), "\n  ".join(frames)
    )
    detail = as_said("Nothing was done. The log of the service has the cause under this request_id.")
    return RequestProblem("internal", detail)


def _kind(error: BaseException) -> str:
    original = getattr(error, "orig", None)
    return f"{type(error).__qualname__}" + (f" ({type(original).__qualname__})" if original else "")
