"""Stored responses: a repeated request gets the response to the first, even if that was lost on its way.

The first request inserts the row of its key when it begins and fills the row before it commits, all in its own
transaction. A second request with the key waits at the unique index until the first has ended. If the first committed,
the second gets the same; if it was rolled back, nothing was done, and the second does the work itself.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import timedelta

from sqlalchemy import (
    ColumnElement,
    Integer,
    LargeBinary,
    Text,
    cast,
    delete,
    false,
    func,
    literal,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from sms_service.accounts.models import StoredResponse
from sms_service.errors import Conflict, Invalid

HONOURED = timedelta(hours=24)
LONGEST_WAIT_S = 30
UNFILLED = 0  # the status of a row that is not filled yet; no other transaction ever sees it


def reserve_response(session: Session, account_id: int, key: str, request_digest: bytes) -> StoredResponse | None:
    """The response stored for the key in the last 24 h. None: the key is reserved for this transaction until it ends.

    `request_digest` is the SHA-256 of method, address and body. Raises Invalid if the key was used for another request,
    Conflict if the first request has not ended after 30 s.
    """
    session.execute(text(f"SET LOCAL lock_timeout = '{LONGEST_WAIT_S}s'"))
    fresh = {
        "request_digest": request_digest,
        "status": UNFILLED,
        "headers": {},
        "body": b"",
        "created_at": func.now(),
    }
    try:
        ours = session.scalar(
            insert(StoredResponse)
            .values(account_id=account_id, key=key, **fresh)
            .on_conflict_do_update(
                index_elements=[StoredResponse.account_id, StoredResponse.key],
                set_=fresh,
                where=StoredResponse.created_at <= func.now() - HONOURED,
            )
            .returning(StoredResponse.status)
        )
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) == "55P03":  # lock_not_available
            raise Conflict("the first request with this Idempotency-Key is still being worked on; try again") from None
        raise
    session.execute(text("SET LOCAL lock_timeout = DEFAULT"))
    if ours is not None:
        return None
    stored = session.scalars(select(StoredResponse).filter_by(account_id=account_id, key=key)).one()
    if stored.request_digest != request_digest:
        raise Invalid("Idempotency-Key", key, "was used for another request in the last 24 hours; choose a new key")
    return stored


def keep_response(
    session: Session, account_id: int, key: str, status: int, headers: dict[str, str], body: bytes
) -> None:
    """Fill the row that `reserve_response` made in this transaction."""
    session.execute(
        update(StoredResponse)
        .where(StoredResponse.account_id == account_id, StoredResponse.key == key)
        .values(status=status, headers=headers, body=body)
    )


def empty_responses_with(session: Session, words: Collection[str]) -> int:
    """Empty the stored responses that have one of these words; returns how many. Their requests, sent again, still do
    nothing twice, and get an empty answer.
    """
    spelt = {word.encode() for word in words} | {json.dumps(word)[1:-1].encode() for word in words}
    in_body = or_(false(), *(_position(word) > 0 for word in sorted(spelt)))
    in_headers = or_(
        false(), *(cast(StoredResponse.headers, Text).contains(word, autoescape=True) for word in sorted(words))
    )
    session.execute(update(StoredResponse).where(in_headers).values(headers=StoredResponse.headers.op("-")("said")))
    emptied = update(StoredResponse).where(in_body).values(body=b"{}").returning(StoredResponse.status)
    return len(session.scalars(emptied).all())


def _position(word: bytes) -> ColumnElement[int]:
    return func.position(literal(word, LargeBinary).op("IN")(StoredResponse.body), type_=Integer)


def forget_old_responses(session: Session) -> int:
    """Delete the responses that are no longer valid; returns how many. The clock calls it."""
    old = delete(StoredResponse).where(StoredResponse.created_at <= func.now() - HONOURED)
    return len(session.scalars(old.returning(StoredResponse.status)).all())
