"""The template language: what it allows, what it refuses and how it says so, and what it renders."""

from __future__ import annotations

import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sms_service.content.comparing import CannotRender
from sms_service.content.language import (
    MAX_TEXT,
    check_template,
    compile_template,
    find_adjacent,
    find_place,
    get_compiled,
)
from sms_service.errors import Invalid


@pytest.mark.parametrize(
    ("body", "values", "expected"),
    [
        ("您好", {}, "您好"),
        ("{{ name }}同志，{{ 活动时间 }}见。", {"name": "张三", "活动时间": "九点"}, "张三同志，九点见。"),
        ("{{ a }}<b>&", {"a": "<i>'\""}, "<i>'\"<b>&"),  # plain text: nothing is escaped
        ("第{{ n }}天", {"n": 7}, "第7天"),
        ("{% if n > 3 %}多{% elif n == 3 %}三{% else %}少{% endif %}", {"n": 3}, "三"),
        ("{% if not a or b in ['甲', '乙'] %}是{% else %}否{% endif %}", {"a": "x", "b": "乙"}, "是"),
        ("{% if '甲' in a and 1 < n <= 2 %}是{% endif %}", {"a": "甲乙", "n": 2}, "是"),
        ("{{ '书记' if a == '1' else '同志' }}", {"a": "1"}, "书记"),
        ("{{ a ~ '：' ~ 1 }}", {"a": "第"}, "第：1"),
        ("{{ a or '同志' }}", {"a": ""}, "同志"),
        ("{{ a | default('同志') }}", {}, "同志"),
        ("{{ a | default('同志') }}", {"a": None}, "同志"),
        ("{{ a | default('同志', true) }}", {"a": ""}, "同志"),
        ("{{ a | trim | upper }}{{ b | lower }}", {"a": " x ", "b": "Y"}, "Xy"),
        ("{{ a | truncate(4) }}{{ b | truncate(4) }}", {"a": "一二三四", "b": "一二三四五"}, "一二三四一二三…"),
        ("{{ a | replace('支部委员会', '支部') }}", {"a": "城东支部委员会"}, "城东支部"),
        ("{# 说明 #}\n甲\n{% if a %}\n乙\n{% endif %}\n丙", {"a": "1"}, "甲\n乙\n丙"),  # no empty lines from tags
        ("{% raw %}{ 括号 }{% endraw %}", {}, "{ 括号 }"),
        ("a\r\nb", {}, "a\nb"),
        ("甲{{ a }}乙", {"a": "x\r\ny\x00z\tw\x85v\u2028u"}, "甲x\ny z w v u乙"),
        ("甲{{ a }}乙", {"a": "\ud83d"}, "甲 乙"),
        ("{{ '\\x07甲' }}", {}, "甲"),
        (" \n甲　", {}, "甲"),
        # Attributes and what forms send are texts; compared with numbers they are numbers.
        ("{% if a == 55 %}是{% endif %}甲", {"a": "55"}, "是甲"),
        ("{% if a != 55 %}是{% endif %}甲", {"a": "５５"}, "甲"),
        ("{% if a in [55, 60] %}是{% endif %}甲", {"a": "60"}, "是甲"),
        ("{% if a not in [55, 60] %}是{% endif %}甲", {"a": "60.0"}, "甲"),
        ("{% if a > '100' %}是{% endif %}甲", {"a": "99"}, "甲"),
        ("{% if a > '100' %}是{% endif %}甲", {"a": "1,000"}, "是甲"),
        ("{% if 1 < a < b %}是{% endif %}甲", {"a": "3", "b": "20"}, "是甲"),
        ("{% if a == 55 %}是{% endif %}甲", {"a": ""}, "甲"),
        ("{% if a == '是' %}是{% endif %}甲", {"a": "是 "}, "是甲"),
        ("{% if a >= '2026-02-01' %}是{% endif %}甲", {"a": "2026-12-01"}, "是甲"),
        ("{{ a }}、{{ b }}、{{ 2.0 }}、{{ a ~ '' }}", {"a": 100.0, "b": 1e-7}, "100、0.0000001、2、100"),
        # Lists.
        (
            "{% for x in a %}{{ loop.index }}{{ x }}{% if not loop.last %}；{% endif %}{% endfor %}",
            {"a": "甲、乙"},
            "1甲；2乙",
        ),
        ("{% for x in a %}{{ x }}{% if loop.first %}：{% endif %}{% endfor %}", {"a": ["甲、乙", 3.0]}, "甲、乙：3"),
        ("{% for x in a | default('') %}{{ x }}{% else %}无{% endfor %}", {}, "无"),
        ("{{ a }}，{{ a | 列表('/') }}", {"a": ["甲", "乙"]}, "甲、乙，甲/乙"),
        ("{% if '甲' in a %}是{% endif %}乙", {"a": ["甲乙", "丙"]}, "乙"),
        # A name with a dot is one variable, whatever values are called.
        (
            "{{ venue.address }}（{{ 场地.联系人 }}）",
            {"venue.address": "南京路1号", "场地.联系人": "张三"},
            "南京路1号（张三）",
        ),
        ("{{ venue . items }}{{ venue.get }}", {"venue.items": "甲", "venue.get": 2.0}, "甲2"),
        ("{{ row.座位 | default('待定') }}", {}, "待定"),
        ("{{ row.座位 | default('待定') }}", {"row": "x", "row.座位": None}, "待定"),
        ("{% if row.排 > 3 %}后{% else %}前{% endif %}{{ row.排 ~ '排' }}", {"row.排": "12"}, "后12排"),
        (
            "{% for x in venue.路线 %}{{ loop.index }}{{ x }}{{ venue.name }}{% endfor %}",
            {"venue.路线": "a、b", "venue.name": "馆"},
            "1a馆2b馆",
        ),
        ("{% for x in venue.路线 | default('') %}{{ x }}{% else %}无{% endfor %}", {}, "无"),
        ("{% for x in y %}{{ x }}{% endfor %}{{ x.a }}", {"y": "甲", "x.a": "乙"}, "甲乙"),
        # Dates, times, numbers, salutations; what is written in words stays.
        (
            "{{ a | 日期 }}，{{ a | date('年') }}，{{ a | 日期('周') }}",
            {"a": "2026-12-01"},
            "12月1日，2026年12月1日，12月1日（周二）",
        ),
        ("{{ a | 日期 }}，{{ a | 星期 }}", {"a": "本周六"}, "本周六，星期六"),
        (
            "{{ a | 时间 }}、{{ b | time }}、{{ '00:30' | 时间 }}",
            {"a": "19:05", "b": "下午两点半"},
            "晚上7:05、下午两点半、凌晨0:30",
        ),
        ("{{ a | 日期时间 }}", {"a": "2026-12-01 14:00-16:30"}, "12月1日（周二）下午2:00至下午4:30"),
        ("{{ a | moment }}", {"a": "本周六上午9时"}, "本周六上午9时"),
        ("{{ a | 数字 }}、{{ a | number(2) }}", {"a": "12400"}, "12,400、12,400.00"),
        ("{{ 0 | 中文数字 }}{{ 12 | 中文数字 }}、{{ a | chinese_number }}", {"a": "1010"}, "零十二、一千零一十"),
        (
            "{{ a | 称呼 }}、{{ b | 称呼 }}、{{ a | 姓 }}{{ '老师' }}",
            {"a": "欧阳海", "b": "王同志"},
            "欧阳海同志、王同志、欧阳老师",
        ),
        ("{{ a | surname }}", {"a": "Anna Smith"}, "Anna Smith"),
    ],
)
def test_rendering(body: str, values: dict[str, object], expected: str) -> None:
    assert compile_template(body).render(values) == expected


