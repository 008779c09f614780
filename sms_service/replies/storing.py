"""Stores inbound texts before they are acknowledged. A stop suppresses the phone in the same transaction."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import Any

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from sms_service.audience.stopping import SaidRequest, lock_phones, repeat_stop, request_stops
from sms_service.controls.accounts import id_of
from sms_service.db.engine import Database
from sms_service.db.halving import write_by_halves
from sms_service.db.locks import LockedName, lock_names
from sms_service.db.months import with_month
from sms_service.db.statements import Statement
from sms_service.gateways.base import Receipt, Reply
from sms_service.gateways.halves import join_halves, keep_halves
from sms_service.gateways.numbers import e164
from sms_service.gateways.words import LONGEST_RECORD, bound_id, bound_word
from sms_service.ledger import receipts as ledger
from sms_service.parts import MOST_PARTS
from sms_service.stop_words import is_stop

FIND_OURS = Statement(__file__, "find_ours")
STORE_REPLIES = Statement(__file__, "store_replies")
FIND_PARTS = Statement(__file__, "find_parts")
JOIN_PARTS = Statement(__file__, "join_parts")
MARK_PROVIDER_STOP = Statement(__file__, "mark_provider_stop")

LONGEST_TEXT = 40_000  # characters; 255 parts of GSM-7 have 39,015

log = logging.getLogger(__name__)


def store_replies(database: Database, account: str, replies: Sequence[Reply]) -> int:
    """Store what came in at a gateway account, each durably; acknowledge only after this has returned.

    All are one transaction, unless PostgreSQL refuses one for what is in it: that one is kept as its provider's record
    alone, and keeps no other from being stored. A phone whose text is a stop word is suppressed in the transaction of
    its reply: from its commit on no gate lets the phone pass. What may be a receipt as well is stored as one if it is
    of a text of ours.
    Returns how many were new. Raises NotFound for an account that the database does not know, and DBAPIError.
    """
    new = 0

    def write(some: Sequence[Reply]) -> None:
        def store_some() -> None:
            nonlocal new
            with database.session() as session:
                gateway_account_id = id_of(session, account)
                ours = _find_ours(session, gateway_account_id, some)
                if ours:
                    ledger.insert_receipts(session.connection(), [(account, receipt) for receipt in ours.values()])
                left = [reply for place, reply in enumerate(some) if place not in ours]
                stored = len(ours) + (_store(session, gateway_account_id, left) if left else 0)
            new += stored

        with_month(database, store_some)

    def keep_record(reply: Reply, error: DBAPIError) -> None:
        log.error(
            "account %s: a reply cannot be stored as it is; only its record is kept: %s",
            account,
            type(error.orig).__name__,
        )
        write([Reply("", "", reply.raw)])

    write_by_halves(write, replies, keep_record)
    return new


def _find_ours(session: Session, gateway_account_id: int, replies: Sequence[Reply]) -> dict[int, Receipt]:
    """The receipts among what may be one, by their places."""
    asked = {place: reply.receipt for place, reply in enumerate(replies) if reply.receipt is not None}
    if not asked:
        return {}
    found = FIND_OURS(
        session.connection(),
        gateway_account_id=gateway_account_id,
        places=list(asked),
        provider_ids=[bound_id(receipt.provider_id) for receipt in asked.values()],
        phones=[bound_word(receipt.phone) for receipt in asked.values()],
    ).scalars()
    return {place: asked[place] for place in sorted(found)}


def _store(session: Session, gateway_account_id: int, replies: Sequence[Reply]) -> int:
    rows = [{"place": place, **_row(reply)} for place, reply in enumerate(replies)]
    lock_names(session, LockedName.reply_sender, {str(row["phone"] or row["sender"]) for row in rows})
    stored = STORE_REPLIES(
        session.connection(), gateway_account_id=gateway_account_id, replies=json.dumps(rows, ensure_ascii=False)
    ).all()
    stops = {row["fingerprint"] for row, reply in zip(rows, replies, strict=True) if reply.stop}
    said_stop: list[SaidRequest] = []
    for row in stored:
        whole = _Whole(row.in_month, row.id, row.text) if row.parts == 1 else _join(session, gateway_account_id, row)
        if whole is None:
            continue
        if row.fingerprint in stops:
            MARK_PROVIDER_STOP(session.connection(), in_month=whole.in_month, id=whole.id)
        if row.phone is not None and (row.fingerprint in stops or is_stop(whole.text or "")):
            said_stop.append(SaidRequest(row.phone, whole.id, row.said_at))
    # A repetition means what it says too: somebody may have been texted again meanwhile, on a person's word.
    known = {row.fingerprint for row in stored}
    repeated = {
        str(said["phone"])
        for reply, said in zip(replies, rows, strict=True)
        if said["fingerprint"] not in known and said["parts"] == 1 and said["phone"] and _says_stop(reply)
    }
    # After all parts are joined, since whoever reads replies locks them before the phones.
    if said_stop or repeated:
        lock_phones(session, repeated | {one.phone for one in said_stop})
        for phone in sorted(repeated):
            repeat_stop(session, phone)
        request_stops(session, said_stop)
    return len(stored)


def _says_stop(reply: Reply) -> bool:
    return reply.stop or is_stop(reply.text)


def _row(reply: Reply) -> dict[str, Any]:
    """A reply as its table can keep it, whatever an adapter makes of what a provider says."""
    phone = e164(reply.phone)
    sender = bound_word(reply.phone) or ""
    part, parts = (reply.part, reply.parts) if 1 <= reply.part <= reply.parts <= MOST_PARTS else (1, 1)
    said = json.dumps([phone or sender, reply.to, reply.text, reply.series, part, parts])
    return {
        "occurred_at": reply.occurred_at and reply.occurred_at.isoformat(),
        "provider_id": bound_id(reply.provider_id) or None,
        "phone": phone,
        "sender": None if phone else sender,
        "sent_to": bound_word(reply.to),
        "text": bound_word(keep_halves(reply.text) if parts > 1 else reply.text, LONGEST_TEXT),
        "raw": bound_word(reply.raw, LONGEST_RECORD),
        "fingerprint": hashlib.sha256(said.encode()).hexdigest(),
        "part": part,
        "parts": parts,
        "series": bound_id(reply.series),
        "extension": bound_word(reply.extension),
    }


@dataclass(frozen=True, slots=True)
class _Whole:
    """A reply that is here as a whole; of a long one, the row of its first part."""

    in_month: date
    id: int
    text: str | None


def _join(session: Session, gateway_account_id: int, row: Any) -> _Whole | None:
    """The whole text that this part completes, or None."""
    connection = session.connection()
    parts = FIND_PARTS(
        connection,
        gateway_account_id=gateway_account_id,
        phone=row.phone,
        sender=row.sender,
        series=row.series,
        parts=row.parts,
    ).all()
    if not parts:
        return None
    whole_id, text = parts[0].whole_id, join_halves(parts[0].text or "")
    for in_month, of_month in groupby(parts, key=lambda part: part.in_month):
        JOIN_PARTS(connection, in_month=in_month, ids=[part.id for part in of_month], whole_id=whole_id, text=text)
    return next(_Whole(part.in_month, whole_id, text) for part in parts if part.id == whole_id)
