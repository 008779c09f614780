"""Preview and freeze say the same of every person: who gets the text, and why the others get none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, literal, select

from sms_service.accounts.actors import SYSTEM
from sms_service.audience import measuring
from sms_service.audience.models import Suppression
from sms_service.audience.reach import Reach, Window
from sms_service.audience.segments import AudiencePreview, preview_audience
from sms_service.audience.skipping import PEOPLE, find_reason
from sms_service.controls.models import CapUse
from sms_service.db.engine import Database
from sms_service.directory.models import Contact, Person, Unit
from sms_service.dispatch import freeze
from sms_service.ledger.models import Message
from sms_service.vocabulary import MessageReason
from tests.dispatch.city import ALL_DAY, make_city, make_run
from tests.examples import count_examples
from tests.factories import fictional_phone, make_person, make_unit

EVERYBODY_AND_SECRETARIES = {"any": [{"everyone": True}, {"role": "书记"}]}
RULES = (
    {"everyone": True},
    {"role": "书记"},
    EVERYBODY_AND_SECRETARIES,
    {"not": {"role": "书记"}},
    {"all": [{"suspect": False}, {"kind": "member"}]},
)
SUPPRESSING = ("opted_out", "wrong_person", "complaint", "manual", "blacklisted")
BODY, OWN = "{{ name }}，{{ 事 }}", ("name", "事")
PLACES = ("district", "street", "branch", "elsewhere")
_numbers = count(7_000_000)
_Pair = tuple[int, int]  # a person and a unit


@dataclass
class Said:
    """What was said of a rule before it was frozen, person by person and in sums, and what freeze wrote down."""

    preview: AudiencePreview
    read: Reach  # as of a small audience
    counted: Reach  # as of a large one
    frozen: dict[_Pair, str | None]  # the reasons; None: waits to be sent
    phones: dict[_Pair, str | None]
    windows: Mapping[Window, int]
    units: Mapping[str, int]
    lacking: int

    def check(self) -> None:
        """Everything that was said is so."""
        reasons = Counter(reason for reason in self.frozen.values() if reason is not None)
        sent = [pair for pair, reason in self.frozen.items() if reason is None]
        for reach in (self.read, self.counted):
            assert {(one.person_id, one.unit_id) for one in reach.tried} == set(sent)
            assert (reach.people, reach.phones, reach.skipped) == (len(self.frozen), len(sent), reasons)
            assert reach.windows == self.windows
            assert {unit.name: unit.people for unit in reach.units} == self.units
            assert reach.lacking == ({"事": self.lacking} if self.lacking else {})
            assert reach.without.keys() == reach.lacking.keys()
        assert self.read.units == self.counted.units
        named = {(one.person_id, one.unit_id): why for why, found in self.read.named.items() for one in found}
        assert named == {pair: reason for pair, reason in self.frozen.items() if reason is not None}
        assert (self.preview.count, self.preview.phones, self.preview.skipped) == (len(self.frozen), len(sent), reasons)
        assert self.preview.units == self.read.units


def say_and_freeze(
    database: Database,
    people: Sequence[Mapping[str, Any]],
    suppressed: Mapping[str, str],
    rule: Mapping[str, Any] = EVERYBODY_AND_SECRETARIES,
    of_units: Mapping[tuple[str, str], str] = {},
    lifted: Collection[str] = (),
) -> Said:
    """Make these people of a district, and hear and freeze the rule. `suppressed`: phones with a reason; `of_units`:
    phones with a reason, for texts of one of PLACES or of the city; `lifted`: phones with an entry that was lifted.

    `home`: one of PLACES. `roles`: those of them where the person is secretary. `capped`: had a hundred texts today.
    """
    city = make_city(database, 0)
    with database.session() as session:
        district = make_unit(session, parent=session.merge(city.unit), name="district", **ALL_DAY)
        street = make_unit(session, parent=district, name="street")
        branch = make_unit(session, parent=street, name="branch", **ALL_DAY)
        units = {unit.name: unit for unit in (district, street, branch, make_unit(session, name="elsewhere"))}
        for columns in people:
            own = dict(columns)
            home, roles, capped = own.pop("home", "district"), own.pop("roles", ()), own.pop("capped", False)
            person = make_person(session, units[home], **own)
            session.add_all(Contact(unit_id=units[at].id, person_id=person.id, role="书记") for at in roles)
            if capped and person.phone:
                today = func.sms_now().op("AT TIME ZONE")("Asia/Shanghai")
                session.merge(CapUse(phone=person.phone, class_="notice", day=session.scalar(select(today)), used=100))
        session.add_all(
            Suppression(phone=phone, reason=reason, source="import") for phone, reason in suppressed.items()
        )
        units["city"] = session.get_one(Unit, city.unit.id)
        session.add_all(
            Suppression(phone=phone, unit_id=units[place].id, reason=reason, source="api")
            for (phone, place), reason in of_units.items()
        )
        session.add_all(Suppression(phone=phone, source="api", lifted_at=datetime.now(UTC)) for phone in lifted)
        run_id = make_run(session, district, segment_rule=rule, body=BODY).id
    with database.session() as session, pytest.MonkeyPatch.context() as patch:
        preview = preview_audience(session, SYSTEM, district.id, rule)
        patch.setattr(measuring, "NAMED", len(people) * len(PLACES))
        read = measuring.measure_reach(session, rule, district.path, OWN, OWN)
        patch.setattr(measuring, "NAMED_UP_TO", 0)
        counted = measuring.measure_reach(session, rule, district.path, OWN, OWN)
    freeze.begin_due_runs(database)
    assert freeze.freeze_run(database, run_id) == preview.count
    with database.session() as session:
        found = select(Message, Unit).join(Unit, Unit.id == Message.unit_id).where(Message.run_id == run_id)
        rows = session.execute(found).all()
    sent = [(message, unit) for message, unit in rows if message.status == "pending"]
    return Said(
        preview,
        read,
        counted,
        {(message.person_id, message.unit_id): message.reason for message, _ in rows},
        {(message.person_id, message.unit_id): message.phone for message, _ in rows},
        Counter(Window(unit.timezone, unit.window_opens, unit.window_closes) for _, unit in sent),
        Counter("district" if unit.id == district.id else "street" for _, unit in rows),
        sum("事" not in message.values for message, _ in sent),
    )


def test_a_city_with_every_kind_of_skip_is_previewed_as_it_is_frozen(database: Database) -> None:
    shared, of_district, of_branch, of_both, lifted, *out = (fictional_phone(next(_numbers)) for _ in range(10))
    people: list[dict[str, Any]] = [
        {"phone": shared, "attributes": {"事": "学习"}},
        {"phone": shared},
        {"phone": shared, "lost_contact": True},
        {"roles": ("district", "branch")},  # for two units: one text
        {"home": "elsewhere", "roles": ("street",), "suspect_since": datetime.now(UTC)},
        {"home": "elsewhere"},  # moved out of scope
        {"left_at": datetime.now(UTC)},
        {"home": "branch", "capped": True},  # the gate's matter, when the text leaves
        {"phone": None},
        {"phone": None, "phone_problem": "10 digits"},
        {"lost_contact": True, "phone": None},
        *({"phone": phone} for phone in out),
        {"phone": out[0], "lost_contact": True},
        {"phone": of_district},
        {"home": "branch", "phone": of_branch},  # the branch may not, the district may
        {"phone": of_both},
        {"phone": lifted},
    ]
    of_units = {
        (of_district, "district"): "opted_out",
        (of_branch, "branch"): "opted_out",
        (of_branch, "elsewhere"): "opted_out",
        (of_both, "city"): "complaint",
        (of_both, "district"): "opted_out",
        (out[0], "district"): "complaint",
    }
    said = say_and_freeze(
        database, people, dict(zip(out, SUPPRESSING, strict=True)), of_units=of_units, lifted=[lifted]
    )
    said.check()
    assert said.preview.skipped == {
        "duplicate_phone": 2,
        "lost_contact": 3,
        "no_phone": 1,
        "bad_number": 1,
        **dict.fromkeys(SUPPRESSING, 1),
        "opted_out": 2,
        "complaint": 2,
    }
    seen = said.preview
    assert (seen.phones, seen.textable, seen.opted_out, seen.count, said.lacking) == (6, 8, 7, 20, 5)


@st.composite
def _people(draw: st.DrawFn) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    phones = [fictional_phone(next(_numbers)) for _ in range(5)]
    person = st.fixed_dictionaries(
        {
            "phone": st.sampled_from([None, *phones]),
            "phone_problem": st.sampled_from([None, "10 digits"]),
            "lost_contact": st.booleans(),
            "suspect_since": st.sampled_from([None, datetime(2026, 1, 1, tzinfo=UTC)]),
            "left_at": st.sampled_from([None, None, None, datetime(2026, 1, 1, tzinfo=UTC)]),
            "kind": st.sampled_from(["member", "member", "contact"]),
            "attributes": st.sampled_from([{}, {"事": "学习"}, {"事": None}]),
            "home": st.sampled_from(PLACES),
            "roles": st.sets(st.sampled_from(PLACES)),
            "capped": st.booleans(),
        }
    )
    reasons, of = st.sampled_from(SUPPRESSING), st.sampled_from(phones)
    suppressed = {
        "suppressed": draw(st.dictionaries(of, reasons)),
        "of_units": draw(st.dictionaries(st.tuples(of, st.sampled_from([*PLACES, "city"])), reasons, max_size=6)),
        "lifted": draw(st.lists(of, max_size=3)),
    }
    return draw(st.lists(person, max_size=12)), suppressed


@settings(max_examples=count_examples(12), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(city_of=_people(), rule=st.sampled_from(RULES))
def test_of_any_people_each_is_previewed_as_they_are_frozen(
    database: Database, city_of: tuple[list[dict[str, Any]], dict[str, Any]], rule: Mapping[str, Any]
) -> None:
    people, suppressed = city_of
    said = say_and_freeze(database, people, rule=rule, **suppressed)
    said.check()
    silent = {phone for phone, place in suppressed["of_units"] if place in ("district", "city")}
    silent |= suppressed["suppressed"].keys()
    for pair, reason in said.frozen.items():
        if said.phones[pair] in silent:
            assert reason is not None
        else:
            assert reason not in SUPPRESSING


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
