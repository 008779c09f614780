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
    phone twice. *Contradicted*: the simulator took it and ours says surely
    not. The simulator must have served this ledger only.
    """
    had = [line for line in simulators if line.get("id") and "to" in line]
    taken = {line["reference"]: line["to"] for line in had}
    ours = session.execute(
        select(Attempt.month, Attempt.id, Attempt.run_id, Attempt.status, Message.phone).join(
            Message, (Message.month == Attempt.month) & (Message.id == Attempt.message_id)
        )
    ).all()
    phones = {attempt_reference(row.month, row.id): row.phone for row in ours}
    ours = [row for row in ours if row.run_id in runs]
    statuses = {attempt_reference(row.month, row.id): row.status for row in ours}
    run_of = {attempt_reference(row.month, row.id): row.run_id for row in ours}
    times = Counter((run_of[line["reference"]], line["to"]) for line in had if line["reference"] in run_of)
    found = {
        "lost": sum(status in TAKEN and name not in taken for name, status in statuses.items()),
        "duplicated": sum(number > 1 for number in times.values()),
        "contradicted": sum(
            name in taken and status not in TAKEN and status not in UNDECIDED for name, status in statuses.items()
        ),
        "sent to another phone": sum(name in taken and taken[name] != phones[name] for name in statuses),
        "that no attempt of ours names": sum(line["reference"] not in phones for line in had),
    }
    return [f"{number} texts {what}" for what, number in found.items() if number]
