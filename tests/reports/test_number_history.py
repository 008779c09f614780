"""One number's history: all texts to it, of all months and units, within the scope of whoever asks."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from sms_service.accounts.actors import SYSTEM
from sms_service.audit.models import TrailEntry
from sms_service.campaigns.models import Decision
from sms_service.db.engine import Database
from sms_service.errors import Forbidden, Invalid, NotFound
from sms_service.gateways.base import Reply
from sms_service.ledger.models import Run
from sms_service.replies import matching
from sms_service.replies.storing import store_replies
from sms_service.reports.number_history import MOST_TEXTS, ROWS_OF_NUMBER, NumberHistory, read_number_history
from tests.dispatch.city import ScriptedAdapter, ScriptedGateways, drain, make_city, make_run, messages
from tests.factories import make_account, make_actor, make_person
from tests.reports.ledger_rows import add_message, make_tree

WHY = "投诉单 17"
GATEWAYS = ScriptedGateways({"main": ScriptedAdapter()})


def ask(session: Session, actor: Any, phone: str, **kw: Any) -> NumberHistory:
    return read_number_history(session, actor, phone, WHY, GATEWAYS, **kw)


def ids(found: NumberHistory) -> list[int]:
    return [one.row.Message.id for one in found.texts]


def test_a_text_with_its_approver_its_hand_over_its_reply_and_its_stop(database: Database) -> None:
    city = make_city(database, 2)
    drain(database, city.gateways)
    message, other = messages(database, city.run_id)
    assert message.phone is not None
    with database.session() as session:
        run = session.get_one(Run, city.run_id)
        approver = make_account(session, city.unit, roles=("approver",))
        late = make_account(session, city.unit, roles=("approver",))
        same = {"campaign_id": run.campaign_id, "digest": b"x", "decided": "approved"}
        before, after = run.launched_at, session.scalars(select(text("now() + interval '1 day'"))).one()
        session.add(Decision(account_id=late.id, at=before, submission=1, **{**same, "decided": "rejected"}))
        session.add(Decision(account_id=approver.id, at=before, submission=2, **same))
        session.add(Decision(account_id=late.id, at=after, submission=3, **same))
        auditor = make_actor(session, city.unit, ("auditor",))
    store_replies(database, "main", [Reply(message.phone, "退订", "{}", provider_id="r1")])
    assert matching.match_waiting(database) is False
    with database.session() as session:
        found = ask(session, auditor, message.phone)
        assert (found.number, found.outside, found.before, ids(found)) == (1, 0, None, [message.id])
        (told,) = found.texts
        assert [(given.name, given.lender) for given in told.approvals] == [(approver.name, None)]
        assert told.sender == city.unit.name
        assert [event.kind.value for event in told.events] == ["frozen", "handed_over", "answered"]
        assert [(row.ReplyRow.shown_text, row.ReplyRow.message_id) for row in found.replies] == [("退订", message.id)]
        assert [(row.Suppression.phone, row.Suppression.reason) for row in found.stops] == [
            (message.phone, "opted_out")
        ]
        assert [one.Person.id for one in found.people] == [message.person_id]
        # That somebody looked is an act on the person; their number is not in it.
        entry = session.scalars(select(TrailEntry).order_by(TrailEntry.id.desc()).limit(1)).one()
        assert (entry.act, entry.target_kind, entry.target_id) == ("number.history", "person", str(message.person_id))
        assert (entry.account_id, entry.details) == (auditor.account_id, {"why": WHY})
        assert ask(session, auditor, other.phone or "").replies == []


@pytest.fixture
def tree(session: Session) -> list[Any]:
    return make_tree(session, [date(2026, 10, 5), date(2026, 11, 5)])


def launch(session: Session, unit: Any, day: date) -> Run:
    run = make_run(session, unit)
    run.day, run.month = day, day.replace(day=1)
    run.launched_at = session.scalars(select(text(f"timestamptz '{day} 10:00 Asia/Shanghai'"))).one()
    session.flush()
    return run


def test_all_months_skipped_redacted_and_earlier_holders(session: Session, tree: list[Any]) -> None:
    city, _, _, one, two = tree
    old, new = launch(session, city, date(2026, 10, 5)), launch(session, city, date(2026, 11, 5))
    holder, heir = make_person(session, one), make_person(session, two, phone=None)
    phone = holder.phone
    sent, skipped = add_message(session, old, one, "delivered", person=holder), None
    skipped = add_message(session, new, one, "skipped", person=holder)
    # The number went to somebody else since, and the first has another.
    holder.phone, heir.phone = "+8613500000001", phone
    session.flush()
    third = launch(session, city, date(2026, 11, 6))
    inherited = add_message(session, third, two, "delivered", person=heir)
    another = add_message(session, third, one, "delivered", person=holder)
    assert phone is not None
    found = ask(session, SYSTEM, phone)
    assert ids(found) == [inherited.id, skipped.id, sent.id]
    assert [text_.row.Message.reason for text_ in found.texts] == [None, "capped", None]
    assert [row.Person.id for row in found.people] == [holder.id, heir.id]
    assert ids(ask(session, SYSTEM, "+8613500000001")) == [another.id]

    # Once the numbers are redacted, the people are what is left: whoever still has the number is found by it.
    inherited.phone = None
    session.flush()
    assert ids(ask(session, SYSTEM, phone)) == [inherited.id, skipped.id, sent.id]


def test_what_lies_outside_the_scope_is_counted_and_nothing_else(session: Session, tree: list[Any]) -> None:
    city, first, other, one, two = tree
    run = launch(session, city, date(2026, 11, 5))
    here, there = make_person(session, one, phone="+8613500000002"), make_person(session, other, phone="+8613500000002")
    mine = add_message(session, run, one, "delivered", person=here)
    add_message(session, run, other, "skipped", person=there)
    session.flush()
    auditor, stranger = make_actor(session, first, ("auditor",)), make_actor(session, two, ("auditor",))
    found = ask(session, auditor, "+8613500000002")
    assert (ids(found), found.number, found.outside) == ([mine.id], 1, 1)
    assert [row.Person.id for row in found.people] == [here.id]
    nothing = ask(session, stranger, "+8613500000002")
    assert (nothing.texts, nothing.people, nothing.number, nothing.outside) == ([], [], 0, 2)
    # Nobody of theirs has it: the trail has it masked, for their unit.
    entry = session.scalars(select(TrailEntry).order_by(TrailEntry.id.desc()).limit(1)).one()
    assert (entry.target_kind, entry.target_id, entry.unit_path) == ("number", "+86135****0002", two.path)
    with pytest.raises(NotFound):
        ask(session, stranger, "+8613500000002", before=mine.id)


def test_a_reason_and_a_role_are_needed(session: Session, tree: list[Any]) -> None:
    with pytest.raises(Invalid, match="why"):
        read_number_history(session, SYSTEM, "+8613500000003", " ", GATEWAYS)
    with pytest.raises(Forbidden):
        ask(session, make_actor(session, tree[0], ()), "+8613500000003")


def test_older_texts_come_page_by_page_with_the_replies_of_their_time(session: Session, tree: list[Any]) -> None:
    city, person = tree[0], make_person(session, tree[3], phone="+8613500000004")
    written = []
    for number in range(MOST_TEXTS + 2):
        run = launch(session, city, date(2026, 10 if number < 10 else 11, 5 + number % 10))
        written.append(add_message(session, run, tree[3], "delivered", person=person).id)
    first = ask(session, SYSTEM, "+8613500000004")
    assert (ids(first), first.before) == (written[:1:-1], written[2])
    second = ask(session, SYSTEM, "+8613500000004", before=first.before)
    assert (ids(second), second.before, second.number) == (written[1::-1], None, MOST_TEXTS + 2)


def test_keys_of_runs_answer_whatever_the_ledger_holds(session: Session, tree: list[Any]) -> None:
    session.execute(text("SET LOCAL enable_seqscan = off"))
    asked = {"month": date(2026, 11, 1), "phone": "+8613500000005", "people": [1]}
    lines = "\n".join(session.connection().exec_driver_sql(f"EXPLAIN {ROWS_OF_NUMBER.sql}", asked).scalars())
    assert "Seq Scan" not in lines
    assert lines.count("(run_id = r.id)") == 2, lines
