"""Segments, their previews, and suppression: who may, and that every number adds up."""

import pytest
from factories import fictional_phone, make_actor, make_person, make_unit
from sqlalchemy import select

from sms_service.accounts.actors import SYSTEM
from sms_service.audience import segments, suppression
from sms_service.audience.models import Suppression
from sms_service.audience.suppression_list import find_suppressions
from sms_service.audit.models import TrailEntry
from sms_service.errors import Conflict, Forbidden, Invalid, NotFound

EVERYONE = {"everyone": True}


@pytest.fixture
def city(session):
    return make_unit(session, code="01")


@pytest.fixture
def district(session, city):
    return make_unit(session, code="0101", parent=city)


@pytest.fixture
def elsewhere(session, city):
    return make_unit(session, code="0102", parent=city)


@pytest.fixture
def officer(session, district):
    return make_actor(session, district)


def test_a_segment_is_saved_changed_and_found(session, district, officer):
    segment = segments.create_segment(session, officer, district.id, " 退休党员 ", {"tag": "退休"})
    assert (segment.name, segment.created_by) == ("退休党员", officer.account_id)
    segments.change_segment(session, officer, segment.id, rule={"unit": district.id})
    segments.change_segment(session, officer, segment.id, name="退休党员")
    assert segments.get_segment(session, officer, segment.id).rule == {"unit": district.id}
    assert session.scalars(segments.find_segments([district.path], name="退休")).all() == [segment]
    assert session.scalars(segments.find_segments([district.path], name="%")).all() == []
    acts = session.scalars(select(TrailEntry.act).order_by(TrailEntry.id)).all()
    assert acts == ["segment.create", "segment.change"], "what is as it was before is no change"


def test_bad_rules_and_names_are_refused(session, district, elsewhere, officer):
    segment = segments.create_segment(session, officer, district.id, "全体", EVERYONE)
    for act in (
        lambda: segments.create_segment(session, officer, district.id, "x", {"tga": "a"}),
        lambda: segments.create_segment(session, officer, district.id, "x", {"unit": elsewhere.id}),
        lambda: segments.create_segment(session, officer, district.id, " ", EVERYONE),
        lambda: segments.change_segment(session, officer, segment.id, rule={"unit": {"code": "01"}}),
    ):
        with pytest.raises(Invalid):
            act()
    with pytest.raises(Conflict):
        segments.create_segment(session, officer, district.id, "全体", EVERYONE)
    other = segments.create_segment(session, officer, district.id, "别的", EVERYONE)
    with pytest.raises(Conflict):
        segments.change_segment(session, officer, other.id, name="全体")


def test_an_officer_of_one_district_reaches_no_other(session, district, elsewhere, officer):
    theirs = segments.create_segment(session, SYSTEM, elsewhere.id, "全体", EVERYONE)
    own = segments.create_segment(session, officer, district.id, "全体", EVERYONE)
    auditor = make_actor(session, district, roles=("auditor",))
    for act in (
        lambda: segments.get_segment(session, officer, theirs.id),
        lambda: segments.change_segment(session, officer, theirs.id, name="我的"),
        lambda: segments.create_segment(session, officer, elsewhere.id, "x", EVERYONE),
        lambda: segments.preview_audience(session, officer, elsewhere.id, EVERYONE),
        lambda: segments.create_segment(session, auditor, district.id, "x", EVERYONE),
        lambda: segments.change_segment(session, auditor, own.id, name="x"),
    ):
        with pytest.raises(Forbidden):
            act()
    with pytest.raises(NotFound):
        segments.get_segment(session, officer, 10**9)
    assert segments.get_segment(session, auditor, own.id) is own


