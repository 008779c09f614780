"""Replies, refused callbacks, unknown codes and receipts of nobody, over HTTP and from the shell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import text
from sqlalchemy.orm import Session

from sms_service.cli import main
from sms_service.controls.accounts import id_of
from sms_service.db.engine import Database
from sms_service.delivery.listing import find_unknown_codes
from sms_service.delivery.refusals import Refusals
from sms_service.gateways.base import ErrorClass, Outcome, OutcomeKind, Receipt, ReceiptStatus, Reply
from sms_service.ledger import receipts
from sms_service.ledger.models import Message, Run
from sms_service.replies import matching
from sms_service.replies.storing import store_replies
from tests.api.campaign_client import Place
from tests.api.directory_client import Caller
from tests.applications import lend_app
from tests.factories import fictional_phone

STRANGER = fictional_phone(90)


@pytest.fixture
def auditor(place: Place, database: Database, tmp_path: Path) -> Caller:
    """Of the whole city."""
    client = lend_app({}, tmp_path, database).test_client()
    with Session(database.engine) as session:
        return Caller(client, session, place.city, "auditor")


@pytest.fixture
def phones(place: Place, database: Database) -> list[str]:
    """Of those who got the district's text."""
    place.launched()
    place.hand_over()
    with database.session() as session:
        return [m.phone for m in session.query(Message).order_by(Message.id) if m.phone]


def answered(database: Database, *said: tuple[str, str], **kw: Any) -> None:
    store_replies(database, "main", [Reply(phone, words, "{}", **kw) for phone, words in said])
    matching.match_waiting(database)


def listed(caller: Caller, path: str = "/replies", **query: Any) -> list[dict[str, Any]]:
    answer = caller.get(path, **query)
    assert answer.status_code == 200, answer.json
    return list(answer.json["items"])


def test_replies_are_read_by_whoever_reads_their_unit(
    place: Place, auditor: Caller, database: Database, phones: list[str]
) -> None:
    answered(database, (phones[0], "参加"), (phones[1], "Ｒ"), (STRANGER, "你是谁"))
    newest, oldest = listed(place.officer)
    assert (newest["meaning"], newest["text"], oldest["text"]) == ("stop", "Ｒ", "参加")
    assert oldest["phone"] == phones[0][:6] + "****" + phones[0][-4:]
    assert oldest["account"] == "main"
    assert place.officer.get(f"/messages/{oldest['message_id']}").json["message"]["person_id"] == oldest["person_id"]
    assert listed(place.stranger) == []
    assert place.stranger.get("/replies", unit=place.one.id).status_code == 403
    assert [item["text"] for item in listed(auditor)] == ["你是谁", "Ｒ", "参加"], "nobody's: only over everything"
    assert [item["text"] for item in listed(auditor, unit=place.one.id)] == ["Ｒ", "参加"]
    assert [item["text"] for item in listed(auditor, unit=place.city.id)] == ["Ｒ", "参加"]


def test_replies_are_filtered_and_paged(place: Place, auditor: Caller, database: Database, phones: list[str]) -> None:
    answered(database, *((phones[0], f"第{n}条") for n in range(5)))
    answered(database, (phones[1], "退订"))
    assert [item["text"] for item in listed(auditor, meaning="stop")] == ["退订"]
    assert len(listed(auditor, account="main")) == 6
    assert auditor.get("/replies", account="nobody").status_code == 404
    with database.session() as session:
        campaign_id = session.query(Run.campaign_id).join(Message, Message.run_id == Run.id).limit(1).scalar()
    assert len(listed(auditor, campaign=campaign_id)) == 6
    assert listed(auditor, campaign=campaign_id + 999) == []
    at = listed(auditor)[-1]["received_at"]
    assert len(listed(auditor, since=at)) == 6
    assert listed(auditor, until=at) == []
    found: list[str] = []
    query: dict[str, Any] = {"limit": 2}
    while True:
        page = auditor.get("/replies", **query).json
        found += [item["text"] for item in page["items"]]
        if page["next"] is None:
            break
        query["cursor"] = page["next"]
    assert found == ["退订", *(f"第{n}条" for n in range(4, -1, -1))]


def test_a_long_reply_is_listed_once_and_says_what_is_missing(
    place: Place, database: Database, phones: list[str]
) -> None:
    answered(database, (phones[0], "上半"), part=1, parts=2, series="3")
    [item] = listed(place.officer)
    assert (item["complete"], item["part"], item["parts"]) == (False, 1, 2)
    answered(database, (phones[0], "下半"), part=2, parts=2, series="3")
    [item] = listed(place.officer)
    assert (item["complete"], item["text"]) == (True, "上半下半")


def test_a_reply_without_a_readable_phone_is_listed_and_so_is_one_said_again(
    place: Place, auditor: Caller, database: Database, phones: list[str]
) -> None:
    answered(database, ("139****0001", "R"), (phones[0], "参加"), (phones[0], "参加"))
    [item] = listed(auditor, has_phone="false")
    assert (item["phone"], item["sender"], item["meaning"]) == (None, "139****0001", "stop")
    assert [(item["text"], item["repeated"]) for item in listed(auditor, has_phone="true")] == [
        ("参加", True),
        ("参加", False),
    ]
    assert len(listed(place.officer)) == 2, "nobody's: only over everything"


