"""How gateway accounts are, and what nobody can tell of texts: every number by account, and leading to its rows."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from redis import Redis
from sqlalchemy import func, select, text

from sms_service.accounts.actors import SYSTEM, Actor
from sms_service.controls.account_breaker import pause_account, reopen_rested_accounts, trip_account
from sms_service.controls.account_state import pause_gateway_account, reopen_gateway_account
from sms_service.controls.link_state import open_link, pause_link
from sms_service.controls.stops import stop_gateway_account
from sms_service.db.engine import Database
from sms_service.db.leadership import LeadershipRow
from sms_service.delivery.refusals import Refusals
from sms_service.dispatch.pace import Pace
from sms_service.errors import Forbidden
from sms_service.gateways.base import ErrorClass, Outcome, OutcomeKind
from sms_service.reports.account_health import AccountHealth, list_account_health
from sms_service.reports.filters import Filter
from sms_service.reports.messages import find_messages
from sms_service.reports.unknowns import UnknownGroup, group_unknown
from tests.api.campaign_client import make_place
from tests.clocks import ahead_by
from tests.dispatch.city import City, ScriptedAdapter, ScriptedGateways, account, drain, make_city, unknown


def health(database: Database, city: City, pace: Pace | None = None) -> dict[str, AccountHealth]:
    with database.session() as session:
        return {found.account.name: found for found in list_account_health(session, SYSTEM, city.gateways, pace)}


def test_what_an_account_answered_in_the_last_minute(
    database: Database, database_url: str, redis_client: Redis
) -> None:
    main = ScriptedAdapter()
    city = make_city(database, 5, gateways=ScriptedGateways({"main": main, "second": ScriptedAdapter()}))
    outcomes = [
        Outcome("", OutcomeKind.refused, error=ErrorClass.content),
        Outcome("", OutcomeKind.unknown),
        Outcome("", OutcomeKind.refused, error=ErrorClass.unclassified, raw_code="E77"),
    ]

    def answer(handed: object) -> Outcome:
        reference = handed.reference  # type: ignore[attr-defined]
        if not outcomes:
            return Outcome(reference, OutcomeKind.accepted, provider_id=reference)
        given = outcomes.pop()
        return Outcome(reference, given.kind, error=given.error, raw_code=given.raw_code)

    main.answer = answer
    drain(database, city.gateways)
    refusals = Refusals(database)
    refusals.count("main", "forged")
    refusals.count("main", "forged")
    refusals.close()
    pace = Pace(redis_client, city.gateways.rates())
    pace.throttled("main")

    found = health(database, city, pace)
    assert list(found) == ["main", "second"]
    first = found["main"]
    assert (first.accepted, first.refused, first.unknown) == (2, 2, 1)
    assert (first.unknown_codes, first.refused_callbacks, first.routes) == (["E77"], {"forged": 2}, ["default"])
    assert first.others == {"default": ["second"]}
    assert (first.stop_id, first.link, first.refused_at is not None) == (None, None, True)
    assert first.rate == 100_000
    assert first.rate_now is not None
    assert first.rate_now < first.rate
    assert [(group.age, group.messages) for group in first.waiting] == [("hour", 1)]
    second = found["second"]
    assert (second.accepted, second.refused, second.unknown, second.unknown_codes) == (0, 0, 0, [])
    assert (second.refused_callbacks, second.waiting) == ({}, [])
    with ahead_by(database_url, "61 seconds") as ahead:
        assert health(ahead, city)["main"].accepted == 0


def test_stops_links_and_accounts_that_left_the_file(database: Database) -> None:
    adapter = ScriptedAdapter()
    adapter.capabilities = ScriptedAdapter.small(100)
    object.__setattr__(adapter.capabilities, "link", True)
    city = make_city(database, 1, adapter=adapter)
    with database.session() as session:
        stop_id, _ = stop_gateway_account(session, SYSTEM, "main", "密钥外泄")
    found = health(database, city)["main"]
    assert (found.stop_id, found.link, found.rate_now) == (stop_id, False, None)
    with database.session() as session:
        now = session.scalars(select(func.clock_timestamp())).one()
        session.add(LeadershipRow(name="link main", holder="test", epoch=1, since=now, until=now + timedelta(hours=1)))
    assert health(database, city)["main"].link is True
    city.gateways.config.accounts.pop("main")  # type: ignore[attr-defined]
    found = health(database, city)["main"]
    assert (found.rate, found.link) == (None, None)


def test_nobody_without_a_role_is_told(database: Database) -> None:
    city = make_city(database, 1)
    with database.session() as session, pytest.raises(Forbidden):
        list_account_health(session, Actor(1, "nobody", ()), city.gateways, None)


def test_since_when_an_account_is_in_its_state(database: Database, database_url: str) -> None:
    city = make_city(database, 1)
    id_ = account(database).id
    seen: list[datetime] = []

    def moved() -> bool:
        """Whether the account has come into another state since the last time."""
        since = account(database).state_since
        assert since is not None
        seen.append(since)
        return len(seen) < 2 or seen[-1] > seen[-2]

    assert moved()
    with database.session() as session:
        pause_gateway_account(session, SYSTEM, "main", "对账")
    assert moved()
    with database.session() as session:
        reopen_gateway_account(session, SYSTEM, "main", "对完")
    assert moved()
    with database.transaction() as connection:
        pause_link(connection, id_, "timeout")
    assert moved()
    with ahead_by(database_url, "50 seconds") as ahead, ahead.transaction() as connection:
        pause_link(connection, id_, "timeout")  # prolonged: it is down since the same moment
    assert account(database).reopens_at > account(database).state_since + timedelta(seconds=100)  # type: ignore[operator]
    assert not moved()
    with database.transaction() as connection:
        open_link(connection, id_, 0)
    assert moved()
    with database.transaction() as connection:
        pause_account(connection, id_, "balance")
    assert moved()
    with database.transaction() as connection:
        pause_account(connection, id_, "balance")
    assert not moved()
    with database.transaction() as connection:
        connection.execute(text("UPDATE gateway_accounts SET state = 'open', paused_by = NULL"))
    city.adapter.answer = unknown
    with database.transaction() as connection:
        connection.execute(
            text(
                "INSERT INTO tallies (at, gateway_account_id, run_id, texts, refused, unknown, blamed)"
                f" VALUES (sms_now(), {id_}, 1, 50, 0, 50, 0)"
            )
        )
        trip_account(connection, id_)
    assert moved()
    with ahead_by(database_url, "1 hour") as ahead, ahead.transaction() as connection:
        assert reopen_rested_accounts(connection) == ["main"]
    assert moved()


def behind(database: Database, group: UnknownGroup) -> int:
    """How many rows the group's filters list."""
    with database.session() as session:
        given = group.filters()
        times = {name: datetime.fromisoformat(given.pop(name)) for name in list(given) if name.startswith("changed_")}
        return len(session.execute(find_messages(Filter(("/",), **given, **times))).all())  # type: ignore[arg-type]


