"""What replies say about stopping: no more texts, or texts again, and the entries of the opt-out list that follow.

A stop is written down, unread, in the transaction that stores its reply, and from that commit on keeps back every text.
Later somebody finds out which text it answers, and reads it: then it keeps back what it is about. Replies of one phone
may be stored and read in any order and by several workers at once. So whatever comes in, all that the phone has ever
said is gone through in the order in which it was said, and the entries are made to fit: the end is the same.

Only entries that a reply made are touched (`opted_out`, source `reply`), and none of them that a person or a provider
confirmed. Where a person lets a phone have texts again, what it said before has ended.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import zip_longest
from typing import NamedTuple, cast

from sqlalchemy import Table, bindparam, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from sms_service.audience.covering import EVERY_TEXT, TextKind, kind_of
from sms_service.audience.models import StopRequest, Suppression
from sms_service.audience.suppression import record_for_phones
from sms_service.db.locks import LockedName, lock_names
from sms_service.directory.importing import any_of
from sms_service.vocabulary import MessageReason


class SaidRequest(NamedTuple):
    """A reply of the phone (E.164) that says stop, or that texts may come again (`resumes`), and when it was said.

    Once it is read, it is about texts of this `kind`; `said_to`: the signature of the text that it answers, None:
    nobody can tell. `anew`: it counts though a person has lifted it, since a person says so.
    """

    phone: str
    reply_id: int
    said_at: datetime
    kind: TextKind = EVERY_TEXT
    resumes: bool = False
    said_to: str | None = None
    anew: bool = False


def lock_phones(session: Session, phones: Collection[str]) -> None:
    """Wait until nobody else weighs what these phones say about stopping. Whoever acts on several in one transaction
    locks all of them first.
    """
    lock_names(session, LockedName.stopped_phone, phones)


def request_stops(session: Session, stops: Collection[SaidRequest]) -> None:
    """These replies say stop, and nobody knows yet what they answer: their phones get no text at all."""
    for some in _take_turns(session, stops):
        rows = [
            {"phone": one.phone, "reply_id": one.reply_id, "said_at": one.said_at, "resumes": False} for one in some
        ]
        session.execute(insert(StopRequest).on_conflict_do_nothing(index_elements=["reply_id"]), rows)
        _settle(session, {one.phone: one.reply_id for one in some})


def read_requests(session: Session, requests: Collection[SaidRequest]) -> set[int]:
    """These replies were read. Returns those by which the phone gets other texts than before: that is not so of who
    says it twice, or has said something else since.
    """
    changing = set[int]()
    for some in _take_turns(session, requests):
        rows = [
            {
                "phone": one.phone,
                "reply_id": one.reply_id,
                "said_at": one.said_at,
                "resumes": one.resumes,
                "class_": one.kind.class_,
                "signature": one.kind.signature,
                "said_to": one.said_to,
            }
            for one in some
        ]
        new = insert(StopRequest).values(read_at=func.sms_now())
        again = {"class": new.excluded["class"], "read_at": func.sms_now()}
        again |= {name: new.excluded[name] for name in ("resumes", "signature", "said_to")}
        session.execute(new.on_conflict_do_update(index_elements=["reply_id"], set_=again), rows)
        if anew := [one.reply_id for one in some if one.anew]:
            session.execute(update(StopRequest).where(StopRequest.reply_id.in_(anew)).values(ended_at=None))
        changed = _settle(session, {one.phone: one.reply_id for one in some})
        changing |= {one.reply_id for one in some if one.phone in changed}
    return changing


def _take_turns(session: Session, requests: Collection[SaidRequest]) -> Iterator[list[SaidRequest]]:
    """The first request of each phone, then the second of each: of one phone each is weighed by itself. All phones are
    locked.
    """
    lock_phones(session, {one.phone for one in requests})
    by_phone = defaultdict[str, list[SaidRequest]](list)
    for one in sorted(requests, key=lambda one: (one.phone, one.reply_id)):
        by_phone[one.phone].append(one)
    for turn in zip_longest(*by_phone.values()):
        yield [one for one in turn if one is not None]


def withdraw_request(session: Session, phone: str, reply_id: int) -> None:
    """The reply was read again, and says nothing about stopping: it is like one that resumes and waits to be read."""
    lock_phones(session, [phone])
    own = update(StopRequest).where(StopRequest.phone == phone, StopRequest.reply_id == reply_id)
    session.execute(own.values(resumes=True, read_at=None))
    _settle(session, {phone: reply_id})


def repeat_stop(session: Session, phone: str) -> bool:
    """The phone's provider delivers a stop that is known. If it is the last that the phone said, and a person has let
    it have texts again since, it was said again: it counts. Returns whether it does.
    """
    lock_phones(session, [phone])
    said = select(StopRequest).where(StopRequest.phone == phone)
    last = session.scalar(said.order_by(StopRequest.said_at.desc(), StopRequest.id.desc()).limit(1))
    if last is None or last.resumes or last.ended_at is None:
        return False
    session.execute(update(StopRequest).where(StopRequest.id == last.id).values(said_at=func.sms_now(), ended_at=None))
    _settle(session, {phone: last.reply_id})
    return True


class _Changes(NamedTuple):
    """What makes entries fit: which are `added`, `narrowed` to what a request is about, and `lifted` by which reply."""

    added: list[StopRequest]
    narrowed: list[tuple[Suppression, StopRequest]]
    lifted: list[tuple[Suppression, int | None]]


def _settle(session: Session, changed: Mapping[str, int | None]) -> set[str]:
    """Make the entries of these phones fit what they said; each names the reply by which something has changed. The
    caller has locked the phones. Returns those whose reply is why an entry stands, or, of one that resumes, was lifted.
    """
    fresh = {"populate_existing": True}
    own = any_of(sorted(changed))
    said = select(StopRequest).where(StopRequest.phone == own, StopRequest.ended_at.is_(None))
    requests = list(session.scalars(said, execution_options=fresh))
    by_reply = (
        select(Suppression)
        .where(
            Suppression.phone == own,
            Suppression.unit_id.is_(None),
            Suppression.reason == MessageReason.opted_out,
            Suppression.source == "reply",
            Suppression.created_by.is_(None),
            Suppression.confirmed_at.is_(None),
            Suppression.lifted_at.is_(None),
        )
        .order_by(Suppression.phone, Suppression.id)
        .with_for_update()
    )
    entries = list(session.scalars(by_reply, execution_options=fresh))
    requests += _adopt(session, entries, requests)
    columns = Suppression.phone, Suppression.class_, Suppression.signature
    standing = select(*columns).where(Suppression.phone == own, Suppression.unit_id.is_(None))
    stand = {
        (phone, TextKind(class_, signature))
        for phone, class_, signature in session.execute(standing.where(Suppression.lifted_at.is_(None)))
    }
    changes = _Changes([], [], [])
    changing = set[str]()
    for phone, reply_id in sorted(changed.items()):
        own_entries = [entry for entry in entries if entry.phone == phone]
        own_requests = [request for request in requests if request.phone == phone]
        others = {kind for of, kind in stand if of == phone}
        if _weigh(session, reply_id, own_requests, own_entries, others, changes):
            changing.add(phone)
    _write(session, changes)
    return changing


def _weigh(
    session: Session,
    reply_id: int | None,
    requests: Sequence[StopRequest],
    entries: Sequence[Suppression],
    standing: Collection[TextKind],
    changes: _Changes,
) -> bool:
    """What makes the entries of one phone fit what it said, added to `changes`; `standing`: what entries of whatever
    source are about. Returns whether the reply is why an entry stands, or was lifted.
    """
    wanted: dict[TextKind, StopRequest] = {}
    for request in _find_standing(requests):
        wanted.setdefault(TextKind(request.class_, request.signature), request)
    surplus = [entry for entry in entries if kind_of(entry) not in wanted]
    for entry in entries:
        if entry not in surplus and entry.proof_id != (proof := wanted[kind_of(entry)].reply_id):
            session.execute(update(Suppression).where(Suppression.id == entry.id).values(proof_id=proof))
    for kind, request in wanted.items():
        if kind in standing:
            continue
        whole = next((entry for entry in surplus if kind_of(entry) == EVERY_TEXT), None)
        if whole is None:
            changes.added.append(request)
        else:
            surplus.remove(whole)
            changes.narrowed.append((whole, request))
    changes.lifted.extend((entry, reply_id) for entry in surplus)
    resumes = any(request.resumes for request in requests if request.reply_id == reply_id)
    return bool(surplus) if resumes else any(request.reply_id == reply_id for request in wanted.values())


def _adopt(session: Session, entries: Sequence[Suppression], requests: Sequence[StopRequest]) -> list[StopRequest]:
    """The stops of entries that a process of an earlier release wrote, which knew no requests."""
    told = {request.reply_id for request in requests}
    if unknown := [entry.proof_id for entry in entries if entry.proof_id is not None and entry.proof_id not in told]:
        told |= set(session.scalars(select(StopRequest.reply_id).where(StopRequest.reply_id.in_(unknown))))
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


def _write(session: Session, changes: _Changes) -> None:
    """Change the entries; each change is in the trail."""
    connection, table = session.connection(), cast(Table, Suppression.__table__)
    if changes.added:
        rows = [
            {
                "phone": one.phone,
                "reason": MessageReason.opted_out.value,
                "source": "reply",
                "proof_id": one.reply_id,
                "class": one.class_,
                "signature": one.signature,
            }
            for one in changes.added
        ]
        new = insert(table).on_conflict_do_nothing().returning(table.c.proof_id)
        there = set(connection.scalars(new, rows))
        added = [one for one in changes.added if one.reply_id in there]
        record_for_phones(session, None, "suppression.add", [(one.phone, _details_of(one)) for one in added])
    still = table.c.lifted_at.is_(None), table.c.confirmed_at.is_(None)
    if changes.narrowed:  # the entry was for every text, since nobody knew better
        narrow = update(table).where(table.c.id == bindparam("entry"), *still)
        connection.execute(
            narrow.values(
                {"class": bindparam("to_class"), "signature": bindparam("to_signature"), "proof_id": bindparam("proof")}
            ),
            [
                {"entry": entry.id, "to_class": to.class_, "to_signature": to.signature, "proof": to.reply_id}
                for entry, to in changes.narrowed
            ],
        )
        told = [(entry.phone, _details_of(to)) for entry, to in changes.narrowed]
        record_for_phones(session, None, "suppression.narrow", told)
    if changes.lifted:
        lift = update(table).where(table.c.id == bindparam("entry"), *still)
        connection.execute(
            lift.values(lifted_at=func.now(), lifted_by_reply=bindparam("reply")),
            [{"entry": entry.id, "reply": reply_id} for entry, reply_id in changes.lifted],
        )
        told = [(one.phone, _details(reply_id, one.class_, one.signature)) for one, reply_id in changes.lifted]
        record_for_phones(session, None, "suppression.lift", told)
    for entry, _ in (*changes.narrowed, *changes.lifted):
        session.expire(entry)


def _details_of(request: StopRequest) -> dict[str, str | int]:
    return _details(request.reply_id, request.class_, request.signature)


def _details(reply_id: int | None, class_: str | None, signature: str | None) -> dict[str, str | int]:
    """Of an act, for the trail."""
    details = {"reply": reply_id, "class": class_, "signature": signature}
    named = {name: value for name, value in details.items() if value is not None}
    return {"reason": MessageReason.opted_out.value, "source": "reply", **named}
