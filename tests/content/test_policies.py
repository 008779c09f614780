"""The content policies of a route's accounts, and the bindings that they want: what lint says."""

from __future__ import annotations

from typing import Any

import pytest

from sms_service.content.compose import Composed, compose_text
from sms_service.content.findings import LintFinding
from sms_service.content.language import compile_template
from sms_service.content.policies import describe_policy, lint_policies
from sms_service.gateways.policy import FREE, Policy

DAY = (480, 1200)


def composed(body: str) -> Composed:
    return compose_text(compile_template(body), {}, "云州先锋", "notice")


def lint(policy: dict[str, Any], *bodies: str, unbound: bool = False, **others: Any) -> list[LintFinding]:
    rules = [{"name": "main", "policy": policy, "unbound": unbound}]
    rules += [{"name": name, "policy": {}, "unbound": one} for name, one in others.items()]
    made = [(f"党员{number}", composed(body)) for number, body in enumerate(bodies)]
    return lint_policies(rules, made, DAY)


def keys(findings: list[LintFinding]) -> list[tuple[str, str]]:
    return [(str(one.severity), one.key) for one in findings]


@pytest.mark.parametrize(
    ("policy", "fits", "does_not", "key"),
    [
        (Policy(refused_words=("股票",)), "请参加学习。", "请买 股 票。", "policy:main:word:股票"),
        (Policy(no_links=True), "请参加学习。", "请看 https://12371.cn/a", "policy:main:link"),
        (Policy(longest_text=20), "请参加学习。", "请参加学习，并带上笔记本和笔，谢谢大家。", "policy:main:long"),
        (Policy(suffix="拒收请回复R"), "请参加学习。拒收请回复R", "请参加学习。", "policy:main:suffix"),
    ],
)
def test_a_text_that_an_account_does_not_let_through_is_refused(
    policy: Policy, fits: str, does_not: str, key: str
) -> None:
    assert lint(policy.as_json(), fits) == []
    (found,) = lint(policy.as_json(), fits, does_not)
    assert (str(found.severity), found.key) == ("refused", key)
    assert "党员1" in str(found.place), "it says whose text it is"
    assert "main" in str(found.text)
    assert str(found.remedy)


def test_a_word_is_looked_for_in_each_text_and_not_across_two() -> None:
    rules = [{"name": "main", "policy": Policy(refused_words=("晚到", "明早")).as_json(), "unbound": False}]
    made = [(name, Composed(text, "UCS-2", len(text), 1)) for name, text in (("甲", "请别太晚"), ("乙", "到明早"))]
    assert [one.key for one in lint_policies(rules, made, DAY)] == ["policy:main:word:明早"]


def test_hours_are_said_and_not_enforced() -> None:
    assert lint({"window": ["08:00", "20:00"]}, "请参加学习。") == []
    assert keys(lint({"window": ["09:00", "20:00"]}, "请参加学习。")) == [("note", "policy:main:window")]


def test_a_missing_binding_is_refused_where_no_account_is_left() -> None:
    assert keys(lint({"no_links": True}, "请看 https://12371.cn/a", unbound=True)) == [("refused", "binding")]
    assert keys(lint({}, "请参加学习。", unbound=True, spare=False)) == [("note", "binding")]
    assert keys(lint({}, "请参加学习。", unbound=True, spare=True)) == [("refused", "binding")]
    assert lint_policies([], [], DAY) == []


def test_a_policy_in_words() -> None:
    assert describe_policy(False, FREE.as_json()) == []
    every = Policy("required", ("股票", "彩票"), 300, "拒收请回复R", ("08:00", "20:00"), True)
    said = [str(one) for one in describe_policy(True, every.as_json())]
    assert len(said) == 6
    assert "股票 or 彩票" in said[1]
