"""A question to the people of a small tree, written down directly, with what they said; and a naive count of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from sms_service.directory.models import Unit
from sms_service.ledger.models import Message, Run
from sms_service.ledger.question_models import QuestionRow
from sms_service.replies.models import AnswerRow
from tests.dispatch.city import make_run
from tests.factories import make_account, make_person, make_unit

REACHED = ("accepted", "unknown", "delivered", "no_receipt")
STATUSES = ("pending", "skipped", "refused", "undelivered", *REACHED)
# The units at and above each of a tree 0 > (1 > (2, 3), 4 > 5).
ABOVE = {0: (0,), 1: (1, 0), 2: (2, 1, 0), 3: (3, 1, 0), 4: (4, 0), 5: (5, 4, 0)}
OPEN_MINUTES = 100

_answers = st.tuples(
    st.sampled_from(["yes", "no", "free_text"]),
    st.one_of(st.none(), st.integers(1, 5)),  # how many come
    st.integers(0, OPEN_MINUTES + 40),  # when; after 100 minutes it is late
    st.sampled_from(["reply", "reply", "note", "void"]),
)
# Of each person the unit, what became of the text (a place: it is that person's, whose phone they have), what became of
# the reminder, if they got one, and the answers.
asked_people = st.lists(
    st.tuples(
        st.sampled_from(range(6)),
        st.one_of(st.sampled_from(STATUSES), st.integers(0, 11)),
        st.one_of(st.none(), st.sampled_from(STATUSES)),
        st.lists(_answers, max_size=4),
    ),
    max_size=12,
)


@dataclass
class AskedTree:
    """What was made: the units by their place, the people, the question."""

    units: Sequence[Unit]
    people: Sequence[int]
    question_id: int
    opened_at: datetime


def ask_tree(session: Session, people: Sequence[Any], order: Sequence[int], asks: dict[str, Any]) -> AskedTree:
    """Write all that down; the answers in this `order`."""
    session.execute(text("SELECT ensure_month(date_trunc('month', sms_now())::date)"))
    units = [make_unit(session)]
    for above in (0, 1, 1, 0, 4):
        units.append(make_unit(session, parent=units[above]))
    opened = session.scalars(select(func.sms_now())).one()
    begun: dict[str, Any] = {"status": "running", "audience": 0, "launched_at": opened, "frozen_at": opened}
    run = make_run(session, units[0], **begun)
    question = QuestionRow(
        campaign_id=run.campaign_id, item=1, firing=1, unit_path=units[0].path, kind=asks["kind"], asks=asks,
        opened_at=opened, closes_at=opened + timedelta(minutes=OPEN_MINUTES),
    )  # fmt: skip
    session.add(question)
    session.flush()
    run.question_id = question.id
    again = make_run(session, units[0], question_id=question.id, **begun)
    made = [make_person(session, units[unit], name=f"党员{place:02}").id for place, (unit, *_) in enumerate(people)]
    account = make_account(session, units[0])
    rows: dict[int, int] = {}
    own = [place for place, one in enumerate(people) if sharing(people, place) is None]
    for place in own + [place for place in range(len(people)) if place not in own]:
        with_whom = sharing(people, place)
        status = "skipped" if with_whom is not None else people[place][1]
        if not isinstance(status, str):
            status = "accepted"
        sent = None if with_whom is None else rows[with_whom]
        rows[place] = _write_row(session, run, made[place], units[people[place][0]], status, sent)
    for place in own:
        if people[place][2] is not None:
            _write_row(session, again, made[place], units[people[place][0]], people[place][2])
    given = [(place, one) for place, person in enumerate(people) for one in person[3]]
    for number, index in enumerate(order):
        place, (said, coming, minute, source) = given[index]
        if source != "note" and sharing(people, place) is not None:
            continue  # their phone's replies are those of the one with whom they share it
        reply = source != "note"
        session.add(AnswerRow(
            question_id=question.id, month=run.month, message_id=rows[place], person_id=made[place],
            unit_path=units[people[place][0]].path, said=said, people=coming if said == "yes" else None,
            at=opened + timedelta(minutes=minute), noted_by=None if reply else account.id,
            reply_in_month=run.month if reply else None, reply_id=question.id * 1000 + number if reply else None,
            voided_at=opened if source == "void" else None,
        ))  # fmt: skip
        session.flush()
    return AskedTree(units, made, question.id, opened)


def _write_row(
    session: Session, run: Run, person_id: int, unit: Unit, status: str, duplicate_of: int | None = None
) -> int:
    reason = None if status != "skipped" else "no_phone" if duplicate_of is None else "duplicate_phone"
    message = Message(
        month=run.month, run_id=run.id, person_id=person_id, unit_id=unit.id, unit_path=unit.path,
        phone=f"+8613800{person_id:06d}" if status == "pending" else None, class_="notice", status=status,
        template_version_id=run.template_version_id, route_id=run.route_id, reason=reason, duplicate_of=duplicate_of,
        not_before=func.sms_now(), expires_at=func.sms_now(), attempts=1, changed_at=func.sms_now(),
    )  # fmt: skip
    session.add(message)
    session.flush()
    return message.id


def sharing(people: Sequence[Any], place: int) -> int | None:
    """With whom somebody shares the phone: an earlier one with a phone of their own."""
    status = people[place][1]
    if isinstance(status, int) and status < place and isinstance(people[status][1], str):
        return status
    return None


def count_naively(people: Sequence[Any], order: Sequence[int]) -> list[Counter[str]]:
    """What is to be counted of each unit with all below it, by the words of the documentation."""
    given: dict[int, list[Any]] = {place: [] for place in range(len(people))}
    flat = [(place, one) for place, person in enumerate(people) for one in person[3]]
    for number, index in enumerate(order):
        place, (said, coming, minute, source) = flat[index]
        own = sharing(people, place) is None
        if source == "void" or (source != "note" and not own):
            continue
        given[place].append((minute, number, said, coming or 1))
        if source == "reply":
            for other in range(len(people)):
                if sharing(people, other) == place:
                    given[other].append((minute, number, said, 1 if coming is None else 0))
    counts: list[Counter[str]] = [Counter() for _ in range(6)]
    for place, (unit, _, reminded, _) in enumerate(people):
        whose = sharing(people, place)
        statuses = {people[place if whose is None else whose][1]}
        statuses = {one if isinstance(one, str) else "accepted" for one in statuses}
        statuses |= {reminded} if whose is None and reminded else set()
        reached = bool(statuses & {*REACHED})
        in_time = sorted(one for one in given[place] if one[0] <= OPEN_MINUTES)
        clear = [one for one in in_time if one[2] != "free_text"]
        last = (clear or in_time)[-1:]
        said = last[0][2] if last else "silent" if reached else "unreached"
        found = Counter({"asked": 1, said: 1, "reached": int(reached), "late": int(len(in_time) < len(given[place]))})
        found["coming"] = last[0][3] if said == "yes" else 0
        for above in ABOVE[unit]:
            counts[above] += found
    return counts
