"""What a template asks its campaigns for, how days and times are read, and which values fit a kind."""

from __future__ import annotations

import pytest
from factories import make_unit
from sqlalchemy.orm import Session

from sms_service.accounts.actors import SYSTEM
from sms_service.content import library, shipped
from sms_service.content.fields import (
    FieldKind,
    TemplateField,
    check_kinds,
    describe_fields,
    examples_of,
    fields_of,
    find_misfit,
)
from sms_service.content.language import compile_template
from sms_service.errors import Invalid

BODY = "{# 主题 #}{{ name }}：{{ 时间 }}在{{ 地点 }}，主题{{ 主题 }}。"


def test_fields_come_in_the_order_that_was_given_and_then_in_that_of_the_text() -> None:
    given = [TemplateField("主题", "会议主题", "写全", "学习", FieldKind.text)]
    described = describe_fields(compile_template(BODY), BODY, given)
    assert [(one.name, one.label) for one in described] == [("主题", "会议主题"), ("时间", "时间"), ("地点", "地点")]


@pytest.mark.parametrize(
    ("fields", "at"),
    [
        ([TemplateField("人数", "人数")], "fields.人数"),
        ([TemplateField("name", "姓名")], "fields.name"),
        ([TemplateField("时间", "时间"), TemplateField("时间", "时间")], "fields.时间"),
        ([TemplateField("时间", "")], "fields.时间"),
        ([TemplateField("时间", "时" * 51)], "fields.时间"),
        ([TemplateField("时间", "时间", "说" * 201)], "fields.时间"),
        ([TemplateField("时间", "时间", example="随时", kind=FieldKind.moment)], "fields.时间"),
    ],
)
def test_fields_that_a_text_cannot_have_are_named(session: Session, fields: list[TemplateField], at: str) -> None:
    with pytest.raises(Invalid) as caught:
        library.create_template(session, SYSTEM, make_unit(session).id, "邀请", "invitation", BODY, fields)
    assert caught.value.field == at


def test_a_new_version_keeps_what_is_known_of_the_variables_that_stay(session: Session) -> None:
    given = [TemplateField("主题", "会议主题"), TemplateField("时间", "何时", kind=FieldKind.moment)]
    template, first = library.create_template(session, SYSTEM, make_unit(session).id, "邀请", "invitation", BODY, given)
    second = library.add_version(session, SYSTEM, template.id, "{{ 时间 }}见，{{ 人数 }}人。")
    assert [(one.name, one.label, one.kind) for one in fields_of(second)] == [
        ("时间", "何时", "moment"),
        ("人数", "人数", "text"),
    ]
    assert library.add_version(session, SYSTEM, template.id, second.body) is second
    third = library.add_version(session, SYSTEM, template.id, second.body, [TemplateField("人数", "几人")])
    assert (third.number, fields_of(third)[0].label) == (3, "几人"), "other fields are another version"
    assert [one.label for one in fields_of(first)] == ["会议主题", "何时", "地点"]


@pytest.mark.parametrize(
    ("kind", "fitting", "others"),
    [
        (
            "date",
            [
                "12月1日",
                "2026-12-01",
                "2026/2/28",
                "2026年12月1日",
                "１２月１日",
                "十二月一日",
                "今日",
                "本周六",
                "2月29日",
            ],
            ["2月30日", "13月1日", "2026-02-29", "十", "12月1日上午", "2026-12-01（周三）", "周八"],
        ),
        ("time", ["9:00", "上午9点", "下午两点半", "晚上7点15分", "19时", "24:00"], ["25点", "9:60", "九", "上午"]),
        (
            "moment",
            ["12月1日9:00", "2026-12-01 09:00", "2026-12-01T09:00", "本周六上午9时", "12月1日（周二）下午2点至4点"],
            ["12月1日", "九点", "本周六上午", "12月1日9点至25点", "12月1日9点不见不散"],
        ),
        ("number", ["12", "3.5", "12,400", "-1", "１００", 7, 0.5], ["十二", "1,00", "1e5", "一百", "12个"]),
        (
            "phone",
            ["0571-88880000", "13800138000", "+86 138 0013 8000", "12345"],
            ["书记", "8", "1380013800013800138000"],
        ),
        ("link", ["https://www.12371.cn/", "http://a.cn/b?c=1"], ["www.12371.cn", "https://", "https://a.cn 全文"]),
        ("list", ["甲、乙", "甲", ["甲", "乙"]], ["、", "、".join("甲" * 51)]),
        ("text", ["什么都行", "1"], [["甲"]]),
        ("place", ["二楼"], [["甲"]]),
    ],
)
def test_values_of_a_kind(kind: str, fitting: list[object], others: list[object]) -> None:
    assert [value for value in fitting if find_misfit(FieldKind(kind), value)] == []
    assert [value for value in others if not find_misfit(FieldKind(kind), value)] == []


def test_a_misfit_is_named_and_an_empty_value_is_none() -> None:
    field = TemplateField("日期", "日期", kind=FieldKind.date)
    check_kinds([field], {"日期": "", "别的": "x"})
    with pytest.raises(Invalid, match="must be a date") as caught:
        check_kinds([field], {"日期": "2月30日"})
    assert caught.value.field == "values.日期"


def test_shipped_templates_say_what_they_ask_for_with_the_subject_first(session: Session) -> None:
    versions = shipped.install_shipped(session, make_unit(session))
    for version in versions:
        for one in fields_of(version):
            assert one.example, (version.body, one.name)
        assert compile_template(version.body).render({"name": "张三", "unit": "一支部", **examples_of(version)})
    firsts = [fields_of(version)[0].name for version in versions]
    assert firsts == ["活动", "内容", "日期", "主题"]