def test_variables_are_named_once_and_sorted_and_a_default_makes_one_optional() -> None:
    body = (
        "{{ name }}{{ 称呼 | default('同志') }}{% if 班次 %}{{ name }}{% endif %}"
        "{{ 备注 | default('') | trim }}{{ 备注 }}"
    )
    assert check_template(body) == ["name", "备注", "班次", "称呼"]
    assert compile_template(body).required == ("name", "备注", "班次")


def test_a_name_with_a_dot_is_one_variable() -> None:
    body = "{{ venue.address }}{{ 场地.电话 | default('无') }}{% for 站 in venue.路线 %}{{ 站 }}{% endfor %}{{ name }}"
    assert check_template(body) == ["name", "venue.address", "venue.路线", "场地.电话"]
    assert compile_template(body).required == ("name", "venue.address", "venue.路线")
    assert find_adjacent(body)[0] == [("venue.address", "场地.电话")]


@pytest.mark.parametrize(
    ("body", "line", "construct"),
    [
        ("a\n{% for x in y.z.w %}{{ x }}{% endfor %}", 2, "write a loop as"),
        ("{% for x in loop.index %}{{ x }}{% endfor %}", 1, "write a loop as"),
        ("{% for x in y %}{{ x.a }}{% endfor %}", 1, "an attribute"),
        ("{% for x in y %}{{ x.a | default('') }}{% endfor %}", 1, "an attribute"),
        ("{% for x in y %}{{ loop.x }}{% endfor %}", 1, "an attribute"),
        ("{{ venue.a }}{% for venue in y %}{{ venue }}{% endfor %}", 1, "venue is a variable already"),
        ("{{ loop.index | default('') }}", 1, "an attribute"),
        ("{{ venue.__class__ }}", 1, "__class__ must have at most 40 characters and not begin with _"),
        ("{{ venue._x | default('') }}", 1, "not begin with _"),
        ("{{ _venue.x }}", 1, "not begin with _"),
        ("{{ venue." + "x" * 41 + " }}", 1, "at most 40 characters"),
        ("{{ " + "x" * 41 + ".a }}", 1, "at most 40 characters"),
        ("{{ venue.address.upper }}", 1, "an attribute"),
        ("{{ venue.address.upper() }}", 1, "a call"),
        ("{{ venue.items() }}", 1, "a call"),
        ("{{ venue['address'] }}", 1, "a subscript"),
        ("{{ venue.0 }}", 1, "a subscript"),
        ("{{ venue.a[0] }}", 1, "a subscript"),
        ("{{ 'x'.upper }}", 1, "an attribute"),
        ("{{ (a | upper).b }}", 1, "an attribute"),
        ("{{ (a ~ b).c }}", 1, "an attribute"),
        ("{{ self.x }}", 1, "self cannot be a variable"),
        ("{{ venue.Ａ }}", 1, "write Ａ as A"),
        ("{{ Ａ.a }}", 1, "write Ａ as A"),
        ("{{ venue }}\n{{ venue.address }}", 2, "venue cannot be a value of its own"),
        ("{{ venue.address }}\n\n{{ venue | default('') }}", 3, "venue cannot be a value of its own"),
        ("{{ 'x' | find_dotted }}", 1, "there is no filter"),
        ("{% for x in 'abc' %}{{ x }}{% endfor %}", 1, "write a loop as"),
        ("{% for x in ['a', 'b'] %}{{ x }}{% endfor %}", 1, "write a loop as"),
        ("{% for x in range(9) %}{{ x }}{% endfor %}", 1, "write a loop as"),
        ("{% for x in y if x %}{{ x }}{% endfor %}", 1, "write a loop as"),
        ("{% for x in y recursive %}{{ x }}{% endfor %}", 1, "write a loop as"),
        ("{% for x in y %}{% for z in y %}{{ z }}{% endfor %}{% endfor %}", 1, "not within another loop"),
        (
            "{% for x in y %}{% if x %}{% for z in x %}{{ z }}{% endfor %}{% endif %}{% endfor %}",
            1,
            "not within another",
        ),
        ("{% for x, z in y %}{{ x }}{% endfor %}", 1, "(…, …)"),
        ("{{ x }}{% for x in y %}{{ x }}{% endfor %}", 1, "x is a variable already"),
        ("{% for x in y %}{{ loop.length }}{% endfor %}", 1, "an attribute"),
        ("{% for x in y %}{{ loop.cycle('a') }}{% endfor %}", 1, "a call"),
        ("{% for x in y %}{{ loop }}{% endfor %}", 1, "loop cannot be a variable"),
        ("{% for loop in y %}{{ y }}{% endfor %}", 1, "loop"),
        ("{{ loop.index }}", 1, "an attribute"),
        ("{% for x in y %}{% break %}{% endfor %}", 1, "break"),
        ("{{ a | compare_values('eq', 1) }}", 1, "there is no filter"),
        ("{{ a | split_items }}", 1, "there is no filter"),
        ("{{ a | 日期('%Y') }}", 1, "write the filter as"),
        ("{{ a | 数字(99999999) }}", 1, "write the filter as"),
        ("{{ a | 列表('xxxxxxxxx') }}", 1, "write the filter as"),
        ("{{ a | 称呼('" + "长" * 11 + "') }}", 1, "write the filter as"),
        ("{{ ''.__class__ }}", 1, "an attribute"),
        ("{{ a['__class__'] }}", 1, "a subscript"),
        ("{{ a | attr('__class__') }}", 1, "there is no filter attr"),
        ("{{ cycler.__init__.__globals__ }}", 1, "an attribute"),
        ("{{ a.__class__.__mro__[1].__subclasses__() }}", 1, "a call"),
        ("{{ a | map('upper') }}", 1, "there is no filter map"),
        ("{{ '%s' | format(a) }}", 1, "there is no filter format"),
        ("{{ a | center(9999999) }}", 1, "there is no filter center"),
        ("{{ a | xmlattr }}", 1, "there is no filter xmlattr"),
        ("{{ lipsum(9) }}", 1, "a call"),
        ("{{ namespace(a=1) }}", 1, "a call"),
        ("{{ 1e999 }}", 1, "neither text nor number"),
        ("{% autoescape true %}{{ a }}{% endautoescape %}", 1, "autoescape"),
        ("{% do a.append(1) %}", 1, "do"),
        ("{% set a = 1 %}", 1, "{% set %}"),
        ("{% set a %}x{% endset %}", 1, "{% set %}"),
        ("{% macro a() %}{% endmacro %}", 1, "{% macro %}"),
        ("{% include 'a' %}", 1, "{% include %}"),
        ("{% import 'a' as b %}", 1, "{% import %}"),
        ("{% from 'a' import b %}", 1, "{% from %}"),
        ("{% extends 'a' %}", 1, "{% extends %}"),
        ("{% block a %}{% endblock %}", 1, "{% block %}"),
        ("{% call a() %}{% endcall %}", 1, "{% call %}"),
        ("{% filter upper %}a{% endfilter %}", 1, "{% filter %}"),
        ("{% with a = 1 %}{% endwith %}", 1, "{% with %}"),
        ("{{ a() }}", 1, "a call"),
        ("\n\n{{ a.b.c }}", 3, "an attribute"),
        ("{{ a['b'] }}", 1, "a subscript"),
        ("{{ a[1:2] }}", 1, "a subscript"),
        ("{{ a * 9 }}", 1, "*"),
        ("{{ 'a' * 9999999 }}", 1, "*"),
        ("{{ 9 ** 9 ** 9 }}", 1, "**"),
        ("{{ a + b }}", 1, "+"),
        ("{{ -a }}", 1, "-"),
        ("{{ a % b }}", 1, "%"),
        ("{{ [a] }}", 1, "[…]"),
        ("{{ a, b }}", 1, "(…, …)"),
        ("{{ {} }}", 1, "{…}"),
        ("{{ a is defined }}", 1, "is …"),
        ("{{ a == b }}", 1, "a comparison outside"),
        ("{{ not a }}", 1, "not outside"),
        ("{{ a and b }}", 1, "and outside"),
        ("{% if a in [b] %}x{% endif %}", 1, "Name"),
        ("{{ a | safe }}", 1, "there is no filter safe"),
        ("{{ a | join(',') }}", 1, "there is no filter join"),
        ("{{ a | truncate }}", 1, "truncate(n)"),
        ("{{ a | truncate(n) }}", 1, "truncate(n)"),
        ("{{ a | truncate(0) }}", 1, "truncate(n)"),
        ("{{ a | truncate(true) }}", 1, "truncate(n)"),
        ("{{ a | truncate(length=3) }}", 1, "truncate(n)"),
        ("{{ a | replace('', 'x') }}", 1, "replace("),
        ("{{ a | replace('x', 'xx') }}", 1, "replace("),
        ("{{ a | replace('x', b) }}", 1, "replace("),
        ("{{ a | default(b) }}", 1, "default("),
        ("{{ a | default(true) }}", 1, "default("),
        ("{{ a | trim('x') }}", 1, "trim, without"),
        ("{{ 'a' if b }}", 1, "needs an else"),
        ("{{ none }}", 1, "neither text nor number"),
        ("{{ true }}", 1, "neither text nor number"),
        ("{{ self }}", 1, "self cannot be a variable"),
        ("{{ loop }}", 1, "loop cannot be a variable"),
        ("{{ Ａ }}", 1, "write Ａ as A"),
        ("a\nb }} c", 2, "}} stands alone"),
        ("｛｛ name ｝｝", 1, "｛｛ stands alone"),
        ("a\n{{ name }", 2, "unexpected '}'"),
        ("{% if a %}x", 1, "Unexpected end"),
        ("{% nonsense %}", 1, "nonsense"),
        ("a\nb\x00", 2, "control character"),
        ("a\ud83d", 1, "control character"),
    ],
)
def test_what_is_not_allowed_is_named_with_its_line(body: str, line: int, construct: str) -> None:
    with pytest.raises(Invalid) as caught:
        check_template(body)
    assert caught.value.field == "body"
    assert caught.value.reason.startswith(f"line {line}: ")
    assert construct in caught.value.reason