def test_unknown_texts_by_account_and_age(database: Database) -> None:
    city = make_city(database, 6)
    city.adapter.answer = unknown
    drain(database, city.gateways)
    with database.transaction() as connection:
        for id_, age in ((1, "2 hours"), (2, "2 hours"), (3, "2 days"), (4, "9 days")):
            connection.execute(text(f"UPDATE messages SET changed_at = sms_now() - interval '{age}' WHERE id = {id_}"))
        connection.execute(text("UPDATE attempts SET looked_up_at = sms_now() WHERE message_id = 2"))
        # Settled since: its attempt is unknown still, but the text is not.
        connection.execute(text("UPDATE messages SET status = 'refused' WHERE id = 5"))
    with database.session() as session:
        groups = group_unknown(session, ("/",), city.gateways)
        assert group_unknown(session, (city.unit.path,), city.gateways) != []
        assert group_unknown(session, (), city.gateways) == []
        assert group_unknown(session, ("/999/",), city.gateways) == []
    assert [(group.age, group.messages, group.asked) for group in groups] == [
        ("older", 1, 0),
        ("days", 1, 0),
        ("day", 2, 1),
        ("hour", 1, 0),
    ]
    assert [group.looks_up for group in groups] == [False] * 4
    assert groups[2].asked_at is not None
    assert [behind(database, group) for group in groups] == [1, 1, 2, 1]


def test_both_over_http(database: Database, tmp_path: Path) -> None:
    place = make_place(database, tmp_path)
    place.launched()
    place.adapter.answer = unknown
    place.hand_over()
    (shown,) = place.auditor.get("/gateway-accounts/health").json["items"]
    assert (shown["name"], shown["state"], shown["unknown"], shown["rate"]) == ("main", "open", 4, None)
    found = place.auditor.get("/unknowns").json
    assert [unit["id"] for unit in found["scope"]] == [place.one.id]
    (group,) = found["items"]
    assert (group["account"], group["age"], group["messages"]) == ("main", "hour", 4)
    rows = place.auditor.get(group["rows"].removeprefix("/api/v1")).json["items"]
    assert len(rows) == 4
    assert place.stranger.get("/unknowns").json["items"] == []
    assert place.stranger.get("/unknowns", unit=place.one.id).status_code == 403
