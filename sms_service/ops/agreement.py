"""Whether our ledger and a simulator's own say the same: the proof that nobody was lost and nobody texted twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from sms_service.ledger.models import Attempt, Message
from sms_service.ledger.receipts import attempt_reference
from sms_service.reports.counts import TAKEN

UNDECIDED = ("submitting", "unknown")


def disagreements(session: Session, simulators: Iterable[Mapping[str, Any]], runs: Sequence[int]) -> list[str]:
    """One sentence per kind of disagreement about these runs, none if there is none.

    *Lost*: ours says taken and the simulator never had it. *Duplicated*: the simulator took one run's text to one
    phone twice. *Contradicted*: the simulator took it and ours says surely not.
    """
    taken = {line["reference"]: line["to"] for line in simulators if line.get("id") and "to" in line}
    ours = session.execute(
        select(Attempt.month, Attempt.id, Attempt.run_id, Attempt.status, Message.phone)
        .join(Message, (Message.month == Attempt.month) & (Message.id == Attempt.message_id))
        .where(Attempt.run_id.in_(runs))
    ).all()
    statuses = {attempt_reference(row.month, row.id): row.status for row in ours}
    times = Counter((row.run_id, row.phone) for row in ours if attempt_reference(row.month, row.id) in taken)
    found = {
        "lost": sum(status in TAKEN and name not in taken for name, status in statuses.items()),
        "duplicated": sum(number > 1 for number in times.values()),
        "contradicted": sum(
            name in taken and status not in TAKEN and status not in UNDECIDED for name, status in statuses.items()
        ),
        "sent to another phone": sum(
            (name := attempt_reference(row.month, row.id)) in taken and taken[name] != row.phone for row in ours
        ),
    }
    return [f"{number} texts {what}" for what, number in found.items() if number]
