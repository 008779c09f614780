"""Whether the rows of which a rule is made find anybody, and which of them do not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from sms_service.audience.rules import audience_select
from sms_service.errors import Invalid
from sms_service.said import say


def require_somebody(session: Session, rule: object, rows: Sequence[dict[str, Any]], path: str) -> None:
    """Refuse a rule that finds nobody within the subtree at `path` now. `rows`: the rules of which it is made.

    Raises Invalid (`rows`), which names by number, from 1, the rows that find nobody alone; where each finds somebody,
    it says how many.
    """
    counts = [select(func.count()).select_from(audience_select(session, one, path).subquery()) for one in (rule, *rows)]
    found = session.execute(select(*(count.scalar_subquery() for count in counts))).one()
    if found[0]:
        return
    alone = list(found[1:])
    empty = [str(number) for number, people in enumerate(alone, 1) if not people]
    if empty:
        raise Invalid("rows", None, say("nobody is found: no person fits row {rows: and }", rows=empty))
    if len(alone) > 1:
        together = say("nobody fits the rows together; alone they find {people} people", people=[*map(str, alone)])
        raise Invalid("rows", None, together)
    raise Invalid("rows", None, "nobody is found")
