"""Erasure of a person on request: who they are, where they are reached, what was written to them and what they answered
leaves every table. What is counted stays: rows, statuses, parts, and a number that names nobody any more.

docs/erasure.md says what is emptied where, and what stays and why.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor, unit_path
from sms_service.accounts.permissions import Permission
from sms_service.accounts.stored_responses import empty_responses_with
from sms_service.audience.recipient_lists import erase_listed
from sms_service.audience.suppression import strip_suppressions, suppress_phones, suppressed_among
from sms_service.audit import trail
from sms_service.audit.changes import erase_changes
from sms_service.db.locks import LockKey, take_lock
from sms_service.delivery.erasing import erase_checks
from sms_service.directory.erasing import (
    delete_person,
    drop_drafts_about,
    erase_findings,
    find_import_under_way,
    list_phones_of_others,
)
from sms_service.directory.models import Person
from sms_service.directory.people import get_person
from sms_service.directory.text import LONGEST_WHY, required_line
from sms_service.errors import Conflict, NotFound
from sms_service.ledger.erasing import (
    PersonRows,
    erase_person_rows,
    erase_phone_traces,
    find_blacklisted,
    find_person_rows,
)
from sms_service.own_texts.ending import erase_own_texts_of
from sms_service.replies.erasing import erase_replies
from sms_service.reports.exports import drop_personal_exports
from sms_service.said import say
from sms_service.schedules.attendance import erase_attendances
from sms_service.vocabulary import MessageReason
from sms_service.webhooks.erasing import empty_happenings


@dataclass(frozen=True, slots=True)
class ErasureOutlook:
    """What an erasure would do: `texts` are emptied, of which `waiting` are not sent any more.

    While `awaited` are on their way, until `awaited_until` at the latest (None: they are being handed over), it is
    refused. `stays_suppressed`: a phone of theirs is suppressed, and stays so, as a number without a name.
    """

    texts: int
    waiting: int
    awaited: int
    awaited_until: datetime | None
    stays_suppressed: bool


@dataclass(frozen=True, slots=True)
class Erased:
    """What an erasure did: how many texts and replies were emptied, and how many texts are not sent any more."""

    texts: int
    cancelled: int
    replies: int


def foresee_erasure(session: Session, actor: Actor, person_id: int) -> ErasureOutlook:
    """What `erase_person` would do now. Raises NotFound, or Forbidden without manage_directory over the unit."""
    person = get_person(session, actor, person_id)
    actor.require(Permission.manage_directory, unit_path(session, person.unit_id))
    rows = find_person_rows(session.connection(), person_id)
    suppressed = suppressed_among(session, _phones_of(person, rows), for_some=True)
    return ErasureOutlook(rows.texts, rows.waiting, rows.awaited, rows.awaited_until, bool(suppressed))


def erase_person(session: Session, actor: Actor, person_id: int, why: str) -> Erased:
    """Erase the person for good. Texts that wait are cancelled. The entry in the trail has numbers and the reason only.

    Raises NotFound, Invalid, Forbidden without manage_directory over the person's unit, or Conflict while texts are on
    their way: what comes back could not be understood without the phone.
    """
    why = required_line("why", why, LONGEST_WHY)
    take_lock(session, LockKey.erase_person)
    person = session.get(Person, person_id, with_for_update=True, populate_existing=True)
    if person is None:
        raise NotFound("person", person_id)
    path = unit_path(session, person.unit_id)
    actor.require(Permission.manage_directory, path)
    if (under_way := find_import_under_way(session)) is not None:
        raise Conflict(
            say("import {import_id} is being read, and may name the person; try again in a minute", import_id=under_way)
        )
    connection = session.connection()
    rows = erase_person_rows(connection, person_id)
    if rows.awaited:
        raise _still_awaited(person_id, rows)
    phones = _phones_of(person, rows)
    own = phones - list_phones_of_others(session, person_id, phones)
    # An opt-out outlives its person: whoever imports the number again must not text it.
    suppress_phones(session, find_blacklisted(connection, own), MessageReason.blacklisted, "gateway", None)
    strip_suppressions(session, own)
    erase_phone_traces(connection, rows, own)
    messages = [id_ for ids in rows.ids.values() for id_ in ids]
    replies = erase_replies(connection, person_id, messages, own)
    erase_checks(connection, person_id)
    erase_listed(session, person_id)
    erase_own_texts_of(session, person_id)
    erase_attendances(session, person_id)
    empty_happenings(session, person_id)
    words = {word for word in (person.name, person.number) if word}
    drop_drafts_about(session, person_id, words, own)
    erase_findings(session, words, own)
    drop_personal_exports(session)
    empty_responses_with(session, words | _spellings(own))
    erase_changes(session, "person", person_id)
    delete_person(session, person)
    done = Erased(rows.texts, rows.waiting, replies)
    details = {"texts": done.texts, "cancelled": done.cancelled, "replies": done.replies, "why": why}
    trail.record_act(session, actor.account_id, "person.erase", "person", person_id, path, **details)
    return done


def _phones_of(person: Person, rows: PersonRows) -> set[str]:
    return rows.phones | ({person.phone} if person.phone else set())


def _spellings(phones: Collection[str]) -> set[str]:
    """As answers have them: whole, or without the country's code."""
    return set(phones) | {phone.removeprefix("+86") for phone in phones}


def _still_awaited(person_id: int, rows: PersonRows) -> Conflict:
    if rows.awaited_until is None:
        return Conflict(
            say(
                "{count} texts to person {person_id} are being handed over at this moment; try again in a minute",
                count=rows.awaited,
                person_id=person_id,
            )
        )
    return Conflict(
        say(
            "{count} texts to person {person_id} are on their way, and what comes back names them by the phone; try "
            "again after {until}, or once their receipts are here",
            count=rows.awaited,
            person_id=person_id,
            until=rows.awaited_until.isoformat(timespec="minutes"),
        )
    )
