"""Replies that say stop, or that texts may come again: what they are about, once it is known which text they answer.

A stop of a text is of its class, for every unit that uses its signature. It is of every text if it says so, if no text
is known, or if the text was a notice or an answer, which say nothing of stopping. Where the gateway account is shared,
it is of every signature. One that lets texts come again is of all that was said to the same signature.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import NamedTuple

from sqlalchemy import and_, select
from sqlalchemy.orm import Session

from sms_service.audience.covering import EVERY_TEXT, TextKind
from sms_service.audience.stopping import SaidRequest, read_requests, withdraw_request
from sms_service.content.classes import class_rules
from sms_service.controls.models import GatewayAccount
from sms_service.directory.models import Unit
from sms_service.ledger.models import Message, Run
from sms_service.replies.answering import NewAnswer
from sms_service.replies.confirming import confirm_stop
from sms_service.replies.models import ReplyRow
from sms_service.vocabulary import Meaning, ReadingRule

# What a reply may mean that stops texts or lets them come again.
STOPPING = (Meaning.stop, Meaning.resume)


class _Said(NamedTuple):
    """A reply, the run of the text that it answers, with its unit and what it says, and whether others send over its
    gateway account too.
    """

    reply: ReplyRow
    run: Run | None
    unit: Unit | None
    answered: str | None
    shared: bool

    @property
    def resumes(self) -> bool:
        return self.reply.meaning == Meaning.resume

    @property
    def kind(self) -> TextKind:
        """Which texts it is about."""
        if self.run is None:
            return EVERY_TEXT
        signature = None if self.shared else self.run.signature
        if self.resumes:
            return TextKind(None, signature)
        if self.reply.rule == ReadingRule.stop_all_word or not class_rules(self.run.class_).unsubscribe_line:
            return EVERY_TEXT
        return TextKind(self.run.class_, signature)


def heed_stops(session: Session, in_month: date, ids: Collection[int]) -> list[NewAnswer]:
    """Act on those of these replies that were read as a stop or as one that lets texts come again. Returns the texts
    that confirm it, for the caller to answer with.
    """
    about = and_(Message.month == ReplyRow.month, Message.id == ReplyRow.message_id)
    rows = session.execute(
        select(ReplyRow, Run, Unit, Message.text, GatewayAccount.shared)
        .join(GatewayAccount, GatewayAccount.id == ReplyRow.gateway_account_id)
        .outerjoin(Message, about)
        .outerjoin(Run, and_(Run.id == Message.run_id, Run.month == Message.month))
        .outerjoin(Unit, Unit.id == Run.unit_id)
        .where(ReplyRow.in_month == in_month, ReplyRow.id.in_(ids), ReplyRow.phone.is_not(None))
        .where(ReplyRow.meaning.in_(STOPPING))
        .order_by(ReplyRow.phone, ReplyRow.id)
        .execution_options(populate_existing=True)
    )
    heard = [_Said(*row) for row in rows]
    changing = read_requests(session, [_request(said) for said in heard])
    return [answer for said in heard if said.reply.id in changing and (answer := _confirm(said)) is not None]


def withdraw_stop(session: Session, reply: ReplyRow) -> None:
    """The reply was read again, and neither stops texts nor lets them come again."""
    if reply.phone is not None:
        withdraw_request(session, reply.phone, reply.id)


def _confirm(said: _Said) -> NewAnswer | None:
    if said.run is None or said.unit is None or not class_rules(said.run.class_).confirms_stop:
        return None
    return confirm_stop(said.reply, said.run, said.unit, said.answered, said.kind, resumes=said.resumes)


def _request(said: _Said) -> SaidRequest:
    reply = said.reply
    return SaidRequest(
        reply.phone or "",
        reply.id,
        # What one phone says comes over one provider, whose clock tells the order, however far it is from ours.
        reply.said_at,
        said.kind,
        resumes=said.resumes,
        said_to=None if said.run is None else said.run.signature,
        anew=reply.rule == ReadingRule.person,
    )
