"""The shortest and the longest text of a template, for people and for given recipients."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from factories import make_actor, make_person, make_unit
from sqlalchemy.orm import Session

from sms_service.accounts.actors import Actor
from sms_service.content import shipped
from sms_service.content.compose import compose_text
from sms_service.content.language import compile_template
from sms_service.content.preview import TextPreview, preview_text
from sms_service.content.values import check_values
from sms_service.directory.models import Unit
from sms_service.errors import Forbidden, Invalid, NotFound

SIGNATURE = "城东街道"


@pytest.fixture
def district(session: Session) -> Unit:
    """Two branches with three people, and next to them a district with longer names."""
    city = make_unit(session)
    district = make_unit(session, parent=city)
    near = make_unit(session, name="一支部", parent=district)
    far = make_unit(session, name="城东街道第一社区联合党支部", parent=district)
    make_person(session, near, name="张三", attributes={"班次": "甲"})
    make_person(session, near, name="欧阳震华同志", attributes={"班次": "乙", "职务": None})
    make_person(session, far, name="李四光", attributes={"班次": 12, "职务": "书记"})
    make_person(session, far, name="早已离开的人名字很长很长", left_at=datetime(2024, 1, 1, tzinfo=UTC))
    other = make_unit(session, parent=city)
    make_person(session, make_unit(session, parent=other), name="别的区里一个名字特别长的人")
    return district


@pytest.fixture
def officer(session: Session, district: Unit) -> Actor:
    return make_actor(session, district)


def bodies(result: TextPreview) -> tuple[str, str]:
    start = len(f"【{SIGNATURE}】")
    return result.shortest.text[start:], result.longest.text[start:]


@pytest.mark.parametrize(
    ("body", "shortest", "longest"),
    [
        ("{{ name }}。", "张三。", "欧阳震华同志。"),
        ("{{ name }}，{{ unit }}。", "张三，一支部。", "李四光，城东街道第一社区联合党支部。"),  # the longest in total
        ("{{ name }}{{ 班次 }}。", "张三甲。", "欧阳震华同志乙。"),
        ("{{ 职务 }}{{ name }}。", "书记李四光。", "书记李四光。"),  # only of one is it known
        ("{{ 职务 | default('党员') }}{{ name }}。", "党员张三。", "党员欧阳震华同志。"),
        ("{{ 时间 }}学习。", "九点学习。", "九点学习。"),
    ],
)
def test_samples_are_real_people_of_the_scope(
    session: Session, officer: Actor, body: str, shortest: str, longest: str
) -> None:
    result = preview_text(session, officer, body, "notice", SIGNATURE, {"时间": "九点"} if "时间" in body else {})
    assert bodies(result) == (shortest, longest)


def test_a_unit_narrows_the_people_and_those_who_lack_a_value_are_counted(
    session: Session, district: Unit, officer: Actor
) -> None:
    body = "{{ name }}{{ 职务 }}{{ number }}"
    result = preview_text(session, officer, body, "notice", SIGNATURE, {}, unit_id=district.id)
    assert (result.people, result.lacking) == (3, {"职务": 2})
    assert result.variables == result.required == ("name", "number", "职务")
    result = preview_text(session, officer, "学习。", "study", SIGNATURE, {})
    assert (result.people, result.lacking) == (None, {})


def test_given_recipients_are_measured_without_asking_the_directory(session: Session, officer: Actor) -> None:
    recipients = [{"name": "名" * 60}, {"name": "王"}, {"name": "😀" * 20}]
    result = preview_text(session, officer, "{{ name }}。", "notice", SIGNATURE, {}, recipients=recipients)
    assert bodies(result) == ("王。", "名" * 60 + "。")
    assert (result.shortest.parts, result.longest.parts, result.longest.units) == (1, 1, 67)
    assert result.people is None


def test_campaign_values_win_over_attributes(session: Session, officer: Actor) -> None:
    result = preview_text(session, officer, "{{ 班次 }}班。", "notice", SIGNATURE, {"班次": "全"})
    assert bodies(result) == ("全班。", "全班。")


def test_what_is_outside_the_scope_is_refused(session: Session, district: Unit, officer: Actor) -> None:
    outside = make_unit(session)
    with pytest.raises(Forbidden):
        preview_text(session, officer, "学习。", "study", SIGNATURE, {}, unit_id=outside.id)
    with pytest.raises(NotFound):
        preview_text(session, officer, "学习。", "study", SIGNATURE, {}, unit_id=10_000)


@pytest.mark.parametrize(
    ("field", "body", "class_", "signature", "values", "reason"),
    [
        ("body", "{{ a.b.c }}", "study", SIGNATURE, {}, "an attribute"),
        ("body", "【别的】学习", "study", SIGNATURE, {}, "【别的】"),
        ("class", "学习", "advert", SIGNATURE, {}, "study"),
        ("signature", "学习", "study", "【城东】", {}, "brackets"),
        ("values", "{{ 时间 }}", "study", SIGNATURE, {}, "nobody in the scope has 时间"),
        ("values", "{% if 时间 > 3 %}x{% endif %}", "study", SIGNATURE, {"时间": "九点"}, "compare numbers"),
        ("values.name", "{{ name }}", "study", SIGNATURE, {"name": "王"}, "own"),
    ],
)
def test_what_is_wrong_is_named(
    session: Session,
    officer: Actor,
    field: str,
    body: str,
    class_: str,
    signature: str,
    values: dict[str, object],
    reason: str,
) -> None:
    with pytest.raises(Invalid, match=reason) as caught:
        preview_text(session, officer, body, class_, signature, values)
    assert caught.value.field == field


def test_an_empty_scope_says_so(session: Session) -> None:
    lonely = make_actor(session, make_unit(session))
    with pytest.raises(Invalid, match="there is nobody in the scope to take name from"):
        preview_text(session, lonely, "{{ name }}。", "study", SIGNATURE, {})
    result = preview_text(session, lonely, "{{ name | default('同志') }}。", "notice", SIGNATURE, {})
    assert (bodies(result), result.people) == (("同志。", "同志。"), 0)


@pytest.mark.parametrize(
    "value", [True, None, [["x"]], [True], ["x"] * 51, {"a": 1}, "x" * 2_001, "{{ 时间 }}", ["{% if a %}"]]
)
def test_values_are_short_texts_or_numbers(value: object) -> None:
    check_values({"时间": "九点", "期数": 3, "比例": 0.5, "名单": ["甲", 2]})
    with pytest.raises(Invalid) as caught:
        check_values({"时间": value})
    assert caught.value.field == "values.时间"


VALUES = {
    "日期": "6月1日",
    "内容": "学习。",
    "主题": "传承红色基因",
    "时间": "6月1日9:00",
    "地点": "礼堂",
    "活动": "主题党日",
}
OPTIONAL = {
    "期数": 3,
    "链接": "https://example.cn/1",
    "联系电话": "8888",
    "请假联系人": "组织委员",
    "备注": "请佩戴党徽。",
}


@pytest.mark.parametrize("file", shipped.read_shipped(), ids=lambda file: file.name)
def test_shipped_templates_read_as_one_sentence_with_and_without_what_is_optional(
    file: shipped.ShippedTemplate,
) -> None:
    template = compile_template(file.body)
    own = {"name": "张三", "unit": "第一支部"}
    assert set(template.required) <= {*own, *VALUES}
    assert set(template.variables) <= {*own, *VALUES, *OPTIONAL}
    for values in (VALUES, VALUES | OPTIONAL):
        text = compose_text(template, own | values, SIGNATURE, file.class_).text
        assert text.startswith("【城东街道】张三同志：")
        assert text.endswith("。拒收请回复R")
        assert "\n" not in text
        used = set(template.variables) & set(values)
        assert all(str(values[name]) in text for name in used)
