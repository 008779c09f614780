"""Keyset pages: a cursor says exactly what it was made from, and pages cover a list once, whatever is in it."""

from __future__ import annotations

import base64
import json
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from factories import make_actor, make_unit
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, select

from sms_service.accounts.permissions import Permission
from sms_service.audit.models import TrailEntry
from sms_service.directory.models import Unit
from sms_service.errors import Forbidden, Invalid, NotFound
from sms_service.web.paging import Scope, decode_cursor, encode_cursor, fetch_page, scope_filter
from sms_service.web.schemas import MAX_ID
from tests.examples import count_examples

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=30)
zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
keys = st.one_of(
    texts,
    st.integers(-MAX_ID, MAX_ID),
    st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=zones),
    st.dates(),
)
ids = st.integers(1, MAX_ID)


@given(keys, ids, texts)
def test_a_cursor_gives_back_what_it_was_made_from(key, row_id, sort):
    assert decode_cursor(encode_cursor(sort, key, row_id), sort, type(key)) == (key, row_id)


@given(keys, ids, st.sampled_from([str, int, datetime, date]), texts, texts)
def test_a_cursor_fits_only_the_order_it_was_made_for(key, row_id, kind, sort, other):
    cursor = encode_cursor(sort, key, row_id)
    if sort != other:
        with pytest.raises(Invalid):
            decode_cursor(cursor, other, type(key))
    # A text that looks like a time is one: the order's name tells them apart.
    if kind is not type(key) and not (type(key) is str and issubclass(kind, date)) and not isinstance(key, date):
        with pytest.raises(Invalid):
            decode_cursor(cursor, sort, kind)


@given(
    st.one_of(
        st.text(max_size=60),
        st.recursive(st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), texts), st.lists).map(
            lambda value: base64.urlsafe_b64encode(json.dumps(value).encode()).decode()
        ),
        st.tuples(
            st.just("name"), st.one_of(st.integers(), st.booleans(), st.none(), st.just("a\x00")), st.integers()
        ).map(lambda value: base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")),
    ),
)
def test_what_is_no_cursor_is_refused_and_nothing_else_happens(cursor):
    with pytest.raises(Invalid) as caught:
        decode_cursor(cursor, "name", str)
    assert caught.value.field == "cursor"


@given(
    acts=st.lists(st.sampled_from(["a", "b", "B", "é", "区", "县", "a b", ""]), max_size=25),
    limit=st.integers(1, 9),
    descending=st.booleans(),
)
@settings(max_examples=count_examples(12), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_pages_cover_the_list_once_in_order(session, acts, limit, descending):
    session.connection().exec_driver_sql("SET LOCAL ROLE NONE")  # the trail's own role may not delete
    session.execute(delete(TrailEntry))
    for act in acts:
        session.execute(
            insert(TrailEntry).values(act=act, target_kind="x", target_id="1", unit_path="/1/", account_id=None)
        )
    found, cursor = [], None
    while True:
        items, cursor = fetch_page(
            session,
            select(TrailEntry),
            {"limit": limit, "cursor": cursor},
            sort="act",
            key=TrailEntry.act,
            id_=TrailEntry.id,
            descending=descending,
        )
        assert len(items) == limit or cursor is None
        found += items
        if cursor is None:
            break
    order = (TrailEntry.act.desc(), TrailEntry.id.desc()) if descending else (TrailEntry.act, TrailEntry.id)
    assert [entry.id for entry in found] == session.scalars(select(TrailEntry.id).order_by(*order)).all()


def test_a_list_covers_the_actors_subtrees_and_names_them(session):
    city = make_unit(session, code="01")
    one, two = make_unit(session, code="0101", parent=city), make_unit(session, code="0102", parent=city)
    branch = make_unit(session, code="010101", parent=one)
    actor = make_actor(session, one, ("auditor",))

    scope = scope_filter(session, actor, Permission.read, None)
    assert ([unit.code for unit in scope.units], scope.paths) == (["0101"], (one.path,))
    assert set(session.scalars(select(Unit.code).where(scope.covers(Unit.path)))) == {"0101", "010101"}
    assert scope_filter(session, actor, Permission.read, branch.id).paths == (branch.path,)
    for outside in (city, two):
        with pytest.raises(Forbidden):
            scope_filter(session, actor, Permission.read, outside.id)
    with pytest.raises(NotFound):
        scope_filter(session, actor, Permission.read, 999)
    with pytest.raises(Forbidden):
        scope_filter(session, actor, Permission.manage_accounts, None)


def test_an_empty_scope_covers_nothing(session):
    make_unit(session)
    assert session.scalars(select(Unit).where(Scope((), ()).covers(Unit.path))).all() == []


def test_a_time_without_an_offset_is_no_cursor():
    cursor = base64.urlsafe_b64encode(json.dumps(["at", "2026-01-01T00:00:00", 1]).encode()).decode()
    with pytest.raises(Invalid):
        decode_cursor(cursor, "at", datetime)
    assert decode_cursor(encode_cursor("at", datetime(2026, 1, 1, tzinfo=UTC), 1), "at", datetime)[1] == 1
