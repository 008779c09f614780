"""A rule in words, what a rule may ask for, and whom it finds by unit."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy.orm import Session

from sms_service.accounts.actors import SYSTEM, Actor
from sms_service.audience import choices, reach
from sms_service.audience.choices import list_rule_values
from sms_service.audience.reach import count_by_unit
from sms_service.audience.segments import preview_audience
from sms_service.audience.wording import describe_rule
from sms_service.directory.models import Contact, Unit
from sms_service.errors import Forbidden, Invalid, NotFound
from sms_service.said import Said, translate
from tests.factories import make_actor, make_person, make_unit


@pytest.fixture
def city(session: Session) -> Unit:
    return make_unit(session, code="01", name="云州市")


@pytest.fixture
def district(session: Session, city: Unit) -> Unit:
    return make_unit(session, code="0101", name="东城区", parent=city)


@pytest.fixture
def street(session: Session, district: Unit) -> Unit:
    return make_unit(session, code="010101", name="湖滨街道", parent=district)


@pytest.fixture
def officer(session: Session, district: Unit) -> Actor:
    return make_actor(session, district)


TAG, ROLE = {"tag": "退休"}, {"role": "书记"}


def attribute(**kw: Any) -> dict[str, Any]:
    return {"attribute": {"name": "学历", **kw}}


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"unit": {"code": "010101"}}, "is in 湖滨街道 or below"),
        ({"not": {"unit": {"code": "010101"}}}, "is not in 湖滨街道 or below"),
        ({"unit": {"code": "99"}}, "is in a unit that is not there (99) or below"),
        ({"unit": {"code": "01"}}, "is in a unit that is not there (01) or below"),  # outside is not told
        (ROLE, "holds the role 书记"),
        (TAG, "has the tag 退休"),
        ({"kind": "member"}, "is a member"),
        ({"not": {"kind": "member"}}, "is an outside contact"),
        ({"suspect": True}, "has a number that seems dead"),
        ({"not": {"suspect": True}}, "has no number that seems dead"),
        ({"people": [3, 4]}, "is one of 2 chosen people"),
        (attribute(**{"is": "本科"}), "has 本科 as 学历"),
        (attribute(**{"in": ["本科", "硕士"]}), "has one of 本科 or 硕士 as 学历"),
        (attribute(exists=False), "has no 学历"),
        ({"not": attribute(exists=False)}, "has a 学历"),
        (attribute(before="2000-01-01"), "has a 学历 before 2000-01-01"),
        ({"not": attribute(after="2000-01-01")}, "has no 学历 after 2000-01-01"),
        (attribute(before={"years_ago": 1}), "has a 学历 more than 1 years ago"),
        ({"not": attribute(after={"days_ahead": 7})}, "has no 学历 after the day 7 days ahead"),
        (attribute(after={"days_ago": 0}), "has a 学历 after today"),
        (attribute(less=60), "has a 学历 below 60"),
        ({"not": attribute(at_least=99.5)}, "has no 学历 of 99.5 or more"),
        (attribute(age={"at_most": 18}), "has a 学历 at most 18 whole years ago"),
        (attribute(anniversary="next_month"), "has a 学历 in next month, of whatever year"),
        ({"level": "branch"}, "belongs to a unit of the level branch"),
        ({"all": [ROLE, TAG]}, "holds the role 书记 and has the tag 退休"),
        ({"all": [ROLE]}, "holds the role 书记"),
        (
            {"all": [ROLE, {"any": [TAG, {"kind": "contact"}]}]},
            "holds the role 书记 and (has the tag 退休 or is an outside contact)",
        ),
        ({"not": {"all": [ROLE, TAG]}}, "does not hold the role 书记 or does not have the tag 退休"),
        ({"not": {"any": [ROLE, {"not": TAG}]}}, "does not hold the role 书记 and has the tag 退休"),
    ],
)
def test_a_rule_is_a_sentence(
    session: Session, street: Unit, district: Unit, officer: Actor, rule: dict[str, Any], words: str
) -> None:
    sentence = describe_rule(session, officer, district.id, rule)
    assert sentence == f"everybody in 东城区 and below who {words}"


def test_everybody_is_everybody(session: Session, district: Unit, officer: Actor) -> None:
    assert describe_rule(session, officer, district.id, {"everyone": True}) == "everybody in 东城区 and below"


def test_a_sentence_can_be_said_in_another_language(session: Session, district: Unit, officer: Actor) -> None:
    catalogue = {
        "everybody in {unit} and below who {rule}": "{unit}及以下{rule}的人",
        "{rules: and }": "{rules:、}",
        "holds the role {role}": "担任{role}",
        "does not have the tag {tag}": "没有标签{tag}",
    }
    sentence = describe_rule(session, officer, district.id, {"all": [ROLE, {"not": TAG}]})
    assert isinstance(sentence, Said)
    assert translate(sentence, catalogue) == "东城区及以下担任书记、没有标签退休的人"


def test_only_a_readable_unit_and_rule_are_described(session: Session, city: Unit, officer: Actor) -> None:
    with pytest.raises(Forbidden):
        describe_rule(session, officer, city.id, TAG)
    with pytest.raises(NotFound):
        describe_rule(session, officer, 2**40, TAG)
    with pytest.raises(Invalid):
        describe_rule(session, SYSTEM, city.id, {"tga": "退休"})


@pytest.fixture
def crowded(session: Session, street: Unit, district: Unit, city: Unit) -> Unit:
    """People in a street and in the district itself; and some that must not count."""
    make_unit(session, name="空街道", parent=district)
    first = make_person(session, street, tags=["退休", "困难"], attributes={"学历": "本科"})
    make_person(session, street, tags=["退休"], attributes={"学历": "硕士", "生日": "1980-01-01"})
    make_person(session, district, kind="contact", attributes={"学历": "本科"}, phone=None)
    make_person(session, street, tags=["退休"], attributes={"学历": "小学"}, left_at="2026-01-01T00:00:00Z")
    other = make_person(session, make_unit(session, parent=city), tags=["别处"], attributes={"别处": "x"})
    for person, unit, role in ((first, street, "书记"), (first, district, "书记"), (other, city, "秘书长")):
        session.add(Contact(person_id=person.id, unit_id=unit.id, role=role))
    session.flush()
    return district


def test_what_a_rule_may_ask_for_is_what_exists_within_the_unit(
    session: Session, crowded: Unit, street: Unit, officer: Actor
) -> None:
    found = list_rule_values(session, officer, crowded.id)
    assert [(unit.name, unit.people) for unit in found.units] == [("湖滨街道", 2), ("空街道", 0)]
    assert found.roles == [("书记", 1)]
    assert found.tags == [("退休", 2), ("困难", 1)]
    assert sorted(found.kinds) == [("contact", 1), ("member", 2)]
    assert found.suspect == 0
    assert found.levels == [("district", 1), ("street", 2)]
    assert found.attributes == [("学历", 3, [("本科", 2), ("硕士", 1)], 0, 0), ("生日", 1, [("1980-01-01", 1)], 0, 1)]
    assert list_rule_values(session, officer, street.id).units == []


def test_an_attribute_with_many_values_lists_none(
    session: Session, crowded: Unit, officer: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choices, "MOST_VALUES", 1)
    found = list_rule_values(session, officer, crowded.id).attributes
    assert [(one.name, one.values is None) for one in found] == [("学历", True), ("生日", False)]
    monkeypatch.setattr(choices, "MOST", 1)
    bounded = list_rule_values(session, officer, crowded.id)
    assert (len(bounded.tags), len(bounded.attributes)) == (1, 1)


def test_what_exists_elsewhere_is_not_told(session: Session, crowded: Unit, city: Unit, officer: Actor) -> None:
    assert any(tag.name == "别处" for tag in list_rule_values(session, SYSTEM, city.id).tags)
    with pytest.raises(Forbidden):
        list_rule_values(session, officer, city.id)


def test_recipients_by_unit_add_up_to_the_preview(
    session: Session, crowded: Unit, city: Unit, street: Unit, officer: Actor
) -> None:
    everyone = {"everyone": True}
    by_unit = count_by_unit(session, officer, crowded.id, everyone, crowded.id)
    assert [(one.name, one.people, one.textable) for one in by_unit] == [("东城区", 1, 0), ("湖滨街道", 2, 2)]
    preview = preview_audience(session, officer, crowded.id, everyone)
    assert (preview.units, preview.count, preview.textable) == (by_unit, 3, 2)
    inside = count_by_unit(session, SYSTEM, city.id, everyone, street.id)
    assert [(one.name, one.people) for one in inside] == [("湖滨街道", 2)]
    with pytest.raises(Invalid):
        count_by_unit(session, officer, crowded.id, everyone, city.id)
    with pytest.raises(Forbidden):
        count_by_unit(session, officer, city.id, everyone, city.id)


def test_contacts_are_counted_in_the_units_of_their_roles(
    session: Session, crowded: Unit, officer: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_unit = count_by_unit(session, officer, crowded.id, ROLE, crowded.id)
    assert [(one.name, one.people) for one in by_unit] == [("东城区", 1), ("湖滨街道", 1)]
    assert preview_audience(session, officer, crowded.id, ROLE).units == by_unit
    monkeypatch.setattr(reach, "MOST_UNITS", 1)
    assert len(count_by_unit(session, officer, crowded.id, ROLE, crowded.id)) == 1
