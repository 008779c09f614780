"""What ends by time, in the clock's ticks: each line calls its room, which does a limited part of it at a time. The
table of `ops/lifetimes.py` names them.
"""

from __future__ import annotations

import logging
from typing import NamedTuple

from sms_service.accounts import sessions, stored_responses
from sms_service.content.list_drafts import forget_list_drafts
from sms_service.content.quiz_imports import forget_quiz_drafts
from sms_service.controls import account_breaker, caps
from sms_service.db.engine import Database
from sms_service.delivery import hygiene, missing, refusals
from sms_service.directory import drafts, erasing
from sms_service.own_texts.ending import forget_own_texts
from sms_service.personal import list_endings, redaction
from sms_service.personal.own_phone_endings import erase_ended_phone
from sms_service.replies.answering import forget_old_answer_uses, forget_withheld_answers

log = logging.getLogger(__name__)


class Kept(NamedTuple):
    """How many days what is kept, as the installation says: the rows of a list for one campaign after its last run;
    phone and text of messages and replies of units that say nothing of their own (None: for ever); and what providers
    sent, as it came.
    """

    list_days: int = list_endings.LIST_DAYS
    redact_after_days: int | None = None
    raw_days: int = redaction.RAW_DAYS


KEPT = Kept()


def forget_rows(database: Database) -> None:
    """Delete rows that nobody needs any more."""
    with database.session() as session:
        if forgotten := stored_responses.forget_old_responses(session):
            log.info("deleted %s stored responses to API requests", forgotten)
        if forgotten := sessions.forget_old_sessions(session):
            log.info("deleted %s sessions of browsers that began 30 days ago", forgotten)
        if forgotten := drafts.forget_drafts(session):
            log.info("deleted the file and the rows of %s imports that are over", forgotten)
        erasing.forget_findings(session)
        forget_list_drafts(session)
        forget_quiz_drafts(session)
        forget_old_answer_uses(session)
        forget_withheld_answers(session)
    missing.forget_missed(database)
    with database.transaction() as connection:
        caps.forget_old_cap_uses(connection)
        account_breaker.forget_old_tallies(connection)
        hygiene.forget_old_reports(connection)
        refusals.forget_old_refusals(connection)


def end_lists_and_phones(database: Database, list_days: int) -> None:
    """End lists for campaigns, accounts' own phones and the texts that went there."""
    if ended := list_endings.end_lists(database, list_days):
        log.info("lists for campaigns are over: %s guests erased or lists emptied", ended)
    if erase_ended_phone(database):
        log.info("a phone that was an account's own is erased")
    with database.session() as session:
        if forgotten := forget_own_texts(session):
            log.info("emptied %s texts that went to accounts' own phones 30 days ago", forgotten)


def redact_old_rows(database: Database, kept: Kept = KEPT) -> None:
    """Empty what is personal in old rows of the ledger and in old replies."""
    if emptied := redaction.redact_rows(database, kept.redact_after_days, kept.raw_days):
        log.info("redacted %s old messages, replies and records of providers", emptied)
