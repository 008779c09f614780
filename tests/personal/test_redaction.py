"""Old rows are emptied, each after the days of its unit and only once it rests, and every count stays what it was."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from sms_service.accounts.actors import SYSTEM
from sms_service.audit.models import TrailEntry
from sms_service.db.engine import Database
from sms_service.directory.models import Unit
from sms_service.directory.units import create_unit
from sms_service.errors import Forbidden, Invalid
from sms_service.gateways.base import Receipt, ReceiptStatus, Reply
from sms_service.ledger import receipts
from sms_service.ledger.amendment_models import DayChange
from sms_service.ledger.models import Attempt, Message, ReceiptRow, Run
from sms_service.ledger.states import MessageStatus
from sms_service.personal.redaction import redact_rows, set_redaction
from sms_service.personal.redaction_models import Redaction
from sms_service.replies.models import ReplyRow
from sms_service.replies.storing import store_replies
from sms_service.reports.counts import tabulate_counts
from sms_service.reports.filters import DIMENSIONS, Filter
from sms_service.reports.roll_ups import find_drift
from sms_service.reports.seals import verify_seals
from tests.clocks import ahead_by
from tests.dispatch.city import make_run
from tests.factories import make_actor, make_person
from tests.reports.ledger_rows import add_message, make_tree, settle_roll_ups

DAYS = (date(2026, 8, 31), date(2026, 9, 1))
STATUSES = [status for status in MessageStatus if status not in ("pending", "claimed", "submitting")]


@pytest.fixture
def tree(session: Session) -> list[Unit]:
    """City, district, district, branch, branch."""
    return make_tree(session, DAYS)


@pytest.fixture
def runs(session: Session, tree: list[Unit]) -> list[Run]:
    """One of the city on each of the days."""
    made = [make_run(session, tree[0], day=day, month=day.replace(day=1), status="closed", audience=0) for day in DAYS]
    session.commit()
    return made


def fill(session: Session, runs: list[Run], tree: list[Unit], *, days_old: int = 60) -> None:
    """A row of each status for each branch and run, with text and values, that last changed so many days ago."""
    person = make_person(session, tree[3])
    for run in runs:
        for unit in tree[3:]:
            for status in STATUSES:
                add_message(session, run, unit, status)
        add_message(session, run, tree[3], "delivered", [("refused", 1), ("delivered", 2)], person=person)
    session.flush()
    changed = func.sms_now() - timedelta(days=days_old)
    for message in session.scalars(select(Message)):
        message.text, message.values, message.changed_at = "您好", {"name": "张三"}, changed
    for attempt in session.scalars(select(Attempt)):
        attempt.phone, attempt.detail = "+8613900000001", "说明"
    for run in runs:
        rows = select(func.count()).where(Message.run_id == run.id, Message.month == run.month)
        run.audience = session.scalar(rows)
    session.commit()


def redact(database: Database, default_days: int | None = None, size: int = 7) -> int:
    """All that is due, in small slices; returns how much."""
    done = 0
    while True:
        more = redact_rows(database, default_days, size=size)
        done += more
        with database.session() as session:
            open_ = session.scalar(select(func.count()).where(Redaction.look_at <= func.sms_now()))
        if not more and not open_:
            return done


def left(session: Session) -> set[tuple[int, int]]:
    """The runs and units of which a row still has something personal."""
    session.rollback()
    held = Message.phone.is_not(None) | Message.text.is_not(None) | Message.values.is_not(None)
    rows = session.execute(select(Message.run_id, Message.unit_id).where(held))
    attempts = session.scalar(select(func.count()).where((Attempt.phone.is_not(None)) | (Attempt.detail.is_not(None))))
    found = {(row[0], row[1]) for row in rows}
    assert found or not attempts
    return found


def count_all(session: Session, tree: list[Unit]) -> dict[str, Any]:
    """What is counted, by every dimension alone and in all."""
    session.rollback()
    found = {}
    for name in DIMENSIONS:
        table = tabulate_counts(session, Filter((tree[0].path,)), (name,))
        found[name] = [(line.by, line.people, line.messages, line.parts) for line in table.lines]
        found["total"] = [table.total]
    return found


def test_every_count_stays_from_the_ledger_and_from_the_roll_ups(
    database: Database, session: Session, tree: list[Unit], runs: list[Run]
) -> None:
    fill(session, runs, tree)
    from_ledger = count_all(session, tree)
    settle_roll_ups(database, seal=True)
    before = count_all(session, tree)
    assert before["total"][0].messages == from_ledger["total"][0].messages > 0
    assert redact(database, 30) == len(session.scalars(select(Message.id)).all())
    assert left(session) == set()
    assert count_all(session, tree) == before
    assert session.scalars(select(DayChange.id)).all() == [], "no change is noted"
    with database.one_snapshot() as connection:
        assert [drift for day in DAYS for drift in find_drift(connection, day)] == []
        assert list(verify_seals(connection)) == []
        assert connection.execute(text("SELECT count(*) FROM amendments")).scalar_one() == 0
        # The same from the rows alone, of which those that had no carrier have it now.
        connection.execute(text("DELETE FROM day_changes; SET LOCAL ROLE NONE; DELETE FROM counted_days"))
        with Session(connection) as bare:
            assert count_all(bare, tree)["carrier"] == from_ledger["carrier"]


def test_each_unit_has_its_own_days_and_a_smaller_number_reaches_back(
    database: Database, session: Session, tree: list[Unit], runs: list[Run]
) -> None:
    fill(session, runs, tree)
    assert redact(database) == 0, "nobody has said that anything ends"
    since = (session.scalars(select(func.sms_now())).one().date() - DAYS[0]).days
    set_redaction(session, SYSTEM, tree[3].id, since - 1, "按规定")
    session.commit()
    redact(database)
    assert left(session) == {(runs[0].id, tree[4].id), (runs[1].id, tree[3].id), (runs[1].id, tree[4].id)}
    set_redaction(session, SYSTEM, tree[4].id, since - 1, "按规定")
    session.commit()
    redact(database)
    assert left(session) == {(runs[1].id, tree[3].id), (runs[1].id, tree[4].id)}
    redact(database, 30)
    assert left(session) == {(runs[1].id, tree[3].id), (runs[1].id, tree[4].id)}, "theirs is the own number"
    set_redaction(session, SYSTEM, tree[0].id, None, "按规定")
    session.commit()
    redact(database, 30)
    assert left(session) == set()


def test_a_row_that_may_still_move_waits(
    database: Database, session: Session, tree: list[Unit], runs: list[Run]
) -> None:
    fill(session, runs[:1], tree, days_old=13)
    redact(database, 30)
    assert len(left(session)) == 2
    assert all(message.text for message in session.scalars(select(Message))), "a receipt may find it for 14 days"
    with ahead_by(database.url, "2 days") as later:
        redact(later, 30)
    session.rollback()
    kept = {message.status for message in session.scalars(select(Message).where(Message.text.is_not(None)))}
    assert kept == {"accepted", "unknown"}
    with ahead_by(database.url, "19 days") as later:
        redact(later, 30)
    assert left(session) == set()


def test_receipts_and_replies_go_with_the_text_and_raw_records_by_themselves(
    database: Database, session: Session, tree: list[Unit], runs: list[Run]
) -> None:
    run, person = runs[1], make_person(session, tree[3])
    message = add_message(session, run, tree[3], "delivered", person=person)
    session.flush()
    run.audience, message.text = 1, "您好"
    message.changed_at = func.sms_now() - timedelta(days=60)
    attempt_id = session.scalars(select(Attempt.id)).one()
    session.commit()
    store_replies(database, "main", [Reply(str(person.phone), "不来了", "原文")])
    with database.transaction() as connection:
        named = Receipt(ReceiptStatus.delivered, None, "原文", phone=person.phone)
        receipts.insert_receipts(connection, [("main", named), ("main", named)])
        connection.execute(
            text("UPDATE receipts SET attempt_id = :id, month = :month WHERE id = 1"),
            {"id": attempt_id, "month": run.month},
        )
        connection.execute(text("UPDATE receipts SET in_month = '2026-09-01'"))
        connection.execute(
            text("UPDATE replies SET matched_at = now(), unit_path = :path, inbox_status = 'unread'"),
            {"path": tree[3].path},
        )
    set_redaction(session, SYSTEM, tree[3].id, 30, "按规定")
    session.commit()

    def held() -> tuple[list[int], list[tuple[Any, ...]]]:
        session.rollback()
        having = select(ReceiptRow.id).where(ReceiptRow.raw.is_not(None) | ReceiptRow.phone.is_not(None))
        words = select(ReplyRow.raw, ReplyRow.text, ReplyRow.phone)
        return list(session.scalars(having.order_by(ReceiptRow.id))), [tuple(row) for row in session.execute(words)]

    redact(database)
    assert held() == ([2], [("原文", "不来了", person.phone)])
    with ahead_by(database.url, "40 days") as later:
        redact(later)
        assert held()[1] == [("原文", "不来了", person.phone)], "somebody still has to read it"
        with later.transaction() as connection:
            connection.execute(text("UPDATE replies SET inbox_status = 'closed'"))
    with ahead_by(database.url, "42 days") as later:
        redact(later)
    assert held() == ([2], [(None, None, None)])
    with ahead_by(database.url, "130 days") as later:
        redact(later)
    assert held()[0] == []


def test_raw_records_of_replies_end_and_what_they_say_stays(
    database: Database, session: Session, tree: list[Unit]
) -> None:
    store_replies(database, "main", [Reply("+8613900000001", "不来了", "原文")])
    with ahead_by(database.url, "130 days") as later:
        redact(later)
    assert [(reply.raw, reply.text) for reply in session.scalars(select(ReplyRow))] == [(None, "不来了")]


def test_who_may_set_it_and_what_a_new_unit_gets(session: Session, tree: list[Unit]) -> None:
    with pytest.raises(Forbidden):
        set_redaction(session, make_actor(session, tree[1]), tree[1].id, 90, "按规定")
    for days in (29, 3_651):
        with pytest.raises(Invalid, match="redact_after_days"):
            set_redaction(session, SYSTEM, tree[1].id, days, "按规定")
    set_redaction(session, SYSTEM, tree[1].id, 90, "按规定")
    assert [unit.redact_after_days for unit in tree] == [None, 90, None, 90, 90]
    made = create_unit(session, SYSTEM, code="X1", name="新支部", level="branch", parent_id=tree[1].id)
    assert made.redact_after_days == 90
    entry = session.scalars(select(TrailEntry).where(TrailEntry.act == "unit.redaction")).one()
    changes = {"redact_after_days": [None, 90]}
    assert entry.details == {"redact_after_days": 90, "units": 3, "why": "按规定", "changes": changes}
