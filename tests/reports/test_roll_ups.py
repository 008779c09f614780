"""What is added up is what the ledger says, at every moment, whatever changes meanwhile."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from sms_service.db.engine import Database
from sms_service.directory.models import Unit
from sms_service.ledger.amendment_models import CountedDay
from sms_service.ledger.models import Run
from sms_service.ledger.states import AttemptStatus, MessageStatus
from sms_service.reports import counts
from sms_service.reports.counts import Count, CountsTable, tabulate_counts
from sms_service.reports.filters import DIMENSIONS, Filter
from sms_service.reports.identity import sum_identity
from sms_service.reports.roll_ups import find_drift, roll_up
from sms_service.reports.rolled import tells_people
from sms_service.reports.sources import choose_source
from tests.dispatch.city import make_run
from tests.examples import count_examples
from tests.factories import make_person
from tests.reports.ledger_rows import add_message, make_tree, settle_roll_ups

DAYS = (date(2026, 8, 31), date(2026, 9, 1), date(2026, 9, 2), date(2026, 10, 15))
FINAL = [status for status in MessageStatus if status not in ("claimed", "submitting")]
LATER = ("delivered", "undelivered", "no_receipt", "unknown", "refused")


@pytest.fixture
def tree(database: Database, session: Session) -> list[Unit]:
    """City, district, district, branch, branch."""
    return make_tree(session, DAYS)


@pytest.fixture
def runs(session: Session, tree: list[Unit]) -> list[Run]:
    """A run of the city on each day, and two of its first district's: an answer, and one more of the first campaign."""
    made = [
        make_run(session, tree[0], day=day, month=day.replace(day=1), status="finished", audience=0) for day in DAYS
    ]
    made.append(make_run(session, tree[1], day=DAYS[1], month=DAYS[1].replace(day=1), status="finished", audience=0))
    made[-1].class_ = "study"
    made.append(make_run(session, tree[1], day=DAYS[2], month=DAYS[2].replace(day=1), status="finished", audience=0))
    made[-1].campaign_id, made[-1].firing = made[0].campaign_id, 2
    session.commit()
    return made


def test_a_line_that_is_not_the_ledgers_is_reported(
    database: Database, session: Session, tree: list[Unit], runs: list[Run]
) -> None:
    message = add_message(session, runs[0], tree[3], "delivered")
    freeze(session)
    settle_roll_ups(database)
    with database.one_snapshot() as connection:
        assert list(find_drift(connection, DAYS[0])) == []
        # Behind the triggers' back, as the owner could.
        connection.exec_driver_sql("SET ROLE NONE; SET session_replication_role = replica")
        connection.execute(text("UPDATE messages SET status = 'undelivered' WHERE id = :id"), {"id": message.id})
        drift = list(find_drift(connection, DAYS[0]))
        connection.exec_driver_sql("RESET session_replication_role; RESET ROLE")
    assert {(one.line["unit_id"], one.line["status"]): (one.rolled[0], one.counted[0]) for one in drift} == {
        (unit.id, status): numbers
        for unit in (tree[0], tree[1], tree[3])
        for status, numbers in (("delivered", (1, 0)), ("undelivered", (0, 1)))
    }


def test_a_change_that_was_under_way_when_the_day_was_listed_is_not_lost(
    database: Database, session: Session, tree: list[Unit], runs: list[Run]
) -> None:
    message = add_message(session, runs[0], tree[3], "accepted")
    freeze(session)
    change(session, message.id, "delivered")  # not committed yet
    for _ in range(3):
        roll_up(database, quiet_s=0)
    assert choose_source(session, Filter((tree[0].path,), until=DAYS[0]), ()) is None, "it is waited for"
    session.commit()
    settle_roll_ups(database)
    with database.one_snapshot() as connection:
        assert connection.scalars(select(CountedDay.rolled_at).where(CountedDay.day == DAYS[0])).one() is not None
        assert list(find_drift(connection, DAYS[0])) == []


def test_a_month_that_is_over_has_its_people_together(
    database: Database, session: Session, tree: list[Unit], runs: list[Run]
) -> None:
    person = make_person(session, tree[3])
    for run in runs[1:3]:
        add_message(session, run, tree[3], "delivered", person=person)
    freeze(session)
    settle_roll_ups(database)
    source = choose_source(session, Filter((tree[0].path,)), ())
    assert source is not None
    assert DAYS[1].replace(day=1) in source.months
    total = tabulate_counts(session, Filter((tree[0].path,)), ()).total
    assert (total.people, total.messages) == (1, 2)