def test_a_redacted_reply_is_still_listed(place: Place, database: Database, phones: list[str]) -> None:
    answered(database, (phones[0], "参加"))
    empty = "UPDATE replies SET phone = NULL, sent_to = NULL, text = NULL, raw = NULL, fingerprint = NULL"
    with database.transaction() as connection:
        connection.execute(text(empty))
    [item] = listed(place.officer)
    assert (item["phone"], item["text"]) == (None, None)


def test_refused_callbacks_are_listed_by_day_and_reason(place: Place, auditor: Caller, database: Database) -> None:
    refusals = Refusals(database, every_s=3600)
    for reason in ("forged", "forged", "malformed", "replayed"):
        refusals.count("main", reason)
    refusals.close()
    with database.transaction() as connection:
        connection.execute(text("UPDATE refused_callbacks SET day = day - 1 WHERE reason = 'forged'"))
    path = "/gateway-accounts/main/refused-callbacks"
    assert [(item["reason"], item["number"]) for item in listed(auditor, path)] == [
        ("malformed", 1),
        ("replayed", 1),
        ("forged", 2),
    ]
    first = auditor.get(path, limit=1).json
    assert len(listed(auditor, path, limit=5, cursor=first["next"])) == 2


def test_codes_that_no_table_knows_are_counted(place: Place, auditor: Caller, database: Database) -> None:
    place.adapter.answer = lambda handed: Outcome(
        handed.reference, OutcomeKind.refused, error=ErrorClass.unclassified, raw_code="E99"
    )
    place.launched()
    place.hand_over()
    strange = Receipt(ReceiptStatus.unclassified, "p1", "{}", raw_code="E99")
    known = Receipt(ReceiptStatus.delivered, "p1", "{}", raw_code="DELIVRD")
    with database.transaction() as connection:
        receipts.insert_receipts(connection, [("main", strange), ("main", strange), ("main", known)])
    items = listed(auditor, "/gateway-accounts/main/unknown-codes")
    assert [(item["code"], item["use"], item["number"]) for item in items] == [
        ("E99", "answer", len(place.adapter.handed)),
        ("E99", "receipt", 2),
    ]
    assert items[0]["first_at"] <= items[0]["last_at"]
    with database.session() as session:
        assert session.execute(find_unknown_codes(id_of(session, "main"), {"E99"})).all() == []


def test_receipts_of_nobody_are_listed_to_whoever_reads_everything(
    place: Place, auditor: Caller, database: Database
) -> None:
    with database.transaction() as connection:
        strange = Receipt(ReceiptStatus.delivered, "x1", "{}", phone=STRANGER)
        receipts.insert_receipts(connection, [("main", strange)])
        receipts.apply_receipts(connection, 10)
    [item] = listed(auditor, "/receipts", account="main")
    assert (item["provider_id"], item["status"], item["tries"]) == ("x1", "delivered", 1)
    assert item["phone"].endswith("****" + STRANGER[-4:])
    assert item["note"] == "no attempt of this account matches"
    assert place.officer.get("/receipts").status_code == 403


def test_people_with_a_dead_phone_are_shown_and_found(
    place: Place, auditor: Caller, database: Database, phones: list[str]
) -> None:
    with database.transaction() as connection:
        connection.execute(text("UPDATE people SET suspect_since = sms_now() WHERE phone = :p"), {"p": phones[0]})
    [one] = listed(auditor, "/people", suspect="true")
    assert one["suspect_since"] is not None
    others = listed(auditor, "/people", suspect="false")
    assert one["id"] not in {person["id"] for person in others}
    assert {person["suspect_since"] for person in others} == {None}


def test_the_shell_says_the_same(
    place: Place,
    database: Database,
    database_url: str,
    phones: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("REDIS_URL", "redis://localhost:1/0")

    def run(*words: str) -> list[str]:
        result = CliRunner().invoke(main, list(words))
        assert result.exit_code == 0, result.output
        assert phones[0] not in result.output
        assert STRANGER not in result.output
        return result.output.splitlines()

    assert run("replies", "--unreadable") == []
    answered(database, (phones[0], "R"), (STRANGER, "谁"))
    with database.transaction() as connection:
        strange = Receipt(ReceiptStatus.unclassified, "x1", "{}", phone=STRANGER, raw_code="Q")
        receipts.insert_receipts(connection, [("main", strange)])
        receipts.apply_receipts(connection, 10)
    stranger, stop = run("replies")
    assert stranger.endswith(", answers nothing, free_text: 谁")
    assert ", stop, answered by message " in stop
    assert stop.endswith(": R")
    assert "answers message " in stop
    assert run("replies", "--meaning", "stop") == run("replies", "--unit", place.one.code) == [stop]
    assert run("replies", "--since", "2099-01-01") == []
    answered(database, ("10086", "好\ud83c"), part=1, parts=2, series="7")
    [unreadable] = run("replies", "--unreadable")
    assert "no readable phone (" in unreadable
    assert unreadable.endswith(": 好\ufffd"), "half a character is shown as none"
    [receipt] = run("receipts")
    assert receipt.endswith(": unclassified (Q)")
    assert run("gateway", "codes", "main")[0].startswith("Q: 1 times, receipt, ")
    assert run("gateway", "refused", "main") == ["no callback was refused"]
    refusals = Refusals(database, every_s=3600)
    refusals.count("main", "forged")
    refusals.close()
    assert run("gateway", "refused", "main")[0].endswith(": 1 forged")
    assert CliRunner().invoke(main, ["gateway", "codes", "nobody"]).exit_code == 1
