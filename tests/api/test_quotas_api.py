"""`/quotas` and `/targets` over HTTP, and the same from the shell."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import select, update

from sms_service.campaigns.models import Campaign
from sms_service.campaigns.quotas import find_month
from sms_service.cli import main
from sms_service.controls.models import GatewayAccount
from sms_service.dispatch import freeze
from sms_service.ledger import sweeps
from sms_service.ledger.models import Message, Run
from sms_service.ledger.quotas import settle_ended
from sms_service.replies.models import ReplyRow
from tests.api.directory_client import Caller
from tests.dispatch.city import ALL_DAY, ScriptedAdapter, ScriptedGateways, drain, make_run
from tests.factories import make_account, make_person, make_unit

GATEWAYS = ScriptedGateways({"main": ScriptedAdapter()})


@pytest.fixture
def street(session):
    """A street with two branches of three people each, below a district."""
    from sms_service.controls.accounts import synchronise_gateways

    synchronise_gateways(session, GATEWAYS)
    district = make_unit(session, code="01", name="城东区", level="district", **ALL_DAY)
    street = make_unit(session, code="0101", name="长河街道", level="street", parent=district, **ALL_DAY)
    for number in (1, 2):
        branch = make_unit(
            session, code=f"0101-{number}", name=f"第{number}支部", level="branch", parent=street, **ALL_DAY
        )
        for _ in range(3):
            make_person(session, branch)
    session.commit()
    return street


def send(database, session, unit, **run: Any) -> int:
    """A run of the unit to everybody there, sent, over and counted."""
    run_id = make_run(session, unit, **run).id
    session.commit()
    freeze.begin_due_runs(database)
    freeze.freeze_run(database, run_id)
    drain(database, GATEWAYS)
    with database.session() as other:
        other.execute(update(Message).where(Message.status == "accepted").values(status="delivered"))
    for _ in range(2):
        with database.transaction() as connection:
            sweeps.finish_runs(connection)
        settle_ended(database)
    session.expire_all()
    return run_id


def branches(session, street):
    from sms_service.directory.models import Unit

    return session.scalars(select(Unit).where(Unit.parent_id == street.id).order_by(Unit.code)).all()


def test_a_quota_is_set_from_above_and_shows_what_runs_took(make_app, database, session, street):
    client = make_app().test_client()
    district = session.get_one(type(street), street.parent_id)
    above, own = (Caller(client, session, unit, "administrator") for unit in (district, street))
    officer = Caller(client, session, street, "officer")
    session.execute(update(GatewayAccount).values(price_fen=5.0))
    session.commit()
    body = {"unit_id": street.id, "people": 4, "fen": 100, "why": "年度安排"}
    assert [caller.post("/quotas", json=body).status_code for caller in (officer, own)] == [403, 403]
    assert above.post("/quotas", json=body).json == {"units": 1}
    month = f"{find_month(session, street):%Y-%m}"
    nothing = {"planned": 0, "used": 0, "over": 0}
    assert above.get("/quotas").json["items"] == [
        {
            "unit_id": street.id,
            "unit": "长河街道",
            "month": month,
            "standing": True,
            "people": {"limit": 4, "left": 4, **nothing},
            "parts": {"limit": None, "left": None, **nothing},
            "fen": {"limit": 100, "left": 100, **nothing},
        }
    ]
    first, second = branches(session, street)
    sent = send(database, session, first)
    held = send(database, session, second)
    (found,) = officer.get("/quotas").json["items"]
    assert found["people"] == {"limit": 4, "planned": 0, "used": 3, "left": 1, "over": 0}
    assert found["fen"] == {"limit": 100, "planned": 0, "used": 15, "left": 85, "over": 0}
    runs = officer.get("/quotas/runs", unit=street.id, month=month).json["items"]
    assert [(one["run_id"], one["state"], one["people"], one["status"]) for one in runs] == [
        (held, "asked", 0, "held"),
        (sent, "used", 3, "closed"),
    ]
    run = officer.get(f"/runs/{held}").json
    assert run["held_for"] == "quota"
    assert run["reason"] == (
        f"the quota of 长河街道 has 1 person left in {month}, this run needs 3 people; 城东区 can release it"
    )
    assert run["reason_message"]["values"]["unit"] == "长河街道"
    path = f"/runs/{held}/resume"
    assert officer.post(path, json={"why": "补发"}).status_code == 403
    assert above.post(path, json={"why": "补发"}).json["status"] == "running"
    assert officer.get("/quotas").json["items"][0]["people"]["over"] == 2
    tasks = {task["kind"]: task["number"] for task in officer.get("/tasks").json["items"]}
    assert tasks["quota"] == 1


def test_a_month_of_its_own_and_its_removal(make_app, session, street):
    client = make_app().test_client()
    above = Caller(client, session, session.get_one(type(street), street.parent_id), "administrator")
    outside = Caller(client, session, make_unit(session), "administrator")
    body = {"unit_id": street.id, "month": "2999-12", "parts": 9, "why": "年底"}
    assert outside.post("/quotas", json=body).status_code == 403
    assert above.post("/quotas", json=body).json == {"units": 1}
    assert above.get("/quotas").json["items"] == []
    assert [one["parts"]["limit"] for one in above.get("/quotas", month="2999-12").json["items"]] == [9]
    assert outside.get("/quotas", unit=street.id).status_code == 403
    assert outside.get("/quotas/runs", unit=street.id, month="2999-12").status_code == 403
    gone = {"unit_id": street.id, "month": "2999-12", "why": "改"}
    assert outside.post("/quotas/removals", json=gone).status_code == 403
    assert [above.post("/quotas/removals", json=gone).status_code for _ in range(2)] == [204, 404]
    own = Caller(client, session, street, "administrator")
    below = {"unit_id": street.id, "level": "branch", "people": 5, "why": "年"}
    assert own.post("/quotas", json=below).json == {"units": 2}
    assert [one["unit"] for one in own.get("/quotas").json["items"]] == ["第1支部", "第2支部"]
    assert own.post("/quotas", json={**below, "level": "street"}).status_code == 422
    for wrong in ({"people": -1}, {"month": "2999-13"}, {"month": "now"}, {}, {"fen": 1.5}, {"people": 10**12}):
        assert above.post("/quotas", json={"unit_id": street.id, "why": "试", **wrong}).status_code == 422


def test_targets_with_what_was_done_the_silent_first(make_app, database, session, street):
    client = make_app().test_client()
    district = session.get_one(type(street), street.parent_id)
    above, officer = Caller(client, session, district, "administrator"), Caller(client, session, street, "officer")
    year = find_month(session, street).year
    body = {
        "unit_id": street.id,
        "year": year,
        "level": "branch",
        "targets": {"theme_days": 2, "texts": 6},
        "why": "年",
    }
    assert officer.post("/targets", json=body).status_code == 403
    assert above.post("/targets", json=body).json == {"units": 2}
    own = Caller(client, session, street, "administrator")
    mine = {"unit_id": street.id, "year": year, "targets": {"participation": 10}, "why": "年"}
    assert own.post("/targets", json=mine).status_code == 403  # its own is set above; those below it sets itself
    assert above.post("/targets", json=mine).json == {"units": 1}
    assert own.post("/targets", json=body).json == {"units": 2}
    first, second = branches(session, street)
    invited = send(database, session, first, class_="invitation")
    answered = session.scalars(select(Message).where(Message.run_id == invited).order_by(Message.id)).all()
    account_id = session.scalars(select(GatewayAccount.id)).one()
    for message, meaning in ((answered[0], None), (answered[0], None), (answered[1], "stop")):
        session.add(
            ReplyRow(
                gateway_account_id=account_id,
                received_at=datetime.now(UTC),
                text="参加",
                part=1,
                parts=1,
                meaning=meaning,
                matched_at=datetime.now(UTC),
                month=message.month,
                message_id=message.id,
                person_id=message.person_id,
                unit_path=message.unit_path,
            )
        )
    session.commit()
    send(database, session, first)  # another class
    found = officer.get("/targets", unit=street.id, year=year).json
    assert [(one["unit"], one["silent"]) for one in found["below"]] == [("第2支部", True), ("第1支部", False)]
    assert found["below"][1]["texts"] == {"target": 6, "done": 6, "share": 1.0}
    assert found["below"][1]["theme_days"] == {"target": 2, "done": 1, "share": 0.5}
    assert found["own"]["participation"] == {"target": 10, "done": 1, "share": 0.1}
    assert found["own"]["texts"] == {"target": None, "done": 6, "share": None}
    assert officer.get("/targets", unit=district.id, year=year).status_code == 403
    # Of an event that it took place: its invitation alone is none.
    campaign_id = session.get_one(Run, invited).campaign_id
    for begins, more, held in (("2020", {}, 1), ("2999", {}, 0), ("2020", {"cancelled": True}, 0)):
        rule = {"begins": f"{begins}-01-01T09:00:00+08:00", "ends": None, **more}
        session.execute(update(Campaign).where(Campaign.id == campaign_id).values(kind="event", schedule=rule))
        session.commit()
        assert officer.get("/targets", unit=street.id, year=year).json["own"]["theme_days"]["done"] == held
    taken = {"unit_id": second.id, "year": year, "targets": {"texts": None, "theme_days": None}, "why": "撤"}
    assert above.post("/targets", json=taken).json == {"units": 1}
    assert officer.get("/targets", unit=street.id, year=year).json["below"][1]["silent"] is False
    for wrong in ({"year": 1}, {"targets": {"x": 1}}, {"targets": {"texts": 0}}, {"level": "city"}, {"level": "x"}):
        assert above.post("/targets", json={**body, **wrong}).status_code == 422


def test_the_shell(session, street, database_url, redis_url, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("REDIS_URL", redis_url)
    make_account(session, street, "wang")
    session.commit()

    def run(*words):
        return CliRunner().invoke(main, list(words)).output

    assert run("quota", "list", "--unit", "0101") == "no quota\n"
    assert run("quota", "set", "--unit", "0101", "--people", "4000", "--fen", "90000", "--why", "年度") == (
        "the quota is set\n"
    )
    assert run("quota", "set", "--unit", "0101-1", "--month", "2999-12", "--parts", "7", "--why", "年底") == (
        "the quota is set\n"
    )
    assert run("quota", "list", "--unit", "0101", "--month", "2999-12").splitlines() == [
        "长河街道, 2999-12 (every month):",
        "  people: 0 planned, 0 used, 4,000 of 4,000 left",
        "  parts: 0 planned, 0 used, no limit",
        "  fen: 0 planned, 0 used, 90,000 of 90,000 left",
        "第1支部, 2999-12:",
        "  people: 0 planned, 0 used, no limit",
        "  parts: 0 planned, 0 used, 7 of 7 left",
        "  fen: 0 planned, 0 used, no limit",
    ]
    assert "manage_directory" in run("quota", "remove", "--unit", "0101", "--why", "改", "--as", "wang")
    assert run("quota", "remove", "--unit", "0101", "--why", "改") == "the quota is removed\n"
    assert run("targets", "set", "--unit", "0101", "2027", "texts", "6", "--level", "branch", "--why", "年") == (
        "the target is set for 2 units\n"
    )
    assert run("targets", "set", "--unit", "0101", "2027", "participation", "9", "--why", "年") == "the target is set\n"
    assert run("targets", "list", "--unit", "0101", "2027", "--as", "wang").splitlines() == [
        "长河街道: texts 0, theme_days 0, participation 0 of 9 (silent)",
        "第1支部: texts 0 of 6, theme_days 0, participation 0 (silent)",
        "第2支部: texts 0 of 6, theme_days 0, participation 0 (silent)",
    ]


def test_nothing_of_a_run_that_is_held_counts_as_done(database, session, street):
    session.execute(update(Run).values(status="held"))
    assert settle_ended(database) == 0
