"""A branch moves to another district: past numbers stay, reading goes with it, acting follows the present tree."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy.orm import Session

from sms_service.db.engine import Database
from sms_service.gateways.base import Reply
from sms_service.ledger.models import Message
from sms_service.replies import matching
from sms_service.replies.storing import store_replies
from tests.api.campaign_client import Place
from tests.api.directory_client import Caller
from tests.bringing import bring


@pytest.fixture
def secretary(place: Place, session: Session) -> Caller:
    """Officer of the branch that moves."""
    return Caller(place.officer._client, session, place.branches[0], "officer")


def rows_of(caller: Caller, count: dict[str, Any]) -> list[dict[str, Any]]:
    answer = caller.call("GET", count["rows"].removeprefix("/api/v1"))
    assert answer.status_code == 200, answer.json
    return list(answer.json["items"])


def counted(caller: Caller, **query: Any) -> dict[Any, tuple[int, int, int]]:
    """Messages, people and rows, by unit; None: in all."""
    answer = caller.get("/counts", by="unit", **query)
    assert answer.status_code == 200, answer.json
    lines = {line["by"]["unit"]["id"]: line for line in answer.json["items"]} | {None: answer.json["total"]}
    return {unit: (line["messages"], line["people"], len(rows_of(caller, line))) for unit, line in lines.items()}


def test_after_a_move(place: Place, secretary: Caller, database: Database) -> None:
    branch, new = place.branches[0], place.stranger  # officer and approver of the other district
    whole = place.launched()
    campaign = place.create(unit_id=branch.id)["id"]
    for caller, act in ((place.officer, "submit"), (place.approver, "approve")):
        assert caller.post(f"/campaigns/{campaign}/{act}").status_code == 200
    own = secretary.post(f"/campaigns/{campaign}/launch").json["id"]
    place.begin()
    place.hand_over()
    with database.session() as session:
        message = session.query(Message).filter_by(run_id=own, status="accepted").first()
        assert message is not None
        assert message.phone is not None
        message_id, phone = message.id, message.phone
    store_replies(database, "main", [Reply(phone, "参加", "{}")])
    matching.match_waiting(database)
    before = [counted(caller) for caller in (place.auditor, secretary, new)]
    assert [found[None][0] for found in before] == [5 + 3, 3 + 3, 0]
    assert counted(place.auditor, run=own)[None][0] == 3

    with database.session() as session:
        row = f"{branch.code},{branch.name},{branch.level},{place.other.code}"
        moved = bring(session, "units", f"组织编码,名称,层级,上级编码\n{row}\n")
        assert (moved.moved, moved.refused) == (1, 0)

    # Numbers: as they were, for each of them, and each still has its rows.
    assert [counted(caller) for caller in (place.auditor, secretary, new)] == before
    assert counted(place.auditor, run=own) == {branch.id: (3, 3, 3), None: (3, 3, 3)}
    assert counted(place.auditor, campaign=campaign)[None][0] == 3
    assert counted(new, unit=branch.id)[None] == (6, 3, 6)
    alone = place.auditor.get("/counts", by="unit", unit=place.one.id).json["items"]
    assert sum(line["messages"] for line in alone) == 8
    rows = rows_of(place.auditor, place.auditor.get("/counts").json["total"])
    personal = [[row[name] for name in ("person", "phone", "text")] for row in rows if row["unit_id"] == branch.id]
    assert personal == [[None] * 3] * 6, "whom it texted goes with the branch"
    assert all(row["person"] for row in rows if row["unit_id"] != branch.id)

    # Reading: with the branch.
    for caller, reads in ((place.auditor, False), (place.officer, False), (secretary, True), (new, True)):
        expected = 200 if reads else 403
        for path in (f"/runs/{own}", f"/runs/{own}/messages", f"/messages/{message_id}", f"/campaigns/{campaign}"):
            assert caller.get(path).status_code == expected, path
        assert (own in [run["id"] for run in caller.get("/runs").json["items"]]) is reads
        assert (campaign in [found["id"] for found in caller.get("/campaigns").json["items"]]) is reads
        assert len(caller.get("/replies").json["items"]) == reads
        assert caller.get("/counts", unit=branch.id).status_code == expected
        assert caller.get("/messages", unit=branch.id).status_code == expected
    for caller in (secretary, new):
        assert all(row["person"] and row["text"] for row in caller.get(f"/runs/{own}/messages").json["items"])
    assert place.auditor.get(f"/runs/{whole}").json["messages"] == 5
    assert new.get(f"/runs/{whole}").status_code == secretary.get(f"/runs/{whole}").status_code == 403

    # Acting: by the present tree.
    why = {"why": "x"}
    acts: list[tuple[str, dict[str, Any]]] = [
        *((f"/runs/{own}/{act}", why) for act in ("pause", "resume", "retry")),
        (f"/runs/{own}/send-again", {**why, "all": True}),
        (f"/messages/{message_id}/settle", {**why, "as": "accepted"}),
        (f"/campaigns/{campaign}/launch", {}),
        (f"/runs/{own}/cancel", why),
    ]
    for path, body in acts:
        assert place.officer.post(path, json=body).status_code == 403, path
    for caller in (secretary, new):
        for path, body in acts:
            assert caller.post(path, json=body).status_code in (200, 409), path
    assert new.post(f"/runs/{whole}/cancel", json=why).status_code == 403
