"""`/campaigns/{id}/progress`: numbers by unit, and the people behind them, page by page."""

from __future__ import annotations

from tests.api.directory_client import Caller
from tests.schedules.late import deliver_texts, fire_day, make_readers_town


def test_numbers_and_the_people_behind_them(database, session, make_app):
    town = make_readers_town(database)
    fire_day(town, 1)
    deliver_texts(session, "支部党员")
    session.commit()
    caller = Caller(make_app().test_client(), session, session.merge(town.unit), "officer")
    at = f"/campaigns/{town.campaign_id}/progress"
    shown = caller.call("GET", at).json
    assert (shown["gone"], shown["count"], shown["own"]["people"], shown["own"]["had_none"]) == (1, 3, 3, 1)
    first = caller.call("GET", f"{at}/people?limit=2").json
    second = caller.call("GET", f"{at}/people?limit=2&cursor={first['next']}").json
    assert [one["had"] for one in first["items"] + second["items"]] == [0, 1, 1]
    assert [one["id"] for one in first["scope"]] == [town.unit.id]
    assert second["items"][0]["last"]["label"] == "第1篇"
    assert "****" in second["items"][0]["phone"]
    assert [one["name"] for one in caller.call("GET", f"{at}/people?had=none").json["items"]] == ["无号码"]
