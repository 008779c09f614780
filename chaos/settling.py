"""The end of an attack: everything works again, and counting begins only when nothing waits any more."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from chaos.house import House, until
from chaos.plan import LINE
from sms_service.db.engine import Database
from sms_service.delivery import reconcile
from sms_service.gateways.registry import Gateways
from sms_service.ledger.receipt_matching import SEVERAL

_ROUNDS = 15
_AHEAD_MIN = 3  # minutes by which a round puts the service's clock forward
_STILL_S = 4.0  # if nothing moves for so long, all that is left waits for a lease or a retry
_MOST_S = 600.0  # of one round
_LOOK_UP_MIN, _LOOK_UP_S = 15, 60.0  # a text may be looked up ten minutes after it left
_RECEIPTS_S = 300.0  # a simulator tries a receipt for about four minutes
_TELLING_S = 400.0  # the longest rest of a webhook that failed, and a try
_RESTLESS = """
SELECT count(*) FILTER (WHERE status IN ('pending', 'claimed', 'submitting'))
       + (SELECT count(*) FROM runs WHERE status IN ('planned', 'freezing', 'running', 'paused', 'held')) AS left_over,
       max(changed_at)::text || count(*) AS mark
FROM messages
"""
# If several texts of the line are unknown, nobody can tell which of them a receipt is about, however long it waits.
_PARKED = f"SELECT count(*) FROM receipts WHERE applied_at IS NULL AND note IS DISTINCT FROM '{SEVERAL}'"
_UNTOLD = """
SELECT (SELECT count(*) FROM happenings WHERE body IS NULL)
       + (SELECT count(*) FROM webhook_deliveries WHERE status <> 'delivered')
"""
# What was looked up before now counts too: it was unknown when its provider was asked.
_UNKNOWN = f"""
SELECT count(*) AS texts, count(DISTINCT a.claim_token) AS hand_overs,
       count(*) FILTER (WHERE a.status = 'unknown' AND g.name <> '{LINE}') AS still
FROM attempts a JOIN gateway_accounts g ON g.id = a.account_id
WHERE a.status = 'unknown' OR a.looked_up_at IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class Unknown:
    """Texts without an outcome and without a receipt, the broken hand-overs that they come from, and the number of
    those texts that are still unknown after the simulators were asked. A line cannot be asked.
    """

    texts: int
    hand_overs: int
    still: int


def settle(house: House, database: Database, say: Callable[[str], None]) -> None:
    """Wait until no row waits to leave, every receipt was applied, every unknown text was looked up, and webhooks were
    told everything.

    It does not wait for leases of dead processes, pauses before retries and the time before a look-up: it puts the
    service's clock forward while no worker runs.
    """
    ahead_min = 0
    for _ in range(_ROUNDS):
        left = _wait_until_still(house, database)
        if not left:
            break
        say(f"settling: {left} rows and runs wait for leases or retries; the clock goes {_AHEAD_MIN} minutes ahead")
        ahead_min += _AHEAD_MIN
        house.put_clock_forward(ahead_min)
    if not until(lambda: _mended(house) and not _unsettled(house), _RECEIPTS_S, every_s=2.0):
        say("settling: the simulators did not get every receipt acknowledged")
    if not until(lambda: _mended(house) and not _count(database, _PARKED), _RECEIPTS_S, every_s=1.0):
        say(f"settling: {_count(database, _PARKED)} receipts stay parked")
    if unknown(database).still:
        house.put_clock_forward(ahead_min + _LOOK_UP_MIN)
        _look_up(house)
    if not until(lambda: _mended(house) and not _count(database, _UNTOLD), _TELLING_S, every_s=1.0):
        say(f"settling: {_count(database, _UNTOLD)} events are not told to webhooks")


def _look_up(house: House) -> None:
    gateways = Gateways.from_file(Path(house.variables["GATEWAYS_FILE"]), "", house.variables)
    with closing(gateways), closing(Database(house.database_url)) as database:

        def asked() -> bool:
            while reconcile.look_up_unknown(database, gateways):
                pass
            return not unknown(database).still

        until(asked, _LOOK_UP_S)


def unknown(database: Database) -> Unknown:
    """How many texts are, or were, unknown."""
    with database.transaction() as connection:
        row = connection.exec_driver_sql(_UNKNOWN).one()
    return Unknown(row.texts, row.hand_overs, row.still)


def _wait_until_still(house: House, database: Database) -> int:
    """How many rows and runs are left when nothing moves any more."""
    give_up = time.monotonic() + _MOST_S
    mark, since = "", time.monotonic()
    while True:
        house.mend()
        with database.transaction() as connection:
            row = connection.exec_driver_sql(_RESTLESS).one()
        now = time.monotonic()
        if row.mark != mark:
            mark, since = row.mark, now
        if not row.left_over or now - since > _STILL_S or now > give_up:
            return int(row.left_over)
        time.sleep(0.5)


def _mended(house: House) -> bool:
    house.mend()
    return True


def _unsettled(house: House) -> int:
    planned = settled = 0
    for line in house.ledgers():
        if line["event"] == "receipt":
            settled += 1
        elif line["event"] in ("message", "part") and line["id"] and "receipts" in line:
            planned += len(line["receipts"])
    return planned - settled


def _count(database: Database, query: str) -> int:
    with database.transaction() as connection:
        return int(connection.exec_driver_sql(query).scalar_one())
