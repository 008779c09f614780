"""An account's own phone: said by the account, confirmed by a code that comes as a text, and ended by it again.

A phone that is not confirmed gets nothing but codes, whose words are fixed; who gets one that they did not ask for
learns nothing, and how many come is bounded by account and by phone. The code is hidden in the ledger: otherwise
whoever reads texts could confirm somebody else's phone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Select, func, select, update
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor
from sms_service.accounts.models import Account
from sms_service.audit import trail
from sms_service.db.engine import Database
from sms_service.db.locks import LockedName, lock_name
from sms_service.directory.models import GUEST, Person, Unit
from sms_service.directory.phones import parse_phone
from sms_service.errors import Conflict, Forbidden, Invalid
from sms_service.ledger.models import Message
from sms_service.ledger.single import WrittenText
from sms_service.own_texts.models import OwnPhone, OwnPurpose, OwnText
from sms_service.own_texts.sending import count_own_texts, find_sender, send_own_text
from sms_service.said import say

CODE_MIN = 10  # for which a code is good
MOST_TRIES = 5  # wrong ones of one code
MOST_CODES = 5  # to phones of one account in 24 hours
MOST_CODES_OF_PHONE = 3  # to one phone in 24 hours, whoever asks


@dataclass(frozen=True, slots=True)
class KnownPhone:
    """The phone of an account as it stands: E.164, when it was confirmed, until when the code is good that waits."""

    person_id: int
    phone: str
    confirmed_at: datetime | None
    code_until: datetime | None


def find_own_phone(session: Session, account_id: int) -> KnownPhone | None:
    """The phone that the account has said is its own and has not ended."""
    row = session.execute(
        select(OwnPhone, Person.phone)
        .join(Person, Person.id == OwnPhone.person_id)
        .where(OwnPhone.account_id == account_id, OwnPhone.ended_at.is_(None), Person.phone.is_not(None))
    ).one_or_none()
    if row is None:
        return None
    own: OwnPhone = row.OwnPhone
    waits = own.code_until is not None and own.tries < MOST_TRIES and own.code_until > _now(session)
    return KnownPhone(own.person_id, row.phone, own.confirmed_at, own.code_until if waits else None)


def send_code(session: Session, actor: Actor, phone: str, random_bytes: Callable[[int], bytes]) -> WrittenText:
    """Send a code to the phone that the account says is its own; another phone that it had ends by this.

    Raises Invalid (`phone`), Forbidden for who is no account, or Conflict: it is confirmed already, no text can leave
    for it now, or the account or the phone has had as many codes as it may in 24 hours.
    """
    account = _lock_account(session, actor)
    number = parse_phone("phone", phone)
    lock_name(session, LockedName.own_phone, number)  # two accounts that ask for one phone take turns
    unit = session.get_one(Unit, account.unit_id)
    known = find_own_phone(session, account.id)
    if known is not None and known.phone == number and known.confirmed_at is not None:
        raise Conflict("this phone is confirmed already")
    _check_codes(session, account.id, number)
    sender = find_sender(session, unit)
    if known is None or known.phone != number:
        if known is not None:
            end_phone(session, known.person_id)
        _say_own(session, account, number)
    own = session.scalars(_own(account.id).with_for_update()).one()
    code = f"{int.from_bytes(random_bytes(8)) % 1_000_000:06d}"
    until = _now(session) + timedelta(minutes=CODE_MIN)
    own.code_digest, own.code_until, own.tries = _digest(own, code), until, 0
    session.flush()
    said = say(
        "Your code is {code}. It confirms that this is your phone and is good for {minutes} minutes. If you did not ask"
        " for it, do nothing.",
        code=code,
        minutes=CODE_MIN,
    )
    written = send_own_text(
        session,
        account,
        own.person_id,
        number,
        OwnPurpose.code,
        sender.compose(said, account.language),
        sender,
        validity_s=CODE_MIN * 60,
    )
    trail.record_act(session, account.id, "own_phone.code", "account", account.id, unit.path, run=written.run_id)
    return written


def confirm_own_phone(database: Database, session: Session, actor: Actor, code: str) -> KnownPhone:
    """Confirm the phone by the code that was sent to it. Each try is counted for good before it is looked at, whatever
    becomes of the caller's transaction.

    Raises Invalid (`code`), Forbidden, or Conflict if no code waits.
    """
    if actor.account_id is None:
        raise _no_account()
    with database.session() as counting:
        tried = counting.scalar(
            update(OwnPhone)
            .where(
                OwnPhone.account_id == actor.account_id,
                OwnPhone.ended_at.is_(None),
                OwnPhone.code_until > func.sms_now(),
                OwnPhone.tries < MOST_TRIES,
            )
            .values(tries=OwnPhone.tries + 1)
            .returning(OwnPhone)
            .execution_options(synchronize_session=False)
        )
        if tried is None:
            raise Conflict("no code waits for you, or it is over: ask for another one")
        digest, person_id = tried.code_digest, tried.person_id
        if _digest(tried, code.strip()) != digest:
            left = MOST_TRIES - tried.tries
            counting.commit()
            raise Invalid("code", None, say("is not the code that was sent; you may try {left} more times", left=left))
    own = session.get(OwnPhone, person_id, with_for_update=True, populate_existing=True)
    if own is None or own.ended_at is not None or own.code_digest != digest:
        raise Conflict("no code waits for you, or it is over: ask for another one")
    now = _now(session)
    own.confirmed_at, own.code_digest, own.code_until = now, None, None
    session.flush()
    account = session.get_one(Account, own.account_id)
    path = session.get_one(Unit, account.unit_id).path
    trail.record_act(session, account.id, "own_phone.confirm", "account", account.id, path)
    known = find_own_phone(session, own.account_id)
    assert known is not None, "it was confirmed just now"
    return known


def end_own_phone(session: Session, actor: Actor) -> None:
    """The account's phone is no longer its own: nothing goes there any more, and the number is erased soon.

    Raises Forbidden, or Conflict if there is none.
    """
    account = _lock_account(session, actor)
    known = find_own_phone(session, account.id)
    if known is None:
        raise Conflict("you have given no phone")
    end_phone(session, known.person_id)
    path = session.get_one(Unit, account.unit_id).path
    trail.record_act(session, account.id, "own_phone.end", "account", account.id, path)


def end_phone(session: Session, person_id: int) -> None:
    """Nothing goes to this phone of an account any more; what waits for it is skipped. The clock erases the person."""
    now = _now(session)
    ending = update(OwnPhone).where(OwnPhone.person_id == person_id, OwnPhone.ended_at.is_(None))
    session.execute(ending.values(ended_at=now, look_at=now, code_digest=None, code_until=None))
    session.execute(update(Person).where(Person.id == person_id).values(phone=None))
    session.expire_all()


def give_invented_phone(session: Session, account_id: int, phone: str) -> None:
    """An account of a demonstration, whose texts reach no phone, has one without a code that nobody could read.

    Raises Conflict unless the account's unit is part of a demonstration.
    """
    account = session.get_one(Account, account_id)
    if not session.get_one(Unit, account.unit_id).demonstration:
        raise Conflict("only accounts of a demonstration have an invented phone")
    _say_own(session, account, parse_phone("phone", phone))
    session.scalars(_own(account_id)).one().confirmed_at = _now(session)
    session.flush()


def require_own_phone(session: Session, actor: Actor) -> tuple[Account, KnownPhone]:
    """The account, whose row is locked, and its confirmed phone. Raises Forbidden, or Conflict without one."""
    account = _lock_account(session, actor)
    known = find_own_phone(session, account.id)
    if known is None or known.confirmed_at is None:
        raise Conflict("confirm your own phone first: a test text goes to nobody else")
    return account, known


def _lock_account(session: Session, actor: Actor) -> Account:
    if actor.account_id is None:
        raise _no_account()
    return session.get_one(Account, actor.account_id, with_for_update={"key_share": True}, populate_existing=True)


def _no_account() -> Forbidden:
    return Forbidden("a phone belongs to an account; act as one")


def _say_own(session: Session, account: Account, phone: str) -> None:
    person = Person(
        unit_id=account.unit_id,
        name=f"@{account.login}",  # no name that anybody else could have: it is looked for when this is erased
        kind=GUEST,
        phone=phone,
        tags=[],
        attributes={},
        left_at=_now(session),
    )
    session.add(person)
    session.flush()
    session.add(OwnPhone(person_id=person.id, account_id=account.id))
    session.flush()


def _check_codes(session: Session, account_id: int, phone: str) -> None:
    if count_own_texts(session, account_id, OwnPurpose.code) >= MOST_CODES:
        raise Conflict(say("you have asked for {most} codes in 24 hours; ask again tomorrow", most=MOST_CODES))
    to_phone = (
        select(func.count())
        .select_from(OwnText)
        .join(Message, (Message.month == OwnText.month) & (Message.run_id == OwnText.run_id))
        .where(
            OwnText.purpose == OwnPurpose.code,
            OwnText.created_at > func.sms_now() - timedelta(days=1),
            Message.phone == phone,
        )
    )
    if session.scalars(to_phone).one() >= MOST_CODES_OF_PHONE:
        said = "{most} codes went to this phone in 24 hours; use the last one, or ask again tomorrow"
        raise Conflict(say(said, most=MOST_CODES_OF_PHONE))


def _own(account_id: int) -> Select[OwnPhone]:
    return select(OwnPhone).where(OwnPhone.account_id == account_id, OwnPhone.ended_at.is_(None))


def _digest(own: OwnPhone, code: str) -> bytes:
    return hashlib.sha256(f"{own.account_id} {own.person_id} {code}".encode()).digest()


def _now(session: Session) -> datetime:
    now: datetime = session.scalars(select(func.sms_now())).one()
    return now