def by_line(table: CountsTable) -> dict[str, tuple[Any, ...]]:
    """Each line by its group, and the total."""
    numbers = {str(line.by): (*_numbers(line), line.names) for line in table.lines}
    return numbers | {"total": _numbers(table.total)}


def _numbers(line: Count) -> tuple[Any, ...]:
    return line.people, line.messages, line.left, line.delivered, line.parts, line.cost_fen


filters = st.fixed_dictionaries(
    {},
    optional={
        "since": st.sampled_from(DAYS[:3]),
        "until": st.sampled_from(DAYS[2:]),
        "status": st.sampled_from(FINAL),
        "reason": st.sampled_from(["", "capped"]),
        "class_": st.sampled_from(["notice", "study"]),
        "kind": st.sampled_from(["campaign", "answer"]),
        "of_campaign": st.booleans(),
        "account": st.sampled_from(["", "main"]),
        "carrier": st.sampled_from(["", "mobile"]),
        "item": st.just(1),
    },
)
drawn_rows = st.lists(
    st.tuples(
        st.integers(0, 4),  # which unit
        st.integers(0, 5),  # which run
        st.integers(0, 3),  # which person
        st.sampled_from(FINAL),
        st.lists(st.tuples(st.sampled_from([*AttemptStatus]), st.integers(1, 3)), max_size=2),
    ),
    max_size=12,
)


@settings(max_examples=count_examples(10), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    drawn_rows,
    st.lists(st.tuples(st.integers(0, 11), st.sampled_from(LATER)), max_size=3),
    st.booleans(),
    st.lists(st.sampled_from(DIMENSIONS), max_size=3, unique=True),
    filters,
    st.sampled_from([0, 1, 3, None]),
    st.booleans(),
)
def test_whatever_is_asked_the_answer_is_the_ledgers(
    database: Database,
    session: Session,
    tree: list[Unit],
    runs: list[Run],
    drawn: list[tuple[int, int, int, MessageStatus, list[tuple[AttemptStatus, int]]]],
    changes: list[tuple[int, str]],
    again: bool,
    by: list[str],
    asked: dict[str, Any],
    place: int | None,
    sent: bool,
) -> None:
    people = {(unit.id, n): make_person(session, unit) for unit in tree for n in range(4)}
    messages, seen = [], set()
    for unit, run, person, status, attempts in drawn:
        key = (runs[run].id, people[tree[unit].id, person].id)
        if key not in seen:
            seen.add(key)
            messages.append(
                add_message(session, runs[run], tree[unit], status, attempts, people[tree[unit].id, person])
            )
    freeze(session)
    settle_roll_ups(database)
    for number, status in changes:
        if number < len(messages) and messages[number].attempts:
            change(session, messages[number].id, status)
    session.commit()
    if again:
        settle_roll_ups(database)
    scope = "/" if place is None else tree[place].path
    filter_ = Filter((scope,), sender=tree[1].path if sent else None, **asked)
    prices = {"main": 3.5}
    rolled = tabulate_counts(session, filter_, by, prices)
    assert by_line(rolled) == by_line(counts._tabulate_ledger(session, filter_, by, prices))
    identity = sum_identity(session, filter_)
    assert identity is None or identity.holds
    if tells_people(filter_, by) and messages and again and not asked.get("since"):
        assert choose_source(session, filter_, by) is not None


def freeze(session: Session) -> None:
    """Rows come with a run that is frozen, whose audience they are."""
    counted = "(SELECT count(*) FROM messages m WHERE m.month = r.month AND m.run_id = r.id)"
    session.execute(text(f"UPDATE runs r SET audience = {counted} WHERE audience <> {counted}"))
    session.commit()


def change(session: Session, message_id: int, status: str) -> None:
    """What a receipt or a person does to a text: to it and to its last attempt."""
    session.execute(
        text("UPDATE messages SET status = :s, reason = NULL WHERE id = :id"), {"s": status, "id": message_id}
    )
    session.execute(
        text(
            "UPDATE attempts a SET status = :s FROM messages m WHERE m.month = a.month AND m.id = a.message_id"
            " AND a.message_id = :id AND a.number = m.attempts"
        ),
        {"s": status, "id": message_id},
    )
