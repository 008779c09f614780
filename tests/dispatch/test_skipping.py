"""Preview and freeze say the same of the same people: how many are skipped, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, literal, select

from sms_service.accounts.actors import SYSTEM
from sms_service.audience.models import Suppression
from sms_service.audience.segments import AudiencePreview, preview_audience
from sms_service.audience.skipping import PEOPLE, find_reason
from sms_service.db.engine import Database
from sms_service.directory.models import Contact, Person, Unit
from sms_service.dispatch import freeze
from sms_service.ledger.models import Message
from sms_service.vocabulary import MessageReason
from tests.dispatch.city import City, make_city, make_run
from tests.factories import fictional_phone, make_person, make_unit

RULE = {"any": [{"everyone": True}, {"role": "书记"}]}
SUPPRESSING = ("opted_out", "wrong_person", "complaint", "blacklisted")
_numbers = count(7_000_000)


def seen_and_frozen(
    database: Database, city: City, people: Sequence[Mapping[str, Any]], suppressed: Mapping[str, str]
) -> tuple[AudiencePreview, dict[str, int], int]:
    """What the preview says of these people, whom freeze skips, by reason, and how many rows it lets wait.

    `roles`: in how many of the two units the person is secretary. `suppressed`: phones and why.
    """
    with database.session() as session:
        unit = make_unit(session, parent=session.merge(city.unit))
        units = [unit, make_unit(session, parent=unit)]
        for columns in people:
            own = dict(columns)
            roles = own.pop("roles", 0)
            person = make_person(session, unit, **own)
            session.add_all(Contact(unit_id=at.id, person_id=person.id, role="书记") for at in units[:roles])
        session.add_all(
            Suppression(phone=phone, reason=reason, source="import") for phone, reason in suppressed.items()
        )
        run_id = make_run(session, unit, segment_rule=RULE).id
        unit_id = unit.id
    with database.session() as session:
        seen = preview_audience(session, SYSTEM, unit_id, RULE)
    freeze.begin_due_runs(database)
    assert freeze.freeze_run(database, run_id) == seen.count
    with database.session() as session:
        rows = session.execute(
            select(Message.status, Message.reason, func.count())
            .where(Message.run_id == run_id)
            .group_by(Message.status, Message.reason)
        ).all()
    skipped = {reason: number for status, reason, number in rows if status == "skipped"}
    return seen, skipped, sum(number for status, _, number in rows if status == "pending")


def test_a_city_with_every_kind_of_skip_is_previewed_as_it_is_frozen(database: Database) -> None:
    city = make_city(database, 0)
    shared, *out = (fictional_phone(next(_numbers)) for _ in range(5))
    people: list[dict[str, Any]] = [
        {"phone": shared},
        {"phone": shared},
        {"phone": shared, "lost_contact": True},
        {"roles": 2},  # for two units: one text
        {"phone": None},
        {"phone": None, "phone_problem": "10 digits"},
        {"lost_contact": True, "phone": None},
        *({"phone": phone} for phone in out),
        {"phone": out[0], "lost_contact": True},
    ]
    seen, skipped, waiting = seen_and_frozen(database, city, people, dict(zip(out, SUPPRESSING, strict=True)))
    assert (
        seen.skipped
        == skipped
        == {
            "duplicate_phone": 2,
            "lost_contact": 3,
            "no_phone": 1,
            "bad_number": 1,
            **dict.fromkeys(SUPPRESSING, 1),
        }
    )
    assert (seen.phones, seen.textable, seen.opted_out, seen.count) == (waiting, 4, 4, 13)


@st.composite
def _people(draw: st.DrawFn) -> tuple[list[dict[str, Any]], dict[str, str]]:
    phones = [fictional_phone(next(_numbers)) for _ in range(4)]
    person = st.fixed_dictionaries(
        {
            "phone": st.sampled_from([None, *phones]),
            "phone_problem": st.sampled_from([None, "10 digits"]),
            "lost_contact": st.booleans(),
            "roles": st.integers(0, 2),
        }
    )
    suppressed = draw(st.dictionaries(st.sampled_from(phones), st.sampled_from(SUPPRESSING)))
    return draw(st.lists(person, max_size=12)), suppressed


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(city_of=_people())
def test_any_people_are_previewed_as_they_are_frozen(
    database: Database, city_of: tuple[list[dict[str, Any]], dict[str, str]]
) -> None:
    seen, skipped, waiting = seen_and_frozen(database, make_city(database, 0), *city_of)
    assert (seen.skipped, seen.phones) == (skipped, waiting)
    assert seen.count == sum(skipped.values()) + waiting


def test_the_first_reason_that_applies_is_the_one(database: Database) -> None:
    with database.session() as session:
        unit, elsewhere = make_unit(session), make_unit(session)
        phone = fictional_phone(next(_numbers))
        session.add(Suppression(phone=phone, reason="complaint", source="import"))
        person = make_person(session, unit, phone=None, phone_problem="10 digits", lost_contact=True)

        def reason(path: str) -> str | None:
            session.flush()
            found = select(find_reason(literal(path))).select_from(PEOPLE.join(Unit, Unit.id == unit.id))
            return session.scalars(found.where(Person.id == person.id)).one()

        assert reason(elsewhere.path) == MessageReason.out_of_scope
        assert reason(unit.path) == MessageReason.lost_contact
        person.lost_contact = False
        assert reason(unit.path) == MessageReason.bad_number
        person.phone_problem = None
        assert reason(unit.path) == MessageReason.no_phone
        person.phone = phone
        assert reason(unit.path) == MessageReason.complaint
        person.phone = fictional_phone(next(_numbers))
        assert reason(unit.path) is None
