"""The breaker of runs."""

from __future__ import annotations

import pytest

from sms_service.db.engine import Database
from sms_service.dispatch import breaker
from sms_service.gateways.base import ErrorClass
from sms_service.said import from_json
from tests.dispatch.city import ScriptedAdapter, drain, make_city, refused, run_of, statuses


def test_a_run_most_of_whose_texts_are_refused_is_held(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breaker, "RUN_LEAST", 40)
    city = make_city(database, 200)
    city.adapter.capabilities = ScriptedAdapter.small(20)
    city.adapter.answer = refused(ErrorClass.bad_number)
    drain(database, city.gateways)
    run = run_of(database, city.run_id)
    assert (run.status, run.held_for) == ("held", "breaker")
    assert from_json(**run.reason_message) == run.reason
    assert statuses(database, city.run_id)["pending"] >= 100