def test_a_preview_adds_up(session, district, elsewhere, officer):
    shared = fictional_phone()
    first = make_person(session, district, phone=shared)
    make_person(session, district, phone=shared)
    make_person(session, district)
    make_person(session, district, phone=None)
    make_person(session, district, phone=None, phone_problem="is a landline, which cannot get texts")
    lost = make_person(session, district, lost_contact=True)
    out = make_person(session, district, lost_contact=True)
    stopped = make_person(session, district)
    suppression.suppress_phones(session, [out.phone, stopped.phone], "opted_out", "api", None)
    make_person(session, elsewhere)
    found = segments.preview_audience(session, officer, district.id, EVERYONE, sample_size=2)
    assert (found.count, found.textable, found.phones) == (8, 3, 2)
    assert (found.no_phone, found.bad_number, found.opted_out, found.lost_contact) == (1, 1, 1, 2)
    skipped = {"duplicate_phone": 1, "no_phone": 1, "bad_number": 1, "opted_out": 1, "lost_contact": 2}
    assert found.skipped == skipped
    assert [recipient.person for recipient in found.sample] == [first, found.sample[1].person]
    assert len(found.sample) == 2
    assert lost.lost_contact


def test_suppressing_twice_keeps_the_first_word(session):
    phones = [fictional_phone(), fictional_phone()]
    assert suppression.suppress_phones(session, [phones[0], phones[0]], "opted_out", "reply", None) == 1
    assert suppression.suppress_phones(session, phones, "complaint", "import", None) == 1
    assert suppression.suppress_phones(session, [], "complaint", "import", None) == 0
    found = {row.phone: (row.reason, row.source) for row in session.scalars(select(Suppression))}
    assert found == {phones[0]: ("opted_out", "reply"), phones[1]: ("complaint", "import")}
    with pytest.raises(Invalid):
        suppression.suppress_phones(session, phones, "because", "api", None)


def test_an_officer_suppresses_for_the_own_people_and_an_administrator_lifts(session, district, elsewhere, officer):
    own, stranger = make_person(session, district), make_person(session, elsewhere)
    administrator = make_actor(session, district, roles=("administrator",))
    suppression.suppress_phone(session, officer, own.phone, "complaint")
    assert [row.person_id for row in session.execute(find_suppressions([district.path]))] == [own.id]
    assert session.execute(find_suppressions([elsewhere.path])).all() == []
    with pytest.raises(Forbidden):
        suppression.suppress_phone(session, officer, stranger.phone, "complaint")
    with pytest.raises(Forbidden):
        suppression.suppress_phone(session, officer, fictional_phone(), "complaint")
    with pytest.raises(Forbidden):
        suppression.lift_suppression(session, officer, own.phone, "本人要求")
    with pytest.raises(Invalid):
        suppression.lift_suppression(session, administrator, own.phone, " ")
    suppression.lift_suppression(session, administrator, own.phone, "本人要求")
    assert suppression.suppressed_among(session, [own.phone], for_some=True) == set()
    entry = session.scalars(select(TrailEntry).where(TrailEntry.act == "suppression.lift")).one()
    assert (entry.account_id, entry.target_id, entry.details) == (
        administrator.account_id,
        str(own.id),
        {"reason": "complaint", "why": "本人要求"},
    )
    with pytest.raises(NotFound):
        suppression.lift_suppression(session, administrator, own.phone, "本人要求")


def test_a_phone_shared_with_another_district_is_lifted_only_by_who_manages_both(session, city, district, elsewhere):
    phone = fictional_phone()
    make_person(session, district, phone=phone)
    make_person(session, elsewhere, phone=phone)
    suppression.suppress_phones(session, [phone], "opted_out", "reply", None)
    with pytest.raises(Forbidden):
        suppression.lift_suppression(session, make_actor(session, district, roles=("administrator",)), phone, "x")
    suppression.lift_suppression(session, make_actor(session, city, roles=("administrator",)), phone, "x")


def test_a_phone_that_nobody_has_is_the_whole_citys_business(session, city, district):
    phone = fictional_phone()
    suppression.suppress_phone(session, make_actor(session, city), phone, "opted_out")
    with pytest.raises(Forbidden):
        suppression.lift_suppression(session, make_actor(session, district, roles=("administrator",)), phone, "x")
    suppression.lift_suppression(session, make_actor(session, city, roles=("administrator",)), phone, "x")
