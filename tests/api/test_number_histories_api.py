"""`POST /numbers/history`."""

from __future__ import annotations

from datetime import date

from click.testing import CliRunner
from sqlalchemy import select

from sms_service.accounts.actors import SYSTEM
from sms_service.audience import suppression
from sms_service.audit.models import TrailEntry
from sms_service.cli import main
from tests.api.directory_client import Caller
from tests.dispatch.city import make_run
from tests.factories import make_account, make_person
from tests.reports.ledger_rows import add_message, make_tree

PHONE = "+8613500000012"


def test_history_of_a_number(make_app, session):
    units = make_tree(session, [date(2026, 11, 5)])
    run = make_run(session, units[0])
    run.day, run.month, run.launched_at = date(2026, 11, 5), date(2026, 11, 1), run.created_at
    session.flush()
    person = make_person(session, units[3], phone=PHONE)
    message = add_message(session, run, units[3], "delivered", person=person)
    suppression.suppress_phone(session, SYSTEM, PHONE, "complaint", note="投诉单 17")
    auditor = Caller(make_app().test_client(), session, units[1], "auditor")

    found = auditor.post("/numbers/history", json={"phone": "13500000012", "why": "投诉单 17"})
    assert found.status_code == 200
    assert PHONE not in found.text
    answer = found.json
    assert (answer["phone"], answer["number"], answer["outside"], answer["before"]) == ("+86135****0012", 1, 0, None)
    (text,) = answer["texts"]
    assert (text["message"]["id"], text["sender"], text["approvals"]) == (message.id, units[0].name, [])
    assert [event["kind"] for event in text["events"]] == ["handed_over"]
    assert [(one["person_id"], one["unit"]) for one in answer["people"]] == [(person.id, units[3].name)]
    assert [(one["reason"], one["note"]) for one in answer["stops"]] == [("complaint", "投诉单 17")]
    assert answer["replies"] == []
    by_person = auditor.post("/numbers/history", json={"person_id": person.id, "why": "投诉单 17"})
    assert by_person.json["texts"] == answer["texts"]
    for wrong in ({"phone": PHONE}, {"why": "x"}, {"phone": PHONE, "person_id": person.id, "why": "x"}):
        assert auditor.post("/numbers/history", json=wrong).status_code == 422
    assert auditor.get("/numbers/history").status_code == 405


def test_the_same_from_the_shell_where_the_number_is_typed(
    make_app, session, database_url, redis_url, tmp_path, monkeypatch
):
    for name, value in (("DATABASE_URL", database_url), ("REDIS_URL", redis_url), ("DATA_DIR", str(tmp_path / "var"))):
        monkeypatch.setenv(name, value)
    units = make_tree(session, [date(2026, 11, 5)])
    person = make_person(session, units[3], phone=PHONE)
    stranger = make_person(session, units[2], phone=PHONE)
    texts, branch = [], (units[3], person)
    for unit, one, status in ((*branch, "delivered"), (*branch, "skipped"), (units[2], stranger, "unknown")):
        run = make_run(session, units[0])
        run.day, run.month, run.launched_at = date(2026, 11, 5), date(2026, 11, 1), run.created_at
        session.flush()
        texts.append(add_message(session, run, unit, status, person=one))
    suppression.suppress_phone(session, SYSTEM, PHONE, "complaint", note="投诉单 17")
    auditor = make_account(session, units[1], "district", ("auditor",))
    session.commit()

    def ask(*words, phone="13500000012"):
        return CliRunner().invoke(main, ["number", "history", *words], input=f"{phone}\n")

    shown = ask("--why", "投诉单 17", "--as", "district")
    assert shown.exit_code == 0, shown.output
    first, *lines = shown.output.removeprefix("Phone number: 13500000012\n").splitlines()
    assert first == "+86135****0012: 2 texts, 1 more outside your scope"
    assert [line.rpartition(": ")[2] for line in lines if " by " in line] == ["skipped (capped)", "delivered"]
    assert any("1 part was handed to main" in line for line in lines)
    assert "opted out: complaint, lifted never" in lines[-1]
    assert PHONE[3:] not in "\n".join(lines)
    noted = session.scalars(select(TrailEntry).where(TrailEntry.act == "number.history")).all()
    assert [(entry.account_id, entry.target_id, entry.details["why"]) for entry in noted] == [
        (auditor.id, str(person.id), "投诉单 17")
    ]
    older = ask("--why", "投诉单 17", "--as", "district", "--before", str(texts[1].id)).output.splitlines()
    assert [line.rpartition(": ")[2] for line in older if " by " in line] == ["delivered"]
    for words, phone in ((("--why", "x"), "1350"), ((), "13500000012")):
        assert ask(*words, phone=phone).exit_code != 0
