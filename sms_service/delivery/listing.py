"""Lists what receipts left open: receipts that match no text, and codes that no table knows."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Select, func, literal, select, union_all

from sms_service.controls.models import GatewayAccount
from sms_service.gateways.base import ErrorClass, ReceiptStatus
from sms_service.ledger.models import Attempt, ReceiptRow


def find_unmatched(account: str | None = None) -> Select[*tuple[Any, ...]]:
    """Receipts that were looked at and match no attempt so far, to be ordered and paged: `ReceiptRow` and the gateway
    account's name (`account`).
    """
    statement: Select[*tuple[Any, ...]] = (
        select(ReceiptRow, GatewayAccount.name.label("account"))
        .join(GatewayAccount, GatewayAccount.id == ReceiptRow.gateway_account_id)
        .where(ReceiptRow.applied_at.is_(None), ReceiptRow.tries > 0)
    )
    return statement if account is None else statement.where(GatewayAccount.name == account)


def find_unknown_codes(gateway_account_id: int, known: Collection[str]) -> Select[*tuple[Any, ...]]:
    """The account's codes that are not among the `known` of its adapter's, to be ordered and paged: `code`, `use`
    ("answer" or "receipt"), its `place` (1 or 2), `number`, `first_at`, `last_at`.
    """
    answers = (
        select(
            Attempt.raw_code.label("code"),
            literal("answer").label("use"),
            literal(1).label("place"),
            func.count().label("number"),
            func.min(Attempt.outcome_at).label("first_at"),
            func.max(Attempt.outcome_at).label("last_at"),
        )
        .where(Attempt.gateway_account_id == gateway_account_id, Attempt.error == ErrorClass.unclassified.value)
        .where(Attempt.raw_code.is_not(None))
        .group_by(Attempt.raw_code)
    )
    receipts = (
        select(
            ReceiptRow.raw_code.label("code"),
            literal("receipt").label("use"),
            literal(2).label("place"),
            func.count().label("number"),
            func.min(ReceiptRow.received_at).label("first_at"),
            func.max(ReceiptRow.received_at).label("last_at"),
        )
        .where(
            ReceiptRow.gateway_account_id == gateway_account_id, ReceiptRow.status == ReceiptStatus.unclassified.value
        )
        .where(ReceiptRow.raw_code.is_not(None))
        .group_by(ReceiptRow.raw_code)
    )
    found = union_all(answers, receipts).subquery("found")
    return select(found).where(found.c.code.not_in(sorted(known)))
