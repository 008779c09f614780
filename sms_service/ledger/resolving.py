"""What a person decides about rows that are done: refused ones go again, unknown ones go again or are settled.

Each act is one conditional statement. A row that no longer has the status that the person saw stays as it is, and the
answer says why. docs/sending.md, *What people decide*, describes the races.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from sqlalchemy import Connection, select

from sms_service.db.statements import Statement
from sms_service.gateways.base import ErrorClass
from sms_service.ledger.models import Run
from sms_service.ledger.protocol import FREE_CAPS
from sms_service.ledger.states import MessageStatus
from sms_service.vocabulary import Words

GO_AGAIN = Statement(__file__, "go_again")
SETTLE = Statement(__file__, "settle")
LOOK_SOON = Statement(__file__, "look_soon")

# What a person may retry was refused for something that passes, or that is mended at the provider or in gateways.toml.
# Never what lies in the number, the recipient or the text (a row is bound to its template's version), and never a text
# of which parts were taken: it does not go again whole.
_NEVER = (
    *(ErrorClass.bad_number, ErrorClass.blocked, ErrorClass.blacklisted, ErrorClass.content),
    *(ErrorClass.render, ErrorClass.partial),
)
RETRYABLE = tuple(class_ for class_ in ErrorClass if class_ not in _NEVER)


class StayReason(Words):
    """Why a row stays as it is although it has the status that was asked for; for other rows their status or class
    says why.
    """

    redacted = "redacted"  # its phone is erased
    busy = "busy"  # an outcome or a receipt is just being written to it
    not_of_this_run = "not_of_this_run"  # the run has no such row


SettledAs = Literal["accepted", "refused"]


@dataclass(frozen=True, slots=True)
class GoneAgain:
    """What came of a retry or a send-again.

    `ids`: the rows that wait again. `again`: how many, by the class of their refusal, or `unknown`. `left`: rows that
    stay as they are, by why: a class that is not retried, the status that they have, or a `StayReason`.
    """

    ids: Sequence[int]
    again: Mapping[str, int]
    left: Mapping[str, int]


def retry_rows(connection: Connection, run_id: int, classes: Collection[ErrorClass]) -> GoneAgain:
    """Let the run's refused rows of these classes, which are of RETRYABLE, wait again; a run that was finished runs.

    Nothing of a cancelled run is touched, nor of one that is not frozen yet.
    """
    return _go_again(connection, run_id, MessageStatus.refused, None, classes)


def send_rows_again(connection: Connection, run_id: int, ids: Collection[int] | None) -> GoneAgain:
    """Let unknown rows of the run wait again, those with these ids or all (None); a run that was finished runs.

    Nothing of a cancelled run is touched.
    """
    return _go_again(connection, run_id, MessageStatus.unknown, ids, ())


def settle_rows(
    connection: Connection, month: date, ids: Collection[int], settled_as: SettledAs, settled_by: int
) -> set[int]:
    """Write down what the person with this account found out about unknown rows of the month; returns the ids of those
    that were unknown.
    """
    rows = SETTLE(connection, month=month, ids=sorted(ids), settled_as=settled_as, settled_by=settled_by)
    settled = sorted(row.id for row in rows)
    if settled and settled_as == "refused":
        FREE_CAPS(connection, month=month, ids=settled)
    if settled:
        LOOK_SOON(connection, month=month, ids=settled)
    return set(settled)


def settle_row(connection: Connection, month: date, message_id: int, settled_as: SettledAs, settled_by: int) -> bool:
    """The same for one row; False if it is not unknown."""
    return bool(settle_rows(connection, month, [message_id], settled_as, settled_by))


def _go_again(
    connection: Connection,
    run_id: int,
    status: MessageStatus,
    ids: Collection[int] | None,
    classes: Collection[ErrorClass],
) -> GoneAgain:
    wanted = None if ids is None else sorted(set(ids))
    # A frozen run keeps its month, and in a run that is not frozen nothing goes again.
    month = connection.execute(select(Run.month).where(Run.id == run_id)).scalar_one_or_none()
    rows = GO_AGAIN(
        connection,
        run_id=run_id,
        month=month,
        status=status.value,
        ids=wanted,
        classes=[word.value for word in classes],
    ).all()
    again, left = Counter[str](), Counter[str]()
    moved: list[int] = []
    for row in rows:
        if row.left_for is None:
            again[row.kind] += len(row.ids)
            moved += row.ids
        else:
            left[row.left_for] += len(row.ids)
    if wanted is not None and (missing := len(wanted) - sum(len(row.ids) for row in rows)):
        left[StayReason.not_of_this_run] = missing
    return GoneAgain(sorted(moved), again, left)
