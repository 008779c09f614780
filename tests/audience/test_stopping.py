"""What replies say about stopping: whoever stores and reads them, and in whatever order, the end is as it was said."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from threading import Barrier
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from sms_service.accounts.actors import SYSTEM
from sms_service.audience.covering import EVERY_TEXT, TextKind
from sms_service.audience.models import Suppression
from sms_service.audience.stopping import SaidRequest, read_requests, repeat_stop, request_stops, withdraw_request
from sms_service.audience.suppression import (
    find_active,
    lift_suppression,
    strip_suppressions,
    suppress_by_itself,
    suppress_phone,
    suppress_phones,
)
from sms_service.audit.models import TrailEntry
from sms_service.db.engine import Database
from tests.examples import count_examples
from tests.factories import fictional_phone, make_person, make_unit

PHONE = fictional_phone(1)
NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)
STUDY, INVITED = TextKind("study", "东城区委"), TextKind("invitation", "西城区委")
_ids = count(1_000_000)
_phones = count(100)


def request_stop(session: Session, phone: str, reply_id: int, said_at: datetime) -> None:
    request_stops(session, [SaidRequest(phone, reply_id, said_at)])


def read_request(session: Session, phone: str, reply_id: int, said_at: datetime, kind: TextKind, **more: Any) -> bool:
    return reply_id in read_requests(session, [SaidRequest(phone, reply_id, said_at, kind, **more)])


class Said(NamedTuple):
    """What a reply turns out to mean; `to`: the signature of the text that it answers."""

    resumes: bool
    kind: TextKind
    to: str | None


class Phone:
    """A phone that says things, one a minute."""

    def __init__(self, session: Session, phone: str | None = None) -> None:
        self.session, self.phone, self.minutes = session, phone or fictional_phone(next(_phones)), count()

    def say(self, said: Said) -> tuple[Callable[[], None], Callable[[], object]]:
        """How its reply is stored and how it is read."""
        id_, at = next(_ids), NOON + timedelta(minutes=next(self.minutes))
        read = partial(read_request, resumes=said.resumes, said_to=said.to)

        def store() -> None:
            if not said.resumes:
                request_stop(self.session, self.phone, id_, at)

        return store, lambda: read(self.session, self.phone, id_, at, said.kind)

    def say_at_once(self, *said: Said) -> None:
        for one in said:
            for step in self.say(one):
                step()

    @property
    def kept_back(self) -> set[TextKind]:
        found = select(Suppression.class_, Suppression.signature).where(
            Suppression.phone == self.phone, Suppression.lifted_at.is_(None)
        )
        return {TextKind(*row) for row in self.session.execute(found)}

    def gets(self, kind: TextKind) -> bool:
        return self.session.scalar(select(func.find_suppression(self.phone, "/1/", *kind))) is None


def stop(kind: TextKind) -> Said:
    return Said(False, kind, kind.signature)


def resume(signature: str | None) -> Said:
    return Said(True, TextKind(None, signature), signature)


@pytest.fixture
def phone(session: Session) -> Phone:
    make_unit(session, name="云州市")
    return Phone(session)


def acts(session: Session) -> list[str]:
    return list(session.scalars(select(TrailEntry.act).order_by(TrailEntry.id)))


def test_a_stop_is_of_everything_until_it_is_read(session: Session, phone: Phone) -> None:
    store, read = phone.say(stop(STUDY))
    store()
    assert phone.kept_back == {EVERY_TEXT}
    entry = find_active(session, phone.phone)
    read()
    read()
    assert phone.kept_back == {STUDY}
    narrowed = find_active(session, phone.phone, kind=STUDY)
    assert entry is not None
    assert narrowed is not None
    assert narrowed.id == entry.id, "the same entry"
    assert not phone.gets(STUDY)
    assert phone.gets(STUDY._replace(class_="notice")), "a secretary gets work notices still"
    assert phone.gets(STUDY._replace(signature="西城区委")), "and what others send"
    assert phone.gets(EVERY_TEXT)
    assert acts(session) == ["suppression.add", "suppression.narrow"]
    details = session.scalars(select(TrailEntry.details).where(TrailEntry.act == "suppression.narrow")).one()
    assert details == {
        "reason": "opted_out",
        "source": "reply",
        "reply": narrowed.proof_id,
        "class": "study",
        "signature": "东城区委",
    }


def test_whoever_stops_two_things_is_kept_from_both_all_the_time(phone: Phone) -> None:
    (store, read), (store_second, read_second) = phone.say(stop(STUDY)), phone.say(stop(INVITED))
    store()
    store_second()
    read()
    assert phone.kept_back == {EVERY_TEXT, STUDY}, "nobody knows yet what the second is about"
    read_second()
    assert phone.kept_back == {STUDY, INVITED}
    phone.say_at_once(Said(False, EVERY_TEXT, "东城区委"))
    assert phone.kept_back == {STUDY, INVITED, EVERY_TEXT}


def test_who_resumes_gets_what_those_send_again_whom_they_told(phone: Phone) -> None:
    phone.say_at_once(stop(STUDY), stop(INVITED), resume("东城区委"))
    assert phone.kept_back == {INVITED}
    phone.say_at_once(Said(False, EVERY_TEXT, "东城区委"), resume("西城区委"))
    assert phone.kept_back == {EVERY_TEXT}, "they told others to stop everything"
    phone.say_at_once(resume("东城区委"))
    assert phone.kept_back == set()
    phone.say_at_once(stop(STUDY), stop(INVITED), Said(False, EVERY_TEXT, None), resume(None))
    assert phone.kept_back == set()
    phone.say_at_once(Said(False, EVERY_TEXT, None), resume("东城区委"))
    assert phone.kept_back == set(), "nobody can tell to whom the stop was said"


def test_a_resuming_reply_lifts_only_what_replies_stopped(session: Session, phone: Phone) -> None:
    for reason, kind in (("complaint", STUDY), ("opted_out", INVITED)):
        suppress_phone(session, SYSTEM, phone.phone, reason, kind=kind)
    suppress_by_itself(session, phone.phone, "blacklisted", "gateway")
    phone.say_at_once(stop(TextKind("survey", "东城区委")), resume(None))
    assert phone.kept_back == {STUDY, INVITED, EVERY_TEXT}
    lifted = session.scalars(select(Suppression).where(Suppression.lifted_at.is_not(None))).one()
    assert (lifted.class_, lifted.lifted_by) == ("survey", None)
    assert lifted.lifted_by_reply


@pytest.mark.parametrize("by", ["person", "import", "provider"])
def test_what_somebody_else_says_too_is_neither_narrowed_nor_lifted(session: Session, phone: Phone, by: str) -> None:
    store, read = phone.say(stop(STUDY))
    store()
    if by == "person":
        entry = suppress_phone(session, SYSTEM, phone.phone, "opted_out")
        assert acts(session) == ["suppression.add", "suppression.confirm"]
    elif by == "import":
        assert suppress_phones(session, [phone.phone], "opted_out", "import", None) == 0
    else:
        assert not suppress_by_itself(session, phone.phone, "blacklisted", "gateway")
    read()
    assert phone.kept_back == {EVERY_TEXT, STUDY}
    phone.say_at_once(resume(None))
    assert phone.kept_back == {EVERY_TEXT}
    entry = session.scalars(select(Suppression).where(Suppression.lifted_at.is_(None))).one()
    session.refresh(entry)
    assert (entry.source, entry.confirmed_at is not None) == ("reply", True)


def test_what_a_person_lifted_does_not_come_back_by_an_old_reply(session: Session, phone: Phone) -> None:
    store, read = phone.say(stop(STUDY))
    store()
    lift_suppression(session, SYSTEM, phone.phone, "本人来电")
    read()
    phone.say_at_once(stop(INVITED))
    assert phone.kept_back == {INVITED}


def test_a_stop_that_is_delivered_again_counts_only_after_a_person_lifted_it(session: Session, phone: Phone) -> None:
    assert not repeat_stop(session, phone.phone)
    phone.say_at_once(stop(STUDY))
    assert not repeat_stop(session, phone.phone)
    assert phone.kept_back == {STUDY}
    lift_suppression(session, SYSTEM, phone.phone, "本人来电", kind=STUDY)
    assert repeat_stop(session, phone.phone)
    assert phone.kept_back == {STUDY}
    read_request(session, phone.phone, next(_ids), datetime.now(UTC) + timedelta(hours=1), EVERY_TEXT, resumes=True)
    assert not repeat_stop(session, phone.phone)
    assert phone.kept_back == set(), "the provider repeats what was said before"


def test_a_reply_that_is_read_again_counts_as_what_it_is_now(session: Session, phone: Phone) -> None:
    id_, said = next(_ids), NOON + timedelta(minutes=5)
    read_request(session, phone.phone, id_, said, STUDY, said_to=STUDY.signature)
    read_request(session, phone.phone, id_, said, INVITED, said_to=INVITED.signature)
    assert phone.kept_back == {INVITED}
    withdraw_request(session, phone.phone, id_)
    assert phone.kept_back == set()


def test_entries_of_a_release_before_are_lifted_as_well(session: Session, phone: Phone) -> None:
    suppress_by_itself(session, phone.phone, "opted_out", "reply", 17)
    session.execute(Suppression.__table__.update().values(created_at=NOON - timedelta(days=1)))
    phone.say_at_once(stop(STUDY))
    assert phone.kept_back == {EVERY_TEXT, STUDY}
    phone.say_at_once(resume("东城区委"))
    assert phone.kept_back == set()


def test_an_erased_phone_keeps_its_opt_out(session: Session, phone: Phone) -> None:
    phone.say_at_once(stop(STUDY))
    strip_suppressions(session, [phone.phone])
    assert phone.kept_back == {STUDY}


def test_the_trail_of_a_stop_is_everybodys_who_has_the_phone(session: Session, phone: Phone) -> None:
    unit = make_unit(session, name="第一支部", level="branch")
    people = [make_person(session, unit, phone=phone.phone) for _ in range(2)]
    phone.say_at_once(stop(STUDY))
    named = session.execute(select(TrailEntry.act, TrailEntry.target_id).order_by(TrailEntry.id))
    assert [tuple(row) for row in named] == [
        (act, str(person.id)) for act in ("suppression.add", "suppression.narrow") for person in people
    ]


signatures = st.sampled_from(["东城区委", "西城区委"])
classes = st.sampled_from(["study", "invitation"])
kinds = st.builds(TextKind, classes, signatures)
dialogues = st.lists(
    st.one_of(
        kinds.map(stop),
        signatures.map(lambda one: Said(False, EVERY_TEXT, one)),  # 全部退订
        classes.map(lambda one: Said(False, TextKind(one, None), "东城区委")),  # over a shared account
        st.just(Said(False, EVERY_TEXT, None)),  # no text is known
        st.one_of(st.none(), signatures).map(resume),
    ),
    max_size=5,
)


def said_in_order(dialogue: list[Said]) -> set[TextKind]:
    """The entries that stand at the end, told by the words alone."""
    standing: list[Said] = []
    for said in dialogue:
        if said.resumes:
            back = said.kind.signature
            standing = [one for one in standing if back is not None and one.to not in (None, back)]
        else:
            standing.append(said)
    return {said.kind for said in standing}


@settings(deadline=None, max_examples=count_examples(30), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(dialogue=dialogues, data=st.data())
def test_in_whatever_order_they_are_stored_and_read_the_end_is_as_it_was_said(
    session: Session, dialogue: list[Said], data: st.DataObject
) -> None:
    make_unit(session)
    phone = Phone(session)
    steps = [phone.say(said) for said in dialogue]
    todo = [(number, 0) for number in range(len(steps))]
    while todo:
        number, stage = data.draw(st.sampled_from(todo))
        steps[number][stage]()
        todo.remove((number, stage))
        if stage == 0:
            todo.append((number, 1))
            if not dialogue[number].resumes:
                assert EVERY_TEXT in phone.kept_back, "it counts from the moment it is stored"
    assert phone.kept_back == said_in_order(dialogue)


def test_what_phones_say_is_weighed_together_as_if_each_were_alone(session: Session) -> None:
    """Several replies of several phones in one batch: also which of them change something."""
    make_unit(session)
    dialogues = [
        ([stop(STUDY), stop(STUDY), stop(INVITED)], [True, False, True]),
        ([stop(STUDY), resume(STUDY.signature), resume(STUDY.signature)], [True, True, False]),
        ([resume(None), stop(EVERY_TEXT)], [False, True]),
    ]
    phones = [fictional_phone(next(_phones)) for _ in dialogues]
    requests = [
        SaidRequest(phone, next(_ids), NOON + timedelta(minutes=minute), one.kind, one.resumes, one.to)
        for phone, (said, _) in zip(phones, dialogues, strict=True)
        for minute, one in enumerate(said)
    ]
    request_stops(session, [one._replace(kind=EVERY_TEXT) for one in requests if not one.resumes])
    assert all(Phone(session, phone).kept_back == {EVERY_TEXT} for phone in phones)
    changing = read_requests(session, requests[::-1])
    assert [one.reply_id in changing for one in requests] == [change for _, changes in dialogues for change in changes]
    for phone, (said, _) in zip(phones, dialogues, strict=True):
        assert Phone(session, phone).kept_back == said_in_order(said)


@pytest.mark.parametrize("dialogue", [[stop(STUDY), stop(INVITED)], [stop(STUDY), resume(None), stop(INVITED)]])
def test_two_sessions_at_once_end_as_it_was_said(database: Database, dialogue: list[Said]) -> None:
    """Each reply by a session of its own, all at the same moment, twenty times."""
    with database.session() as session:
        make_unit(session)
    for _ in range(20):
        phone = fictional_phone(next(_phones))
        ids = [next(_ids) for _ in dialogue]
        start = Barrier(len(dialogue))

        def act(number: int, phone: str = phone, ids: list[int] = ids, start: Barrier = start) -> None:
            said, at = dialogue[number], NOON + timedelta(minutes=number)
            start.wait(30)
            if not said.resumes:
                with database.session() as own:
                    request_stop(own, phone, ids[number], at)
            with database.session() as own:
                read_request(own, phone, ids[number], at, said.kind, resumes=said.resumes, said_to=said.to)

        with ThreadPoolExecutor(len(dialogue)) as pool:
            list(pool.map(act, range(len(dialogue))))
        with database.session() as session:
            assert Phone(session, phone).kept_back == said_in_order(dialogue)


def test_a_person_who_adds_what_a_reply_is_narrowed_to_at_this_moment(database: Database) -> None:
    with database.session() as session:
        make_unit(session)
    for _ in range(20):
        phone, id_, start = fictional_phone(next(_phones)), next(_ids), Barrier(2)
        with database.session() as session:
            request_stop(session, phone, id_, NOON)

        def read(phone: str = phone, id_: int = id_, start: Barrier = start) -> None:
            start.wait(30)
            with database.session() as own:
                read_request(own, phone, id_, NOON, STUDY, said_to=STUDY.signature)

        def add(phone: str = phone, start: Barrier = start) -> None:
            start.wait(30)
            with database.session() as own:
                suppress_phone(own, SYSTEM, phone, "complaint", kind=STUDY)
                suppress_phones(own, [phone], "opted_out", "import", None)

        with ThreadPoolExecutor(2) as pool:
            for done in [pool.submit(read), pool.submit(add)]:
                done.result(30)
        with database.session() as session:
            assert Phone(session, phone).kept_back == {STUDY, EVERY_TEXT}, "what a person said stands"
            read_request(session, phone, next(_ids), NOON + timedelta(1), EVERY_TEXT, resumes=True)
            assert Phone(session, phone).kept_back == {STUDY, EVERY_TEXT}
