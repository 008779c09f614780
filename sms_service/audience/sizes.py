"""How many people several rules reach, asked at once, as a list of campaigns shows them."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sqlalchemy import ScalarSelect, Select, func, select
from sqlalchemy.orm import Session

from sms_service.audience.covering import TextKind
from sms_service.audience.rules import audience_select, audience_select_below
from sms_service.audience.skipping import find_reason, join_reasons
from sms_service.directory.models import Person
from sms_service.errors import Invalid

MOST_ASKED = 5  # rules of a list that name units, segments or campaigns: what these are now has to be asked first


def count_reached(session: Session, rules: Sequence[tuple[str, object, TextKind]]) -> list[int | None]:
    """How many get a text by each rule within the subtree at its path, in the order of `rules`, (path, rule, kind): the
    `phones` of `measuring.measure_reach`.

    None for a rule that cannot be used any more, and for those beyond MOST_ASKED, so that a list costs few statements
    however long it is. Each rule is counted once, however often it comes, and all in one statement.
    """
    keys = [(path, json.dumps(rule, sort_keys=True), kind) for path, rule, kind in rules]
    counts: dict[tuple[str, str, TextKind], ScalarSelect[int]] = {}
    asked = 0
    for key, (path, rule, kind) in dict(zip(keys, rules, strict=True)).items():
        try:
            names_others = audience_select_below(rule, "units.path") is None
            asked += names_others
            if asked <= MOST_ASKED or not names_others:
                counts[key] = _phones(audience_select(session, rule, path), path, kind)
        except Invalid:
            continue
    if not counts:
        return [None] * len(keys)
    row = session.execute(select(*(count.label(f"count_{n}") for n, count in enumerate(counts.values())))).one()
    numbers = dict(zip(counts, row, strict=True))
    return [numbers.get(key) for key in keys]


def count_recipients(session: Session, rule: object, path: str) -> int:
    """How many recipients the rule finds within the subtree at `path`, also those who would get no text: the `people`
    of `measuring.measure_reach`. Raises Invalid as `audience_select` does.
    """
    found = audience_select(session, rule, path).subquery()
    return session.scalars(select(func.count()).select_from(found)).one()


def _phones(found: Select[int, int], path: str, kind: TextKind) -> ScalarSelect[int]:
    texted = join_reasons(found).add_columns(Person.phone).where(find_reason(path, kind).is_(None))
    # Grouped, not counted as distinct: that would sort all phones.
    phones = texted.with_only_columns(Person.phone).group_by(Person.phone).subquery()
    return select(func.count()).select_from(phones).scalar_subquery()
