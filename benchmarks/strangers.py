"""What it costs to find the text of a receipt that names none of ours, for different numbers of unknown texts at the
account. The cost must not grow with that number.
"""

from __future__ import annotations

import time

from benchmarks import city
from benchmarks.figures import Benchmark, Measured
from benchmarks.laboratory import BenchmarkError, Laboratory
from benchmarks.sending import plan
from benchmarks.services import null_gateway
from sms_service.db.engine import Database
from sms_service.dispatch import freeze
from sms_service.gateways.base import Receipt, ReceiptStatus
from sms_service.ledger import receipts

UNKNOWN = (1_000, 5_000, 20_000)  # texts of the account whose answer never came
RECEIPTS = 500  # one batch, each of one of them

# So many of the run's texts have left over the only account and are unknown, all within the last hour.
_UNKNOWN = """
WITH gone AS (
    UPDATE messages SET status = 'unknown', attempts = 1, text = '学习内容', parts = 1, changed_at = sms_now(),
        account_id = (SELECT min(id) FROM gateway_accounts)
    WHERE id IN (SELECT id FROM messages WHERE status = 'pending' ORDER BY id LIMIT %(size)s)
    RETURNING month, id, run_id, account_id, phone
), attempt AS (
    INSERT INTO attempts (
        month, message_id, run_id, number, account_id, claim_token, status, parts, started_at, outcome_at, phone)
    SELECT month, id, run_id, 1, account_id, gen_random_uuid(), 'unknown', 1,
           sms_now() - id %% 3600 * interval '1 second', sms_now(), phone
    FROM gone
)
SELECT phone FROM gone ORDER BY id DESC LIMIT %(receipts)s
"""


def _measure(laboratory: Laboratory) -> Measured:
    found: dict[str, float] = {}
    with laboratory.city() as database:
        plan(database, null_gateway(laboratory))
        freeze.freeze_run(database, city.launch(database))
        before = 0
        for unknown in UNKNOWN:
            found[_figure(unknown)] = _apply_ms(database, unknown - before)
            before = unknown - RECEIPTS  # so many are still unknown
    return found


def _apply_ms(database: Database, more: int) -> float:
    """Milliseconds for one receipt of a batch, once so many texts more are unknown."""
    with database.transaction() as connection:
        phones = connection.exec_driver_sql(_UNKNOWN, {"size": more, "receipts": RECEIPTS}).scalars().all()
        said = (Receipt(ReceiptStatus.delivered, f"s{phone}", "{}", phone=phone) for phone in phones)
        receipts.insert_receipts(connection, [("null", receipt) for receipt in said])
    began = time.monotonic()
    with database.transaction() as connection:
        applied = receipts.apply_receipts(connection, RECEIPTS)
    took_ms = (time.monotonic() - began) * 1000
    if applied.moved != RECEIPTS:
        raise BenchmarkError(f"{applied.moved} of {RECEIPTS} receipts found their text")
    return took_ms / RECEIPTS


def _figure(unknown: int) -> str:
    return f"strange_receipt_ms_{unknown}"


STRANGERS = Benchmark(
    _measure, {_figure(unknown): "ms" for unknown in UNKNOWN}, runs=3, group=RECEIPTS, size=len(UNKNOWN) * RECEIPTS
)
