"""Looks texts up: asks providers what became of texts whose hand-over got no answer, and how accepted texts without a
receipt arrived.

It sends nothing again. A text that the provider has becomes `accepted`; one that it never had becomes `refused` (class
`not_taken`, which a person may retry); if the provider cannot say, nothing changes. How a text arrived is stored like
any receipt.
"""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from functools import partial
from typing import Any, cast

from sqlalchemy import Connection

from sms_service.db.engine import Database
from sms_service.db.statements import Statement
from sms_service.delivery.asking import AskingThread
from sms_service.delivery.inbox import store_receipts
from sms_service.gateways.base import ErrorClass, Finding, LooksUp, OutcomeKind, Question, ReceiptStatus
from sms_service.gateways.registry import Gateways
from sms_service.ledger import protocol
from sms_service.ledger.protocol import Recorded
from sms_service.ledger.receipts import attempt_reference
from sms_service.ledger.states import AttemptStatus

TAKE_UNKNOWN = Statement(__file__, "take_unknown")
TAKE_SILENT = Statement(__file__, "take_silent")
STAMP_ASKED = Statement(__file__, "stamp_asked")

# One cycle asks about at most so many texts of each account, and no more than the provider's rate allows; all processes
# together begin one every so many seconds.
BATCH = 100
EVERY_S = 10.0
HORIZON_HOURS = 72
LEADERSHIP = "look-up"
_ENDS_S = 1.0  # an answer that comes later is not waited for: the next process asks again

log = logging.getLogger(__name__)


def look_up_unknown(database: Database, gateways: Gateways) -> int:
    """Ask once about what is due at every account that can look up; returns how many attempts were settled.

    Takes as long as the providers do, up to the sum of their time-outs.
    """
    settled = 0
    for account in gateways.config.accounts:
        adapter = gateways.adapter(account)
        if (after_s := adapter.capabilities.look_up_after_s) is not None:
            settled += _look_up(database, account, cast(LooksUp, adapter), after_s)
    return settled


def start_looking_up(database: Database, gateways: Gateways) -> Callable[[], None]:
    """Look up every EVERY_S seconds in a thread of its own, in the process that leads: more workers do not mean more
    questions. Returns what ends it.
    """
    stopping = threading.Event()
    adapters = map(gateways.adapter, gateways.config.accounts)
    if all(adapter.capabilities.look_up_after_s is None for adapter in adapters):
        return stopping.set

    def act(leading: Database) -> None:
        if settled := look_up_unknown(leading, gateways):
            log.info("look-up: %s attempts are unknown no longer", settled)

    thread = AskingThread(database, gateways, LEADERSHIP, act, EVERY_S, stopping)
    return partial(thread.end, _ENDS_S)


def _look_up(database: Database, account: str, adapter: LooksUp, after_s: float) -> int:
    """Ask about unknown texts first, and then, as far as the provider's rate allows, about accepted texts without a
    receipt.
    """
    can = adapter.capabilities
    size = max(1, min(BATCH, int(can.look_up_per_s * EVERY_S)))
    with database.transaction() as connection:
        found = TAKE_UNKNOWN(connection, account=account, after_s=after_s, horizon_hours=HORIZON_HOURS, size=size).all()
        unknown = _stamp(connection, found, AttemptStatus.unknown)
    silent: Sequence[Any] = ()
    if can.look_up_receipts and len(unknown) < size:
        within_s = min(HORIZON_HOURS * 3600.0, can.look_up_within_s)
        with database.transaction() as connection:
            found = TAKE_SILENT(
                connection, account=account, after_s=after_s, within_s=within_s, size=size - len(unknown)
            ).all()
            silent = _stamp(connection, found, AttemptStatus.accepted)
    rows = [*unknown, *silent]
    if not rows:
        return 0
    questions = [
        Question(attempt_reference(row.month, row.id), row.phone, row.text, row.started_at, row.provider_id)
        for row in rows
    ]
    try:
        findings = adapter.look_up(questions)
    except Exception as error:  # noqa: BLE001 - whatever it is, it tells nothing, and other accounts come next
        log.error(
            "account %s: looking up %s texts failed with %s; they are looked up again later",
            account,
            len(questions),
            type(error).__name__,
        )
        return 0
    outcomes: dict[date, list[Recorded]] = defaultdict(list)
    for row, question, finding in zip(rows, questions, findings, strict=True):
        if finding is None or question.provider_id is not None:
            continue
        if finding.provider_id is not None or can.look_up_complete:
            outcomes[row.month].append(_outcome(row.id, finding))
    for month, recorded in outcomes.items():
        with database.transaction() as connection:
            protocol.record_outcomes(connection, month, recorded)
    _store_receipts(database, account, questions, findings)
    return sum(map(len, outcomes.values()))


def _stamp(connection: Connection, found: Sequence[Any], status: AttemptStatus) -> list[Any]:
    """Those of the rows that are still to be asked about, stamped: nobody else asks about them from the commit on."""
    of_month: dict[date, list[int]] = defaultdict(list)
    for row in found:
        of_month[row.month].append(row.id)
    ours = {
        (month, row.id)
        for month in sorted(of_month)
        for row in STAMP_ASKED(connection, month=month, ids=of_month[month], status=status.value)
    }
    return [row for row in found if (row.month, row.id) in ours]


def _store_receipts(
    database: Database, account: str, questions: Sequence[Question], findings: Sequence[Finding | None]
) -> None:
    """How texts arrived, as if the provider had pushed it: appliers find it, and it is never taken for more. The text
    is the one that was asked about, so our own name for it goes with it.
    """
    receipts = [
        (account, replace(finding.receipt, reference=question.reference))
        for question, finding in zip(questions, findings, strict=True)
        if finding is not None and finding.receipt is not None and finding.receipt.status != ReceiptStatus.interim
    ]
    if receipts:
        store_receipts(database, receipts)
        log.info("look-up: account %s said how %s texts arrived", account, len(receipts))


def _outcome(attempt_id: int, finding: Finding) -> Recorded:
    """The provider's answer as the outcome that did not come; like a late outcome, it never moves an attempt down."""
    if finding.provider_id is not None:
        return Recorded(attempt_id, OutcomeKind.accepted, provider_id=finding.provider_id, detail="looked up")
    return Recorded(attempt_id, OutcomeKind.refused, error=ErrorClass.not_taken.value, detail="looked up")
