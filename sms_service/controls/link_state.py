"""A link that stays down is a paused account: the other accounts of its routes take over until it is up again."""

from __future__ import annotations

import logging
from collections.abc import Collection

from psycopg.types.json import Jsonb
from sqlalchemy import Connection

from sms_service.db.locks import close_gate_of_gateway_account
from sms_service.db.statements import Statement
from sms_service.said import as_said, say, to_json

PAUSE_LINK = Statement(__file__, "pause_link")
OPEN_LINK = Statement(__file__, "open_link")
UNHELD_LINKS = Statement(__file__, "unheld_links")

# The pause ends by itself after this many seconds, unless the link process prolongs it or, if there is none, the clock.
PAUSE_S = 60.0
# Seconds that a session must last after the last hand-over of the session before it, to count as steady.
STEADY_S = 30.0

log = logging.getLogger(__name__)


def pause_link(connection: Connection, gateway_account_id: int, why: str) -> None:
    """Pause the account because its link is down, or prolong that pause; any other pause stays as it is."""
    reason = say("the link is down: {why}", why=why)
    close_gate_of_gateway_account(connection, gateway_account_id)
    message = Jsonb(to_json(reason))
    if row := PAUSE_LINK(
        connection, gateway_account_id=gateway_account_id, reason=reason, message=message, pause_s=PAUSE_S
    ).one_or_none():
        log.warning("gateway account %s: %s", row.name, row.reason)


def open_link(connection: Connection, gateway_account_id: int, quiet_s: float) -> None:
    """The link is up: end the pause that `pause_link` made. End a pause by the breaker too, if the session is steady
    and all that the breaker counted came from earlier sessions. `quiet_s`: seconds since the last moment at which a
    hand-over of an earlier session can have ended.
    """
    quiet = quiet_s if quiet_s >= STEADY_S else None
    if row := OPEN_LINK(connection, gateway_account_id=gateway_account_id, quiet_s=quiet).one_or_none():
        log.warning("gateway account %s is open again: its link is up", row.name)


def link_application(account: str) -> str:
    """The application name under which the link processes of this account connect to PostgreSQL."""
    return f"sms_service link {account}"


def link_leadership(account: str) -> str:
    """The name of the leadership that the process with this account's link holds; unheld_links.sql asks for it."""
    return f"link {account}"


def pause_links_without_process(connection: Connection, accounts: Collection[str]) -> None:
    """Pause those of these link accounts that no process holds: nobody would send the texts that wait for them."""
    for row in UNHELD_LINKS(connection, accounts=sorted(accounts)):
        pause_link(connection, row.id, as_said("no process holds it (worker.py --link)"))
