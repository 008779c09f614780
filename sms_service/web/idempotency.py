"""`Idempotency-Key` on every POST: for 24 hours, the same request sent again gets the answer that the first one got.

Callers get a stored answer only if they may still do the act it is about.

An answer is stored only if the request was committed; after an error nothing was done, and the same key may be tried
again. Secrets are not stored: where an answer showed a secret once, the stored answer shows null instead.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Collection

from flask import Request, Response
from sqlalchemy.orm import Session

from sms_service.accounts import stored_responses
from sms_service.accounts.actors import RecordingActor, require_again
from sms_service.errors import Invalid

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_ASKED = "asked"  # stored beside the headers and never sent: the permissions that the request needed
_KEPT_HEADERS = ("Location", "ETag")


def respond_once(
    session: Session,
    actor: RecordingActor,
    request: Request,
    answer: Callable[[], Response],
    secret_fields: tuple[str, ...] = (),
) -> Response:
    """The result of `answer()` or, if the request repeats an earlier one, the earlier answer.

    `secret_fields` are top-level fields of the JSON body that must not be stored. Raises Invalid (a malformed key, or
    one used for another request), Conflict (the first request is still running) or Forbidden (the actor may no longer
    do the act that the stored answer is about).
    """
    assert actor.account_id is not None
    account_id = actor.account_id
    key = request.headers.get(HEADER)
    if key is None:
        return answer()
    if not _KEY.fullmatch(key):
        raise Invalid(HEADER, key, "must be 1 to 255 visible ASCII characters, such as a UUID")
    stored = stored_responses.reserve_response(session, account_id, key, request_digest(request))
    if stored is not None:
        headers = {**stored.headers, REPLAYED: "true"}
        require_again(session, actor, json.loads(headers.pop(_ASKED, "[]")))
        return Response(stored.body, stored.status, headers)
    response = answer()
    headers = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
    headers["Content-Type"] = response.content_type or "application/json"
    headers[_ASKED] = json.dumps(sorted(actor.asked))
    body = _without(response, secret_fields)
    stored_responses.keep_response(session, account_id, key, response.status_code, headers, body)
    return response


def request_digest(request: Request) -> bytes:
    """The SHA-256 of method, address and body.

    For a form with files it covers the fields and the files' contents, since clients choose a new boundary each time.
    """
    if request.mimetype == "multipart/form-data":
        return form_digest(request)
    digest = hashlib.sha256(_address(request))
    digest.update(request.get_data(cache=True))
    return digest.digest()


def form_digest(request: Request, left_out: Collection[str] = ()) -> bytes:
    """The SHA-256 of method, address, a form's fields but those `left_out`, and its files' contents."""
    digest = hashlib.sha256(_address(request))
    for name, value in sorted(request.form.items(multi=True)):
        if name not in left_out:
            digest.update(json.dumps([name, value]).encode())
    for name, file in sorted(request.files.items(multi=True), key=lambda item: item[0]):
        content = hashlib.file_digest(file.stream, "sha256").hexdigest()  # type: ignore[arg-type]
        file.stream.seek(0)
        digest.update(json.dumps([name, file.filename, content]).encode())
    return digest.digest()


def _address(request: Request) -> bytes:
    return f"{request.method} {request.full_path}\n".encode()


def _without(response: Response, secret_fields: tuple[str, ...]) -> bytes:
    if not secret_fields:
        return response.get_data()
    body = response.get_json()
    return json.dumps({name: None if name in secret_fields else value for name, value in body.items()}).encode()
