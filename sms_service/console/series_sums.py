"""What a whole series comes to: all its texts to all its people, as check and decision show it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sms_service.campaigns.item_outlook import ItemOutlook
from sms_service.campaigns.outlook import Outlook
from sms_service.content.findings import Severity


class SeriesSum(NamedTuple):
    """All texts that are still to go. `messages`: one for each person and text; `parts` and `cost_fen` of all of them,
    None where they cannot be told; `flagged`: those with something that should be looked at.
    """

    texts: int
    messages: int
    parts: int | None
    cost_fen: int | None
    longest: ItemOutlook | None
    flagged: Sequence[ItemOutlook]
    first: datetime | None
    last: datetime | None


def sum_series(outlook: Outlook) -> SeriesSum | None:
    """The sum of an outlook's items; None of a campaign that has none."""
    if not outlook.items:
        return None
    times = [item.at for item in outlook.items if item.at is not None]
    made = [item for item in outlook.items if item.text is not None]
    return SeriesSum(
        texts=len(outlook.items),
        messages=sum(item.phones for item in outlook.items),
        parts=_add([item.total for item in outlook.items]),
        cost_fen=_add([item.cost_fen for item in outlook.items]),
        longest=max(made, key=lambda item: (item.parts, len(item.text or "")), default=None),
        flagged=list_flagged(outlook),
        first=min(times, default=None),
        last=max(times, default=None),
    )


def list_flagged(outlook: Outlook) -> list[ItemOutlook]:
    """The items of which more than a remark is found."""
    return [item for item in outlook.items if any(one.severity != Severity.note for one in item.findings)]


def _add(numbers: Sequence[int | None]) -> int | None:
    return None if None in numbers else sum(number or 0 for number in numbers)
