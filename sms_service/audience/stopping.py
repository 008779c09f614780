"""What replies say about stopping: no more texts, or texts again, and the entries of the opt-out list that follow.

A stop is written down, unread, in the transaction that stores its reply, and from that commit on keeps back every text.
Later somebody finds out which text it answers, and reads it: then it keeps back what it is about. Replies of one phone
may be stored and read in any order and by several workers at once. So whatever comes in, all that the phone has ever
said is gone through in the order in which it was said, and the entries are made to fit: the end is the same.

Only entries that a reply made are touched (`opted_out`, source `reply`), and none of them that a person or a provider
confirmed. Where a person lets a phone have texts again, what it said before has ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from sms_service.audience.covering import EVERY_TEXT, TextKind, is_about, kind_of
from sms_service.audience.models import StopRequest, Suppression
from sms_service.audience.suppression import record_for_holders
from sms_service.db.locks import LockedName, lock_name
from sms_service.vocabulary import MessageReason


def request_stop(session: Session, phone: str, reply_id: int, said_at: datetime) -> None:
    """A reply of the phone (E.164) says stop, and nobody knows yet what it answers: it gets no text at all."""
    lock_name(session, LockedName.stopped_phone, phone)
    new = insert(StopRequest).values(phone=phone, reply_id=reply_id, said_at=said_at, resumes=False)
    session.execute(new.on_conflict_do_nothing(index_elements=["reply_id"]))
    _settle(session, phone, reply_id)


def read_request(
    session: Session,
    phone: str,
    reply_id: int,
    said_at: datetime,
    kind: TextKind,
    *,
    resumes: bool = False,
    said_to: str | None = None,
    anew: bool = False,
) -> bool:
    """The reply was read as a stop, or as one that resumes, and is about texts of this kind; `said_to`: the signature
    of the text that it answers, None: nobody can tell. Returns whether by it the phone gets other texts than before:
    that is not so of who says it twice, or has said something else since. `anew`: it counts though a person has lifted
    it, since a person says so.
    """
    lock_name(session, LockedName.stopped_phone, phone)
    found = {"resumes": resumes, "class": kind.class_, "signature": kind.signature, "said_to": said_to}
    new = insert(StopRequest).values(phone=phone, reply_id=reply_id, said_at=said_at, read_at=func.sms_now(), **found)
    again: dict[str, Any] = {**{name: new.excluded[name] for name in found}, "read_at": func.sms_now()}
    if anew:
        again["ended_at"] = None
    session.execute(new.on_conflict_do_update(index_elements=["reply_id"], set_=again))
    return _settle(session, phone, reply_id)


def withdraw_request(session: Session, phone: str, reply_id: int) -> None:
    """The reply was read again, and says nothing about stopping: it is like one that resumes and waits to be read."""
    lock_name(session, LockedName.stopped_phone, phone)
    own = update(StopRequest).where(StopRequest.phone == phone, StopRequest.reply_id == reply_id)
    session.execute(own.values(resumes=True, read_at=None))
    _settle(session, phone, reply_id)


def repeat_stop(session: Session, phone: str) -> bool:
    """The phone's provider delivers a stop that is known. If it is the last that the phone said, and a person has let
    it have texts again since, it was said again: it counts. Returns whether it does.
    """
    lock_name(session, LockedName.stopped_phone, phone)
    said = select(StopRequest).where(StopRequest.phone == phone)
    last = session.scalar(said.order_by(StopRequest.said_at.desc(), StopRequest.id.desc()).limit(1))
    if last is None or last.resumes or last.ended_at is None:
        return False
    session.execute(update(StopRequest).where(StopRequest.id == last.id).values(said_at=func.sms_now(), ended_at=None))
    _settle(session, phone, last.reply_id)
    return True


def _settle(session: Session, phone: str, reply_id: int | None) -> bool:
    """Make the phone's entries fit what it said; `reply_id` is the reply by which something has changed. The caller has
    locked the phone. Returns whether the reply is why an entry stands, or, of one that resumes, was lifted.
    """
    fresh = {"populate_existing": True}
    said = select(StopRequest).where(StopRequest.phone == phone, StopRequest.ended_at.is_(None))
    requests = list(session.scalars(said, execution_options=fresh))
    by_reply = (
        select(Suppression)
        .where(
            Suppression.phone == phone,
            Suppression.unit_id.is_(None),
            Suppression.reason == MessageReason.opted_out,
            Suppression.source == "reply",
            Suppression.created_by.is_(None),
            Suppression.confirmed_at.is_(None),
            Suppression.lifted_at.is_(None),
        )
        .order_by(Suppression.id)
        .with_for_update()
    )
    entries = list(session.scalars(by_reply, execution_options=fresh))
    requests += _adopt(session, entries, requests)
    wanted: dict[TextKind, StopRequest] = {}
    for request in _find_standing(requests):
        wanted.setdefault(TextKind(request.class_, request.signature), request)
    surplus = [entry for entry in entries if kind_of(entry) not in wanted]
    for entry in entries:
        if entry not in surplus and entry.proof_id != (proof := wanted[kind_of(entry)].reply_id):
            session.execute(update(Suppression).where(Suppression.id == entry.id).values(proof_id=proof))
    for kind, request in wanted.items():
        if session.scalar(select(Suppression.id).where(Suppression.phone == phone, is_about(kind))) is not None:
            continue
        whole = next((entry for entry in surplus if kind_of(entry) == EVERY_TEXT), None)
        if whole is None:
            _add(session, request)
        else:
            surplus.remove(whole)
            _narrow(session, whole, request)
    for entry in surplus:
        _lift(session, entry, reply_id)
    resumes = any(request.resumes for request in requests if request.reply_id == reply_id)
    return bool(surplus) if resumes else any(request.reply_id == reply_id for request in wanted.values())


def _adopt(session: Session, entries: Sequence[Suppression], requests: Sequence[StopRequest]) -> list[StopRequest]:
    """The stops of entries that a process of an earlier release wrote, which knew no requests."""
    known = select(StopRequest.reply_id).where(
        StopRequest.reply_id.in_([entry.proof_id for entry in entries if entry.proof_id is not None])
    )
    told = set(session.scalars(known)) | {request.reply_id for request in requests}
    adopted = [
        StopRequest(
            phone=entry.phone,
            reply_id=entry.proof_id,
            said_at=entry.created_at,
            resumes=False,
            class_=entry.class_,
            signature=entry.signature,
            read_at=entry.created_at,
        )
        for entry in entries
        if entry.proof_id not in told
    ]
    session.add_all(adopted)
    session.flush()
    return adopted


def _find_standing(requests: Sequence[StopRequest]) -> list[StopRequest]:
    """The stops that no later request takes back, in the order in which they were said."""
    standing: list[StopRequest] = []
    for request in sorted(requests, key=lambda one: (one.said_at, one.reply_id or 0)):
        if not request.resumes:
            standing.append(request)
        elif request.read_at is not None:
            standing = [stop for stop in standing if not _takes_back(request, stop)]
    return standing


def _takes_back(request: StopRequest, stop: StopRequest) -> bool:
    """Whether texts come again by the request: it was said to those who were told to stop, or to all. A stop that
    answers no known text may have been said to them; one that is not read yet is not taken back.
    """
    return stop.read_at is not None and (request.signature is None or stop.said_to in (None, request.signature))


def _add(session: Session, request: StopRequest) -> None:
    new = insert(Suppression).values(
        phone=request.phone,
        reason=MessageReason.opted_out.value,
        source="reply",
        proof_id=request.reply_id,
        **{"class": request.class_, "signature": request.signature},
    )
    if session.scalar(new.on_conflict_do_nothing().returning(Suppression.id)) is not None:
        details = _details(request.reply_id, request.class_, request.signature)
        record_for_holders(session, None, "suppression.add", request.phone, **details)


def _narrow(session: Session, entry: Suppression, request: StopRequest) -> None:
    """The entry was for every text, since nobody knew better."""
    narrowed = (
        update(Suppression)
        .where(Suppression.id == entry.id, Suppression.lifted_at.is_(None), Suppression.confirmed_at.is_(None))
        .values(class_=request.class_, signature=request.signature, proof_id=request.reply_id)
    )
    session.execute(narrowed)
    details = _details(request.reply_id, request.class_, request.signature)
    record_for_holders(session, None, "suppression.narrow", entry.phone, **details)


def _lift(session: Session, entry: Suppression, reply_id: int | None) -> None:
    lifted = (
        update(Suppression)
        .where(Suppression.id == entry.id, Suppression.lifted_at.is_(None), Suppression.confirmed_at.is_(None))
        .values(lifted_at=func.now(), lifted_by_reply=reply_id)
    )
    session.execute(lifted)
    details = _details(reply_id, entry.class_, entry.signature)
    record_for_holders(session, None, "suppression.lift", entry.phone, **details)


def _details(reply_id: int | None, class_: str | None, signature: str | None) -> dict[str, str | int]:
    """Of an act, for the trail."""
    details = {"reply": reply_id, "class": class_, "signature": signature}
    named = {name: value for name, value in details.items() if value is not None}
    return {"reason": MessageReason.opted_out.value, "source": "reply", **named}