@pytest.mark.parametrize(
    "body",
    [
        "",
        " \n",
        "字" * 2_001,
        "{%if a%}" * 110 + "{%endif%}" * 110,
        "{{" + "(" * 900 + "a" + ")" * 900 + "}}",
        "{% if " + "not " * 400 + "a %}x{% endif %}",
        "{{" + " or ".join("a" * 300) + "}}",
        "{{ a" + "|trim" * 300 + "}}",
    ],
)
def test_empty_long_and_deep_bodies_are_refused(body: str) -> None:
    with pytest.raises(Invalid) as caught:
        check_template(body)
    assert caught.value.field == "body"


@pytest.mark.parametrize(
    ("body", "values", "reason"),
    [
        ("{{ name }}{{ 活动时间 }}", {"name": "张三"}, "活动时间"),
        ("{% if 活动时间 %}x{% endif %}", {}, "活动时间"),
        ("{{ venue.address }}", {}, "'venue.address' is undefined"),
        ("{{ venue.address }}", {"venue": "x", "address": "y"}, "'venue.address' is undefined"),
        ("{{ '甲' ~ venue.address }}", {}, "'venue.address' is undefined"),
        ("{% if venue.address %}x{% endif %}", {}, "'venue.address' is undefined"),
        ("{% if 5 == venue.rank %}x{% endif %}", {}, "'venue.rank' is undefined"),
        ("{% for x in venue.a %}{{ x }}{% endfor %}", {}, "'venue.a' is undefined"),
        ("{{ venue.a | 日期 }}", {}, "'venue.a' is undefined"),
        ("{{ venue.a }}", {"venue.a": {"b": "c"}}, "the value of venue.a is a dict"),
        ("{{ venue.a }}", {"venue.a": "请{{ 时间 }}到"}, "the value of venue.a holds {{"),
        ("{{ 活动时间 | upper }}", {}, "活动时间"),
        ("{{ 活动时间 | truncate(3) }}", {}, "活动时间"),
        ("{{ a }}", {"a": True}, "the value of a is a bool"),
        ("{{ a }}", {"a": [["x"]]}, "a list of more than texts"),
        ("{{ a | truncate(3) }}", {"a": "x" * 2_001}, "the value of a has 2001"),
        ("{% if a > 3 %}x{% endif %}", {"a": "四"}, "compare numbers or whole dates"),
        ("{% if a > b %}x{% endif %}", {"a": "甲", "b": "乙"}, "compare numbers or whole dates"),
        ("{% if a == 55 %}x{% endif %}", {"a": "55岁"}, "no number"),
        ("{% if a in [55] %}x{% endif %}", {"a": "55岁"}, "no number"),
        ("{% if a == 55 %}x{% endif %}", {}, "'a' is undefined"),
        ("{% if 5 == a %}x{% endif %}", {}, "'a' is undefined"),
        ("{{ a | 日期 }}", {}, "'a' is undefined"),
        ("{{ a | 日期 }}", {"a": "2月30日"}, "the filter 日期 needs a date"),
        ("{{ a | 星期 }}", {"a": "12月1日"}, "a date with its year"),
        ("{{ a | 时间 }}", {"a": "12月1日"}, "a time such as"),
        ("{{ a | 数字 }}", {"a": "百"}, "needs a number"),
        ("{{ a | 中文数字 }}", {"a": "10000"}, "below 10,000"),
        ("{% for x in a %}{{ x }}{% endfor %}", {"a": ["x"] * 51}, "51 entries; at most 50"),
        ("{% for x in a %}{{ x }}{% endfor %}", {"a": "、".join("x" * 51)}, "51 entries; at most 50"),
        ("{% for x in a %}{{ x ~ b ~ b }}{% endfor %}", {"a": ["x"] * 50, "b": "y" * 100}, "more than 2000"),
        ("{{ a }}", {"a": "请{{ 时间 }}到"}, "the value of a holds {{"),
        ("{{ a }}", {"a": "{% if b %}"}, "the value of a holds {%"),
        ("{{ a }}", {"a": ["x", "{# 注 #}"]}, "the value of a holds {#"),
        ("{{ a }}", {"a": "｛｛ 时间 ｝｝"}, "the value of a holds ｛｛"),
        ("{{ a }}", {"a": " \n "}, "empty"),
        ("{{ a }}", {"a": "中" * 1_001}, "1001"),
        ("{{ a }}", {"a": "😀" * 501}, "1002"),
    ],
)
def test_what_cannot_be_rendered_says_why(body: str, values: dict[str, object], reason: str) -> None:
    with pytest.raises(CannotRender, match=reason):
        compile_template(body).render(values)


