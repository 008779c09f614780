"""The witness must see every disagreement, or its silence proves nothing."""

from __future__ import annotations

from typing import Any

from sms_service.db.engine import Database
from sms_service.gateways.base import Outcome, OutcomeKind
from sms_service.ops.agreement import disagreements
from tests.dispatch.city import City, drain, make_city


def said(database: Database, city: City, lines: list[dict[str, Any]]) -> list[str]:
    with database.session() as session:
        return disagreements(session, lines, [city.run_id])


def test_every_kind_of_disagreement_is_seen(database: Database) -> None:
    city = make_city(database, 3)
    refused = iter([False, False, True])

    def answer(handed: Any) -> Outcome:
        if next(refused):
            return Outcome(handed.reference, OutcomeKind.refused)
        return Outcome(handed.reference, OutcomeKind.accepted, provider_id="p")

    city.adapter.answer = answer
    drain(database, city.gateways)
    first, second, third = (
        {"id": f"S{place}", "reference": text.reference, "to": text.phone}
        for place, text in enumerate(city.adapter.handed)
    )
    assert said(database, city, [first, second]) == []
    assert said(database, city, [first]) == ["1 texts lost"]
    assert said(database, city, [first, second, second]) == ["1 texts duplicated"]
    assert said(database, city, [first, second, third]) == ["1 texts contradicted"]
    assert said(database, city, [first, {**second, "to": "+8613900009999"}]) == ["1 texts sent to another phone"]
    ghost = {"id": "S9", "reference": "202611-999999", "to": first["to"]}
    assert said(database, city, [first, second, ghost]) == ["1 texts that no attempt of ours names"]
