"""Segments that use others: whom they find, what is refused and where, and what a change does to their users."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy.orm import Session

from sms_service.accounts.actors import SYSTEM
from sms_service.audience import nesting, segments
from sms_service.audience.grammar import MAX_DEPTH, MAX_NODES
from sms_service.audience.models import Segment
from sms_service.audience.rules import audience_select
from sms_service.audience.wording import describe_rule
from sms_service.db.engine import Database
from sms_service.directory.models import Unit
from sms_service.errors import Invalid
from tests.audience.counting import count_audience
from tests.factories import make_person, make_segment, make_unit
from tests.waiting import wait_until_blocked

RETIRED, YOUNG = {"tag": "退休"}, {"tag": "青年"}


@pytest.fixture
def city(session: Session) -> Unit:
    return make_unit(session, name="云州市")


@pytest.fixture
def district(session: Session, city: Unit) -> Unit:
    return make_unit(session, name="东城区", parent=city)


def create(session: Session, unit: Unit, rule: dict[str, Any], name: str) -> Segment:
    return segments.create_segment(session, SYSTEM, unit.id, name, rule)


def use(segment: Segment) -> dict[str, Any]:
    return {"segment": segment.id}


def refused(act: Any) -> tuple[str, str]:
    with pytest.raises(Invalid) as caught:
        act()
    return caught.value.field, caught.value.reason


def test_a_segment_of_above_is_bounded_by_who_uses_it(session: Session, city: Unit, district: Unit) -> None:
    for unit, tags in ((city, ["退休"]), (district, ["退休"]), (district, [])):
        make_person(session, unit, tags=tags)
    above = create(session, city, RETIRED, "老同志")
    below = create(session, district, {"everyone": True}, "全区")
    assert count_audience(session, use(above), city.path) == 2
    assert count_audience(session, use(above), district.path) == 1
    assert count_audience(session, use(below), city.path) == 2
    assert count_audience(session, {"not": use(below)}, city.path) == 1
    written = nesting.write_out_now(session, {"any": [use(above), use(below)]}, city.path)
    assert written.rule == {"any": [RETIRED, {"all": [{"unit": district.id}, {"everyone": True}]}]}


def test_what_is_wrong_is_refused_at_its_place(session: Session, city: Unit, district: Unit) -> None:
    other = make_unit(session, name="西城区", parent=city)
    theirs = create(session, other, RETIRED, "西城老同志")
    names = create(session, city, {"all": [RETIRED, {"unit": {"code": other.code}}]}, "西城退休")
    for rule, place in (
        ({"all": [YOUNG, use(theirs)]}, "rule.all[1].segment"),
        ({"not": {"segment": 10**9}}, "rule.not.segment"),
        ({"any": [use(names), YOUNG]}, "rule.any[0].segment.all[1].unit.code"),
    ):
        assert refused(lambda rule=rule: audience_select(session, rule, district.path))[0] == place


def test_no_segment_uses_itself(session: Session, city: Unit) -> None:
    first = create(session, city, RETIRED, "甲")
    second = create(session, city, {"not": use(first)}, "乙")
    third = create(session, city, {"any": [YOUNG, use(second)]}, "丙")

    def change(rule: dict[str, Any]) -> Any:
        return lambda: segments.change_segment(session, SYSTEM, first.id, rule=rule)

    assert refused(change({"all": [YOUNG, use(first)]})) == ("rule.all[1].segment", "uses itself: 甲 → 甲")
    place, reason = refused(change({"all": [RETIRED, use(third)]}))
    assert place == "rule.all[1].segment.any[1].segment.not.segment"
    assert reason == "uses itself: 甲 → 丙 → 乙 → 甲"
    assert nesting.find_users(session, first.id).keys() == {second.id, third.id}
    assert nesting.find_users(session, third.id) == {}


def test_depth_and_size_hold_over_all_that_is_used(session: Session, city: Unit) -> None:
    def deep(levels: int, inner: dict[str, Any]) -> dict[str, Any]:
        return inner if levels == 1 else {"not": deep(levels - 1, inner)}

    base = create(session, city, deep(4, RETIRED), "深")
    create(session, city, deep(MAX_DEPTH - 3, use(base)), "正好")
    assert "deeper" in refused(lambda: create(session, city, deep(MAX_DEPTH - 2, use(base)), "太深"))[1]
    assert (
        "with it, segment" in refused(lambda: segments.change_segment(session, SYSTEM, base.id, rule=deep(5, YOUNG)))[1]
    )
    wide = create(session, city, {"any": [{"tag": f"词{n}"} for n in range(MAX_NODES // 2 - 1)]}, "宽")
    assert refused(lambda: create(session, city, {"any": [use(wide), use(wide)]}, "太宽"))[0].startswith(
        "rule.any[1].segment.any["
    )


def test_two_changes_at_once_close_no_circle(database: Database, session: Session, city: Unit) -> None:
    one, other = (create(session, city, RETIRED, name).id for name in ("甲", "乙"))
    session.commit()

    def change() -> str:
        with database.session() as second:
            return refused(lambda: segments.change_segment(second, SYSTEM, other, rule={"segment": one}))[1]

    segments.change_segment(session, SYSTEM, one, rule={"segment": other})
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(change)
        assert wait_until_blocked(database, unless=waiting.done)
        session.commit()
        assert waiting.result() == "uses itself: 乙 → 甲 → 乙"


def test_the_sentence_names_the_segment_and_says_what_it_asks(session: Session, city: Unit, district: Unit) -> None:
    base = create(session, city, RETIRED, "老同志")
    both = create(session, city, {"all": [use(base), {"not": YOUNG}]}, "常用")
    words = "everybody in 东城区 and below who is in the segment 常用 (is in the segment 老同志 (has the tag 退休) and "
    assert describe_rule(session, SYSTEM, district.id, use(both)) == f"{words}does not have the tag 青年)"
    elsewhere = make_segment(session, make_unit(session, name="别处"), RETIRED, "机密")
    hidden = describe_rule(session, SYSTEM, district.id, {"not": use(elsewhere)})
    assert hidden.endswith(f"is not in the segment {elsewhere.id}, which cannot be used here")