def test_a_branch_not_taken_needs_no_value() -> None:
    assert compile_template("{% if a %}{{ b }}{% endif %}好").render({"a": ""}) == "好"


def test_a_version_is_compiled_once_and_its_id_never_brings_another_text() -> None:
    first = get_compiled(1, "甲")
    assert get_compiled(1, "甲") is first
    assert get_compiled(1, "乙").render({}) == "乙"
    with pytest.raises(CannotRender, match="version 9 "):
        get_compiled(9, "{% set a = b %}")


fragments = st.sampled_from(
    [
        *"{}%#()[]'\"|~,.:=<>+-*/ \n",
        *("{{", "}}", "{%", "%}", "{% if a %}", "{% endif %}", " if ", " else ", " or ", " and ", " not ", " in "),
        *(" a ", "名", "self", "'b'", "7", "\\x"),
        *(".b", "a.b", "名.名", "a.__class__", "loop.x"),
        *("{% for 人 in a %}", "{% endfor %}", "人", "loop.index", "|日期", "|中文数字", "|列表", "|姓", " > "),
        *("|trim", "|upper", "|truncate(3)", "|default('x')", "|replace('ab','c')"),
    ]
)


@given(st.lists(fragments, max_size=40).map("".join))
@example("{% if a %}{{ a|replace('ab','c') }}{% endif %}")
def test_any_body_is_refused_clearly_or_renders_bounded(body: str) -> None:
    """Whatever a person types, they get Invalid, CannotRender or a text within the limit, and nothing else."""
    try:
        template = compile_template(body)
    except Invalid:
        return
    try:
        text = template.render({"a": "ab", "名": 3})
    except CannotRender:
        return
    assert text == text.strip() != ""
    assert len(text) <= MAX_TEXT


@given(st.text(max_size=1_500), st.text(max_size=20))
@example("{%", "")
def test_a_value_comes_out_as_it_went_in_but_for_controls(value: str, other: str) -> None:
    try:
        text = compile_template("甲{{ value }}乙{{ other }}丙").render({"value": value, "other": other})
    except CannotRender:
        too_long = len((value + other).encode("utf-16-le", "surrogatepass")) // 2 + 3 > MAX_TEXT
        assert too_long or find_place(value) or find_place(other)
        return
    assert "\r" not in text
    assert "\x00" not in text
    text.encode("utf-8")  # no half of a surrogate pair
    if value.isprintable() and other.isprintable():
        assert text == f"甲{value}乙{other}丙"


def test_what_was_saved_also_compiles_deep_inside_a_server() -> None:
    """The deepest body that is accepted leaves room on the stack for the frames of a worker or a request."""
    body = "{{" + "(" * 30 + "a" + ")" * 30 + "}}"
    check_template(body)

    def deeper(levels: int) -> str:
        return deeper(levels - 1) if levels else compile_template(body).render({"a": "x"})

    assert sys.getrecursionlimit() == 1_000
    assert deeper(200) == "x"
