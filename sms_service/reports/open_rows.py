"""Rows of which there are few among all that was ever sent, found by the indexes that hold only these.

Both are materialized: else the planner may walk all messages, in a page's order, until it has met enough of them.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import CTE, ScalarSelect, select, union

from sms_service.controls.models import GatewayAccount
from sms_service.gateways.base import ReceiptStatus
from sms_service.ledger.models import Attempt, ReceiptRow
from sms_service.ledger.states import AttemptStatus
from sms_service.vocabulary import MessageReason


def unknown_attempts(account: str | None) -> CTE:
    """SQL for the unknown attempts (`month`, `message_id`, `number`) of a gateway account, or of all."""
    found = select(Attempt.month, Attempt.message_id, Attempt.number).where(Attempt.status == AttemptStatus.unknown)
    if account:
        found = found.where(Attempt.gateway_account_id == _id_of(account))
    return found.cte("unknown_attempts").prefix_with("MATERIALIZED")


def with_unclassified(code: str, account: str | None) -> CTE:
    """SQL for the messages (`month`, `message_id`) that a gateway account, or any, answered or reported with a code
    that no table has.
    """
    answers = select(Attempt.month, Attempt.message_id).where(
        Attempt.error == MessageReason.unclassified, Attempt.raw_code == code
    )
    reports = (
        select(Attempt.month, Attempt.message_id)
        .join(ReceiptRow, (ReceiptRow.month == Attempt.month) & (ReceiptRow.attempt_id == Attempt.id))
        .where(ReceiptRow.status == ReceiptStatus.unclassified.value, ReceiptRow.raw_code == code)
    )
    if account:
        answers = answers.where(Attempt.gateway_account_id == _id_of(account))
        reports = reports.where(ReceiptRow.gateway_account_id == _id_of(account))
    return union(answers, reports).cte("with_unclassified").prefix_with("MATERIALIZED")


def _id_of(account: str) -> ScalarSelect[Any]:
    return select(GatewayAccount.id).where(GatewayAccount.name == account).scalar_subquery()
