"""The trail: written with the act or not at all, read within the scope, changed by nobody."""

from __future__ import annotations

from datetime import timedelta

import pytest
from factories import make_account, make_unit
from sqlalchemy import delete, select, update
from sqlalchemy.exc import ProgrammingError

from sms_service.audit import trail
from sms_service.audit.models import TrailEntry


@pytest.fixture
def units(session):
    city = make_unit(session)
    return {"city": city, "one": make_unit(session, parent=city), "two": make_unit(session, parent=city)}


def read(session, *scope, **kw):
    return [
        (entry.act, entry.target_id)
        for entry in session.scalars(trail.find_entries(scope, **kw).order_by(TrailEntry.id))
    ]


def test_entries_are_read_within_the_scope_only(session, units):
    for name, unit in units.items():
        trail.record_act(session, None, "test.act", "thing", name, unit.path, count=1)
    assert read(session, units["city"].path) == [("test.act", name) for name in ("city", "one", "two")]
    assert read(session, units["one"].path) == [("test.act", "one")]
    assert read(session, units["one"].path, units["two"].path) == [("test.act", "one"), ("test.act", "two")]
    assert read(session) == []


def test_every_filter_narrows(session, units):
    account = make_account(session, units["one"])
    path = units["one"].path
    trail.record_act(session, account.id, "a.do", "a", 1, path)
    trail.record_act(session, None, "b.do", "b", 2, path)
    first, second = session.scalars(select(TrailEntry).order_by(TrailEntry.id))
    assert first.at <= second.at
    for wanted in (
        {"act": "a.do"},
        {"account_id": account.id},
        {"target_kind": "a"},
        {"target_id": "1"},
        {"until": second.at} if first.at < second.at else {"act": "a.do"},
    ):
        assert read(session, path, **wanted) == [("a.do", "1")]
    assert read(session, path, since=second.at + timedelta(microseconds=1)) == []
    assert ("b.do", "2") in read(session, path, since=second.at)


def test_an_entry_goes_with_its_act(session, units):
    session.commit()
    trail.record_act(session, None, "test.act", "thing", 1, units["one"].path)
    session.rollback()
    assert session.scalars(select(TrailEntry)).all() == []


@pytest.mark.parametrize("statement", [update(TrailEntry).values(act="other"), delete(TrailEntry)])
def test_the_service_cannot_rewrite_history(session, units, statement):
    trail.record_act(session, None, "test.act", "thing", 1, units["one"].path)
    with pytest.raises(ProgrammingError, match="permission denied"):
        session.execute(statement)
