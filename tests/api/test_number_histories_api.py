"""`POST /numbers/history`."""

from __future__ import annotations

from datetime import date

from sms_service.accounts.actors import SYSTEM
from sms_service.audience import suppression
from tests.api.directory_client import Caller
from tests.dispatch.city import make_run
from tests.factories import make_person
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
