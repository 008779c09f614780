"""What of a run did not arrive, and why: by reason and code, with what the provider's table says of the code."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor
from sms_service.campaigns.control import get_run
from sms_service.controls.models import GatewayAccount
from sms_service.gateways.base import CodeMeaning
from sms_service.gateways.registry import Gateways
from sms_service.ledger.archived import require_unarchived
from sms_service.ledger.models import Message, Run
from sms_service.ledger.resolving import RETRYABLE
from sms_service.ledger.states import MessageStatus
from sms_service.reports.remedies import Remedy, find_remedy
from sms_service.vocabulary import MessageReason

FAILED = (
    *(MessageStatus.skipped, MessageStatus.refused, MessageStatus.undelivered),
    *(MessageStatus.unknown, MessageStatus.no_receipt, MessageStatus.expired),
)
MOST_FAILURES = 500


@dataclass(frozen=True, slots=True)
class Failure:
    """Rows of one run that have status, reason, code and gateway account in common.

    `code`: the provider's own; `meaning`: what its table says of it, None where no table does. `remedy`: what the
    reason means to us, and what can be done. `retryable`: a person may let them go again with a retry.
    """

    status: str
    reason: str | None
    code: str | None
    account: str | None
    messages: int
    meaning: CodeMeaning | None
    remedy: Remedy | None
    retryable: bool

    def filters(self) -> dict[str, str]:
        """The filters, as `/messages` takes them, that together with the run list these rows."""
        words = {"reason": self.reason, "code": self.code, "account": self.account}
        return {"status": self.status, **{name: word or "" for name, word in words.items()}}


def describe_failures(session: Session, actor: Actor, run_id: int, gateways: Gateways) -> list[Failure]:
    """All that did not arrive, and who was skipped; the most frequent first, and no more than 500 lines.

    Raises NotFound, Forbidden, or Conflict for a run whose rows are archived.
    """
    run = get_run(session, actor, run_id)
    require_unarchived(session, Run.id == run_id)
    rows = session.execute(
        select(Message.status, Message.reason, Message.raw_code, GatewayAccount.name, func.count().label("messages"))
        .outerjoin(GatewayAccount, GatewayAccount.id == Message.gateway_account_id)
        .where(Message.month == run.month, Message.run_id == run.id, Message.status.in_(FAILED))
        .group_by(Message.status, Message.reason, Message.raw_code, GatewayAccount.name)
        .order_by(func.count().desc(), Message.status, Message.reason, Message.raw_code, GatewayAccount.name)
        .limit(MOST_FAILURES)
    )
    return [
        Failure(
            status=row.status,
            reason=row.reason,
            code=row.raw_code,
            account=row.name,
            messages=row.messages,
            meaning=find_code_meaning(gateways, row.name, row.status, row.raw_code),
            remedy=find_remedy(row.status, row.reason),
            retryable=row.status == MessageStatus.refused and _class(row.reason) in list(RETRYABLE),
        )
        for row in rows
    ]


def _class(reason: str | None) -> str:
    """By which class go_again.sql retries a refused row."""
    return MessageReason.unclassified if reason is None else reason


def find_code_meaning(gateways: Gateways, account: str | None, status: str, code: str | None) -> CodeMeaning | None:
    """What the code of a row or attempt with this status means by the account's table: a network's last word is a
    receipt's, unless only the answers have it.
    """
    if account is None or code is None:
        return None
    uses = ("receipt", "answer") if status in (MessageStatus.undelivered, MessageStatus.delivered) else ("answer",)
    found = (gateways.find_meaning(account, use, code) for use in uses)
    return next((meaning for meaning in found if meaning is not None), None)
