"""What will happen to each text of a campaign with a schedule that is still to go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from sms_service.audience.reach import Reach
from sms_service.campaigns.contents import Content
from sms_service.campaigns.linting import Known, lint_items
from sms_service.content.findings import LintFinding
from sms_service.directory.models import Unit


@dataclass(frozen=True, slots=True)
class ItemOutlook:
    """What an item will do. `at`: when, in the time zone of the campaign's unit; None: it waits for what may happen.
    `text`: the longest that a person would get, with its `parts`; `total`: the parts of all texts, an estimate where
    people have values of their own; None where no text can be made. `cost_fen`: None unless the price is known.
    `findings`: what is odd about it, and not about all.
    """

    number: int
    label: str
    at: datetime | None
    phones: int
    text: str | None
    parts: int | None
    total: int | None
    cost_fen: int | None
    findings: Sequence[LintFinding]


def foresee_items(
    session: Session,
    content: Content,
    path: str,
    price_fen: float | None,
    asked: Known | None = None,
    of_next: Reach | None = None,
) -> tuple[list[LintFinding], list[ItemOutlook]]:
    """What is odd about all items, and what each of them will do that is still to go, in their order, at that price of
    a part; `path` is that of the campaign's unit. `asked` and `of_next` are as in `lint_items`.
    """
    zone = ZoneInfo(session.get_one(Unit, content.campaign.unit_id).timezone)
    shared, linted = lint_items(session, content, path, price_fen, asked, of_next)
    found = []
    for one in linted:
        item, reach, texts = one.item, one.reach, one.texts
        longest = texts.made[-1][1] if texts.made else None
        mean = texts.mean_parts
        total = None if mean is None else round(mean * reach.phones)
        found.append(
            ItemOutlook(
                number=item.number,
                label=item.label,
                at=item.next_at and item.next_at.astimezone(zone),
                phones=reach.phones,
                text=longest and longest.text,
                parts=longest and longest.parts,
                total=total,
                cost_fen=None if total is None or price_fen is None else round(total * price_fen),
                findings=one.findings,
            )
        )
    return shared, found
